package runbook

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Baseline is the error rate that was usual before the failed release came up. It is frozen into the rollback before
// anything is changed, so that what counts as "back" can't be argued about afterwards.
type Baseline struct {
	Rate    float64   `json:"rate"`              // the median; means nothing with a Problem
	From    time.Time `json:"from,omitzero"`     // zero: when the failed release came up is not known
	Until   time.Time `json:"until,omitzero"`    // when the failed release came up
	Samples int       `json:"samples,omitempty"` // of how many it is the median
	Problem string    `json:"problem,omitempty"` // why it isn't known: a sentence without a full stop; empty: it is
}

// BaselineFrozen says what the error rate counts as usual in this rollback, or that it isn't known, and why.
type BaselineFrozen struct {
	Baseline Baseline `json:"baseline"`
}

// Kind is the fact's kind in the journal.
func (BaselineFrozen) Kind() string { return "baseline_frozen" }

func init() { register[BaselineFrozen]() }

const (
	// baselineSpan is how much of the time before the failed release is looked at.
	baselineSpan = time.Hour
	// baselineSamples is into how many parts that is cut: a minute each.
	baselineSamples = 60
	// leastStep is the least time between two samples that are asked for: nobody scrapes more often.
	leastStep = 250 * time.Millisecond
)

// baselineRange is when the app ran as usual: the hour before the failed release came up, or as much of it as the release
// before ran, since the hour may hold the failure before the last. problem says why it isn't known.
func (h History) baselineRange(p Plan) (from, until time.Time, problem string) {
	images := p.fromEverywhere()
	switch {
	case len(p.Excluded) > 0:
		return from, until, "what runs on the hosts that are left out is not known, nor since when"
	case images == nil:
		return from, until, "the hosts don't all run one known release"
	}
	from, until, _, problem = h.usualBefore(images)
	return from, until, problem
}

// usualBefore is the same for what runs by its images, and by when they were seen to run.
func (h History) usualBefore(images map[string]Image) (from, until, by time.Time, problem string) {
	id := ReleaseID(images)
	at := lastIndex(h.live, id)
	if at < 0 {
		return from, until, by, "nobody saw the release in question come up"
	}
	for at >= 2 && h.live[at-1] == differed && h.live[at-2] == id { // a host was seen differently for a while
		at -= 2
	}
	by = h.spells[at].by
	if until = h.spells[at].after; until.IsZero() {
		return from, until, by, "nobody saw the release in question come up: it ran already when the bot looked first, and no note says since when"
	}
	from = until.Add(-baselineSpan)
	for at--; at >= 0; at-- {
		if h.live[at] != differed {
			from = later(from, h.spells[at].by)
			break
		}
	}
	if !from.Before(until) {
		return from, until, by, "the release before the one in question did not run long enough"
	}
	return from, until, by, ""
}

func complete(images map[string]Image, p Plan) bool {
	for service := range p.Target.Images {
		if images[service].IsZero() {
			return false
		}
	}
	return true
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// readBaseline reads the baseline of a plan. again is true where asking later may give more.
func readBaseline(ctx context.Context, c ErrorRateChecker, a App, h History, p Plan) (b Baseline, again bool) {
	from, until, problem := h.baselineRange(p)
	if problem != "" {
		return Baseline{Until: until, Problem: problem}, false
	}
	return readUsual(ctx, c, a, from, until)
}

// readUsual reads the baseline of a range of time. again is true where asking later may give more.
func readUsual(ctx context.Context, c ErrorRateChecker, a App, from, until time.Time) (b Baseline, again bool) {
	b = Baseline{From: from.UTC(), Until: until.UTC()}
	step := stepOf(until.Sub(from), baselineSamples)
	ctx, cancel := context.WithTimeout(ctx, RateTimeout)
	defer cancel()
	samples, err := c.Between(ctx, a, from, until, step)
	expected := int(until.Sub(from)/step) + 1
	var none *NoRateError
	switch {
	case errors.As(err, &none):
		b.Problem = Mask(none.Why)
		return b, !none.Answered
	case err != nil:
		b.Problem = "the error rate of that time could not be read"
		return b, true
	case len(samples)*2 < expected:
		b.Problem = fmt.Sprintf("of the %s before the failed release came up, only %d of %d readings have an error rate", shortSpan(until.Sub(from)), len(samples), expected)
		return b, false
	}
	b.Rate, b.Samples = median(samples), len(samples)
	return b, false
}

func stepOf(span time.Duration, parts int) time.Duration {
	return max(span/time.Duration(parts), leastStep).Round(time.Millisecond)
}

// baselineRetry parts the attempts to read the baseline while the sign-off is awaited.
const baselineRetry = 5 * time.Second

// baselineGrace is how long a rollback that is about to replace containers waits for an answer about the baseline that
// was asked for: an outage lasts meanwhile.
const baselineGrace = 2 * time.Second

// judgesRate reports whether the bot reads the app's error rate itself.
func (o *owner) judgesRate() bool { return o.execution.judgesRate() }

func (x *execution) judgesRate() bool { return x.rate != nil && x.app.ErrorRate.Query != "" }

// freezeBaseline reads the baseline beside everything else and journals it, known or not. While a person is waited for,
// a Prometheus that doesn't answer is asked again.
func (o *owner) freezeBaseline(ctx context.Context) {
	if rb := o.snapshot(); !o.judgesRate() || rb.Baseline != nil || rb.Touched() || rb.State == StateEnded {
		return
	}
	o.mu.Lock()
	o.tried = nil // of a plan that was replaced
	o.mu.Unlock()
	o.runner.running.Go(func() {
		for {
			rb := o.snapshot()
			if rb.Baseline != nil || rb.State == StateEnded {
				return
			}
			b, again := o.baselineOf(ctx, rb.Plan)
			if ctx.Err() != nil {
				return
			}
			if now := o.snapshot(); !again || now.State != StateRequested {
				if o.keepBaseline(ctx, rb.Plan, b) == nil {
					return
				}
			}
			o.mu.Lock()
			o.tried = &b
			o.mu.Unlock()
			if pause(ctx, baselineRetry) != nil {
				return
			}
		}
	})
}

func (o *owner) baselineOf(ctx context.Context, p Plan) (Baseline, bool) {
	history, err := o.runner.History(ctx, o.app.Name)
	if err != nil {
		return Baseline{Problem: "the history could not be read"}, true
	}
	return readBaseline(ctx, o.execution.rate, o.app, history, p)
}

// keepBaseline journals a plan's baseline, once, and never after a container may have been replaced.
func (o *owner) keepBaseline(ctx context.Context, p Plan, b Baseline) error {
	return o.decide(ctx, "", "", func(now Rollback) ([]Fact, error) {
		if now.Baseline != nil || now.Touched() || now.State == StateEnded || now.Plan.Hash() != p.Hash() {
			return nil, nil
		}
		return []Fact{BaselineFrozen{Baseline: b}}, nil
	})
}

// settleBaseline makes sure that there is a word on the baseline in the journal before containers are replaced.
func (o *owner) settleBaseline(ctx context.Context) error {
	if !o.judgesRate() {
		return nil
	}
	grace := time.NewTimer(baselineGrace)
	defer grace.Stop()
	for {
		rb, _, changed := o.state()
		if rb.Baseline != nil || rb.Touched() {
			return nil
		}
		if b := o.triedBaseline(); b != nil {
			return o.keepBaseline(ctx, rb.Plan, *b)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
			continue
		case <-grace.C:
		}
		b := Baseline{Problem: "Prometheus had not answered by the time that containers were to be replaced"}
		return o.keepBaseline(ctx, rb.Plan, b)
	}
}

func (o *owner) triedBaseline() *Baseline {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.tried
}
