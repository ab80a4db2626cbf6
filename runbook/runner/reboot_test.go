package runner

import (
	"strings"
	"testing"
	"time"

	"rollbackbot/internal/standin"
	"rollbackbot/runbook"
)

// atOnce is before a host hears of what follows from an event; inTheMidst is while a command that takes 2 s runs there.
const (
	atOnce     = 10 * time.Millisecond
	inTheMidst = time.Second
)

// reboots are moments of a rollback at which its host reboots, so long after an event. It is back after a minute.
var reboots = []struct {
	name  string
	when  func(runbook.Fact) bool
	after time.Duration
	lost  bool // a command that ran then is lost without a status
	held  bool // it is away until the end: the lease of the former boot can't be given back
	asks  bool // a person is asked; what was begun goes on by itself
}{
	{"while images are fetched beforehand", is[runbook.Requested], atOnce, false, false, true},
	{"before an image is pulled", commandOf(runbook.StepFetch), atOnce, false, false, false},
	{"while an image is pulled", commandOf(runbook.StepFetch), inTheMidst, true, false, false},
	{"between the pins and up", passed(runbook.StepPin), atOnce, false, false, false},
	{"before up", commandOf(runbook.StepDeploy), atOnce, false, false, false},
	{"during up", commandOf(runbook.StepDeploy), inTheMidst, true, false, false},
	{"before the health checks", passed(runbook.StepDeploy), atOnce, false, false, false},
	{"while the error rate is watched", passed(runbook.StepHealth), inTheMidst, false, false, false},
	{"while a person judges the error rate", is[runbook.Asked], atOnce, false, true, false},
}

func is[F runbook.Fact](f runbook.Fact) bool {
	_, ok := f.(F)
	return ok
}

func commandOf(step runbook.StepName) func(runbook.Fact) bool {
	return func(f runbook.Fact) bool {
		started, ok := f.(runbook.CommandStarted)
		return ok && started.Step == step
	}
}

func passed(step runbook.StepName) func(runbook.Fact) bool {
	return func(f runbook.Fact) bool {
		finished, ok := f.(runbook.StepFinished)
		return ok && finished.Step == step && finished.Outcome.Verdict == runbook.Passed
	}
}

// A host that reboots is found again: the bot says that it can't see it, keeps looking, and goes on where the lease of
// the former boot is its own. Nothing is said to have failed, and nothing to have been seen all the time.
func TestRollback_TheHostReboots(t *testing.T) {
	for _, row := range reboots {
		t.Run(row.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				h := w.hosts["deploy@one"]
				rb := w.rebooting(row.when, row.after, time.Minute, goingWell)
				if rb.Outcome != runbook.Succeeded {
					t.Errorf("outcome %s (%s), want succeeded", rb.Outcome, rb.Why)
				}
				w.wantRunning(w.v1)
				if n := w.slack.count("record"); n != 1 {
					t.Errorf("%d records, want 1", n)
				}
				lease := leaseOn(h)
				if givenBack := lease.Boot == 1 && lease.Until.IsZero(); bootOf(h) != 1 || givenBack == row.held {
					t.Errorf("after %d reboots the lease is %+v", bootOf(h), lease)
				}
				wantNothingWrong(t, w, row.lost)
				if asked := w.failures(); (asked > 0) != row.asks {
					t.Errorf("people were asked %d times what to do, want it: %t", asked, row.asks)
				}
			})
		})
	}
}

// never is how long a host is away that doesn't come back.
const never = 365 * 24 * time.Hour

// bootOf is how often a host was started again.
func bootOf(h *standin.Host) (boot int) {
	h.Set(func(s *standin.State) { boot = s.Boot })
	return boot
}

// failures counts how often people were asked what to do about one.
func (w *world) failures() (n int) {
	for _, q := range w.only().Questions {
		if q.Kind == runbook.AskFailed {
			n++
		}
	}
	return n
}

// rebooting is a whole rollback whose host reboots once, so long after an event, and is back after a while. Images are
// missing at its begin, and again when they were fetched.
func (w *world) rebooting(when func(runbook.Fact) bool, after, back time.Duration, people answers) runbook.Rollback {
	w.t.Helper()
	r, p := w.start(0)
	rebooted := false
	prune := func() { w.prune("deploy@one", w.v1["worker"]) }
	prune()
	r.Report = func(e runbook.Event) {
		if is[runbook.Fetched](e.Fact) {
			prune()
		}
		if rebooted || !when(e.Fact) {
			return
		}
		rebooted = true
		time.AfterFunc(after, func() { w.hosts["deploy@one"].Reboot(back) })
	}
	if _, err := r.Request(w.t.Context(), w.request(), ""); err != nil {
		w.t.Fatal(err)
	}
	w.play(r, p, people)
	w.stop(r, p)
	return w.only()
}

// wantNothingWrong fails the test where a step is said to have failed, a lost command to have ended somehow, or a window
// in which the host was away to have been healthy all along.
func wantNothingWrong(t *testing.T, w *world, lost bool) {
	t.Helper()
	away := strings.Contains(strings.Join(w.slack.lives, "\n"), "connection is lost")
	unknown := false
	for _, e := range w.events() {
		switch fact := e.Fact.(type) {
		case runbook.StepFinished:
			if fact.Outcome.Verdict == runbook.Broken && fact.Step != runbook.StepIdentify { // nothing was begun by then
				t.Errorf("%s is said to have failed: %s", fact.Step, fact.Outcome.Detail)
			}
			text := fact.Outcome.Detail
			away = away || strings.Contains(text, "can't be reached")
			if strings.Contains(text, "the connection was lost") {
				t.Errorf("%s speaks of the connection: %s", fact.Step, text)
			}
		case runbook.Looked:
			away = away || strings.Contains(fact.Problem, "can't be reached")
		case runbook.Fetched:
			if fact.Problem != "" {
				t.Errorf("images are said not to have been fetched: %s", fact.Problem)
			}
		case runbook.CommandFinished:
			unknown = unknown || !fact.Known
		}
	}
	if !away {
		t.Errorf("nobody was told that the host was away: %q", w.slack.lives)
	}
	if unknown != lost {
		t.Errorf("a command is said to have ended in a way that is not known: %t, want %t", unknown, lost)
	}
}

func TestRollback_AWindowWithAGapIsNotCalledWhole(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.rebooting(passed(runbook.StepHealth), inTheMidst, time.Minute, goingWell)
		for _, e := range w.events() {
			asked, ok := e.Fact.(runbook.Asked)
			if !ok {
				continue
			}
			if text := asked.Question.Text; strings.Contains(text, "whole window") || !strings.Contains(text, "not seen for up to 1m") {
				t.Errorf("asked to judge %q", text)
			}
			return
		}
		t.Error("nobody was asked")
	})
}

// What the bot can't see for longer than its patience lasts it asks about, as unknown; and with nobody there to answer,
// the record says so.
func TestRollback_TheHostNeverComesBack(t *testing.T) {
	for _, row := range []struct {
		name string
		when func(runbook.Fact) bool
	}{{"during up", commandOf(runbook.StepDeploy)}, {"while the error rate is watched", passed(runbook.StepHealth)}} {
		t.Run(row.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				rb := w.rebooting(row.when, inTheMidst, never, answers{runbook.AskSignoff: {"ULEAD", runbook.SignoffInPlace}})
				last := rb.Steps[len(rb.Steps)-1]
				if rb.Outcome != runbook.Failed || last.Verdict != runbook.Unknown || !strings.Contains(rb.Why, "can't be reached") || !strings.Contains(rb.Why, "not known") {
					t.Errorf("outcome %s, %s %s: %s", rb.Outcome, last.Step, last.Verdict, rb.Why)
				}
				if n := w.slack.count("record"); n != 1 {
					t.Errorf("%d records, want 1", n)
				}
			})
		})
	}
}
