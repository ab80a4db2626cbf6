package runner

import (
	"strings"
	"testing"
	"time"

	"rollbackbot/internal/standin"
	"rollbackbot/runbook"
)

// strike does something to the host while a rollback's job runs there, so long after its command was begun.
func (w *world) strike(step runbook.StepName, after time.Duration, what func(h *standin.Host)) (*Runner, *process) {
	w.t.Helper()
	r, p := w.start(0)
	h, struck := w.hosts["deploy@one"], false
	r.Report = func(e runbook.Event) {
		if struck || !commandOf(step)(e.Fact) {
			return
		}
		struck = true
		time.AfterFunc(after, func() { what(h) })
	}
	if _, err := r.Request(w.t.Context(), w.request(), ""); err != nil {
		w.t.Fatal(err)
	}
	w.prune("deploy@one", w.v1["worker"]) // since then: the fetch step pulls it
	if err := w.click(r, w.only(), runbook.SignoffInPlace, "ULEAD"); err != nil {
		w.t.Fatal(err)
	}
	time.Sleep(time.Minute)
	return r, p
}

// A command that somebody killed is not begun again by itself: they had a reason.
func TestRollback_SomebodyKillsUp(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := w.hosts["deploy@one"]
		r, p := w.strike(runbook.StepDeploy, inTheMidst, func(h *standin.Host) { h.Strike(runbook.JobKilled) })
		if q := w.only().Question(); q == nil || !strings.Contains(q.Text, "somebody killed it") || len(h.UpsRun()) != 1 {
			t.Errorf("`up` ran as %v, asked is %+v", h.UpsRun(), q)
		}
		w.play(r, p, goingWell)
		w.stop(r, p)
		if rb := w.only(); rb.Outcome != runbook.Succeeded || len(h.UpsRun()) != 2 {
			t.Errorf("outcome %s (%s), `up` ran as %v", rb.Outcome, rb.Why, h.UpsRun())
		}
		w.wantRunning(w.v1)
	})
}

// Where somebody else takes the app while the host restarts, nothing of theirs is touched.
func TestRollback_TheHostRebootsAndSomebodyElseIsFaster(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := w.hosts["deploy@one"]
		r, p := w.strike(runbook.StepDeploy, inTheMidst, func(h *standin.Host) {
			h.Strike(runbook.JobRestarted)
			h.TakeByHand("CI of shop", "deploying v4", 24*time.Hour)
		})
		w.play(r, p, nil)
		w.stop(r, p)
		if rb := w.only(); rb.Outcome != runbook.Failed || !strings.Contains(rb.Why, "CI of shop") || len(h.UpsRun()) != 1 {
			t.Errorf("outcome %s (%s), `up` ran as %v", rb.Outcome, rb.Why, h.UpsRun())
		}
	})
}

func TestRollback_TheFolderOfACommandIsRemoved(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := w.hosts["deploy@one"]
		r, p := w.strike(runbook.StepDeploy, inTheMidst, func(h *standin.Host) { h.Strike(runbook.JobGone) })
		run, _ := w.only().Step(runbook.StepDeploy)
		if run.Verdict != runbook.Unknown || !strings.Contains(run.Detail, "somebody removed it") || len(h.UpsRun()) != 1 {
			t.Errorf("%s: %s; `up` ran as %v", run.Verdict, run.Detail, h.UpsRun())
		}
		w.stop(r, p)
	})
}

// A pull that takes minutes changes nothing that runs: whoever aborts doesn't wait for it, and it is not left running.
func TestRollback_AnAbortStopsThePull(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := w.hosts["deploy@one"]
		r, p := w.strike(runbook.StepFetch, inTheMidst, func(h *standin.Host) {
			h.Set(func(s *standin.State) { s.Held = true })
		})
		if run, _ := w.only().Step(runbook.StepFetch); !run.EndedAt.IsZero() {
			t.Fatalf("the pull ended: %+v", run)
		}
		if err := w.click(r, w.only(), runbook.Abort, "UONCALL"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Second)
		lock, err := h.Lock(t.Context())
		if rb := w.only(); err != nil || rb.Outcome != runbook.Aborted || !leaseOn(h).Until.IsZero() || lock.CommandRuns {
			t.Errorf("outcome %q, the lock is %+v, %v", rb.Outcome, lock, err)
		}
		w.wantRunning(w.v2)
		w.stop(r, p)
	})
}
