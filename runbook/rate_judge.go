package runbook

import (
	"fmt"
	"strings"
	"time"
)

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

// rateReading is one look at the error rate.
type rateReading struct {
	At   time.Time
	Rate float64
	Err  *NoRateError // why there is none; nil: there is
}

const (
	// judgedEnd is how much of a window's end is judged: its last minute, or all of a shorter one (SURFACE: "the median
	// of the window's last minute").
	judgedEnd = time.Minute
	// judgedGaps is how large a part of that end may lie between two readings, since Prometheus restarts too.
	judgedGaps = 3
)

// judgeRate judges the readings of a window that ended at an instant: the median of its end is at most
// max(baseline x (1 + tolerance), floor), or it is above, or a fact is missing and nobody can tell. baseline is nil where
// none was frozen.
func judgeRate(e ErrorRate, baseline *Baseline, readings []rateReading, ended time.Time) RateJudgement {
	j := RateJudgement{Span: min(judgedEnd, e.Window), Floor: e.Floor}
	var missing []string
	valid, why := lastReadings(readings, ended, j.Span)
	if why != "" {
		missing = append(missing, why)
	}
	if j.Readings = len(valid); j.Readings > 0 {
		j.Median = median(valid)
	}
	switch {
	case baseline == nil:
		missing = append(missing, "there is no baseline: none was frozen when the rollback was asked for")
	case baseline.Problem != "":
		missing = append(missing, "there is no baseline: "+baseline.Problem)
	default:
		j.Limit = max(baseline.Rate*(1+e.Tolerance), e.Floor)
	}
	switch {
	case len(missing) > 0:
		j.Verdict, j.Missing = RateNoData, Mask(strings.Join(missing, "; and "))
	case j.Median <= j.Limit:
		j.Verdict = RateBack
	default:
		j.Verdict = RateElevated
	}
	return j
}

// lastReadings are the readings of a window's end that have a value, and why they are not enough; "" where they are.
// That Prometheus did not answer once is a hiccup; an answer without a number is none.
func lastReadings(readings []rateReading, ended time.Time, span time.Duration) (valid []Sample, why string) {
	var last *NoRateError
	total, bad := 0, 0
	for _, r := range readings {
		if r.At.Before(ended.Add(-span)) {
			continue
		}
		total++
		if r.Err == nil {
			valid = append(valid, Sample{At: r.At, Rate: r.Rate})
			continue
		}
		if last == nil || r.Err.Answered || !last.Answered {
			last = r.Err
		}
		if r.Err.Answered {
			bad++
		}
	}
	gap := longestGap(valid, ended, span)
	switch {
	case bad > 0:
		return valid, fmt.Sprintf("%s (%d of the last %d readings)", last.Why, bad, total)
	case gap*judgedGaps <= span:
		return valid, ""
	case last != nil:
		return valid, fmt.Sprintf("for %s of the last %s there is no error rate: %s", gap.Round(time.Second), span, last.Why)
	}
	return valid, fmt.Sprintf("for %s of the last %s the error rate was not read", gap.Round(time.Second), span)
}

// longestGap is the longest time without a sample in a span that ended at an instant.
func longestGap(samples []Sample, ended time.Time, span time.Duration) (gap time.Duration) {
	end := ended.Add(-span)
	for _, s := range samples {
		gap, end = max(gap, s.At.Sub(end)), s.At
	}
	return max(gap, ended.Sub(end))
}

// Describe says a judgement's values in one sentence without a full stop. baseline is nil where none was frozen.
func (j RateJudgement) Describe(baseline *Baseline) string {
	text := "the error rate was not read"
	if j.Readings > 0 {
		text = fmt.Sprintf("the median of the last %s is %s", shortSpan(j.Span), Percent(j.Median))
	}
	if baseline == nil || baseline.Problem != "" {
		return text
	}
	return fmt.Sprintf("%s; the baseline is %s, the median of the %s before the failed release came up; up to %s counts as back",
		text, Percent(baseline.Rate), shortSpan(baseline.Until.Sub(baseline.From)), Percent(j.Limit))
}

// shortSpan is a length of time as people say it: "minute", "hour", or as Go writes it.
func shortSpan(d time.Duration) string {
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
