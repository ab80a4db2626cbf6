package runner

import (
	"context"
	"fmt"
	"time"

	"rollbackbot/internal/parallel"
	"rollbackbot/runbook"
	"rollbackbot/runbook/endpoint"
	"rollbackbot/runbook/rate"
)

// confirmErrorRate is step 4. While the window lasts, digests, restarts and health are watched on, and proven once
// more at its end; beside that the error rate is read, and then judged. Where the bot doesn't read it, or can't tell,
// only a person can who looks at the dashboard: so the step ends undecided, and is asked about.
type confirmErrorRate struct{}

func (confirmErrorRate) Name() runbook.StepName { return runbook.StepErrorRate }

const (
	watchInterval = 5 * time.Second // between looks during the window
	watchFailures = 3               // so many bad looks in a row are no hiccup any more
)

func (s confirmErrorRate) Run(ctx context.Context, x *execution) (runbook.StepOutcome, error) {
	restarts, gap := x.runningBefore(), &gap{}
	perMinute := x.watchRate(ctx)
	outcome, err := s.watch(ctx, x, restarts, gap)
	var readings []rate.Reading
	ended := time.Now()
	if perMinute != nil {
		readings = perMinute.end()
	}
	if err != nil || outcome.verdict != runbook.Passed {
		return runbook.StepOutcome{Verdict: outcome.verdict, Detail: outcome.problem}, err
	}
	outcome, err = x.proveHealthy(ctx, x.plan().Hosts, endpoint.OfPlan(x.app, x.plan()), restarts)
	if err != nil || outcome.verdict != runbook.Passed {
		return runbook.StepOutcome{Verdict: outcome.verdict, Detail: outcome.problem}, err
	}
	watched := gap.watched(x.app.ErrorRate.Window)
	if perMinute == nil {
		return runbook.StepOutcome{Verdict: runbook.Undecided, Detail: watched + "; nobody has said yet whether the error rate is back at its baseline"}, nil
	}
	baseline := x.rollback().Baseline
	judgement := rate.Judge(x.app.ErrorRate, baseline, readings, ended)
	judgement.Curve = perMinute.curve()
	return rateOutcome(judgement, baseline, watched), nil
}

// rateOutcome is the step's outcome where the error rate was read.
func rateOutcome(j runbook.RateJudgement, b *runbook.Baseline, watched string) runbook.StepOutcome {
	switch j.Verdict {
	case runbook.RateBack:
		return runbook.StepOutcome{Verdict: runbook.Passed, Detail: watched + "; the error rate is back at its baseline: " + j.Describe(b), Rate: &j}
	case runbook.RateElevated:
		return runbook.StepOutcome{Verdict: runbook.Broken, Detail: "the error rate is still elevated: " + j.Describe(b) + "; " + watched, Rate: &j}
	}
	detail := watched + "; whether the error rate is back at its baseline could not be judged: " + j.Missing
	if j.Readings > 0 {
		detail += "; " + j.Describe(b)
	}
	return runbook.StepOutcome{Verdict: runbook.Undecided, Detail: detail, Rate: &j}
}

// watchPause parts the looks of a window.
func watchPause(window time.Duration) time.Duration {
	return min(watchInterval, window/10+time.Millisecond)
}

// gap is when hosts could not be seen while they were watched.
type gap struct {
	since   time.Time // zero while all are seen
	problem string    // of the last one
	longest time.Duration
}

// note takes in what a round saw, and gives how long the hosts have not been seen.
func (g *gap) note(round hostOutcome) time.Duration {
	now := time.Now()
	if round.verdict == runbook.Unknown {
		if g.since.IsZero() {
			g.since = now
		}
		g.problem = round.problem
	}
	if g.since.IsZero() {
		return 0
	}
	unseen := now.Sub(g.since)
	g.longest = max(g.longest, unseen)
	if round.verdict != runbook.Unknown {
		g.since = time.Time{}
	}
	return unseen
}

// watched says what was seen of a window that ended well.
func (g *gap) watched(window time.Duration) string {
	if g.problem == "" {
		return fmt.Sprintf("healthy for the whole window of %s", window)
	}
	return fmt.Sprintf("healthy at the end of the window of %s, but it was not seen for up to %s of it: %s", window, g.longest.Round(time.Second), g.problem)
}

func (confirmErrorRate) watch(ctx context.Context, x *execution, restarts map[runbook.Host][]runbook.Running, gap *gap) (hostOutcome, error) {
	window := x.app.ErrorRate.Window
	end := time.Now().Add(window)
	hosts, urls := x.plan().Hosts, endpoint.OfPlan(x.app, x.plan())
	failures := 0
	for {
		if x.aborting() {
			return hostOutcome{verdict: runbook.Stopped, problem: "stopped while watching the error rate"}, nil
		}
		outcome, err := x.healthRound(ctx, hosts, urls, restarts)
		if err != nil {
			return hostOutcome{}, err
		}
		// A restart or another image is the end of it; a bad answer may be a hiccup. A host that can't be seen is none of
		// that: one that reboots is back in a minute.
		unseen := gap.note(outcome)
		switch outcome.verdict {
		case runbook.Passed:
			failures = 0
			outcome.problem = "healthy"
		case runbook.Unknown:
			if budget := x.app.Health.Budget(); unseen >= budget {
				outcome.problem = fmt.Sprintf("not seen for %s: %s", budget, outcome.problem)
				return outcome, nil
			}
		default:
			failures++
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
		if err := parallel.Pause(ctx, min(watchPause(window), time.Until(end)+time.Millisecond)); err != nil {
			return hostOutcome{}, err
		}
	}
}
