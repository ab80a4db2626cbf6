package runner

import (
	"strings"
	"testing"
	"time"

	"rollbackbot/runbook"
)

// strike does something to a job of a rollback, as long after its command was begun; what the command did is cut short.
func (w *world) strike(step runbook.StepName, after time.Duration, what func(h *fakeHost, job *fakeJob)) (*Runner, *process) {
	w.t.Helper()
	r, p := w.start(0)
	h, struck := w.hosts["deploy@one"], false
	r.Report = func(e runbook.Event) {
		if struck || !commandOf(step)(e.Fact) {
			return
		}
		struck = true
		time.AfterFunc(after, func() {
			h.set(func() {
				for _, job := range h.jobs {
					if now := time.Now(); now.Before(job.endsAt) {
						what(h, job)
					}
				}
			})
		})
	}
	if _, err := r.Request(w.t.Context(), w.request(), ""); err != nil {
		w.t.Fatal(err)
	}
	h.set(func() { delete(h.images, w.v1["worker"].String()) }) // pruned since: the fetch step pulls it
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
		r, p := w.strike(runbook.StepDeploy, inTheMidst, func(_ *fakeHost, job *fakeJob) {
			job.endsAt, job.state = time.Now(), "killed"
			job.cutShort()
		})
		if q := w.only().Question(); q == nil || !strings.Contains(q.Text, "somebody killed it") || len(h.upsRun()) != 1 {
			t.Errorf("`up` ran as %v, asked is %+v", h.upsRun(), q)
		}
		w.play(r, p, goingWell)
		w.stop(r, p)
		if rb := w.only(); rb.Outcome != runbook.Succeeded || len(h.upsRun()) != 2 {
			t.Errorf("outcome %s (%s), `up` ran as %v", rb.Outcome, rb.Why, h.upsRun())
		}
		w.wantRunning(w.v1)
	})
}

// Where somebody else takes the app while the host restarts, nothing of theirs is touched.
func TestRollback_TheHostRebootsAndSomebodyElseIsFaster(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := w.hosts["deploy@one"]
		r, p := w.strike(runbook.StepDeploy, inTheMidst, func(h *fakeHost, job *fakeJob) {
			job.endsAt, job.state = time.Now(), "restarted"
			job.cutShort()
			h.lease = map[string]string{"rollback": "lock:ci", "epoch": "70", "boot": "0", "until": "99999999999", "holder": "CI of shop", "reason": "deploying v4"}
		})
		w.play(r, p, nil)
		w.stop(r, p)
		if rb := w.only(); rb.Outcome != runbook.Failed || !strings.Contains(rb.Why, "CI of shop") || len(h.upsRun()) != 1 {
			t.Errorf("outcome %s (%s), `up` ran as %v", rb.Outcome, rb.Why, h.upsRun())
		}
	})
}

func TestRollback_TheFolderOfACommandIsRemoved(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := w.hosts["deploy@one"]
		r, p := w.strike(runbook.StepDeploy, inTheMidst, func(_ *fakeHost, job *fakeJob) {
			job.gone = true
			job.cutShort()
		})
		run, _ := w.only().Step(runbook.StepDeploy)
		if run.Verdict != runbook.Unknown || !strings.Contains(run.Detail, "somebody removed it") || len(h.upsRun()) != 1 {
			t.Errorf("%s: %s; `up` ran as %v", run.Verdict, run.Detail, h.upsRun())
		}
		w.stop(r, p)
	})
}

// A pull that takes minutes changes nothing that runs: whoever aborts doesn't wait for it, and it is not left running.
func TestRollback_AnAbortStopsThePull(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := w.hosts["deploy@one"]
		r, p := w.strike(runbook.StepFetch, inTheMidst, func(_ *fakeHost, job *fakeJob) { job.endsAt = time.Now().Add(10 * time.Minute) })
		if run, _ := w.only().Step(runbook.StepFetch); !run.EndedAt.IsZero() {
			t.Fatalf("the pull ended: %+v", run)
		}
		if err := w.click(r, w.only(), runbook.Abort, "UONCALL"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Second)
		if rb := w.only(); rb.Outcome != runbook.Aborted || h.lease["until"] != "0" || h.runningJob() != nil {
			t.Errorf("outcome %q, a pull runs: %t, the lease is %v", rb.Outcome, h.runningJob() != nil, h.lease)
		}
		w.wantRunning(w.v2)
		w.stop(r, p)
	})
}
