package runbook

import (
	"context"
	"errors"
	"slices"
	"time"
)

// rateWatch reads the error rate beside the looks at the hosts, so that a Prometheus that doesn't answer delays none of
// them.
type rateWatch struct {
	stop     context.CancelFunc
	done     chan struct{}
	readings []rateReading // once done
	past     []Sample      // what was before and during, once done
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
		past := make(chan []Sample, 1)
		go func() { past <- x.pastRates(ctx) }()
		for {
			// A look that was broken off when the window ended says nothing.
			if r := x.readRate(ctx); r.Err == nil || ctx.Err() == nil {
				w.readings = append(w.readings, r)
			}
			if pause(ctx, watchPause(x.app.ErrorRate.Window)) != nil {
				break
			}
		}
		w.past = <-past
	}()
	return w
}

// readRate is one look.
func (x *execution) readRate(ctx context.Context) rateReading {
	r := rateReading{At: time.Now()}
	limited, cancel := context.WithTimeout(ctx, RateTimeout)
	defer cancel()
	sample, err := x.rate.Now(limited, x.app)
	if err == nil {
		r.Rate = sample.Rate
	} else if !errors.As(err, &r.Err) {
		r.Err = &NoRateError{Why: "Prometheus could not be asked", Err: err}
	}
	return r
}

// end stops the readings and gives them.
func (w *rateWatch) end() []rateReading {
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
func (x *execution) pastRates(ctx context.Context) []Sample {
	now := time.Now()
	between := func(from, until time.Time, parts int) []Sample {
		limited, cancel := context.WithTimeout(ctx, RateTimeout)
		defer cancel()
		samples, _ := x.rate.Between(limited, x.app, from, until, stepOf(until.Sub(from), parts))
		return samples
	}
	b := x.rollback().Baseline
	if b == nil || b.Until.IsZero() {
		return between(now.Add(-baselineSpan), now, samplesDuring)
	}
	from := b.From
	if from.IsZero() {
		from = b.Until.Add(-baselineSpan)
	}
	return append(between(from, b.Until, samplesBefore), between(b.Until, now, samplesDuring)...)
}

// curve is what was read in all, in order.
func (w *rateWatch) curve() []Sample {
	var after []Sample
	for _, r := range w.readings {
		if r.Err == nil {
			after = append(after, Sample{At: r.At.UTC(), Rate: r.Rate})
		}
	}
	curve := append(slices.Clone(w.past), thinned(after, samplesAfter)...)
	slices.SortStableFunc(curve, func(a, b Sample) int { return a.At.Compare(b.At) })
	return curve
}
