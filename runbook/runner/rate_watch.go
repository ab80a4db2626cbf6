package runner

import (
	"context"
	"errors"
	"slices"
	"time"

	"rollbackbot/internal/parallel"
	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
	"rollbackbot/runbook/rate"
)

// rateWatch reads the error rate beside the looks at the hosts, so that a Prometheus that doesn't answer delays none of
// them.
type rateWatch struct {
	stop     context.CancelFunc
	done     chan struct{}
	readings []rate.Reading   // once done
	past     []runbook.Sample // what was before and during, once done
}

// watchRate begins to read the error rate; nil where the bot doesn't.
func (x *execution) watchRate(ctx context.Context) *rateWatch {
	if !x.judgesRate() {
		return nil
	}
	ctx, stop := context.WithCancel(ctx)
	w := &rateWatch{stop: stop, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		past := make(chan []runbook.Sample, 1)
		go func() { past <- x.pastRates(ctx) }()
		for {
			// A look that was broken off when the window ended says nothing.
			if r := x.readRate(ctx); r.Err == nil || ctx.Err() == nil {
				w.readings = append(w.readings, r)
			}
			if parallel.Pause(ctx, watchPause(x.app.ErrorRate.Window)) != nil {
				break
			}
		}
		w.past = <-past
	}()
	return w
}

// readRate is one look.
func (x *execution) readRate(ctx context.Context) rate.Reading {
	r := rate.Reading{At: time.Now()}
	limited, cancel := context.WithTimeout(ctx, runbook.RateTimeout)
	defer cancel()
	sample, err := x.rate.Now(limited, x.app)
	if err == nil {
		r.Rate = sample.Rate
	} else if !errors.As(err, &r.Err) {
		r.Err = &runbook.NoRateError{Why: "Prometheus could not be asked", Err: err}
	}
	return r
}

// end stops the readings and gives them.
func (w *rateWatch) end() []rate.Reading {
	w.stop()
	<-w.done
	return w.readings
}

// How many samples the picture has: a phone shows no more.
const (
	samplesBefore = 60
	samplesDuring = 90
	samplesAfter  = 90
)

// pastRates are the error rates from before the failed release came up until now. They are for the picture alone: what
// can't be read is not in it.
func (x *execution) pastRates(ctx context.Context) []runbook.Sample {
	now := time.Now()
	between := func(from, until time.Time, parts int) []runbook.Sample {
		limited, cancel := context.WithTimeout(ctx, runbook.RateTimeout)
		defer cancel()
		samples, _ := x.rate.Between(limited, x.app, from, until, rate.StepOf(until.Sub(from), parts))
		return samples
	}
	b := x.rollback().Baseline
	if b == nil || b.Until.IsZero() {
		return between(now.Add(-history.BaselineSpan), now, samplesDuring)
	}
	from := b.From
	if from.IsZero() {
		from = b.Until.Add(-history.BaselineSpan)
	}
	return append(between(from, b.Until, samplesBefore), between(b.Until, now, samplesDuring)...)
}

// curve is what was read in all, in order.
func (w *rateWatch) curve() []runbook.Sample {
	var after []runbook.Sample
	for _, r := range w.readings {
		if r.Err == nil {
			after = append(after, runbook.Sample{At: r.At.UTC(), Rate: r.Rate})
		}
	}
	curve := append(slices.Clone(w.past), rate.Thinned(after, samplesAfter)...)
	slices.SortStableFunc(curve, func(a, b runbook.Sample) int { return a.At.Compare(b.At) })
	return curve
}
