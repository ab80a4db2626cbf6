package main_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rollbackbot/internal/parts"
)

// acting is what a replica logs when it begins to act.
const acting = "acting: this process owns the journal"

// replicas are several processes of the bot on one database.
type replicas struct {
	*world
	tb testing.TB

	mu      sync.Mutex
	all     []*serving // in the order in which they were started
	owner   *serving   // who began to act last
	since   time.Time  // when it did
	turns   int        // how often one began to act
	heard   func(*serving, logLine)
	killed  time.Time // when the owner was killed, or stopped; zero: it wasn't
	takeons []time.Duration
	beside  []time.Duration // what another process needed beside each takeover, to start and to ask the database
}

func newReplicas(tb testing.TB, w *world) *replicas { return &replicas{world: w, tb: tb} }

// add starts one more.
func (r *replicas) add() *serving {
	r.tb.Helper()
	bot := r.serve(r.tb, r.hear)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, bot)
	return bot
}

func (r *replicas) hear(bot *serving, line logLine) {
	r.mu.Lock()
	if line.Message == acting {
		r.owner, r.since = bot, time.Now()
		r.turns++
		if !r.killed.IsZero() {
			r.takeons = append(r.takeons, r.since.Sub(r.killed))
			r.killed = time.Time{}
		}
	}
	heard := r.heard
	r.mu.Unlock()
	if heard != nil {
		heard(bot, line)
	}
}

// acts waits until another one than former acts, and gives it.
func (r *replicas) acts(former *serving) *serving {
	r.tb.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		r.mu.Lock()
		owner := r.owner
		r.mu.Unlock()
		if owner != nil && owner != former {
			return owner
		}
		if time.Now().After(deadline) {
			r.tb.Fatalf("nobody acts:\n%s", r.logs())
		}
	}
}

// standsBy waits until a replica has found that another one acts.
func (r *replicas) standsBy(bot *serving) {
	r.tb.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(bot.text(), "standing by"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.tb.Fatalf("a replica does not stand by:\n%s", bot.text())
		}
	}
}

// strike does something to the owner, if there is one that was not struck yet, and notes when.
func (r *replicas) strike(how func(*serving)) (struck *serving) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.owner == nil || !r.killed.IsZero() {
		return nil
	}
	r.killed = time.Now()
	how(r.owner)
	return r.owner
}

func (r *replicas) logs() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var logs strings.Builder
	for i, bot := range r.all {
		fmt.Fprintf(&logs, "--- replica %d ---\n%s", i+1, bot.text())
	}
	return logs.String()
}

func (r *replicas) stopAll() {
	r.tb.Helper()
	r.mu.Lock()
	all := slices.Clone(r.all)
	r.mu.Unlock()
	for _, bot := range all {
		select {
		case <-bot.ended:
		default:
			bot.stop(r.tb)
		}
	}
}

// onPostgreSQL is a world whose journal is in PostgreSQL, on a server of its own.
func onPostgreSQL(tb testing.TB) (*world, *parts.PostgreSQLServer) {
	tb.Helper()
	server := parts.StartPostgreSQL(tb)
	w := newWorld(tb)
	w.env["ROLLBACK_DATABASE_URL"] = server.Database(tb)
	return w, server
}

// takeoverLimit is within which a process that was killed is succeeded.
const takeoverLimit = 5 * time.Second

// limit is a promise in seconds on this machine at this moment, which may be slow: what the promise allows, or twenty
// times what it takes the same program to start and to ask the same database. That is a quarter of a second on a machine
// that is idle, and a takeover half a second. Waiting for the lease of whoever was killed would be fifteen.
func limit(promise, beside time.Duration) time.Duration { return max(promise, 20*beside) }

// asks measures how long another process needs to start and to ask the database.
func (r *replicas) asks() time.Duration {
	r.tb.Helper()
	began := time.Now()
	r.mustRun(r.tb, "history", r.app)
	return time.Since(began)
}

// ownerKills is how often the owner is killed.
const ownerKills = 10

// TestReplicas_OwnerKilled kills the owner again and again, at any moment of a rollback; another replica, which stood by,
// goes on within seconds each time, and what is said to any of them counts once.
func TestReplicas_OwnerKilled(t *testing.T) {
	t.Parallel()
	w, _ := onPostgreSQL(t)
	watched := w.watchUp(t)
	w.brokenRelease(t)
	r := newReplicas(t, w)
	r.add()
	r.acts(nil)
	r.add()
	w.connected(t)
	seed := seedOf(t)
	t.Logf("ROLLBACKBOT_TEST_SEED=%d chooses the same moments", seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	line := "/rollback " + w.app + " to v1 migration yes owner <@" + lead + "> because v2 answers 503"
	rollbacks, kills := 0, 0
	for kills < ownerKills {
		if rollbacks > 0 {
			w.stack.Up(t, "v2")
		}
		rollbacks++
		before := w.stack.Containers(t)
		next := time.Now().Add(time.Duration(chance.IntN(1500)) * time.Millisecond)
		w.insist(t, rollbacks, line, func() {
			if kills == ownerKills || time.Now().Before(next) {
				return
			}
			if killed := r.strike((*serving).kill); killed != nil {
				kills++
				r.acts(killed)
				r.beside = append(r.beside, r.asks())
				r.add() // to stand by for the next
				next = time.Now().Add(time.Duration(chance.IntN(3000)) * time.Millisecond)
			}
		})
		w.runs(t, "v1")
		w.untouched(t, before)
		w.oneRecord(t, rollbacks)
		if t.Failed() {
			t.Fatalf("after rollback %d:\n%s\n%s", rollbacks, w.transcript(), r.logs())
		}
	}
	for i, took := range r.takeons {
		if most := limit(takeoverLimit, r.beside[min(i, len(r.beside)-1)]); took > most {
			t.Errorf("takeover %d took %s, want %s at most", i+1, took, most)
		}
	}
	if len(r.takeons) != ownerKills {
		t.Errorf("%d takeovers after %d kills", len(r.takeons), ownerKills)
	}
	t.Logf("%d kills in %d rollbacks, taken over after %v", kills, rollbacks, r.takeons)
	r.stopAll()
	w.mustRun(t, "audit", "verify")
	watched.check(t)
}

// TestReplicas_OwnerStoodStill stops the owner while it carries a rollback, for longer than its lease, and lets it go on
// when another one has taken over: what it does then is refused, and the record is one.
func TestReplicas_OwnerStoodStill(t *testing.T) {
	t.Parallel()
	w, _ := onPostgreSQL(t)
	watched := w.watchUp(t)
	w.brokenRelease(t)
	r := newReplicas(t, w)
	// While the command runs on the host, with another one to come: the pins are written, the containers are not healthy yet.
	var once sync.Once
	stopped := make(chan *serving, 1)
	r.heard = func(bot *serving, line logLine) {
		if line.Message == "command_started" {
			once.Do(func() {
				_ = bot.cmd.Process.Signal(syscall.SIGSTOP)
				stopped <- bot
			})
		}
	}
	r.add()
	r.acts(nil)
	r.add()
	w.connected(t)
	w.types(t, onCall, "/rollback "+w.app+" to v1 migration yes because v2 answers 503")
	request, _ := w.request(t, 1)
	w.clicks(t, lead, request.TS, "signoff_in_place")
	still := <-stopped
	began := time.Now()
	r.acts(still)
	if took, most := time.Since(began), limit(20*time.Second, r.asks()); took > most {
		t.Errorf("taken over after %s, want %s at most", took, most)
	}
	// It goes on while the successor is at work.
	if err := still.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	w.finish(t, 1)
	w.runs(t, "v1")
	w.said(t, 1, func() {})
	w.oneRecord(t, 1)
	if log := still.text(); !strings.Contains(log, "stops acting") {
		t.Errorf("the one that stood still does not say that it stops acting:\n%s", log)
	}
	r.mu.Lock()
	turns := r.turns
	r.mu.Unlock()
	if turns != 2 {
		t.Errorf("replicas began to act %d times, want 2:\n%s", turns, r.logs())
	}
	r.stopAll()
	w.mustRun(t, "audit", "verify")
	watched.check(t)
}

// TestReplicas_DatabaseAway stops PostgreSQL for ten seconds in the midst of a rollback, with a replica standing by:
// the owner stays the owner, and nothing is lost.
func TestReplicas_DatabaseAway(t *testing.T) {
	t.Parallel()
	w, server := onPostgreSQL(t)
	watched := w.watchUp(t)
	w.brokenRelease(t)
	began := time.Now()
	server.Stop(t, "fast")
	server.Start(t)
	restart := time.Since(began) // the outage takes so much longer here
	r := newReplicas(t, w)
	var once sync.Once
	deploys := make(chan struct{})
	r.heard = func(_ *serving, line logLine) {
		if line.Message == "command_started" {
			once.Do(func() { close(deploys) })
		}
	}
	owner := r.add()
	r.acts(nil)
	r.add()
	w.connected(t)
	w.types(t, onCall, "/rollback "+w.app+" to v1 migration yes because v2 answers 503")
	request, _ := w.request(t, 1)
	time.Sleep(3 * time.Second) // a renewal is not older than that
	away := time.Now()
	server.Stop(t, "fast")
	// What is said meanwhile can't be stored: it is not acknowledged, and the person is told.
	if _, err := w.slack.Click(t.Context(), lead, channel, request.TS, "signoff_in_place"); err == nil {
		t.Error("a click that could not be stored was acknowledged")
	}
	time.Sleep(time.Until(away.Add(10*time.Second - restart)))
	server.Start(t)
	outages := []time.Duration{time.Since(away)}
	w.insist(t, 1, "", func() {
		select {
		case <-deploys:
			deploys = nil
			away := time.Now()
			server.Stop(t, "immediate")
			time.Sleep(5 * time.Second)
			server.Start(t)
			outages = append(outages, time.Since(away))
		default:
		}
	})
	w.runs(t, "v1")
	w.said(t, 1, func() {})
	w.oneRecord(t, 1)
	r.mu.Lock()
	turns := r.turns
	r.mu.Unlock()
	t.Logf("the database was away for %v", outages)
	// A lease is over 14 s after its last renewal, which is up to a second old. A machine that needs longer to stop a server
	// and to start it again has had another outage than the one that is promised to move nothing.
	if slices.Max(outages) > 12*time.Second {
		t.Logf("that is too long for the owner to stay it: replicas began to act %d times", turns)
	} else if turns != 1 || r.acts(nil) != owner {
		t.Errorf("replicas began to act %d times, want once:\n%s", turns, r.logs())
	}
	r.stopAll()
	w.mustRun(t, "audit", "verify")
	watched.check(t)
}
