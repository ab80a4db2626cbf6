package rate

import (
	"fmt"
	"strings"
	"time"

	"rollbackbot/runbook"
)

// Reading is one look at the error rate.
type Reading struct {
	At   time.Time
	Rate float64
	Err  *runbook.NoRateError // why there is none; nil: there is
}

const (
	// judgedEnd is how much of a window's end is judged: its last minute, or all of a shorter one (SURFACE: "the median
	// of the window's last minute").
	judgedEnd = time.Minute
	// judgedGaps is how large a part of that end may lie between two readings, since Prometheus restarts too.
	judgedGaps = 3
)

// Judge judges the readings of a window that ended at an instant: the median of its end is at most
// max(baseline x (1 + tolerance), floor), or it is above, or a fact is missing and nobody can tell. baseline is nil where
// none was frozen.
func Judge(e runbook.ErrorRate, baseline *runbook.Baseline, readings []Reading, ended time.Time) runbook.RateJudgement {
	j := runbook.RateJudgement{Span: min(judgedEnd, e.Window), Floor: e.Floor}
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
		j.Verdict, j.Missing = runbook.RateNoData, runbook.Mask(strings.Join(missing, "; and "))
	case j.Median <= j.Limit:
		j.Verdict = runbook.RateBack
	default:
		j.Verdict = runbook.RateElevated
	}
	return j
}

// lastReadings are the readings of a window's end that have a value, and why they are not enough; "" where they are.
// That Prometheus did not answer once is a hiccup; an answer without a number is none.
func lastReadings(readings []Reading, ended time.Time, span time.Duration) (valid []runbook.Sample, why string) {
	var last *runbook.NoRateError
	total, bad := 0, 0
	for _, r := range readings {
		if r.At.Before(ended.Add(-span)) {
			continue
		}
		total++
		if r.Err == nil {
			valid = append(valid, runbook.Sample{At: r.At, Rate: r.Rate})
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
func longestGap(samples []runbook.Sample, ended time.Time, span time.Duration) (gap time.Duration) {
	end := ended.Add(-span)
	for _, s := range samples {
		gap, end = max(gap, s.At.Sub(end)), s.At
	}
	return max(gap, ended.Sub(end))
}
