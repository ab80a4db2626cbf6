package runbook

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	noSeries  = &NoRateError{Why: "the query gave no series", Answered: true}
	noNumber  = &NoRateError{Why: "the query gave NaN", Answered: true}
	noAnswer  = &NoRateError{Why: "connection refused"}
	rateEnded = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
)

// readingsOf are readings 5 s apart, the last of them when the window ended: each a rate, a *NoRateError, or nil where
// nothing was read.
func readingsOf(values ...any) (readings []rateReading) {
	for i, value := range values {
		r := rateReading{At: rateEnded.Add(time.Duration(i+1-len(values)) * 5 * time.Second)}
		switch value := value.(type) {
		case float64:
			r.Rate = value
		case *NoRateError:
			r.Err = value
		case nil:
			continue
		}
		readings = append(readings, r)
	}
	return readings
}

// times is a value so many times.
func times(n int, value any) []any {
	values := make([]any, n)
	for i := range values {
		values[i] = value
	}
	return values
}

func TestJudgeRate(t *testing.T) {
	known := func(rate float64) *Baseline {
		return &Baseline{Rate: rate, From: rateEnded.Add(-2 * time.Hour), Until: rateEnded.Add(-time.Hour), Samples: 61}
	}
	usual := ErrorRate{Window: 5 * time.Minute, Tolerance: 0.1, Floor: 0.01}
	for _, c := range []struct {
		name     string
		rate     ErrorRate
		baseline *Baseline
		readings []any
		want     RateVerdict
		missing  string
	}{
		{"it is as before", usual, known(0.05), times(60, 0.05), RateBack, ""},
		{"at the limit", usual, known(0.05), times(60, 0.055), RateBack, ""},
		{"just above the limit", usual, known(0.05), times(60, 0.0551), RateElevated, ""},
		{"the floor counts where the baseline is below it", usual, known(0), times(60, 0.01), RateBack, ""},
		{"just above the floor", usual, known(0), times(60, 0.0101), RateElevated, ""},
		{"no errors at all", usual, known(0), times(60, 0.0), RateBack, ""},
		{"all requests fail, as before", usual, known(1), times(60, 1.0), RateBack, ""},
		{"no tolerance, no floor", ErrorRate{Window: time.Minute}, known(0.2), times(12, 0.2), RateBack, ""},
		{"no tolerance, no floor, above", ErrorRate{Window: time.Minute}, known(0.2), times(12, 0.2001), RateElevated, ""},
		{"high until the last minute", usual, known(0.001), slices.Concat(times(48, 0.9), times(12, 0.002)), RateBack, ""},
		{"low until the last minute", usual, known(0.001), slices.Concat(times(47, 0.001), times(13, 0.9)), RateElevated, ""},
		{"a spike in the last minute is no median", usual, known(0.001), slices.Concat(times(55, 0.001), times(4, 0.9), times(1, 0.001)), RateBack, ""},
		{"half of the last minute is high", usual, known(0.001), slices.Concat(times(53, 0.001), times(7, 0.9)), RateElevated, ""},
		{"a short window is judged whole", ErrorRate{Window: 30 * time.Second, Floor: 0.01}, known(0), slices.Concat(times(4, 0.5), times(3, 0.0)), RateElevated, ""},
		{"one answer missed", usual, known(0.001), slices.Concat(times(55, 0.001), times(1, noAnswer), times(4, 0.001)), RateBack, ""},
		{"three answers missed in a row", usual, known(0.001), slices.Concat(times(55, 0.001), times(3, noAnswer), times(2, 0.001)), RateBack, ""},

		{"four answers missed in a row", usual, known(0.001), slices.Concat(times(52, 0.001), times(4, noAnswer), times(4, 0.001)), RateNoData, "connection refused"},
		{"never an answer", usual, known(0.001), times(60, noAnswer), RateNoData, "connection refused"},
		{"no answer at the end", usual, known(0.001), slices.Concat(times(55, 0.001), times(5, noAnswer)), RateNoData, "connection refused"},
		{"it answered in the beginning alone", usual, known(0.001), slices.Concat(times(48, 0.001), times(12, noAnswer)), RateNoData, "connection refused"},
		{"nothing was read", usual, known(0.001), nil, RateNoData, "was not read"},
		{"read too seldom", usual, known(0.001), slices.Concat(times(55, 0.001), times(4, nil), times(1, 0.001)), RateNoData, "was not read"},
		{"the series vanished", usual, known(0.001), slices.Concat(times(50, 0.001), times(10, noSeries)), RateNoData, "no series"},
		{"no number once", usual, known(0.001), slices.Concat(times(58, 0.001), times(1, noNumber), times(1, 0.001)), RateNoData, "NaN (1 of the last"},
		{"no number before the last minute", usual, known(0.001), slices.Concat(times(40, noNumber), times(20, 0.001)), RateBack, ""},
		{"no number weighs more than no answer", usual, known(0.001), slices.Concat(times(50, 0.001), times(5, noNumber), times(5, noAnswer)), RateNoData, "NaN"},
		{"no baseline was frozen", usual, nil, times(60, 0.0), RateNoData, "none was frozen"},
		{"a start that nobody saw", usual, &Baseline{Problem: "nobody saw the release in question come up"}, times(60, 0.0), RateNoData, "nobody saw"},
		{"neither baseline nor rate", usual, &Baseline{Problem: "nobody saw it"}, times(60, noSeries), RateNoData, "and there is no baseline"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := judgeRate(c.rate, c.baseline, readingsOf(c.readings...), rateEnded)
			if got.Verdict != c.want || !strings.Contains(got.Missing, c.missing) || (got.Missing == "") != (c.want != RateNoData) {
				t.Errorf("got %+v, want %s %q", got, c.want, c.missing)
			}
			if math.IsNaN(got.Median) || math.IsNaN(got.Limit) {
				t.Errorf("%+v can't be journalled", got)
			}
		})
	}
}

func TestPercent(t *testing.T) {
	for rate, want := range map[float64]string{
		0: "0 %", 0.00001: "under 0.01 %", 0.0001: "0.01 %", 0.00123: "0.12 %", 0.000456: "0.046 %", 0.01: "1 %", 0.1234: "12.3 %", 1: "100 %",
	} {
		if got := Percent(rate); got != want {
			t.Errorf("%g is %q, want %q", rate, got, want)
		}
	}
}
