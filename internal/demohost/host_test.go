package demohost

import (
	"bufio"
	"context"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

func TestStart_V2RunsAndIsSick(t *testing.T) {
	h := startHost(t)
	if got := health(t, h); got != 503 {
		t.Errorf("/health answers %d, want 503", got)
	}
	got := containers(t, h)
	for name, want := range map[string]struct{ ref, status string }{
		"shop-api-1":    {ref(V2, "api"), statusRunning},
		"shop-worker-1": {ref(V2, "worker"), statusRunning},
		"shop-worker-2": {ref(V2, "worker"), statusRunning},
		"shop-web-1":    {ref(V2, "web"), statusRunning},
		"shop-db-1":     {"postgres:16-alpine", statusRunning},
	} {
		if c := got[name]; c.Ref != want.ref || c.Status != want.status {
			t.Errorf("%s: %s of %s, want %s of %s", name, c.Status, c.Ref, want.status, want.ref)
		}
	}
	eventually(t, "the migration is done", func() bool {
		c := containers(t, h)["shop-migrate-1"]
		return c.Status == statusExited && c.ExitStatus == 0
	})
}

func TestDeploy_BackAndForth(t *testing.T) {
	h := startHost(t)
	before := containers(t, h)
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
		for _, service := range services {
			if got := containers(t, h)["shop-"+service+"-1"].Ref; got != h.Images(step.version)[service].String() {
				t.Errorf("%s: %s runs %s", step.version, service, got)
			}
		}
	}
	after := containers(t, h)
	if before["shop-db-1"].ID != after["shop-db-1"].ID || before["shop-migrate-1"].ID != after["shop-migrate-1"].ID {
		t.Error("a deployment replaced a container that is none of the release's")
	}
	if err := h.Deploy(t.Context(), "v3"); err == nil || h.Images("v3") != nil {
		t.Errorf("v3, which does not exist: %v, %v", err, h.Images("v3"))
	}
}

func TestContainer_IsRestartedWhenItsProgramDies(t *testing.T) {
	h := startHost(t)
	health(t, h)
	shim := containers(t, h)["shop-api-1"].Shim
	for _, pid := range h.folder.processes() {
		if parent, err := syscall.Getpgid(pid); err == nil && parent == shim && pid != shim {
			h.folder.kill(pid)
		}
	}
	eventually(t, "the api is restarted", func() bool {
		c := containers(t, h)["shop-api-1"]
		return c.Restarts == 1 && c.Status == statusRunning
	})
	if got := health(t, h); got != 503 {
		t.Errorf("restarted, it answers %d, want 503", got)
	}
	r := docker(h, nil, "inspect", "--format", "{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}", "shop-api-1")
	if r.stdout != "1 running 137\n" {
		t.Errorf("inspect says %q", r.stdout)
	}
}

func TestContainer_WithoutItsShimIsSeenAsKilled(t *testing.T) {
	h := startHost(t)
	old := containers(t, h)["shop-web-1"]
	h.folder.kill(old.Shim)
	eventually(t, "the container is seen to be dead", func() bool {
		c := containers(t, h)["shop-web-1"]
		return c.Status == statusExited && c.ExitStatus == killedStatus
	})
	if r := up(h, "web"); r.status != 0 || !strings.Contains(r.stderr, "shop-web-1 Started") {
		t.Fatalf("up: %+v", r)
	}
	if c := containers(t, h)["shop-web-1"]; c.ID != old.ID || c.Status != statusRunning {
		t.Errorf("up left it %s as %s, want %s started again", c.Status, c.ID, old.ID)
	}
}

func TestClose_LeavesNothing(t *testing.T) {
	h := startHost(t)
	runsWhole(t, h.folder)
	// Something that a session left behind, in a process group of its own, as `timeout` makes one.
	left := exec.Command("sleep", "600")
	left.Env = []string{marker + "=" + string(h.folder)}
	left.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := left.Start(); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	_ = left.Wait() // it was killed, or this does not return
	assertGone(t, h.folder)
	if err := h.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	address, err := url.Parse(h.HealthURL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := net.Dial("tcp", address.Host); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the api's port: %v, want refused", err)
	}
}

func assertGone(t *testing.T, f folder) {
	t.Helper()
	if left := f.processes(); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
	if _, err := os.Stat(string(f)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder: %v, want that it is gone", err)
	}
}

func TestStart_EndsWithItsContext(t *testing.T) {
	if err := checkMachine(); err != nil {
		t.Skip(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	h, err := Start(ctx, fast)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	eventually(t, "the folder is gone", func() bool {
		_, err := os.Stat(string(h.folder))
		return errors.Is(err, fs.ErrNotExist)
	})
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	assertGone(t, h.folder)
	if _, err := Start(ctx, fast); !errors.Is(err, context.Canceled) {
		t.Errorf("started with a context that has ended: %v", err)
	}
}

func TestStart_SaysWhatTheMachineLacks(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := Start(t.Context(), fast)
	if err == nil || !strings.Contains(err.Error(), "flock") || !strings.Contains(err.Error(), "sha256sum") {
		t.Errorf("without any program: %v", err)
	}
}

// startParent starts a program that has a host, and gives the host's folder.
func startParent(t *testing.T) (*exec.Cmd, folder) {
	t.Helper()
	if err := checkMachine(); err != nil {
		t.Skip(err)
	}
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), parentVariable+"=1")
	parent.Stderr = os.Stderr
	stdout, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(errors.Join(err, parent.Wait()))
	}
	f := folder(strings.TrimSpace(line))
	t.Cleanup(func() { _ = os.RemoveAll(string(f)) })
	runsWhole(t, f)
	return parent, f
}

// runsWhole waits until all processes of a host run: those of five containers, each a shim and a program.
func runsWhole(t *testing.T, f folder) {
	t.Helper()
	eventually(t, "ten processes are seen", func() bool { return len(f.processes()) == 10 })
}

func TestParent_ToldToEndLeavesNothing(t *testing.T) {
	parent, f := startParent(t)
	if err := parent.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := parent.Wait(); err != nil {
		t.Errorf("the parent: %v", err)
	}
	assertGone(t, f)
}

func TestParent_KilledLeavesNoProcess(t *testing.T) {
	parent, f := startParent(t)
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // killed, as said
	eventually(t, "all processes are gone", func() bool { return len(f.processes()) == 0 })
}
