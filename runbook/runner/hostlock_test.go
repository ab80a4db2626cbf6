package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/internal/standin"
	"rollbackbot/runbook"
	"rollbackbot/runbook/hostlock"
	"rollbackbot/runbook/preflight"
)

func (w *world) byHand(holder string) hostlock.HostLock {
	return hostlock.HostLock{App: w.app, Journal: w.journal, Hosts: w.lab, Holder: holder}
}

func (w *world) wantHeld(want string) {
	w.t.Helper()
	for name, h := range w.hosts {
		if got := heldBy(h); got != want {
			w.t.Errorf("%s is held by %q, want %q", name, got, want)
		}
	}
}

// onTwo runs a test in a bubble with two hosts.
func onTwo(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newWorld(t, "deploy@one", "deploy@two")) })
}

func TestHostLock_KeepsARollbackOutWhichLearnsWhy(t *testing.T) {
	onTwo(t, func(t *testing.T, w *world) {
		r, p := w.start(0)
		unlocked, _, err := r.Plan(t.Context(), w.request())
		if err != nil || strings.Contains(strings.Join(unlocked.Warnings, "\n"), "lock") {
			t.Errorf("a free app's plan warns of %q, %v", unlocked.Warnings, err)
		}
		lock := w.byHand("ana@laptop")
		if lines, err := lock.Take(t.Context(), "repairing the schema", time.Hour); err != nil || len(lines) != 2 {
			t.Fatalf("lock: %v %v", lines, err)
		}
		w.wantHeld("lock:ana@laptop")
		rb, err := r.Request(t.Context(), w.request(), "")
		if err != nil {
			t.Fatal(err)
		}
		words := "the app's lock is held by ana@laptop since 2000-01-01 00:05 UTC, until 01:05 UTC, because: repairing the schema"
		runbooktest.WantText(t, "the plan", strings.Join(rb.Plan.Warnings, "\n"), "deploy@one: "+words, "deploy@two: "+words)
		if rb.Plan.Hash() != unlocked.Hash() {
			t.Error("the lock is part of what is signed")
		}
		if err := w.click(r, rb, runbook.SignoffInPlace, "ULEAD"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		q := w.only().Question()
		if q == nil || q.Kind != runbook.AskFailed {
			t.Fatalf("it asks %+v", q)
		}
		runbooktest.WantText(t, "the question", q.Text, "deploy@one: "+words, "deploy@two: "+words)
		if lines, err := lock.GiveBack(t.Context(), false); err != nil {
			t.Errorf("unlock: %v %v", lines, err)
		}
		w.wantHeld("")
		w.play(r, p, goingWell)
		w.stop(r, p)
		if rb := w.only(); rb.Outcome != runbook.Succeeded {
			t.Errorf("outcome %s: %s", rb.Outcome, rb.Why)
		}
		kinds := w.kinds()
		for _, kind := range []string{"lock_requested", "lock_taken", "unlock_requested", "unlocked"} {
			if !slices.Contains(kinds, kind) {
				t.Errorf("no %s in the journal", kind)
			}
		}
	})
}

// A plan that is made anew under the rollback's own lock does not warn of it.
func TestPlanner_ItsOwnLockIsNoNews(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.leased("deploy@one", standin.Lease{Rollback: "rb-a", Epoch: 1, Until: longAfter, Holder: "UONCALL"})
		for own, want := range map[string]bool{"rb-a": false, "rb-b": true, "": true} {
			plan, err := preflight.Planner{Hosts: w.lab, Journal: w.journal, Rollback: own}.Plan(t.Context(), w.app, w.request())
			if got := strings.Contains(strings.Join(plan.Warnings, "\n"), "rollback rb-a of UONCALL"); err != nil || got != want {
				t.Errorf("the plan of %q warns of it: %t, %v", own, got, err)
			}
		}
	})
}

func TestHostLock_RunsOutByItself(t *testing.T) {
	onTwo(t, func(t *testing.T, w *world) {
		if _, err := w.byHand("ana@laptop").Take(t.Context(), "", 30*time.Minute); err != nil {
			t.Fatal(err)
		}
		time.Sleep(29 * time.Minute)
		w.wantHeld("lock:ana@laptop")
		time.Sleep(2 * time.Minute)
		w.wantHeld("")
		if rb := w.run(goingWell); rb.Outcome != runbook.Succeeded {
			t.Errorf("outcome %s: %s", rb.Outcome, rb.Why)
		}
	})
}

func TestHostLock_TheSameNameProlongsItAndAnotherIsRefused(t *testing.T) {
	onTwo(t, func(t *testing.T, w *world) {
		ana, ci := w.byHand("ana@laptop"), w.byHand("CI job 7")
		if _, err := ana.Take(t.Context(), "a walk", 30*time.Minute); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Minute)
		lines, err := ci.Take(t.Context(), "deploying v4", time.Hour)
		if !errors.Is(err, hostlock.ErrNotLocked) {
			t.Errorf("another took it: %v", err)
		}
		runbooktest.WantText(t, "the refusal", textOf(lines), "deploy@one: the app's lock is held by ana@laptop since 2000-01-01 00:05 UTC, until 00:35 UTC, because: a walk", "deploy@two: ")
		if _, err := ana.Take(t.Context(), "a long walk", 30*time.Minute); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Minute)
		w.wantHeld("lock:ana@laptop")
		if since := leaseOn(w.hosts["deploy@one"]).Since; since != "2000-01-01T00:05:00Z" {
			t.Errorf("who prolongs it holds it since %s", since)
		}
		lines, err = ci.GiveBack(t.Context(), false)
		if err != nil {
			t.Error(err)
		}
		runbooktest.WantText(t, "unlock", textOf(lines), "deploy@one: given back; ana@laptop held it since", "deploy@two: ")
		if _, err := ci.Take(t.Context(), "deploying v4", time.Hour); err != nil {
			t.Errorf("after it was given back: %v", err)
		}
	})
}

func TestHostLock_NotWhileARollbackIsOpen(t *testing.T) {
	onTwo(t, func(t *testing.T, w *world) {
		r, p := w.start(0)
		if _, err := r.Request(t.Context(), w.request(), ""); err != nil {
			t.Fatal(err)
		}
		lines, err := w.byHand("ana@laptop").Take(t.Context(), "", time.Hour)
		var busy *runbook.BusyError
		if !errors.As(err, &busy) || len(lines) > 0 {
			t.Fatalf("it was locked: %v %v", lines, err)
		}
		runbooktest.WantText(t, "the refusal", err.Error(), w.only().ID, "UONCALL", "checkout answers 500")
		w.wantHeld("")
		w.play(r, p, goingWell) // nobody took the epoch from it
		w.stop(r, p)
		if rb := w.only(); rb.Outcome != runbook.Succeeded {
			t.Errorf("outcome %s: %s", rb.Outcome, rb.Why)
		}
	})
}

// meddling is what happens as a call is about to leave for a host, or has come back.
type meddling struct {
	before, after func(host runbook.Host, method string) error
}

// with are hosts with which that happens.
func (m *meddling) with(hosts runbook.Hosts) runbook.Hosts {
	return hooked{hosts, func(host runbook.Host, method string, do func() error) error {
		if m.before != nil {
			if err := m.before(host, method); err != nil {
				return err
			}
		}
		err := do()
		if m.after != nil {
			if err := m.after(host, method); err != nil {
				return err
			}
		}
		return err
	}}
}

// A rollback that is opened while the lock is being taken loses nothing: it finds the lock when it begins, and asks.
func TestHostLock_WhileARollbackIsBeingOpened(t *testing.T) {
	onTwo(t, func(t *testing.T, w *world) {
		r, p := w.start(0)
		lock := w.byHand("ana@laptop")
		opened := false
		meddle := &meddling{before: func(host runbook.Host, method string) error {
			if host == "deploy@one" && !opened && method == "Take" {
				opened = true
				_, err := r.Request(t.Context(), w.request(), "")
				return err
			}
			return nil
		}}
		lock.Hosts = meddle.with(lock.Hosts)
		if _, err := lock.Take(t.Context(), "deploying v4", 10*time.Minute); err != nil {
			t.Fatal(err)
		}
		if err := w.click(r, w.only(), runbook.SignoffInPlace, "ULEAD"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if q := w.only().Question(); q == nil || !strings.Contains(q.Text, "held by ana@laptop") {
			t.Errorf("it asks %+v", q)
		}
		time.Sleep(10 * time.Minute)
		w.play(r, p, goingWell)
		w.stop(r, p)
		if rb := w.only(); rb.Outcome != runbook.Succeeded {
			t.Errorf("outcome %s: %s", rb.Outcome, rb.Why)
		}
	})
}

func TestHostLock_OnAllHostsOrOnNone(t *testing.T) {
	unreachable := &runbook.HostError{Host: "deploy@two", Unreachable: true, Problem: "it does not answer", Remedy: "wait"}
	takes := func(n int) func(runbook.Host, string) bool { // the n-th on host two
		return func(host runbook.Host, method string) bool {
			if host != "deploy@two" || method != "Take" {
				return false
			}
			n--
			return n == 0
		}
	}
	for _, c := range []struct {
		what   string
		breaks func(w *world, hosts *meddling)
		want   string // what is said of the second host
		late   bool   // a lease is left there that runs out by itself
	}{
		{"it can't be reached", func(w *world, _ *meddling) { w.down("deploy@two", true) }, "it can't be reached", false},
		{"somebody holds it", func(w *world, _ *meddling) {
			w.leased("deploy@two", standin.Lease{Rollback: "lock:ben", Epoch: 7, Until: longAfter, Holder: "ben"})
		}, "held by ben", false},
		{"its lease is rubbish", func(w *world, _ *meddling) { w.leased("deploy@two", standin.Lease{Damaged: true}) }, "can't be read", false},
		{"a command runs there", func(w *world, _ *meddling) {
			w.busy("deploy@two", time.Hour)
		}, "a command still runs", false},
		{"it goes away in the first round", func(_ *world, m *meddling) {
			gone := takes(1)
			m.before = func(host runbook.Host, method string) error {
				if gone(host, method) {
					return unreachable
				}
				return nil
			}
		}, "it can't be reached", false},
		{"its answer is lost in the first round", func(_ *world, m *meddling) {
			gone := takes(1)
			m.after = func(host runbook.Host, method string) error {
				if gone(host, method) {
					return runbook.ErrLost
				}
				return nil
			}
		}, "the connection was lost; it was given back", false},
		{"it goes away in the second round", func(_ *world, m *meddling) {
			gone := takes(2)
			m.before = func(host runbook.Host, method string) error {
				if gone(host, method) {
					return unreachable
				}
				return nil
			}
		}, "it was given back", false},
		{"it is gone for good after the first round", func(w *world, m *meddling) {
			gone := takes(2)
			m.before = func(host runbook.Host, method string) error {
				if gone(host, method) {
					w.down("deploy@two", true)
					return runbook.ErrLost
				}
				return nil
			}
		}, "if it was taken there, it runs out by 2000-01-01 01:0", true},
		{"somebody else takes it in between", func(w *world, m *meddling) {
			first := takes(1)
			m.before = func(host runbook.Host, method string) error {
				if first(host, method) {
					w.leased("deploy@two", standin.Lease{Rollback: "rb-x", Epoch: 9, Until: longAfter, Holder: "UONCALL"})
				}
				return nil
			}
		}, "held by rollback rb-x of UONCALL", false},
	} {
		t.Run(c.what, func(t *testing.T) {
			onTwo(t, func(t *testing.T, w *world) {
				lock := w.byHand("ana@laptop")
				hosts := &meddling{}
				c.breaks(w, hosts)
				lock.Hosts = hosts.with(lock.Hosts)
				lines, err := lock.Take(t.Context(), "deploying v4", time.Hour)
				if !errors.Is(err, hostlock.ErrNotLocked) || len(lines) != 2 || lines[1].OK {
					t.Fatalf("lock: %v %v", lines, err)
				}
				runbooktest.WantText(t, "deploy@two", lines[1].String(), "deploy@two: ", c.want)
				if held := heldBy(w.hosts["deploy@one"]); held != "" {
					t.Errorf("deploy@one is held by %q: half of it was left", held)
				}
				if c.late {
					time.Sleep(runbook.LeaseTime)
				}
				if held := heldBy(w.hosts["deploy@two"]); held == "lock:ana@laptop" {
					t.Errorf("deploy@two is held by %q: half of it was left", held)
				}
				if slices.Contains(w.kinds(), "lock_taken") {
					t.Error("the journal says that it was taken")
				}
			})
		})
	}
}

// Whoever prolongs a lock and can't on one host keeps what they had.
func TestHostLock_ProlongedInVain(t *testing.T) {
	onTwo(t, func(t *testing.T, w *world) {
		lock := w.byHand("ana@laptop")
		if _, err := lock.Take(t.Context(), "", time.Hour); err != nil {
			t.Fatal(err)
		}
		w.down("deploy@two", true)
		if lines, err := lock.Take(t.Context(), "", time.Hour); !errors.Is(err, hostlock.ErrNotLocked) {
			t.Errorf("prolonged: %v %v", lines, err)
		}
		time.Sleep(30 * time.Minute)
		w.wantHeld("lock:ana@laptop")
	})
}

// Nobody locks in the dark: the intent is journalled first, and what can't be journalled is given back.
func TestHostLock_WithoutAJournal(t *testing.T) {
	for writes := range 2 {
		t.Run(fmt.Sprint(writes), func(t *testing.T) {
			onTwo(t, func(t *testing.T, w *world) {
				lock := w.byHand("ana@laptop")
				lock.Journal = &fullJournal{w.journal, writes}
				if _, err := lock.Take(t.Context(), "", time.Hour); !errors.Is(err, errFull) {
					t.Errorf("lock: %v", err)
				}
				w.wantHeld("")
				if lease := leaseOn(w.hosts["deploy@one"]); writes == 0 && lease != nil {
					t.Errorf("it acted before it was journalled: %+v", lease)
				}
			})
		})
	}
}

var errFull = errors.New("the disk is full")

// fullJournal takes so many entries and no more.
type fullJournal struct {
	runbook.Journal
	left int
}

func (j *fullJournal) Append(ctx context.Context, e runbook.Entry) ([]runbook.Event, error) {
	if j.left--; j.left < 0 {
		return nil, errFull
	}
	return j.Journal.Append(ctx, e)
}

// stuck is a rollback in the middle of deploying, with its command under way on the host.
func (w *world) stuck() (*Runner, *process) {
	w.t.Helper()
	r, p := w.start(0)
	rb, err := r.Request(w.t.Context(), w.request(), "")
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.click(r, rb, runbook.SignoffInPlace, "ULEAD"); err != nil {
		w.t.Fatal(err)
	}
	for len(w.hosts["deploy@one"].UpsRun()) == 0 {
		time.Sleep(100 * time.Millisecond)
	}
	return r, p
}

func TestUnlock_ARollbacksLockOnlyByForce(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := w.hosts["deploy@one"]
		w.failsUp("deploy@one", 1) // killed in the middle, it replaced nothing
		r, p := w.stuck()
		id := w.only().ID
		ben := w.byHand("ben@laptop")
		lines, err := ben.GiveBack(t.Context(), false)
		if !errors.Is(err, hostlock.ErrNotUnlocked) || heldBy(h) != id {
			t.Errorf("without --force it was given back: %v %v", lines, err)
		}
		runbooktest.WantText(t, "the refusal", textOf(lines), "deploy@one: a command still runs under the app's lock", id, "UONCALL", "checkout answers 500", "--force")
		if lines, err = ben.GiveBack(t.Context(), true); err != nil {
			t.Errorf("by force: %v %v", lines, err)
		}
		runbooktest.WantText(t, "by force", textOf(lines), "deploy@one: taken from rollback "+id+" of UONCALL", "killed: cd /opt/shop && standin up api worker web")
		time.Sleep(time.Minute) // its renewals come to nothing
		w.wantHeld("")
		ups := len(h.UpsRun())
		if q := w.only().Question(); q == nil || q.Kind != runbook.AskFailed || len(h.UpsRun()) != ups {
			t.Errorf("it goes on: %d ups, asked %+v", len(h.UpsRun()), q)
		}
		w.play(r, p, goingWell)
		w.stop(r, p)
		if rb := w.only(); rb.Outcome != runbook.Succeeded {
			t.Errorf("outcome %s: %s", rb.Outcome, rb.Why)
		}
		for _, e := range w.events() {
			if fact, ok := e.Fact.(runbook.Unlocked); ok && fact.Force {
				runbooktest.WantText(t, "the journal", fact.By+strings.Join(fact.Hosts, ""), "ben@laptop", "killed: cd /opt/shop && standin up api worker web")
				return
			}
		}
		t.Error("the journal does not say that the lock was taken by force")
	})
}

// What nobody could end is not said to be killed, and the lock stays whose it was.
func TestUnlock_WhatSudoRunsIsLeftAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := w.hosts["deploy@one"]
		h.Set(func(s *standin.State) { s.Sudo = true })
		r, p := w.stuck()
		id := w.only().ID
		lines, err := w.byHand("ben@laptop").GiveBack(t.Context(), true)
		if !errors.Is(err, hostlock.ErrNotUnlocked) || heldBy(h) != id {
			t.Errorf("it was taken: %v %v", lines, err)
		}
		text := textOf(lines)
		runbooktest.WantText(t, "by force", text, "a command still runs under the app's lock", "end it there by hand: process 41: cd /opt/shop && standin up api worker web")
		if strings.Contains(text, "killed") {
			t.Errorf("it is said to be killed: %s", text)
		}
		w.play(r, p, goingWell)
		w.stop(r, p)
		if rb := w.only(); rb.Outcome != runbook.Succeeded {
			t.Errorf("outcome %s: %s", rb.Outcome, rb.Why)
		}
	})
}

func TestUnlock_WhatElseIsThere(t *testing.T) {
	for _, c := range []struct {
		what  string
		lease *standin.Lease
		down  bool
		force bool
		want  string
		ok    bool
	}{
		{"nothing", nil, false, false, "nobody held", true},
		{"nothing, by force", nil, false, true, "nobody held", true},
		{"one that ran out", &standin.Lease{Rollback: "lock:ana", Epoch: 4, Until: time.Unix(1, 0)}, false, true, "nobody held", true},
		{"rubbish", &standin.Lease{Damaged: true}, false, false, "can't be read", false},
		{"rubbish, by force", &standin.Lease{Damaged: true}, false, true, "is replaced", true},
		{"no answer", nil, true, false, "it can't be reached: it does not answer", false},
		{"no answer, by force", nil, true, true, "it can't be reached: it does not answer", false},
		{"a rollback's", &standin.Lease{Rollback: "rb-a", Epoch: 4, Until: longAfter, Holder: "UONCALL"}, false, false, "held by rollback rb-a of UONCALL", false},
		{"a rollback's, by force", &standin.Lease{Rollback: "rb-a", Epoch: 4, Until: longAfter, Holder: "UONCALL"}, false, true, "taken from rollback rb-a", true},
	} {
		t.Run(c.what, func(t *testing.T) {
			onTwo(t, func(t *testing.T, w *world) {
				w.leased("deploy@one", standin.Lease{Rollback: "lock:ana", Epoch: 3, Until: longAfter, Holder: "ana"})
				w.hosts["deploy@two"].Set(func(s *standin.State) { s.Lease, s.Down = c.lease, c.down })
				lines, err := w.byHand("ben").GiveBack(t.Context(), c.force)
				if (err == nil) != c.ok || lines[1].OK != c.ok {
					t.Errorf("unlock: %v %v", lines, err)
				}
				runbooktest.WantText(t, "deploy@two", lines[1].String(), c.want)
				if held := heldBy(w.hosts["deploy@one"]); held != "" || !lines[0].OK {
					t.Errorf("deploy@one, where nothing is wrong, is held by %q: %s", held, lines[0])
				}
				if c.ok && c.lease != nil && c.lease.Damaged {
					if _, err := w.byHand("ben").Take(t.Context(), "", time.Hour); err != nil {
						t.Errorf("it is of no use afterwards: %v", err)
					}
				}
			})
		})
	}
}

// A lease that is filled with rubbish while a rollback holds it: nothing is done in the dark, by anybody.
func TestRollback_TheLeaseIsDamagedUnderWay(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := w.hosts["deploy@one"]
		w.failsUp("deploy@one", 1)
		r, p := w.stuck()
		w.leased("deploy@one", standin.Lease{Damaged: true})
		for w.only().Question() == nil {
			time.Sleep(time.Second)
		}
		ups := len(h.UpsRun())
		if err := w.click(r, w.only(), runbook.Retry, "UONCALL"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if q := w.only().Question(); q == nil || !strings.Contains(q.Text, "can't be read") || len(h.UpsRun()) != ups {
			t.Errorf("it acted in the dark: %d ups, asked %+v", len(h.UpsRun()), q)
		}
		if lines, err := w.byHand("ben").GiveBack(t.Context(), true); err != nil {
			t.Errorf("unlock --force: %v %v", lines, err)
		}
		w.play(r, p, goingWell)
		w.stop(r, p)
		if rb := w.only(); rb.Outcome != runbook.Succeeded {
			t.Errorf("outcome %s: %s", rb.Outcome, rb.Why)
		}
	})
}

func textOf(lines []hostlock.HostLine) string {
	var text strings.Builder
	for _, line := range lines {
		fmt.Fprintln(&text, line)
	}
	return text.String()
}
