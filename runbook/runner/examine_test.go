package runner

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rollbackbot/runbook"
	"rollbackbot/runbook/watch"
)

// examined is what a test's checkups find, and how often they looked.
type examined struct {
	mu    sync.Mutex
	found []runbook.Finding
	looks int
}

func (e *examined) look(context.Context) []runbook.Finding {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.looks++
	return slices.Clone(e.found)
}

func (e *examined) finds(found ...runbook.Finding) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.found = found
}

func (e *examined) looked() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.looks
}

// examining is a process that examines daily.
func (w *world) examining(e *examined, dieAt int) (*Runner, *process) {
	r, p := w.start(dieAt)
	if !p.isDead() {
		d := watch.DailyDoctor{Apps: r.Apps, Journal: r.Journal, Look: e.look, News: r.WakeOutbox}
		r.running.Go(func() { d.Run(r.base) })
	}
	return r, p
}

// toldOfCheckups is what the channel was told, in its order.
func (w *world) toldOfCheckups() (told []string) {
	w.slack.mu.Lock()
	defer w.slack.mu.Unlock()
	for _, p := range w.slack.posts {
		if p.Kind == runbook.NoticeCheckup {
			var abouts []string
			for _, t := range p.Checkup.Wrong {
				abouts = append(abouts, t.About)
			}
			told = append(told, strings.Join(abouts, "+"))
		}
	}
	return told
}

func (w *world) wantTold(when string, want ...string) {
	w.t.Helper()
	if got := w.toldOfCheckups(); !slices.Equal(got, want) {
		w.t.Errorf("%s: the channel was told %q, want %q", when, got, want)
	}
}

func (w *world) ofKind(want string) []string {
	return slices.DeleteFunc(w.kinds(), func(kind string) bool { return kind != want })
}

const day = 24 * time.Hour

func wrongDisk(free int) runbook.Finding {
	return runbook.FoundWrong("disk", "Make room", "only %d MiB are free", free)
}

func TestDailyDoctor_TellsWhatIsNews(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		var e examined
		e.finds(runbook.FoundFine("disk", "there is room"), runbook.NotChecked("observer", "not seen"))
		r, p := w.examining(&e, 0)
		time.Sleep(9 * time.Minute)
		if e.looked() != 0 {
			t.Error("it looked before the observer could")
		}
		time.Sleep(3 * day)
		w.wantTold("all is well")
		if e.looked() != 3 && e.looked() != 4 {
			t.Errorf("it looked %d times in three days", e.looked())
		}
		e.finds(wrongDisk(812))
		time.Sleep(day)
		w.wantTold("something is wrong", "disk")
		e.finds(wrongDisk(799))
		time.Sleep(3 * day)
		w.wantTold("the same with another number", "disk")
		e.finds(wrongDisk(12), runbook.FoundWrong("channel", "Invite the bot", "xoxb-1234567890-abcdefghij isn't in it"))
		time.Sleep(day)
		w.wantTold("more is wrong", "disk", "channel+disk")
		e.finds(runbook.FoundFine("disk", "there is room"))
		time.Sleep(3 * day)
		w.wantTold("all is well again", "disk", "channel+disk", "")
		w.stop(r, p)
		for _, event := range w.events() {
			if fact, ok := event.Fact.(runbook.Examined); ok && strings.Contains(fmt.Sprint(fact), "abcdefghij") {
				t.Errorf("a secret is journalled: %v", fact)
			}
		}
	})
}

// What is over when it is looked at again is told to nobody.
func TestDailyDoctor_KeepsQuietOfWhatPasses(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		var e examined
		e.finds(wrongDisk(1))
		r, p := w.examining(&e, 0)
		time.Sleep(11 * time.Minute)
		e.finds(runbook.FoundFine("disk", "there is room"))
		time.Sleep(2 * day)
		w.wantTold("it was over after a minute")
		w.stop(r, p)
	})
}

// A restart, and a second process that takes itself for the one that acts, repeat neither the look nor the message.
func TestDailyDoctor_OnceForAllReplicas(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		var e examined
		e.finds(wrongDisk(1))
		w.slack.lose = 1
		one, p1 := w.examining(&e, 0)
		time.Sleep(2 * time.Minute) // the first awaits its second look as the other one begins
		two, p2 := w.examining(&e, 0)
		time.Sleep(5 * time.Hour)
		w.stop(one, p1)
		w.stop(two, p2)
		w.wantTold("two at once", "disk")
		if n := len(w.ofKind(runbook.Examined{}.Kind())); n != 1 {
			t.Errorf("it was journalled %d times", n)
		}
		looks := e.looked()
		for range 3 {
			r, p := w.examining(&e, 0)
			time.Sleep(5 * time.Hour)
			w.stop(r, p)
		}
		if e.looked() != looks {
			t.Errorf("restarts made it look %d times more within a day", e.looked()-looks)
		}
		r, p := w.examining(&e, 0)
		time.Sleep(2 * day)
		w.stop(r, p)
		w.wantTold("restarted", "disk")
	})
}

// Whenever the process dies, and whether Slack's answer came or not: the channel is told once.
func TestDailyDoctor_TellsOnceWhateverHappens(t *testing.T) {
	for dies := 1; dies <= 12; dies++ {
		inBubble(t, func(t *testing.T, w *world) {
			var e examined
			e.finds(wrongDisk(1))
			w.slack.lose = dies % 2
			r, p := w.examining(&e, dies)
			time.Sleep(time.Hour)
			w.stop(r, p)
			r, p = w.examining(&e, 0)
			time.Sleep(2 * day)
			w.stop(r, p)
			w.wantTold(fmt.Sprintf("died at %d", dies), "disk")
		})
	}
}

// While a rollback is under way nothing is looked at, and what was seen as one began is dropped.
func TestDailyDoctor_WaitsForRollbacks(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		var e examined
		e.finds(wrongDisk(1))
		r, p := w.examining(&e, 0)
		time.Sleep(10*time.Minute + 150*time.Second)
		if e.looked() != 1 {
			t.Fatalf("it looked %d times, want 1: the second look is still to come", e.looked())
		}
		open := func(facts ...runbook.Fact) {
			if _, err := w.journal.Append(t.Context(), runbook.Entry{App: "shop", Rollback: "rb-open", At: time.Now(), Facts: facts}); err != nil {
				t.Fatal(err)
			}
		}
		open(runbook.Requested{Request: w.request(), Plan: runbook.Plan{App: "shop"}})
		time.Sleep(2 * time.Hour)
		if e.looked() != 1 {
			t.Errorf("it looked %d times while a rollback was under way", e.looked()-1)
		}
		w.wantTold("a rollback is under way")
		open(runbook.Ended{Outcome: runbook.Rejected}, runbook.Published{})
		time.Sleep(time.Hour)
		w.wantTold("it has ended", "disk")
		w.stop(r, p)
	})
}
