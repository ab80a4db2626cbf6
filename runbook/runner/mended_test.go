package runner

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rollbackbot/runbook"
)

// mendable are hosts that answer, and can't be used until a person has mended something: a key, or known_hosts.
type mendable struct {
	runbook.Hosts
	problem atomic.Pointer[runbook.HostError] // nil: they can be used
}

func newMendable(hosts runbook.Hosts) *mendable {
	m := &mendable{}
	m.Hosts = hooked{hosts, func(_ runbook.Host, _ string, do func() error) error {
		if problem := m.problem.Load(); problem != nil {
			return problem
		}
		err := do()
		if m.problem.Load() != nil { // the link that the call was under way on is cut
			return runbook.ErrLost
		}
		return err
	}}
	return m
}

var (
	keyChanged = &runbook.HostError{Host: "deploy@one", Problem: "the host key has changed: it shows A, known is B", Remedy: "ask who runs the host"}
	hungUp     = &runbook.HostError{Host: "deploy@one", HungUp: true, Problem: "it hangs up before it shows a host key", Remedy: "check that port"}
)

// unusable asks for a rollback whose host can't be used from a moment after an event on.
func (w *world) unusable(when func(runbook.Fact) bool, problem *runbook.HostError) (*mendable, *Runner, *process) {
	w.t.Helper()
	r, p := w.start(0)
	hosts := newMendable(r.Hosts)
	r.Hosts = hosts
	struck := false
	r.Report = func(e runbook.Event) {
		if !struck && when(e.Fact) {
			struck = true
			time.AfterFunc(inTheMidst, func() { hosts.problem.Store(problem) })
		}
	}
	if _, err := r.Request(w.t.Context(), w.request(), ""); err != nil {
		w.t.Fatal(err)
	}
	w.prune("deploy@one", w.v1["worker"]) // since then: the fetch step pulls it
	return hosts, r, p
}

// A host that answers and has to be mended first stops a rollback wherever it is, with its own sentence; what was begun
// there is not said to have failed. Once it is mended, "try again" goes on.
func TestRollback_TheHostHasToBeMended(t *testing.T) {
	for _, row := range []struct {
		name    string
		when    func(runbook.Fact) bool
		verdict runbook.Verdict
	}{
		{"before anybody has signed off", is[runbook.Requested], runbook.Broken}, // nothing was begun
		{"while an image is pulled", commandOf(runbook.StepFetch), runbook.Unknown},
		{"during up", commandOf(runbook.StepDeploy), runbook.Unknown},
	} {
		t.Run(row.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				hosts, r, p := w.unusable(row.when, keyChanged)
				time.Sleep(2 * inTheMidst)
				if err := w.click(r, w.only(), runbook.SignoffInPlace, "ULEAD"); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				rb := w.only()
				run := rb.Steps[len(rb.Steps)-1]
				if q := rb.Question(); q == nil || !strings.Contains(q.Text, keyChanged.Problem) || !strings.Contains(q.Text, keyChanged.Remedy) {
					t.Fatalf("%s, asked %+v, want the host's own sentence", rb.State, q)
				}
				if run.Verdict != row.verdict {
					t.Errorf("%s is said to have come to %s, want %s", run.Step, run.Verdict, row.verdict)
				}
				hosts.problem.Store(nil)
				w.play(r, p, goingWell)
				w.stop(r, p)
				if rb := w.only(); rb.Outcome != runbook.Succeeded {
					t.Errorf("outcome %s (%s), want succeeded", rb.Outcome, rb.Why)
				}
				w.wantRunning(w.v1)
			})
		})
	}
}

// A host that hangs up, as one does that has just been started, is not one that a person has to mend.
func TestRollback_TheHostHangsUpForAMoment(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		hosts, r, p := w.unusable(commandOf(runbook.StepDeploy), hungUp)
		if err := w.click(r, w.only(), runbook.SignoffInPlace, "ULEAD"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		hosts.problem.Store(nil)
		w.play(r, p, answers{runbook.AskErrorRate: goingWell[runbook.AskErrorRate]})
		w.stop(r, p)
		if rb := w.only(); rb.Outcome != runbook.Succeeded {
			t.Errorf("outcome %s (%s), want succeeded and nobody asked", rb.Outcome, rb.Why)
		}
	})
}
