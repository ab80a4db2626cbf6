package runbook

import (
	"context"
	"errors"
	"fmt"
)

// fetch is the first phase of step 2: every image is on every host before anything changes on any of them. A digest
// that is there is never pulled: the registry may be down, and the login expired.
type fetch struct{}

func (fetch) Name() StepName { return StepFetch }

func (fetch) Run(ctx context.Context, x *execution) (StepOutcome, error) {
	rb := x.rollback()
	run, _ := rb.Step(StepFetch)
	return x.onEveryHost(ctx, func(ctx context.Context, h HostPlan) (hostOutcome, error) {
		missing, err := missingImages(ctx, x.target(h.Host), h.Host, x.app, h.To())
		if err != nil {
			return x.failure(ctx, err)
		}
		for i, image := range missing {
			x.progress(h.Host, "pulling "+image.Name)
			result, err := x.change(ctx, h.Host, StepFetch, fmt.Sprintf("pull-%s-%d-%d", directionWord(rb.Direction), run.Attempt, i), pullLimit, pull(x.app, image))
			switch {
			case err != nil:
				return hostOutcome{}, err
			case result.err != nil:
				return x.unseen(ctx, result.err)
			case result.status != 0:
				outcome := broken("`docker pull` ended with status %d for %s; nothing has changed", result.status, image)
				outcome.output = lastLines(result.output, 20)
				return outcome, nil
			}
		}
		return fine, nil
	})
}

// prefetch pulls a plan's missing images on one host while the sign-off is awaited. It needs no lock: pulling changes
// nothing that runs, and what is cut off is pulled again later. It returns why it could not be done, "" when all is there;
// and whether the connection is what failed, so that nothing is known about the images.
func prefetch(ctx context.Context, target Target, a App, images []Image) (problem string, lost bool) {
	for _, image := range images {
		cmd := pull(a, image)
		cmd.Timeout = pullLimit
		result, err := target.Run(ctx, cmd)
		if err != nil {
			return Mask(err.Error()), isLost(err)
		}
		if result.Status != 0 {
			return fmt.Sprintf("`docker pull` of %s ended with status %d: %s", image, result.Status, lastLines(result.Stderr, 2)), false
		}
	}
	return "", false
}

// isLost reports whether an error is about the way to a host and says nothing about the host itself.
func isLost(err error) bool {
	var unusable *HostError
	return errors.Is(err, ErrLost) || errors.As(err, &unusable) && unusable.MayPass()
}
