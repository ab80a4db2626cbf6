package demohost

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// TestUp_KeepsNoLockOfItsCaller: a rollback runs `up` under a kernel lock, and the next one waits for that.
func TestUp_KeepsNoLockOfItsCaller(t *testing.T) {
	h := startHost(t)
	lock, err := openLocked(filepath.Join(t.TempDir(), "lock"), syscall.LOCK_EX)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.pin(V1); err != nil {
		t.Fatal(err)
	}
	if err := h.docker(t.Context(), "pull", ref(V1, "web")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(h.folder.bin(), dockerName), "compose", "-f", composeFileName, "up", "-d", "--no-deps", "--pull", "never", "api", "worker", "web")
	// The last of them is descriptor 9, as the guard's is.
	cmd.Dir, cmd.Env, cmd.ExtraFiles = h.Dir, append(h.folder.environment(), "PATH="+h.path()), []*os.File{lock, lock, lock, lock, lock, lock, lock}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	path := lock.Name()
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if held(path) {
		t.Error("the containers hold the lock that `up` was given")
	}
}

func TestHost_SaysWhatRuns(t *testing.T) {
	h := startHost(t)
	for _, version := range []string{V2, V1} {
		if err := h.Deploy(t.Context(), version); err != nil {
			t.Fatal(err)
		}
		running, err := h.Running()
		if err != nil {
			t.Fatal(err)
		}
		pins, err := h.Pins()
		if err != nil {
			t.Fatal(err)
		}
		want := ref(version, "worker")
		if got := running["worker"]; !slices.Equal(got, []string{want, want}) || pins["worker"] != want {
			t.Errorf("the workers run %v and are pinned to %s, want two of %s", got, pins["worker"], want)
		}
	}
}

func TestTidy_KeepsWhatRuns(t *testing.T) {
	h := startHost(t)
	for _, version := range []string{V1, V2} { // V2 runs
		if err := h.Tidy(version); err != nil {
			t.Fatal(err)
		}
	}
	s, err := h.folder.read()
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[string]bool{V1: false, V2: true} {
		if _, here := s.image(ref(version, "api")); here != want {
			t.Errorf("the api of %s is on the host: %v, want %v", version, here, want)
		}
	}
}

func TestStart_SharesItsKeys(t *testing.T) {
	keys := t.TempDir()
	var files []string
	for range 2 {
		h, err := Start(t.Context(), Options{Start: -1, Pull: -1, Keys: keys})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = h.Close() })
		files = append(files, h.KeyFile, h.KnownHosts)

	}
	if files[0] != files[2] || files[1] != files[3] {
		t.Errorf("keys and known hosts of two hosts: %v, want the same", files)
	}
}
