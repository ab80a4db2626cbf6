package demohost

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// parentVariable makes the test binary a program that has a host, as the demo is.
const parentVariable = "DEMOHOST_TEST_PARENT"

func TestMain(m *testing.M) {
	if IsStandIn() {
		os.Exit(RunStandIn())
	}
	if os.Getenv(parentVariable) != "" {
		os.Exit(runParent())
	}
	os.Exit(m.Run())
}

// runParent has a host until it is told to end, and prints its folder first.
func runParent() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	h, err := Start(ctx, fast)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(h.folder)
	<-ctx.Done()
	if err := h.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// fast is a host that waits for nothing.
var fast = Options{Start: -1, Pull: -1}

func startHost(t *testing.T) *Host {
	t.Helper()
	if err := checkMachine(); err != nil {
		t.Skip(err)
	}
	h, err := Start(t.Context(), fast)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// furnished is a host's folder in which nothing runs.
func furnished(t *testing.T) *Host {
	t.Helper()
	h := &Host{folder: folder(t.TempDir())}
	if err := h.furnish(18080); err != nil {
		t.Fatal(err)
	}
	if err := h.pin(V2); err != nil {
		t.Fatal(err)
	}
	return h
}

type result struct {
	status         int
	stdout, stderr string
}

// docker calls the stand-in in this process, from the app's folder, with variables "NAME=value" set.
func docker(h *Host, env []string, args ...string) result {
	var stdout, stderr bytes.Buffer
	c := &call{host: h.folder, dir: h.folder.app(), stdout: &stdout, stderr: &stderr, environment: func(name string) (string, bool) {
		for _, pair := range env {
			if value, ok := strings.CutPrefix(pair, name+"="); ok {
				return value, true
			}
		}
		return "", false
	}}
	status := c.run(args)
	return result{status, stdout.String(), stderr.String()}
}

func compose(h *Host, args ...string) result {
	return docker(h, nil, append([]string{"compose", "-f", composeFileName}, args...)...)
}

func up(h *Host, args ...string) result {
	return compose(h, append([]string{"up", "-d", "--no-deps", "--pull", "never"}, args...)...)
}

// containers gives what runs, by name.
func containers(t *testing.T, h *Host) map[string]container {
	t.Helper()
	s, err := h.folder.read()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]container{}
	for _, c := range s.Containers {
		found[c.Name] = c
	}
	return found
}

// patience is far above what anything takes here: a machine that is slow must fail no test.
const patience = 5 * time.Minute

// eventually waits for something that other processes do.
func eventually(t *testing.T, what string, happens func() bool) {
	t.Helper()
	for began := time.Now(); !happens(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > patience {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// health is the status that the api's /health gives once it answers.
func health(t *testing.T, h *Host) int {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	status := 0
	eventually(t, "an answer of "+h.HealthURL, func() bool {
		response, err := client.Get(h.HealthURL)
		if err != nil {
			return false
		}
		response.Body.Close()
		status = response.StatusCode
		return true
	})
	return status
}

func readFile(t *testing.T, elements ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(elements...))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// ref is the reference of a version's image of a service.
func ref(version, service string) string { return serviceImage(service, version).named().String() }
