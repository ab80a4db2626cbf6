package rate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
)

const (
	// baselineSamples is into how many parts that is cut: a minute each.
	baselineSamples = 60
	// leastStep is the least time between two samples that are asked for: nobody scrapes more often.
	leastStep = 250 * time.Millisecond
)

// ReadBaseline reads the baseline of a plan. again is true where asking later may give more.
func ReadBaseline(ctx context.Context, c runbook.ErrorRateChecker, a runbook.App, h history.History, p runbook.Plan) (b runbook.Baseline, again bool) {
	from, until, problem := h.BaselineRange(p)
	if problem != "" {
		return runbook.Baseline{Until: until, Problem: problem}, false
	}
	return readUsual(ctx, c, a, from, until)
}

// readUsual reads the baseline of a range of time. again is true where asking later may give more.
func readUsual(ctx context.Context, c runbook.ErrorRateChecker, a runbook.App, from, until time.Time) (b runbook.Baseline, again bool) {
	b = runbook.Baseline{From: from.UTC(), Until: until.UTC()}
	step := StepOf(until.Sub(from), baselineSamples)
	ctx, cancel := context.WithTimeout(ctx, runbook.RateTimeout)
	defer cancel()
	samples, err := c.Between(ctx, a, from, until, step)
	expected := int(until.Sub(from)/step) + 1
	var none *runbook.NoRateError
	switch {
	case errors.As(err, &none):
		b.Problem = runbook.Mask(none.Why)
		return b, !none.Answered
	case err != nil:
		b.Problem = "the error rate of that time could not be read"
		return b, true
	case len(samples)*2 < expected:
		b.Problem = fmt.Sprintf("of the %s before the failed release came up, only %d of %d readings have an error rate", runbook.ShortSpan(until.Sub(from)), len(samples), expected)
		return b, false
	}
	b.Rate, b.Samples = median(samples), len(samples)
	return b, false
}

// StepOf is how long each of so many parts of a span is, in whole milliseconds and never shorter than leastStep.
func StepOf(span time.Duration, parts int) time.Duration {
	return max(span/time.Duration(parts), leastStep).Round(time.Millisecond)
}

// BaselineRetry parts the attempts to read the baseline while the sign-off is awaited.
const BaselineRetry = 5 * time.Second

// BaselineGrace is how long a rollback that is about to replace containers waits for an answer about the baseline that
// was asked for: an outage lasts meanwhile.
const BaselineGrace = 2 * time.Second
