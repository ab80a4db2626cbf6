package runner

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/runbook"
	"rollbackbot/runbook/rate"
)

// fakeRate answers by what the hosts' api runs: sick releases have a high error rate.
type fakeRate struct {
	world *world
	rates map[runbook.Image]float64 // by the image of the api; 0 for others

	mu    sync.Mutex
	err   *runbook.NoRateError // what comes in place of an answer; nil: none
	slow  time.Duration        // how long an answer takes
	asked int
}

func newFakeRate(w *world) *fakeRate {
	w.app.ErrorRate.Query, w.app.ErrorRate.Tolerance, w.app.ErrorRate.Floor = "errors / requests", 0.1, 0.01
	f := &fakeRate{world: w, rates: map[runbook.Image]float64{w.v1["api"]: 0.002, w.v2["api"]: 0.4}}
	w.rate = f
	return f
}

func (f *fakeRate) Now(ctx context.Context, _ runbook.App) (runbook.Sample, error) {
	if err := f.answer(ctx); err != nil {
		return runbook.Sample{}, err
	}
	for name := range f.world.hosts {
		return runbook.Sample{At: time.Now(), Rate: f.rates[f.world.runsNow(name, "api")[0]]}, nil
	}
	return runbook.Sample{}, runbooktest.NoSeries
}

// Between gives what v1 had: the failed release's own time is not looked at by these tests.
func (f *fakeRate) Between(ctx context.Context, _ runbook.App, from, until time.Time, step time.Duration) (samples []runbook.Sample, err error) {
	if err := f.answer(ctx); err != nil {
		return nil, err
	}
	for at := from; !at.After(until); at = at.Add(step) {
		samples = append(samples, runbook.Sample{At: at, Rate: 0.002})
	}
	return samples, nil
}

func (f *fakeRate) answer(ctx context.Context) error {
	f.mu.Lock()
	f.asked++
	slow, err := f.slow, f.err
	f.mu.Unlock()
	select {
	case <-ctx.Done():
		return &runbook.NoRateError{Why: "Prometheus did not answer in time", Err: ctx.Err()}
	case <-time.After(slow + 20*time.Millisecond):
	}
	if err != nil {
		return err
	}
	return nil
}

func (f *fakeRate) fails(err *runbook.NoRateError) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

var signsOff = answers{runbook.AskSignoff: goingWell[runbook.AskSignoff]}

func TestErrorRate_BackAtItsBaselineNobodyIsAsked(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		newFakeRate(w)
		rb := w.run(signsOff)
		if rb.Outcome != runbook.Succeeded || len(rb.Questions) != 1 {
			t.Errorf("outcome %s (%s) after %d questions, want succeeded after the sign-off alone", rb.Outcome, rb.Why, len(rb.Questions))
		}
		if b := rb.Baseline; b == nil || b.Problem != "" || b.Rate != 0.002 || b.Samples < 3 {
			t.Errorf("the baseline is %+v", rb.Baseline)
		}
		run, _ := rb.Step(runbook.StepErrorRate)
		if run.Rate == nil || run.Rate.Verdict != runbook.RateBack || run.Rate.Readings < 12 || len(run.Rate.Curve) < 60 || !strings.Contains(run.Detail, "0.2 %") {
			t.Errorf("the step is %+v", run)
		}
		if n := w.slack.count("error-rate-1"); n != 1 {
			t.Errorf("%d pictures, want 1", n)
		}
		// Frozen before anything is changed, and the curve in one event.
		changed, size := false, 0
		for _, e := range w.events() {
			switch fact := e.Fact.(type) {
			case runbook.CommandStarted:
				changed = changed || fact.Step == runbook.StepDeploy
			case runbook.BaselineFrozen:
				if changed {
					t.Error("the baseline was frozen after containers were replaced")
				}
			case runbook.StepFinished:
				body, err := json.Marshal(fact)
				if err != nil {
					t.Fatal(err)
				}
				size = max(size, len(body))
			}
		}
		if size == 0 || size > 12_000 {
			t.Errorf("the step's end takes %d bytes in the journal", size)
		}
	})
}

func TestErrorRate_StillElevatedTheStepFails(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		f := newFakeRate(w)
		f.rates[w.v1["api"]] = 0.4
		rb := w.run(signsOff)
		run, _ := rb.Step(runbook.StepErrorRate)
		if rb.Outcome != runbook.Failed || run.Rate == nil || run.Rate.Verdict != runbook.RateElevated || !strings.Contains(rb.Why, "still elevated") || !strings.Contains(rb.Why, "40 %") {
			t.Errorf("outcome %s: %s; %+v", rb.Outcome, rb.Why, run)
		}
		q := rb.Questions[len(rb.Questions)-1]
		if q.Kind != runbook.AskFailed || len(q.Answers) != 3 {
			t.Errorf("asked %s with %v, want what to do with the three buttons", q.Kind, q.Answers)
		}
	})
}

// Whatever is missing, a person is asked, told which fact it is, and nothing counts as success without their word.
func TestErrorRate_WithoutDataAPersonIsAsked(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(*world, *fakeRate)
		missing string
	}{
		{"Prometheus is down", func(_ *world, f *fakeRate) { f.err = runbooktest.NoAnswer }, "connection refused"},
		{"Prometheus hangs", func(_ *world, f *fakeRate) { f.slow = time.Hour }, "did not answer"},
		{"no series", func(_ *world, f *fakeRate) { f.err = runbooktest.NoSeries }, "no series"},
		{"a start that nobody saw", func(w *world, _ *fakeRate) {
			w.journal = runbooktest.NewMemoryStore()
			w.note(runbook.Observed{Images: w.v1}, runbook.Verified{Images: w.v1}, runbook.Observed{Images: w.v2})
		}, "nobody saw the release in question come up"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				c.prepare(w, newFakeRate(w))
				began := time.Now()
				rb := w.run(signsOff)
				if rb.Outcome != runbook.Unconfirmed {
					t.Errorf("outcome %s (%s), want unconfirmed", rb.Outcome, rb.Why)
				}
				q := rb.Questions[len(rb.Questions)-1]
				if q.Kind != runbook.AskErrorRate || !strings.Contains(q.Text, c.missing) {
					t.Errorf("asked %s: %s; want it to name %q", q.Kind, q.Text, c.missing)
				}
				if rb.Baseline == nil {
					t.Error("not even that there is no baseline was journalled")
				}
				if took := q.AskedAt.Sub(began); took > 7*time.Minute {
					t.Errorf("people were asked after %s", took)
				}
			})
		})
	}
}

// The person's word counts, and the judgement and its picture stay.
func TestErrorRate_APersonDecidesWherePrometheusCannot(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		f := newFakeRate(w)
		w.journal = runbooktest.NewMemoryStore()
		w.note(runbook.Deployed{Images: w.v1, Version: "v1", Migration: runbook.MigrationNone}, runbook.Observed{Images: w.v1}, runbook.Verified{Images: w.v1}, runbook.Observed{Images: w.v2})
		f.rates[w.v1["api"]] = 0.1
		rb := w.run(goingWell)
		run, _ := rb.Step(runbook.StepErrorRate)
		if rb.Outcome != runbook.Succeeded || run.Rate == nil || run.Rate.Verdict != runbook.RateNoData || w.slack.count("error-rate-1") != 1 {
			t.Errorf("outcome %s: %s; %+v, %d pictures", rb.Outcome, rb.Why, run.Rate, w.slack.count("error-rate-1"))
		}
	})
}

// Down at the request and back in time: the baseline is read while the lead makes up their mind.
func TestErrorRate_ABaselineThatComesLate(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		f := newFakeRate(w)
		f.fails(runbooktest.NoAnswer)
		r, p := w.start(0)
		rb, err := r.Request(t.Context(), w.request(), "")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if now := w.only(); now.Baseline != nil {
			t.Fatalf("frozen while Prometheus may come back: %+v", now.Baseline)
		}
		f.fails(nil)
		time.Sleep(time.Minute)
		if now := w.only(); now.Baseline == nil || now.Baseline.Problem != "" {
			t.Fatalf("the baseline is %+v", now.Baseline)
		}
		if err := w.click(r, rb, runbook.SignoffInPlace, "ULEAD"); err != nil {
			t.Fatal(err)
		}
		w.play(r, p, signsOff)
		w.stop(r, p)
		if rb := w.only(); rb.Outcome != runbook.Succeeded {
			t.Errorf("outcome %s: %s", rb.Outcome, rb.Why)
		}
	})
}

// A Prometheus that answers nobody costs the deployment no more than its grace.
func TestErrorRate_ASlowPrometheusDelaysNothing(t *testing.T) {
	took := func(slow time.Duration) (took time.Duration) {
		inBubble(t, func(t *testing.T, w *world) {
			newFakeRate(w).slow = slow
			rb := w.run(signsOff)
			took = rb.HealthyAt.Sub(rb.SignedAt)
		})
		return took
	}
	quick, slow := took(0), took(time.Hour)
	if slow-quick > rate.BaselineGrace+100*time.Millisecond {
		t.Errorf("healthy %s after the sign-off where Prometheus hangs, %s where it answers", slow, quick)
	}
}

// What happens to the message with the picture holds up neither question nor record.
func TestErrorRate_ThePictureHoldsNothingUp(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		newFakeRate(w)
		w.slack.stuck = map[runbook.NoticeKind]time.Duration{runbook.NoticeErrorRate: 10 * time.Minute}
		r, p := w.start(0)
		if _, err := r.Request(t.Context(), w.request(), ""); err != nil {
			t.Fatal(err)
		}
		w.play(r, p, signsOff)
		w.stop(r, p)
		rb := w.only()
		record := time.Time{}
		for _, e := range w.events() {
			if fact, ok := e.Fact.(runbook.NoticePosted); ok && fact.Key == string(runbook.NoticeRecord) {
				record = e.At
			}
		}
		if late := record.Sub(rb.EndedAt); record.IsZero() || late > 5*time.Second {
			t.Errorf("the record was posted %s after the end", late)
		}
		if !rb.Published || w.slack.count("error-rate-1") != 1 {
			t.Errorf("published: %t, pictures: %d", rb.Published, w.slack.count("error-rate-1"))
		}
	})
}
