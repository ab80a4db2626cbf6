package runner

import (
	"context"
	"errors"
	"fmt"

	"rollbackbot/runbook"
)

// fetch is the first phase of step 2: every image is on every host before anything changes on any of them. A digest
// that is there is never pulled: the registry may be down, and the login expired.
type fetch struct{}

func (fetch) Name() runbook.StepName { return runbook.StepFetch }

func (f fetch) Run(ctx context.Context, x *execution) (runbook.StepOutcome, error) {
	rb := x.rollback()
	run, _ := rb.Step(runbook.StepFetch)
	job := fmt.Sprintf("pull-%s-%d", directionWord(rb.Direction), run.Attempt)
	return x.onEveryHost(ctx, func(ctx context.Context, h runbook.HostPlan) (hostOutcome, error) {
		outcome, restarted, err := f.host(ctx, x, h, job)
		if err != nil || !restarted || x.aborting() {
			return outcome, err
		}
		// Nothing of the pull runs any more: what is still missing is fetched once docker is there again.
		if _, err := x.lookAgain(ctx, h); err != nil {
			return x.failure(ctx, err)
		}
		outcome, _, err = f.host(ctx, x, h, job+"-restarted")
		return outcome, err
	})
}

// host fetches what one host lacks, and says whether that was broken off by the host's restart.
func (fetch) host(ctx context.Context, x *execution, h runbook.HostPlan, job string) (outcome hostOutcome, restarted bool, err error) {
	states, err := x.host(h.Host).Images(ctx, h.Images(), false)
	if err != nil {
		outcome, err = x.failure(ctx, err)
		return outcome, false, err
	}
	for i, image := range runbook.MissingOf(states) {
		x.progress(h.Host, "pulling "+image.Name)
		result, err := x.change(ctx, h.Host, runbook.StepFetch, runbook.Job{Name: fmt.Sprintf("%s-%d", job, i), Limit: pullLimit, Command: h.Pull(image), Fetch: image})
		switch {
		case err != nil:
			return hostOutcome{}, false, err
		case x.aborting():
			return hostOutcome{verdict: runbook.Stopped, problem: "stopped while pulling; nothing has changed"}, false, nil
		case result.err != nil:
			outcome, err = x.unseen(ctx, result.err)
			return outcome, errors.Is(result.err, errRestarted), err
		case result.status != 0:
			outcome := broken("the pull ended with status %d for %s; nothing has changed", result.status, image)
			outcome.output = runbook.LastLines(result.output, 20)
			return outcome, false, nil
		}
	}
	return fine, false, nil
}

// prefetch pulls a plan's missing images on one host while the sign-off is awaited. It needs no lock: pulling changes
// nothing that runs, and what is cut off is pulled again later. It returns why it could not be done, "" when all is there;
// and whether the connection is what failed, so that nothing is known about the images.
func prefetch(ctx context.Context, host runbook.AppHost, images []runbook.Image) (problem string, lost bool) {
	for _, image := range images {
		if err := host.Fetch(ctx, image); err != nil {
			return runbook.Mask(err.Error()), isLost(err)
		}
	}
	return "", false
}

// isLost reports whether an error is about the way to a host and says nothing about the host itself.
func isLost(err error) bool {
	var unusable *runbook.HostError
	return errors.Is(err, runbook.ErrLost) || errors.As(err, &unusable) && unusable.MayPass()
}
