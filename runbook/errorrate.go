package runbook

import (
	"context"
	"fmt"
	"time"
)

// confirmErrorRate is step 4. While the window lasts, digests, restarts and health are watched on, and proven once
// more at its end. Whether the error rate itself is back at its baseline only a person can tell who looks at the
// dashboard: so the step ends undecided, and is asked about.
type confirmErrorRate struct{}

func (confirmErrorRate) Name() StepName { return StepErrorRate }

const (
	watchInterval = 5 * time.Second // between looks during the window
	watchFailures = 3               // so many bad looks in a row are no hiccup any more
)

func (s confirmErrorRate) Run(ctx context.Context, x *execution) (StepOutcome, error) {
	restarts := x.runningBefore()
	if outcome, err := s.watch(ctx, x, restarts); err != nil || outcome.verdict != Passed {
		return StepOutcome{Verdict: outcome.verdict, Detail: outcome.problem}, err
	}
	outcome, err := x.proveHealthy(ctx, x.plan().Hosts, allURLs(x.app, x.plan()), restarts)
	if err != nil || outcome.verdict != Passed {
		return StepOutcome{Verdict: outcome.verdict, Detail: outcome.problem}, err
	}
	return StepOutcome{
		Verdict: Undecided,
		Detail:  fmt.Sprintf("healthy for the whole window of %s; nobody has said yet whether the error rate is back at its baseline", x.app.ErrorRate.Window),
	}, nil
}

func (confirmErrorRate) watch(ctx context.Context, x *execution, restarts map[Host][]Running) (hostOutcome, error) {
	window := x.app.ErrorRate.Window
	end := time.Now().Add(window)
	hosts, urls := x.plan().Hosts, allURLs(x.app, x.plan())
	failures := 0
	for {
		if x.aborting() {
			return hostOutcome{verdict: Stopped, problem: "stopped while watching the error rate"}, nil
		}
		outcome, err := x.healthRound(ctx, hosts, urls, restarts)
		if err != nil {
			return hostOutcome{}, err
		}
		// A restart or another image is the end of it; a bad answer may be a hiccup.
		failures++
		if outcome.verdict == Passed {
			failures = 0
			outcome.problem = "healthy"
		}
		if failures >= watchFailures || outcome.final {
			outcome.problem = "not healthy any more: " + outcome.problem
			return outcome, nil
		}
		if !time.Now().Before(end) {
			return fine, nil // after a last look: what restarted since the one before is seen
		}
		left := time.Until(end).Round(time.Second)
		x.progress("", fmt.Sprintf("%s; %s of %s left", outcome.problem, left, window))
		if err := pause(ctx, min(watchInterval, window/10+time.Millisecond, time.Until(end)+time.Millisecond)); err != nil {
			return hostOutcome{}, err
		}
	}
}
