package journal

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestOwn_OneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	s, other := openAt(t, path), openAt(t, path)
	release, err := s.Own(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		runtime.GC() // the lock must not hang on whether anybody keeps release
	}
	for _, store := range []*Store{s, other} {
		_, err := store.Own(t.Context())
		var owned *OwnedError
		if !errors.As(err, &owned) || owned.PID != os.Getpid() {
			t.Errorf("got %v, want an *OwnedError with our process", err)
		}
	}
	release()
	release()
	if _, err := other.Own(t.Context()); err != nil {
		t.Error(err)
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Own(t.Context()); err != nil {
		t.Errorf("after Close: %v", err)
	}
}

// Another name of the same file is the same journal.
func TestOwn_ThroughALink(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link.db")
	s := openAt(t, filepath.Join(dir, "journal.db"))
	if err := os.Symlink("journal.db", link); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Own(t.Context()); err != nil {
		t.Fatal(err)
	}
	var owned *OwnedError
	if _, err := openAt(t, link).Own(t.Context()); !errors.As(err, &owned) {
		t.Errorf("got %v, want an *OwnedError", err)
	}
}

func TestOwn_DiesWithItsProcess(t *testing.T) {
	s := open(t)
	out, cmd, kill := startOther(t, ownVariable, s.path)
	if !out.Scan() || out.Text() != "owned" {
		t.Fatalf("the other process said %q", out.Text())
	}
	var owned *OwnedError
	if _, err := s.Own(t.Context()); !errors.As(err, &owned) || owned.PID != cmd.Process.Pid {
		t.Errorf("got %v, want an *OwnedError with process %d", err, cmd.Process.Pid)
	}
	kill()
	if _, err := s.Own(t.Context()); err != nil {
		t.Errorf("after its end: %v", err)
	}
}
