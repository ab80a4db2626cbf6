package rate

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/runbook"
)

var (
	noNumber  = &runbook.NoRateError{Why: "the query gave NaN", Answered: true}
	rateEnded = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
)

// readingsOf are readings 5 s apart, the last of them when the window ended: each a rate, a *NoRateError, or nil where
// nothing was read.
func readingsOf(values ...any) (readings []Reading) {
	for i, value := range values {
		r := Reading{At: rateEnded.Add(time.Duration(i+1-len(values)) * 5 * time.Second)}
		switch value := value.(type) {
		case float64:
			r.Rate = value
		case *runbook.NoRateError:
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
	known := func(rate float64) *runbook.Baseline {
		return &runbook.Baseline{Rate: rate, From: rateEnded.Add(-2 * time.Hour), Until: rateEnded.Add(-time.Hour), Samples: 61}
	}
	usual := runbook.ErrorRate{Window: 5 * time.Minute, Tolerance: 0.1, Floor: 0.01}
	for _, c := range []struct {
		name     string
		rate     runbook.ErrorRate
		baseline *runbook.Baseline
		readings []any
		want     runbook.RateVerdict
		missing  string
	}{
		{"it is as before", usual, known(0.05), times(60, 0.05), runbook.RateBack, ""},
		{"at the limit", usual, known(0.05), times(60, 0.055), runbook.RateBack, ""},
		{"just above the limit", usual, known(0.05), times(60, 0.0551), runbook.RateElevated, ""},
		{"the floor counts where the baseline is below it", usual, known(0), times(60, 0.01), runbook.RateBack, ""},
		{"just above the floor", usual, known(0), times(60, 0.0101), runbook.RateElevated, ""},
		{"no errors at all", usual, known(0), times(60, 0.0), runbook.RateBack, ""},
		{"all requests fail, as before", usual, known(1), times(60, 1.0), runbook.RateBack, ""},
		{"no tolerance, no floor", runbook.ErrorRate{Window: time.Minute}, known(0.2), times(12, 0.2), runbook.RateBack, ""},
		{"no tolerance, no floor, above", runbook.ErrorRate{Window: time.Minute}, known(0.2), times(12, 0.2001), runbook.RateElevated, ""},
		{"high until the last minute", usual, known(0.001), slices.Concat(times(48, 0.9), times(12, 0.002)), runbook.RateBack, ""},
		{"low until the last minute", usual, known(0.001), slices.Concat(times(47, 0.001), times(13, 0.9)), runbook.RateElevated, ""},
		{"a spike in the last minute is no median", usual, known(0.001), slices.Concat(times(55, 0.001), times(4, 0.9), times(1, 0.001)), runbook.RateBack, ""},
		{"half of the last minute is high", usual, known(0.001), slices.Concat(times(53, 0.001), times(7, 0.9)), runbook.RateElevated, ""},
		{"a short window is judged whole", runbook.ErrorRate{Window: 30 * time.Second, Floor: 0.01}, known(0), slices.Concat(times(4, 0.5), times(3, 0.0)), runbook.RateElevated, ""},
		{"one answer missed", usual, known(0.001), slices.Concat(times(55, 0.001), times(1, runbooktest.NoAnswer), times(4, 0.001)), runbook.RateBack, ""},
		{"three answers missed in a row", usual, known(0.001), slices.Concat(times(55, 0.001), times(3, runbooktest.NoAnswer), times(2, 0.001)), runbook.RateBack, ""},

		{"four answers missed in a row", usual, known(0.001), slices.Concat(times(52, 0.001), times(4, runbooktest.NoAnswer), times(4, 0.001)), runbook.RateNoData, "connection refused"},
		{"never an answer", usual, known(0.001), times(60, runbooktest.NoAnswer), runbook.RateNoData, "connection refused"},
		{"no answer at the end", usual, known(0.001), slices.Concat(times(55, 0.001), times(5, runbooktest.NoAnswer)), runbook.RateNoData, "connection refused"},
		{"it answered in the beginning alone", usual, known(0.001), slices.Concat(times(48, 0.001), times(12, runbooktest.NoAnswer)), runbook.RateNoData, "connection refused"},
		{"nothing was read", usual, known(0.001), nil, runbook.RateNoData, "was not read"},
		{"read too seldom", usual, known(0.001), slices.Concat(times(55, 0.001), times(4, nil), times(1, 0.001)), runbook.RateNoData, "was not read"},
		{"the series vanished", usual, known(0.001), slices.Concat(times(50, 0.001), times(10, runbooktest.NoSeries)), runbook.RateNoData, "no series"},
		{"no number once", usual, known(0.001), slices.Concat(times(58, 0.001), times(1, noNumber), times(1, 0.001)), runbook.RateNoData, "NaN (1 of the last"},
		{"no number before the last minute", usual, known(0.001), slices.Concat(times(40, noNumber), times(20, 0.001)), runbook.RateBack, ""},
		{"no number weighs more than no answer", usual, known(0.001), slices.Concat(times(50, 0.001), times(5, noNumber), times(5, runbooktest.NoAnswer)), runbook.RateNoData, "NaN"},
		{"no baseline was frozen", usual, nil, times(60, 0.0), runbook.RateNoData, "none was frozen"},
		{"a start that nobody saw", usual, &runbook.Baseline{Problem: "nobody saw the release in question come up"}, times(60, 0.0), runbook.RateNoData, "nobody saw"},
		{"neither baseline nor rate", usual, &runbook.Baseline{Problem: "nobody saw it"}, times(60, runbooktest.NoSeries), runbook.RateNoData, "and there is no baseline"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Judge(c.rate, c.baseline, readingsOf(c.readings...), rateEnded)
			if got.Verdict != c.want || !strings.Contains(got.Missing, c.missing) || (got.Missing == "") != (c.want != runbook.RateNoData) {
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
		if got := runbook.Percent(rate); got != want {
			t.Errorf("%g is %q, want %q", rate, got, want)
		}
	}
}
