package journal

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

func TestOwn_OneAtATime(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s, other := open(t, url), open(t, url)
		owner, err := s.Own(t.Context())
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
		owner.Release()
		owner.Release()
		if _, err := other.Own(t.Context()); err != nil {
			t.Error(err)
		}
		if err := other.Close(); err != nil {
			t.Error(err)
		}
		if _, err := s.Own(t.Context()); err != nil {
			t.Errorf("after Close: %v", err)
		}
	})
}

// Another name of the same file is the same journal.
func TestOwn_ThroughALink(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link.db")
	s := open(t, "sqlite:"+filepath.Join(dir, "journal.db"))
	if err := os.Symlink("journal.db", link); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Own(t.Context()); err != nil {
		t.Fatal(err)
	}
	var owned *OwnedError
	if _, err := open(t, "sqlite:"+link).Own(t.Context()); !errors.As(err, &owned) {
		t.Errorf("got %v, want an *OwnedError", err)
	}
}

func TestOwn_DiesWithItsProcess(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := open(t, url)
		out, cmd, kill := startOther(t, ownVariable, url)
		if !out.Scan() || out.Text() != "owned" {
			t.Fatalf("the other process said %q", out.Text())
		}
		var owned *OwnedError
		if _, err := s.Own(t.Context()); !errors.As(err, &owned) || owned.PID != cmd.Process.Pid || owned.Path != s.dialect.String() {
			t.Errorf("got %v, want an *OwnedError with process %d", err, cmd.Process.Pid)
		}
		kill()
		own(t, s)
	})
}

// own owns the journal; PostgreSQL hears of an owner's end a moment after it.
func own(t *testing.T, s *Store) *Ownership {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		owner, err := s.Own(t.Context())
		if err == nil {
			return owner
		}
		var owned *OwnedError
		if !errors.As(err, &owned) || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}
