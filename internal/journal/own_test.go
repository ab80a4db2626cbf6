package journal

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"rollbackbot/internal/parts"
	"rollbackbot/runbook"
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
		out, cmd, kill := startOther(t, ownLongVariable, url) // the test waits for its end, and not for its lease's
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
	for deadline := time.Now().Add(guard); ; time.Sleep(5 * time.Millisecond) {
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

// endSessions ends every session that holds one of our locks.
func endSessions(t *testing.T, s *Store) {
	t.Helper()
	mustExec(t, s, `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
}

// takeOver waits for the ownership in the background, and gives it.
func takeOver(t *testing.T, s *Store) <-chan *Ownership {
	t.Helper()
	taken := make(chan *Ownership, 1)
	ctx, stop := context.WithCancel(t.Context())
	var waited sync.WaitGroup
	waited.Go(func() {
		if owner, err := s.WaitToOwn(ctx, func(err error) { t.Logf("it waits: %v", err) }); err == nil {
			taken <- owner
		}
	})
	t.Cleanup(func() { stop(); waited.Wait() })
	return taken
}

// comes gives what comes, however slow the machine is.
func comes[T any](t *testing.T, what string, events <-chan T) (got T) {
	t.Helper()
	select {
	case got = <-events:
	case <-time.After(guard):
		t.Fatalf("%s: not within %v", what, guard)
	}
	return got
}

// never fails the test where something comes after all.
func never[T any](t *testing.T, what string, events <-chan T, limit time.Duration) {
	t.Helper()
	select {
	case <-events:
		t.Fatal(what)
	case <-time.After(limit):
	}
}

// longLease is one that no test waits for: what happens before its end is not for its end, however slow the machine is.
const longLease = time.Hour

// lasting makes the leases of a store's process last so long, where it has any.
func lasting(s *Store, lease time.Duration) *Store {
	if database, ok := s.dialect.(*postgreSQL); ok {
		database.leaseTime = lease
	}
	return s
}

// A process that stands by follows one that releases the ownership, and one that is killed, at once.
func TestWaitToOwn_FollowsAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		out, _, kill := startOther(t, ownLongVariable, url)
		if !out.Scan() || out.Text() != "owned" {
			t.Fatalf("the other process said %q", out.Text())
		}
		s, next := lasting(open(t, url), longLease), open(t, url)
		taken := takeOver(t, s)
		never(t, "it is taken from a process that lives", taken, 2*ownPause)
		kill()
		owner := comes(t, "after a kill", taken)
		if owner.Err() != nil {
			t.Error(owner.Err())
		}
		taken = takeOver(t, next)
		never(t, "it is taken from this process", taken, 2*ownPause)
		owner.Release()
		comes(t, "after a release", taken)
	})
}

// Where PostgreSQL ends the session alone, its owner comes back with another one.
func TestOwn_SessionEnded(t *testing.T) {
	database := parts.PostgreSQL(t)
	s, other := lasting(open(t, database), longLease), open(t, database)
	owner := own(t, s)
	for range 3 {
		endSessions(t, other)
		never(t, "a session that ended cost the ownership", owner.Lost(), time.Second)
	}
	var owned *OwnedError
	if _, err := other.Own(t.Context()); !errors.As(err, &owned) {
		t.Errorf("got %v, want an *OwnedError", err)
	}
	if owner.Err() != nil {
		t.Error(owner.Err())
	}
}

// Where another process has taken over, the owner knows at once, and so does what runs on its behalf.
func TestOwn_TakenOver(t *testing.T) {
	database := parts.PostgreSQL(t)
	s, other := lasting(open(t, database), longLease), open(t, database)
	owner := own(t, s)
	ctx, cancel := owner.Context(t.Context())
	defer cancel()
	mustExec(t, other, `UPDATE ownership SET term = 'another''s'`)
	comes(t, "the owner's word that it has lost it", owner.Lost())
	err := owner.Err()
	if !errors.Is(err, ErrOwnershipLost) || !errors.Is(err, errTakenOver) {
		t.Errorf("got %v", err)
	}
	hasAll(t, err, s.dialect.String())
	<-ctx.Done()
	if !errors.Is(context.Cause(ctx), ErrOwnershipLost) {
		t.Errorf("the context ended because of %v", context.Cause(ctx))
	}
	if _, err := s.Acquire(t.Context(), "shop", 0); !errors.Is(err, runbook.ErrStaleEpoch) {
		t.Errorf("whoever has lost the journal takes an app over: %v", err)
	}
	if _, err := other.Acquire(t.Context(), "shop", 0); err != nil {
		t.Errorf("a command in a terminal may not: %v", err)
	}
}

// A server that stands still for 10 s, or is stopped and started again within that, takes the ownership from nobody,
// however many stand by.
func TestOwn_ServerStallsAndStops(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	server := parts.StartPostgreSQL(t)
	database := server.Database(t)
	// How long the product's own lease leaves for an outage says TestOwn_GivesUpBeforeTheServer. Here a slow machine may
	// need long to stop a server and to start it again, and that is no outage.
	owner := own(t, lasting(open(t, database), 2*guard))
	taken := takeOver(t, lasting(open(t, database), 2*guard))
	server.Freeze(t)
	never(t, "a stall of 10 s cost the ownership", owner.Lost(), 10*time.Second)
	server.Thaw()
	renews(t, owner, taken, "a stall")
	server.Stop(t, "fast")
	never(t, "a server that was stopped for 10 s cost the ownership", owner.Lost(), 10*time.Second)
	server.Start(t)
	renews(t, owner, taken, "the server's restart")
	server.Stop(t, "immediate") // as if it had crashed
	server.Start(t)
	renews(t, owner, taken, "the server's crash")
}

// renews waits until the owner has renewed its lease, twice from now on, and fails the test where somebody else takes it
// before, or tries to for a while in vain.
func renews(t *testing.T, owner *Ownership, taken <-chan *Ownership, after string) {
	t.Helper()
	l := owner.lock.(*lease)
	for range 2 {
		for from, began := l.end(), time.Now(); !l.end().After(from); time.Sleep(10 * time.Millisecond) {
			if err := owner.Err(); err != nil || time.Since(began) > guard {
				t.Fatalf("after %s the lease is not renewed: %v", after, err)
			}
		}
	}
	never(t, "somebody took over after "+after, taken, 4*ownPause)
	if err := owner.Err(); err != nil {
		t.Error(err)
	}
}

// An owner that is cut off, without any word from anybody, gives up before anybody else can have its lease, and is
// succeeded then, though the server still has its session.
func TestOwn_CutOff(t *testing.T) {
	database := parts.PostgreSQL(t)
	w, through := newWire(t, database)
	owner := own(t, lasting(open(t, through), 4*time.Second))
	other := lasting(open(t, database), 4*time.Second)
	taken := takeOver(t, other)
	w.freeze()
	comes(t, "from an owner that is cut off", taken)
	// By the clock, and not by when this test has its turn.
	if err := owner.Err(); !errors.Is(err, ErrOwnershipLost) {
		t.Errorf("it is taken over from an owner that does not know: %v", err)
	}
	comes(t, "the owner's word that it has lost it", owner.Lost())
	if err := owner.Err(); !errors.Is(err, ErrOwnershipLost) {
		t.Errorf("got %v", err)
	}
}

// A process that stands still for longer than its lease is succeeded, and has lost it by the clock before it is told.
func TestOwn_StoodStill(t *testing.T) {
	t.Parallel()
	database := parts.PostgreSQL(t)
	owned, url := startOwner(t, database)
	other := open(t, url)
	if err := owned.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	began, until := time.Now(), leaseEnd(t, other) // the database is on this machine and has its clock
	if left := until.Sub(began); left > leaseTime {
		t.Errorf("its lease lasts for %v more, want %v at most", left, leaseTime)
	}
	owner := comes(t, "from a process that stands still", takeOver(t, lasting(other, longLease)))
	t.Logf("taken over after %v", time.Since(began))
	if now := time.Now(); now.Before(until.Add(leaseMargin)) {
		t.Errorf("its lease was not over: it is taken at %v, and lasted until %v", now, until)
	}
	if err := owned.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	never(t, "whoever stood still has taken it back", owner.Lost(), 3*time.Second)
}

// leaseEnd is when the lease ends that is in the database.
func leaseEnd(t *testing.T, s *Store) time.Time {
	t.Helper()
	var until int64
	if err := s.reader.QueryRowContext(t.Context(), `SELECT until_at FROM ownership`).Scan(&until); err != nil {
		t.Fatal(err)
	}
	return time.UnixMicro(until)
}

// startOwner starts another process that owns the journal.
func startOwner(t *testing.T, url string) (*exec.Cmd, string) {
	t.Helper()
	out, cmd, _ := startOther(t, ownVariable, url)
	if !out.Scan() || out.Text() != "owned" {
		t.Fatalf("the other process said %q", out.Text())
	}
	return cmd, url
}

// An owner by its own clock knows that its lease is over before the watch has told anybody.
func TestOwn_ErrByTheClock(t *testing.T) {
	l := &lease{session: &session{database: &postgreSQL{leaseTime: leaseTime}}}
	l.extend(time.Now())
	if err := l.err(); err != nil {
		t.Error(err)
	}
	l.extend(time.Now().Add(-leaseTime))
	if l.err() == nil {
		t.Error("a lease that has run out still holds")
	}
}

// A delivery that another process stores is news to the owner.
func TestOwn_News(t *testing.T) {
	database := parts.PostgreSQL(t)
	owner := own(t, open(t, database))
	if _, err := open(t, database).Put(t.Context(), runbook.Delivery{Key: "click", Kind: "click", At: at}); err != nil {
		t.Fatal(err)
	}
	comes(t, "a word to the owner", owner.News())
}

func TestReplicas(t *testing.T) {
	database := parts.PostgreSQL(t)
	s := open(t, database)
	if got := s.Replicas(); got != 1 {
		t.Errorf("%d replicas before anybody has asked, want 1", got)
	}
	own(t, s)
	startOther(t, standByVariable, database)
	for deadline := time.Now().Add(guard); s.Replicas() != 2; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d replicas, want 2", s.Replicas())
		}
	}
}

// The server's patience with a silent session, in its own words, is longer than a lease.
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
	if leaseTime+2*time.Second > min(server, unanswered) {
		t.Errorf("a lease is over after %v, and the server gives up after %v or %v", leaseTime, server, unanswered)
	}
	if leaseTime-leaseInterval-2*leaseMargin < 10*time.Second {
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
