package practice

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"rollbackbot/internal/standin"
	"rollbackbot/internal/standin/overssh"
	"rollbackbot/runbook"
	"rollbackbot/ssh"
)

var fast = Options{Start: -1, Pull: -1}

func startHost(t *testing.T, options Options) *Host {
	t.Helper()
	h, err := Start(t.Context(), options)
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

// health is what the api answers; 0 where nobody does.
func health(t *testing.T, h *Host) int {
	t.Helper()
	response, err := http.Get(h.HealthURL)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	return response.StatusCode
}

// reached is the way to the host by real SSH.
func reached(t *testing.T, h *Host) (*ssh.Pool, runbook.AppHost) {
	t.Helper()
	pool, err := ssh.New(ssh.Config{KeyFile: h.KeyFile, KnownHosts: h.KnownHosts}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	hosts := &overssh.Hosts{Shell: func(host runbook.Host) overssh.Shell { return pool.Client(host) }}
	return pool, hosts.On(h.App(), h.Host)
}

func TestStart_V2RunsAndIsSick(t *testing.T) {
	h := startHost(t, fast)
	if got := health(t, h); got != 503 {
		t.Errorf("/health answers %d, want 503", got)
	}
	_, on := reached(t, h)
	view, err := on.Look(t.Context(), "")
	if err != nil || !view.Runs(h.Images(V2)) || view.Services[1].Containers != 2 {
		t.Errorf("seen are %+v (%v), want v2 with two workers", view, err)
	}
	here, err := on.Images(t.Context(), []runbook.Image{h.Images(V1)["api"], h.Images(V1)["web"]}, true)
	if err != nil || !here[0].Here || here[1].Here || here[1].Registry != runbook.RegistryHas {
		t.Errorf("v1's images are %+v (%v), want the web's to be fetched", here, err)
	}
	logs, err := on.Logs(t.Context(), "")
	if err != nil || !strings.Contains(logs[0].Lines, "orders.discount") {
		t.Errorf("the api's log is %+v (%v)", logs, err)
	}
}

func TestDeploy_BackAndForth(t *testing.T) {
	h := startHost(t, fast)
	for _, step := range []struct {
		version string
		health  int
	}{{V1, 200}, {V2, 503}, {V1, 200}} {
		if err := h.Deploy(t.Context(), step.version); err != nil {
			t.Fatal(err)
		}
		if got := health(t, h); got != step.health {
			t.Errorf("%s: /health answers %d, want %d", step.version, got, step.health)
		}
		for service, image := range h.Images(step.version) {
			if got := h.Running()[service]; !slices.Contains(got, image) || h.Pins()[service] != image.String() {
				t.Errorf("%s: %s runs %v, its pin is %s", step.version, service, got, h.Pins()[service])
			}
		}
	}
	h.SetSick(true)
	if got := health(t, h); got != 503 {
		t.Errorf("sick, it answers %d, want 503", got)
	}
	if err := h.Deploy(t.Context(), "v3"); err == nil || h.Images("v3") != nil {
		t.Errorf("v3, which does not exist: %v, %v", err, h.Images("v3"))
	}
}

// A deployment by hand waits for what the bot left running; while the api is replaced nobody answers.
func TestDeploy_WaitsForAJob(t *testing.T) {
	h := startHost(t, Options{Start: time.Hour, Pull: -1})
	if got := health(t, h); got != 0 {
		t.Errorf("an api that is starting answers %d", got)
	}
	_, on := reached(t, h)
	lease := runbook.Lease{Rollback: "rb-1", Epoch: 1}
	if err := on.Take(t.Context(), lease, true, 0); err != nil {
		t.Fatal(err)
	}
	job := runbook.Job{Name: "up-1", Limit: time.Hour, Up: []runbook.ServicePlan{{Service: "api"}}}
	if err := on.Start(t.Context(), lease, job); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := h.Deploy(ctx, V1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("beside a job: %v", err)
	}
	if _, err := on.Follow(t.Context(), lease, job.Name, 0, true); err != nil {
		t.Fatal(err)
	}
	if err := h.Deploy(t.Context(), V1); err != nil {
		t.Error(err)
	}
}

func TestTidy_LeavesWhatRuns(t *testing.T) {
	h := startHost(t, fast)
	h.Tidy(V1)
	h.Tidy(V2)
	h.Inside.Set(func(s *standin.State) {
		if s.Here[h.Images(V1)["api"]] || !s.Here[h.Images(V2)["api"]] {
			t.Errorf("on the host are %v", s.Here)
		}
	})
}

// The host has no shell: what is no method of the stand-in is not found, as a shell would say.
func TestShell_IsNone(t *testing.T) {
	h := startHost(t, fast)
	pool, _ := reached(t, h)
	status, _, stderr, err := pool.Client(h.Host).Run(t.Context(), runbook.Command{Args: []string{"docker", "ps"}}, nil)
	if err != nil || status != 127 || !strings.Contains(string(stderr), "only practises") {
		t.Errorf("status %d, %q, %v", status, stderr, err)
	}
}

func TestClose_LeavesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	h, err := Start(ctx, fast)
	if err != nil {
		t.Fatal(err)
	}
	cancel() // closes it too
	for range 2 {
		if err := h.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if _, err := os.Stat(h.folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder: %v, want that it is gone", err)
	}
	address, err := url.Parse(h.HealthURL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := net.Dial("tcp", address.Host); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the api's port: %v, want refused", err)
	}
	if _, err := Start(ctx, fast); !errors.Is(err, context.Canceled) {
		t.Errorf("started with a context that has ended: %v", err)
	}
}
