package runbook

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
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

// RateVerdict is what an error rate came to.
type RateVerdict string

// The three answers. Without data nobody may say that it went well.
const (
	RateBack     RateVerdict = "back_to_baseline"
	RateElevated RateVerdict = "still_elevated"
	RateNoData   RateVerdict = "no_data"
)

// RateJudgement is what a window came to, and the numbers behind it.
type RateJudgement struct {
	Verdict  RateVerdict   `json:"verdict"`
	Missing  string        `json:"missing,omitempty"` // for RateNoData: which fact is missing, and why; masked
	Median   float64       `json:"median"`            // of the window's end; means nothing without Readings
	Readings int           `json:"readings"`          // how many it is the median of
	Span     time.Duration `json:"span"`              // how long that end is: the runbook bot's last minute, or all of a shorter window
	Limit    float64       `json:"limit"`             // up to which it counts as back; means nothing where the baseline is not known
	Floor    float64       `json:"floor"`             // as configured then
	// Curve is the error rate before, during and after, for the picture; empty where it was never read.
	Curve []Sample `json:"curve,omitempty"`
}

// Describe says a judgement's values in one sentence without a full stop. baseline is nil where none was frozen.
func (j RateJudgement) Describe(baseline *Baseline) string {
	text := "the error rate was not read"
	if j.Readings > 0 {
		text = fmt.Sprintf("the median of the last %s is %s", ShortSpan(j.Span), Percent(j.Median))
	}
	if baseline == nil || baseline.Problem != "" {
		return text
	}
	return fmt.Sprintf("%s; the baseline is %s, the median of the %s before the failed release came up; up to %s counts as back",
		text, Percent(baseline.Rate), ShortSpan(baseline.Until.Sub(baseline.From)), Percent(j.Limit))
}

// ShortSpan is a length of time as people say it: "minute", "hour", or as Go writes it.
func ShortSpan(d time.Duration) string {
	switch d = d.Round(time.Second); d {
	case time.Minute:
		return "minute"
	case time.Hour:
		return "hour"
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// RateSpan is when a release came up, and the time before it that counts as usual.
type RateSpan struct {
	From  time.Time // the usual time begins
	Until time.Time // it ends: the release came up no earlier
	By    time.Time // the release ran by then
}

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

func complete(images map[string]Image, p Plan) bool {
	for service := range p.Target.Images {
		if images[service].IsZero() {
			return false
		}
	}
	return true
}
