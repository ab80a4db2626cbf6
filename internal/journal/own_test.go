package journal

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"rollbackbot/internal/parts"
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

// lostWithin waits for the loss, and gives what Err says.
func lostWithin(t *testing.T, owner *Ownership, limit time.Duration) error {
	t.Helper()
	select {
	case <-owner.Lost():
		return owner.Err()
	case <-time.After(limit):
		t.Fatalf("the owner does not know after %v", limit)
		return nil
	}
}

// Where PostgreSQL ends the session, its owner knows at once, and so does what runs on its behalf.
func TestOwn_SessionEnded(t *testing.T) {
	database := parts.PostgreSQL(t)
	s, other := open(t, database), open(t, database)
	owner, err := s.Own(t.Context())
	if err != nil || owner.Err() != nil {
		t.Fatal(err, owner.Err())
	}
	ctx, cancel := owner.Context(t.Context())
	defer cancel()
	mustExec(t, other, `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
	err = lostWithin(t, owner, 2*time.Second)
	if !errors.Is(err, ErrOwnershipLost) {
		t.Errorf("got %v", err)
	}
	hasAll(t, err, s.dialect.String())
	<-ctx.Done()
	if !errors.Is(context.Cause(ctx), ErrOwnershipLost) {
		t.Errorf("the context ended because of %v", context.Cause(ctx))
	}
	own(t, other)
	owner.Release()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A server that stands still for a while takes the ownership from nobody; one that stops does.
func TestOwn_ServerStallsAndStops(t *testing.T) {
	server := parts.StartPostgreSQL(t)
	s := open(t, server.Database(t))
	owner, err := s.Own(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	server.Freeze(t)
	select {
	case <-owner.Lost():
		t.Errorf("a stall of 3 s cost the ownership: %v", owner.Err())
	case <-time.After(3 * time.Second):
	}
	server.Thaw()
	if err := owner.Err(); err != nil {
		t.Error(err)
	}
	server.Stop(t, "fast")
	lostWithin(t, owner, 2*time.Second)
	server.Start(t)
	own(t, s)
}

// An owner that is cut off, without any word from anybody, gives up before the server gives its lock away.
func TestOwn_CutOff(t *testing.T) {
	database := parts.PostgreSQL(t)
	w, through := newWire(t, database)
	s := open(t, through)
	s.dialect.(*postgreSQL).heartbeatPatience = 500 * time.Millisecond
	owner, err := s.Own(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.freeze()
	lostWithin(t, owner, heartbeat+3*time.Second)
	var owned *OwnedError
	if _, err := open(t, database).Own(t.Context()); !errors.As(err, &owned) {
		t.Errorf("the server has given the lock away already: %v", err)
	}
}

// The server's patience with a silent owner, in its own words, is longer than the owner's with the server.
func TestOwn_GivesUpBeforeTheServer(t *testing.T) {
	seconds := func(name string) int {
		n, err := strconv.Atoi(ownerDefaults[name])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	server := time.Duration(seconds("tcp_keepalives_idle")+seconds("tcp_keepalives_interval")*seconds("tcp_keepalives_count")) * time.Second
	unanswered := time.Duration(seconds("tcp_user_timeout")) * time.Millisecond
	if owner := heartbeat + heartbeatPatience; owner+2*time.Second > min(server, unanswered) {
		t.Errorf("the owner gives up after %v, the server after %v or %v", owner, server, unanswered)
	}
	if heartbeatPatience < 11*time.Second {
		t.Error("a database that stalls for 10 s would cost the ownership")
	}
}

func TestOwn_ReleaseIsNoLoss(t *testing.T) {
	onBothStores(t, func(t *testing.T, s *Store) {
		owner, err := s.Own(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := owner.Context(t.Context())
		owner.Release()
		if owner.Err() != nil || ctx.Err() != nil {
			t.Errorf("after Release: %v, %v", owner.Err(), ctx.Err())
		}
		cancel()
		<-ctx.Done()
		if _, err := s.Own(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
