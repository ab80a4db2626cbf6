package runbook

import (
	"context"
	"time"
)

// Criterion is one of the runbook's four reasons to roll back, evaluated when a plan is made.
type Criterion struct {
	Name   CriterionName `json:"name"`
	Held   Held          `json:"held"`
	Detail string        `json:"detail"` // the values, in words without a full stop; masked
}

// CriterionName is one of the four, in the runbook's order.
type CriterionName string

// The runbook's criteria.
const (
	CriterionHealth     CriterionName = "health"
	CriterionErrorRate  CriterionName = "error_rate"
	CriterionRegression CriterionName = "regression"
	CriterionDecision   CriterionName = "decision"
)

// Held says whether a criterion is met.
type Held string

// The answers. Whether the last two criteria are met only people can say.
const (
	HeldYes         Held = "yes"
	HeldNo          Held = "no"
	HeldNotMeasured Held = "not measured"
	HeldByPeople    Held = "people say"
)

// The runbook's times: "do not recover within 5 minutes", "within 10 minutes of deployment".
const (
	ErrorRateWithin = 10 * time.Minute
)

// RateEvidence tells what the error rate did in the first ten minutes after a release came up, against its baseline from
// before. It asks whatever measures the rate, and bounds its own time to a few seconds.
type RateEvidence func(ctx context.Context, a App, span RateSpan) RateSeen

// RateSeen is the answer of a RateEvidence.
type RateSeen struct {
	Measured bool
	Above    bool   // above the baseline; where Measured
	Detail   string // the values, or why they can't be had; without a full stop; masked
}

// Lasted is a length of time as the runbook's texts give it: 3m10s, 2h5m0s.
func Lasted(d time.Duration) string { return d.Round(time.Second).String() }

// UTC is a time of day as the runbook's texts give it.
func UTC(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }

// Text is the criterion in the runbook's words.
func (n CriterionName) Text() string {
	switch n {
	case CriterionHealth:
		return "Health checks fail after the new image is deployed and do not recover within 5 minutes"
	case CriterionErrorRate:
		return "Error rate significantly above baseline within 10 minutes of deployment"
	case CriterionRegression:
		return "A critical regression is confirmed in production monitoring"
	case CriterionDecision:
		return "The team decides the risk of the new version outweighs the cost of rollback"
	}
	return string(n)
}

// HeldOf are the criteria that were measured and are met.
func HeldOf(evidence []Criterion) (held []Criterion) {
	for _, c := range evidence {
		if c.Held == HeldYes {
			held = append(held, c)
		}
	}
	return held
}

// FullReason is why the rollback was asked for: the person's words, and what of the runbook's criteria held then.
func (rb Rollback) FullReason() string {
	reason := rb.Request.Reason
	if reason == "" {
		reason = NotGiven
	}
	for _, c := range HeldOf(rb.Plan.Evidence) {
		reason += "\n" + c.Name.short() + ": " + c.Detail
	}
	return reason
}

func (n CriterionName) short() string {
	if n == CriterionErrorRate {
		return "Error rate"
	}
	return "Health checks"
}
