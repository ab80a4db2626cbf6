package runbook

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"time"
)

// ErrorRateChecker reads the error rate of an app: what the query of its [ErrorRate] gives. Each call answers within
// [RateTimeout]. Every error is a *NoRateError.
type ErrorRateChecker interface {
	// Now gives the error rate at this instant.
	Now(ctx context.Context, a App) (Sample, error)
	// Between gives the error rate from one instant to another, a step apart, oldest first. Instants at which the query
	// gave no number are left out; there may be none.
	Between(ctx context.Context, a App, from, until time.Time, step time.Duration) ([]Sample, error)
}

// RateTimeout bounds one question to an ErrorRateChecker: looks during the window are as far apart.
const RateTimeout = 5 * time.Second

// NoRateError says why there is no error rate.
type NoRateError struct {
	Why string // for people: a sentence without a full stop, and no secret
	// Answered is true where the query was answered, and what came is no error rate: asking again gives the same. False
	// where nobody answered, or nobody who is Prometheus.
	Answered bool
	Err      error // the cause, for the log; may be nil
}

func (e *NoRateError) Error() string { return e.Why }

// Unwrap gives the cause.
func (e *NoRateError) Unwrap() error { return e.Err }

// Sample is the error rate at an instant: failed requests as a fraction of all, in [0, 1].
type Sample struct {
	At   time.Time
	Rate float64
}

// MarshalJSON writes [milliseconds since 1970, rate]: a journal holds two hundred of them for each window.
func (s Sample) MarshalJSON() ([]byte, error) {
	return []byte("[" + strconv.FormatInt(s.At.UnixMilli(), 10) + "," + strconv.FormatFloat(s.Rate, 'g', 6, 64) + "]"), nil
}

// UnmarshalJSON reads it again.
func (s *Sample) UnmarshalJSON(text []byte) error {
	var pair [2]json.Number
	if err := json.Unmarshal(text, &pair); err != nil {
		return err
	}
	at, err := pair[0].Int64()
	if err != nil {
		return err
	}
	s.At = time.UnixMilli(at).UTC()
	s.Rate, err = pair[1].Float64()
	return err
}

// median is the middle of the samples' rates; the mean of the two in the middle where they are even. There is at least
// one.
func median(samples []Sample) float64 {
	rates := make([]float64, len(samples))
	for i, s := range samples {
		rates[i] = s.Rate
	}
	slices.Sort(rates)
	middle := len(rates) / 2
	if len(rates)%2 == 1 {
		return rates[middle]
	}
	return (rates[middle-1] + rates[middle]) / 2
}

// thinned leaves at most n of the samples, evenly.
func thinned(samples []Sample, n int) []Sample {
	if len(samples) <= n {
		return samples
	}
	out := make([]Sample, n)
	for i := range out {
		out[i] = samples[i*(len(samples)-1)/(n-1)]
	}
	return out
}

// Percent is a rate for people, as in "0.25 %".
func Percent(rate float64) string {
	percent := 100 * rate
	switch {
	case percent > 0 && percent < 0.01:
		return "under 0.01 %"
	case percent < 0.1:
		percent = math.Round(1000*percent) / 1000
	case percent < 10:
		percent = math.Round(100*percent) / 100
	default:
		percent = math.Round(10*percent) / 10
	}
	return strconv.FormatFloat(percent, 'f', -1, 64) + " %"
}
