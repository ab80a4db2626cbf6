package picture

import (
	"bytes"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollbackbot/runbook"
)

// picturesVariable names a folder for the pictures that the tests draw, for people to look at.
const picturesVariable = "ROLLBACKBOT_SCREENSHOTS"

var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// story is a rollback whose error rate was rate(minute) at each minute from an hour before the failed release came up, at
// noon, until five minutes after it was rolled back.
func story(lasted time.Duration, verdict runbook.RateVerdict, rate func(at time.Time, up time.Time) float64) (runbook.Rollback, runbook.StepRun) {
	up := noon.Add(lasted)
	j := runbook.RateJudgement{Verdict: verdict, Median: rate(up.Add(5*time.Minute), up), Readings: 13, Span: time.Minute, Limit: 0.01, Floor: 0.01}
	for at, step := noon.Add(-time.Hour), time.Minute; !at.After(up.Add(5 * time.Minute)); at = at.Add(step) {
		if at.After(noon) {
			step = max(lasted/90, time.Second)
		}
		if !at.Before(up) {
			step = 5 * time.Second
		}
		if r := rate(at, up); !math.IsNaN(r) {
			j.Curve = append(j.Curve, runbook.Sample{At: at, Rate: r})
		}
	}
	run := runbook.StepRun{Step: runbook.StepErrorRate, StartedAt: up.Add(3 * time.Second), EndedAt: up.Add(5*time.Minute + 3*time.Second)}
	run.Rate = &j
	return runbook.Rollback{
		App: "shop", Plan: runbook.Plan{Running: "v42", Target: runbook.Release{Version: "v41"}},
		Baseline: &runbook.Baseline{Rate: 0.0022, From: noon.Add(-time.Hour), Until: noon, Samples: 61},
		Steps:    []runbook.StepRun{{Step: runbook.StepDeploy, StartedAt: up.Add(-5 * time.Second), EndedAt: up}, run},
	}, run
}

func wave(at time.Time) float64 { return 0.002 + 0.0008*math.Sin(float64(at.Unix())/100) }

func TestErrorRate(t *testing.T) {
	recovers := func(at, up time.Time) float64 {
		switch {
		case at.Before(noon):
			return wave(at)
		case at.Before(up):
			return 0.41 + 20*wave(at)*math.Sin(float64(at.Unix())/37)
		}
		return 0.4*math.Exp(-at.Sub(up).Seconds()/25) + wave(at)
	}
	stays := func(at, up time.Time) float64 {
		if at.Before(noon) {
			return wave(at)
		}
		return 0.97 + 10*wave(at)
	}
	vanishes := func(at, up time.Time) float64 {
		if at.After(up.Add(90*time.Second)) || at.After(noon.Add(-30*time.Minute)) && at.Before(noon.Add(-20*time.Minute)) {
			return math.NaN()
		}
		return recovers(at, up)
	}
	for _, c := range []struct {
		name    string
		lasted  time.Duration
		verdict runbook.RateVerdict
		rate    func(at, up time.Time) float64
		change  func(*runbook.Rollback, *runbook.StepRun)
		alt     []string
	}{
		{name: "back", lasted: 42 * time.Minute, verdict: runbook.RateBack, rate: recovers,
			alt: []string{"error rate of shop", "before, 11:00 until 12:00 (v42 up): from 0.12 % to 0.28 %", "(v41 up)", "baseline is 0.22 %", "floor is 1 %"}},
		{name: "elevated", lasted: 26 * time.Hour, verdict: runbook.RateElevated, rate: stays, alt: []string{"v42, Jul 1 12:00 until 14:00 (v41 up)"}},
		{name: "vanished", lasted: 12 * time.Minute, verdict: runbook.RateNoData, rate: vanishes,
			change: func(_ *runbook.Rollback, run *runbook.StepRun) { run.Rate.Readings = 0 }, alt: []string{"the error rate was not read"}},
		{name: "no-baseline", lasted: 42 * time.Minute, verdict: runbook.RateNoData, rate: recovers,
			change: func(rb *runbook.Rollback, _ *runbook.StepRun) {
				rb.Baseline = &runbook.Baseline{Problem: "nobody saw it come up"}
			}, alt: []string{"before, 11:00 until 12:42"}},
		{name: "long-names", lasted: 42 * time.Minute, verdict: runbook.RateBack, rate: recovers,
			change: func(rb *runbook.Rollback, _ *runbook.StepRun) {
				rb.App, rb.Plan.Running, rb.Plan.Target.Version = strings.Repeat("checkout-", 9), strings.Repeat("2026.07.01-", 9), strings.Repeat("W", 200)
			}},
		{name: "one-sample", lasted: 42 * time.Minute, verdict: runbook.RateNoData, rate: recovers,
			change: func(_ *runbook.Rollback, run *runbook.StepRun) { run.Rate.Curve = run.Rate.Curve[:1] }, alt: []string{"nothing was read"}},
		{name: "all-at-once", verdict: runbook.RateNoData, rate: recovers,
			change: func(rb *runbook.Rollback, run *runbook.StepRun) {
				rb.Baseline, rb.Steps, run.StartedAt, run.EndedAt = nil, nil, noon.Add(-time.Hour), noon.Add(-time.Hour)
			}},
		{name: "no-errors", lasted: time.Minute, verdict: runbook.RateBack, rate: func(time.Time, time.Time) float64 { return 0 },
			change: func(rb *runbook.Rollback, run *runbook.StepRun) {
				rb.Baseline.Rate, run.Rate.Floor, run.Rate.Limit = 0, 0, 0
			}},
		{name: "forward", lasted: 42 * time.Minute, verdict: runbook.RateElevated, rate: stays,
			change: func(rb *runbook.Rollback, run *runbook.StepRun) { run.Direction = runbook.Forward }},
	} {
		t.Run(c.name, func(t *testing.T) {
			rb, run := story(c.lasted, c.verdict, c.rate)
			if c.change != nil {
				c.change(&rb, &run)
			}
			content, alt, err := ErrorRate(rb, run)
			if err != nil {
				t.Fatal(err)
			}
			size, err := png.DecodeConfig(bytes.NewReader(content))
			if err != nil || size.Width != width || size.Height != height || len(content) > 200_000 {
				t.Errorf("the picture has %d bytes, %+v, %v", len(content), size, err)
			}
			for _, want := range c.alt {
				if !strings.Contains(alt, want) {
					t.Errorf("the alt text lacks %q: %s", want, alt)
				}
			}
			if len(alt) < 40 || len([]rune(alt)) > maxAlt {
				t.Errorf("the alt text has %d characters: %s", len(alt), alt)
			}
			if folder := os.Getenv(picturesVariable); folder != "" {
				if err := os.WriteFile(filepath.Join(folder, "error-rate-"+c.name+".png"), content, 0o644); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
