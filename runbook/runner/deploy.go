package runner

import (
	"context"
	"errors"
	"fmt"

	"rollbackbot/runbook"
	"rollbackbot/runbook/endpoint"
)

// deploy is the third phase of step 2: containers are replaced host by host, and each host but the last is proven
// healthy before the next one is touched. Only the plan's services are named, and nothing is pulled.
type deploy struct{}

func (deploy) Name() runbook.StepName { return runbook.StepDeploy }

func (s deploy) Run(ctx context.Context, x *execution) (runbook.StepOutcome, error) {
	hosts := x.plan().Hosts
	for i, h := range hosts {
		if x.aborting() {
			return runbook.StepOutcome{Verdict: runbook.Stopped, Detail: fmt.Sprintf("stopped before %s", h.Host)}, nil
		}
		outcome, err := s.host(ctx, x, h)
		if err != nil {
			return runbook.StepOutcome{}, err
		}
		if outcome.verdict == runbook.Passed && i < len(hosts)-1 {
			outcome, err = x.proveHealthy(ctx, hosts[i:i+1], endpoint.OfHost(x.app, h.Host), map[runbook.Host][]runbook.Running{})
		}
		if err != nil || outcome.verdict != runbook.Passed {
			return combine(hosts[i:i+1], []hostOutcome{outcome}), err
		}
	}
	return runbook.StepOutcome{Verdict: runbook.Passed}, nil
}

// host brings one host to the plan's images and proves it by what its containers are made from: that its command ended
// with status 0 proves nothing. Where it broke off, going to the same digests once more is harmless.
func (s deploy) host(ctx context.Context, x *execution, h runbook.HostPlan) (hostOutcome, error) {
	run, _ := x.rollback().Step(runbook.StepDeploy)
	job := fmt.Sprintf("up-%s-%d", directionWord(x.rollback().Direction), run.Attempt)
	view, err := x.lookJustNow(ctx, h)
	if err != nil {
		return x.failure(ctx, err)
	}
	if run.Attempt > 1 && x.rollback().Hosts[h.Host].UpStarted && h.Complete(view) {
		return s.restart(ctx, x, h, view, job) // a former attempt brought it there: trying again is for the others
	}
	outcome, result, err := s.up(ctx, x, h, view, job)
	if err != nil || outcome.verdict != runbook.Passed {
		return outcome, err
	}
	view, err = x.lookAgain(ctx, h)
	for n := 1; err == nil && n <= upsAgain && !x.aborting(); n++ {
		why := brokeOff(h, result, view)
		if why == "" || why == brokeByRestart && n > 1 {
			break
		}
		if outcome, result, err = s.up(ctx, x, h, view, fmt.Sprintf("%s-%s-%d", job, why, n)); err != nil || outcome.verdict != runbook.Passed {
			return outcome, err
		}
		view, err = x.lookAgain(ctx, h)
	}
	if err != nil {
		return x.unseen(ctx, err)
	}
	outcome, err = judgeUp(ctx, x, h, result, view)
	if err != nil || outcome.verdict != runbook.Passed {
		return outcome, err
	}
	return s.restart(ctx, x, h, view, job)
}

// restart restarts what finds the new containers only then, unless it was seen to have been since. Doing it again, as after
// a crash, is harmless.
func (deploy) restart(ctx context.Context, x *execution, h runbook.HostPlan, view runbook.View, up string) (hostOutcome, error) {
	if len(h.Behind(view)) == 0 {
		return fine, nil
	}
	x.progress(h.Host, "restarting what depends on them")
	job := runbook.Job{Name: "restart-after-" + up, Limit: upLimit, Command: h.Restart, Beside: h.Restarted()}
	result, err := x.change(ctx, h.Host, runbook.StepDeploy, job)
	if err != nil {
		return hostOutcome{}, err
	}
	if view, err = x.lookAgain(ctx, h); err != nil {
		return x.unseen(ctx, err)
	}
	behind := h.Behind(view)
	switch {
	case len(behind) == 0:
		return fine, nil
	case result.err != nil:
		return x.unseen(ctx, result.err)
	}
	outcome := broken("the restart ended with status %d, and %s was not restarted (%s)", result.status, behind[0].Service, behind[0].Why)
	outcome.output = runbook.LastLines(result.output, 20)
	return outcome, nil
}

// up replaces the containers, unless something runs there that is neither the plan's start nor its target.
func (deploy) up(ctx context.Context, x *execution, h runbook.HostPlan, view runbook.View, job string) (hostOutcome, changeResult, error) {
	if outcome := foreign(h, view); outcome.verdict != runbook.Passed {
		return outcome, changeResult{}, nil
	}
	if err := x.quarantine(ctx); err != nil {
		return hostOutcome{}, changeResult{}, err
	}
	x.progress(h.Host, "replacing the containers")
	result, err := x.change(ctx, h.Host, runbook.StepDeploy, runbook.Job{Name: job, Limit: upLimit, Command: h.Up, Up: h.Services, Beside: h.Replaced()})
	return fine, result, err
}

// By what an `up` was broken off, as the name of the next job says it.
const (
	brokeByRestart    = "restarted"
	brokeByDependents = "again"
)

// upsAgain is how often an `up` that was broken off is begun once more by itself: what the second one meets of the first may
// break it off as well (Compose 2.26: "Conflict. The container name … is already in use"), and the third meets nothing.
// A host that is restarted a second time is a person's to look at.
const upsAgain = 2

// brokeOff says by what `up` was broken off, where that is over a moment later; "" where it was not, or may not be.
//
// The host was restarted: nothing of the job runs any more. Or dependents go with what is replaced: they end by themselves
// when what they share goes, and an engine that is told to stop one in that moment may answer that it doesn't run (Docker
// 26.1: "cannot stop container"), whereupon nothing at all is started. That was seen in 8 of 18 rollbacks there.
func brokeOff(h runbook.HostPlan, result changeResult, view runbook.View) string {
	switch {
	case errors.Is(result.err, errRestarted):
		return brokeByRestart
	case result.err == nil && result.status != 0 && len(h.Replaced()) > 0 && !h.Complete(view):
		return brokeByDependents
	}
	return ""
}

func judgeUp(ctx context.Context, x *execution, h runbook.HostPlan, result changeResult, view runbook.View) (hostOutcome, error) {
	cut := h.CutOff(view)
	switch {
	case cut == nil && view.Runs(h.To()) && result.err == nil && result.status == 0, h.Complete(view):
		return fine, nil
	case result.err != nil:
		return x.unseen(ctx, result.err)
	case cut != nil && result.status == 0 && view.Runs(h.To()):
		return broken("%s was not replaced together with the others, or doesn't run (%s)", cut.Service, cut.Why), nil
	}
	outcome := broken("the deployment ended with status %d and the plan's containers are not what runs", result.status)
	outcome.output = runbook.LastLines(result.output, 20)
	return outcome, nil
}

func directionWord(d runbook.Direction) string {
	if d == runbook.Forward {
		return "forward"
	}
	return "back"
}

// quarantine blocks what is being replaced, from before the first container goes, and once.
func (x *execution) quarantine(ctx context.Context) error {
	rb := x.rollback()
	if rb.Touched() || rb.Direction == runbook.Forward || rb.Drill() {
		return nil
	}
	history, err := x.planner.Chronicle.History(ctx, x.planner.Journal, rb.App)
	if err != nil {
		return fmt.Errorf("%w: %w", errJournal, err)
	}
	images := history.Harmed(rb.Plan)
	if len(images) == 0 {
		return nil
	}
	return x.note(ctx, runbook.Quarantined{Images: images})
}
