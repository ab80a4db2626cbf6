package runner

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/runbook"
	"rollbackbot/runbook/preflight"
	"rollbackbot/runbook/rate"
)

func TestEvidence(t *testing.T) {
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	up := runbook.Release{ID: "r-1", Version: "v2", UpAt: now.Add(-time.Hour)}
	failing := func(lasted time.Duration) *runbook.Release {
		r := up
		r.FailingSince, r.Failure = now.Add(-lasted), "https://api.example.com/health answers 503"
		return &r
	}
	for _, c := range []struct {
		name          string
		running       *runbook.Release
		rate          runbook.RateSeen
		health, rate2 runbook.Held
		words         string
	}{
		{"well", &up, runbook.RateSeen{Measured: true, Detail: "0.1 %, baseline 0.1 %"}, runbook.HeldNo, runbook.HeldNo, "v2 passed its health checks when it was last observed"},
		{"failing a while", failing(3*time.Minute + 10*time.Second), runbook.RateSeen{}, runbook.HeldNo, runbook.HeldNotMeasured, "v2 is failing for 3m10s so far, since 11:56:50 UTC: https://api.example.com/health answers 503"},
		{"failing for exactly the runbook's time", failing(5 * time.Minute), runbook.RateSeen{}, runbook.HeldNo, runbook.HeldNotMeasured, "5m0s so far"},
		{"failing for longer", failing(5*time.Minute + time.Second), runbook.RateSeen{}, runbook.HeldYes, runbook.HeldNotMeasured, "v2 has been failing for 5m1s, since 11:54:59 UTC: https://api.example.com/health answers 503"},
		{"a clock that was put back", failing(-time.Minute), runbook.RateSeen{}, runbook.HeldNo, runbook.HeldNotMeasured, "0s so far"},
		{"never observed", &runbook.Release{ID: "r-2"}, runbook.RateSeen{}, runbook.HeldNotMeasured, runbook.HeldNotMeasured, "r-2 was not observed yet"},
		{"hosts differ", nil, runbook.RateSeen{}, runbook.HeldNotMeasured, runbook.HeldNotMeasured, "the hosts don't all run one known release"},
		{"errors", &up, runbook.RateSeen{Measured: true, Above: true, Detail: "12 %, baseline 0.1 %"}, runbook.HeldNo, runbook.HeldYes, "12 %, baseline 0.1 %"},
		{"no data", &up, runbook.RateSeen{Detail: "Prometheus doesn't answer"}, runbook.HeldNo, runbook.HeldNotMeasured, "Prometheus doesn't answer"},
		{"nothing to measure it", &up, runbook.RateSeen{}, runbook.HeldNo, runbook.HeldNotMeasured, "nothing that measures it is configured"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := rate.Evidence(c.running, c.rate, now)
			text := ""
			for _, criterion := range got {
				text += criterion.Detail + "\n"
			}
			if len(got) != 4 || got[0].Held != c.health || got[1].Held != c.rate2 || got[2].Held != runbook.HeldByPeople || got[3].Held != runbook.HeldByPeople || !strings.Contains(text, c.words) {
				t.Errorf("got %+v, want health %q, error rate %q, and %q", got, c.health, c.rate2, c.words)
			}
		})
	}
}

// What held when a rollback was asked for joins the person's words; what did not hold, or only people can say, doesn't.
func TestEvidence_JoinsTheReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, stop := observed(t)
		w.deploy(w.v1)
		time.Sleep(15 * time.Minute)
		w.deploy(w.v2)
		time.Sleep(8 * time.Minute)
		stop()
		rate := func(_ context.Context, _ runbook.App, span runbook.RateSpan) runbook.RateSeen {
			if ago := time.Since(span.By).Round(time.Minute); ago != 7*time.Minute && ago != 8*time.Minute || !span.From.Before(span.Until) || span.By.Before(span.Until) {
				t.Errorf("asked about %+v, %s ago", span, ago)
			}
			return runbook.RateSeen{Measured: true, Above: true, Detail: "12 %, baseline 0.1 %"}
		}
		planner := preflight.Planner{Hosts: w.lab, Journal: w.journal, Rate: rate}
		plan, err := planner.Plan(t.Context(), w.app, w.request())
		if err != nil {
			t.Fatal(err)
		}
		rb := runbook.Rollback{Request: w.request(), Plan: plan}
		reason := rb.Record().Reason
		for _, words := range []string{"checkout answers 500\nHealth checks: ", " has been failing for ", "/health answers 503\nError rate: 12 %, baseline 0.1 %"} {
			if !strings.Contains(reason, words) {
				t.Errorf("the reason lacks %q: %s", words, reason)
			}
		}
		again := plan
		again.Evidence = nil
		if again.Hash() != plan.Hash() {
			t.Error("what is signed depends on the evidence, which time alone changes")
		}
		rb.Plan = again
		if got := rb.Record().Reason; got != "checkout answers 500" {
			t.Errorf("without evidence the reason is %q", got)
		}
	})
}
