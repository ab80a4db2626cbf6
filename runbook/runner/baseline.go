package runner

import (
	"context"
	"time"

	"rollbackbot/internal/parallel"
	"rollbackbot/runbook"
	"rollbackbot/runbook/rate"
)

// judgesRate reports whether the bot reads the app's error rate itself.
func (o *owner) judgesRate() bool { return o.execution.judgesRate() }

func (x *execution) judgesRate() bool { return x.rate != nil && x.app.ErrorRate.Query != "" }

// freezeBaseline reads the baseline beside everything else and journals it, known or not. While a person is waited for,
// a Prometheus that doesn't answer is asked again.
func (o *owner) freezeBaseline(ctx context.Context) {
	if rb := o.snapshot(); !o.judgesRate() || rb.Baseline != nil || rb.Touched() || rb.State == runbook.StateEnded {
		return
	}
	o.mu.Lock()
	o.tried = nil // of a plan that was replaced
	o.mu.Unlock()
	o.runner.running.Go(func() {
		for {
			rb := o.snapshot()
			if rb.Baseline != nil || rb.State == runbook.StateEnded {
				return
			}
			b, again := o.baselineOf(ctx, rb.Plan)
			if ctx.Err() != nil {
				return
			}
			if now := o.snapshot(); !again || now.State != runbook.StateRequested {
				if o.keepBaseline(ctx, rb.Plan, b) == nil {
					return
				}
			}
			o.mu.Lock()
			o.tried = &b
			o.mu.Unlock()
			if parallel.Pause(ctx, rate.BaselineRetry) != nil {
				return
			}
		}
	})
}

func (o *owner) baselineOf(ctx context.Context, p runbook.Plan) (runbook.Baseline, bool) {
	history, err := o.runner.History(ctx, o.app.Name)
	if err != nil {
		return runbook.Baseline{Problem: "the history could not be read"}, true
	}
	return rate.ReadBaseline(ctx, o.execution.rate, o.app, history, p)
}

// keepBaseline journals a plan's baseline, once, and never after a container may have been replaced.
func (o *owner) keepBaseline(ctx context.Context, p runbook.Plan, b runbook.Baseline) error {
	return o.decide(ctx, "", "", func(now runbook.Rollback) ([]runbook.Fact, error) {
		if now.Baseline != nil || now.Touched() || now.State == runbook.StateEnded || now.Plan.Hash() != p.Hash() {
			return nil, nil
		}
		return []runbook.Fact{runbook.BaselineFrozen{Baseline: b}}, nil
	})
}

// settleBaseline makes sure that there is a word on the baseline in the journal before containers are replaced.
func (o *owner) settleBaseline(ctx context.Context) error {
	if !o.judgesRate() {
		return nil
	}
	grace := time.NewTimer(rate.BaselineGrace)
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
		b := runbook.Baseline{Problem: "Prometheus had not answered by the time that containers were to be replaced"}
		return o.keepBaseline(ctx, rb.Plan, b)
	}
}

func (o *owner) triedBaseline() *runbook.Baseline {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.tried
}
