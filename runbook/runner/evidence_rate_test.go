package runner

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
	"rollbackbot/runbook/preflight"
	"rollbackbot/runbook/rate"
)

// history of error rates: by minute since the release came up, before that usual.
type ratesOf struct {
	up    time.Time
	rates []float64 // by minute; negative: none
	now   error
	fails error // what every question about the past gives
	hangs bool
}

func (r *ratesOf) Now(context.Context, runbook.App) (runbook.Sample, error) {
	return runbook.Sample{At: time.Now()}, r.now
}

func (r *ratesOf) Between(ctx context.Context, _ runbook.App, from, until time.Time, step time.Duration) (samples []runbook.Sample, err error) {
	if r.hangs {
		<-ctx.Done()
		return nil, &runbook.NoRateError{Why: "Prometheus doesn't answer", Err: ctx.Err()}
	}
	if r.fails != nil {
		return nil, r.fails
	}
	for at := from; !at.After(until); at = at.Add(step) {
		minute := int(at.Sub(r.up) / time.Minute)
		switch {
		case at.Before(r.up):
			samples = append(samples, runbook.Sample{At: at, Rate: 0.002})
		case minute < len(r.rates) && r.rates[minute] >= 0:
			samples = append(samples, runbook.Sample{At: at, Rate: r.rates[minute]})
		}
	}
	return samples, nil
}

func TestMeasureRate(t *testing.T) {
	steady := func(minutes int, rate float64) (all []float64) {
		for range minutes {
			all = append(all, rate)
		}
		return all
	}
	for name, c := range map[string]struct {
		ago      time.Duration // since it came up
		rates    ratesOf
		measured bool
		above    bool
		words    string
	}{
		"well, and over":               {time.Hour, ratesOf{rates: steady(60, 0.003)}, true, false, "at most 0.3 % in any minute; usual is 0.2 %, and up to 1 % counts as usual"},
		"well so far":                  {3 * time.Minute, ratesOf{rates: steady(60, 0.003)}, true, false, "so far"},
		"errors from the start":        {time.Hour, ratesOf{rates: steady(60, 0.4)}, true, true, "40 % in the minute from "},
		"a spike of one minute":        {time.Hour, ratesOf{rates: append(append(steady(3, 0.002), 0.12), steady(20, 0.002)...)}, true, true, "12 % in the minute from "},
		"a spike after the ten":        {time.Hour, ratesOf{rates: append(steady(11, 0.002), steady(20, 0.4)...)}, true, false, "at most"},
		"errors, and then nothing":     {time.Hour, ratesOf{rates: steady(2, 0.4)}, true, true, "40 %"},
		"well, and then nothing":       {time.Hour, ratesOf{rates: steady(2, 0.002)}, false, false, "there is no error rate"},
		"nothing at all":               {time.Hour, ratesOf{}, false, false, "there is no error rate"},
		"up for seconds":               {20 * time.Second, ratesOf{rates: steady(2, 0.4)}, false, false, "it has not run for a minute yet"},
		"gone just now":                {3 * time.Minute, ratesOf{rates: steady(60, 0.002), now: &runbook.NoRateError{Why: "the query gives no series", Answered: true}}, false, false, "there is no error rate just now: the query gives no series"},
		"several series":               {time.Hour, ratesOf{fails: &runbook.NoRateError{Why: "the query gives 2 series", Answered: true}}, false, false, "there is no baseline: the query gives 2 series"},
		"Prometheus hangs":             {time.Hour, ratesOf{hangs: true}, false, false, "Prometheus doesn't answer"},
		"an error with a secret in it": {time.Hour, ratesOf{fails: errors.New("https://bot:hunter2@prometheus")}, false, false, "could not be read"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(24 * time.Hour)
				up := time.Now()
				c.rates.up = up
				time.Sleep(c.ago)
				app := runbook.App{ErrorRate: runbook.ErrorRate{Query: "errors", Window: 5 * time.Minute, Tolerance: 0.1, Floor: 0.01}}
				began := time.Now()
				seen := rate.MeasureRate(&c.rates)(t.Context(), app, runbook.RateSpan{From: up.Add(-time.Hour), Until: up, By: up})
				if seen.Measured != c.measured || seen.Above != c.above || !strings.Contains(seen.Detail, c.words) || strings.Contains(seen.Detail, "hunter2") {
					t.Errorf("seen %+v, want measured %t, above %t, %q", seen, c.measured, c.above, c.words)
				}
				if took := time.Since(began); took > runbook.RateTimeout {
					t.Errorf("it took %s", took)
				}
				app.ErrorRate.Query = ""
				if seen := rate.MeasureRate(&c.rates)(t.Context(), app, runbook.RateSpan{}); seen != (runbook.RateSeen{}) {
					t.Errorf("without a query: %+v", seen)
				}
			})
		})
	}
	if rate.MeasureRate(nil) != nil {
		t.Error("without anything to read it, it is measured")
	}
}

// On a plan the error rate is one of the criteria; where it isn't known when the release came up, it isn't measured.
func TestMeasureRate_OnAPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, stop := observed(t)
		app := w.app
		app.ErrorRate.Query, app.ErrorRate.Tolerance, app.ErrorRate.Floor = "errors", 0.1, 0.01
		w.deploy(w.v1)
		time.Sleep(15 * time.Minute)
		up := time.Now()
		w.deploy(w.v2)
		time.Sleep(8 * time.Minute)
		stop()
		rates := &ratesOf{up: up}
		for range 20 {
			rates.rates = append(rates.rates, 0.4)
		}

		criterion := func(planner preflight.Planner) runbook.Criterion {
			plan, err := planner.Plan(t.Context(), app, w.request())
			if err != nil {
				t.Fatal(err)
			}
			return plan.Evidence[1]
		}
		planner := preflight.Planner{Hosts: w.lab, Journal: w.journal, Rate: rate.MeasureRate(rates)}
		if c := criterion(planner); c.Held != runbook.HeldYes || !strings.Contains(c.Detail, "40 %") {
			t.Errorf("the criterion is %+v", c)
		}
	})
	// The release ran already when the bot looked first.
	inBubble(t, func(t *testing.T, w *world) {
		h := history.New(w.events())
		running, _ := h.Of(w.v2)
		running.Images = runbooktest.Release(9)
		ask := func(context.Context, runbook.App, runbook.RateSpan) runbook.RateSeen {
			t.Error("asked")
			return runbook.RateSeen{}
		}
		if seen := rate.Of(t.Context(), ask, w.app, h, &running); seen.Measured || !strings.Contains(seen.Detail, "nobody saw the release in question come up") {
			t.Errorf("seen %+v", seen)
		}
		if seen := rate.Of(t.Context(), ask, w.app, h, nil); seen.Measured || seen.Detail == "" {
			t.Errorf("seen %+v", seen)
		}
	})
}
