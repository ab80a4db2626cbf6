package rate

import (
	"fmt"
	"rollbackbot/runbook"
	"time"
)

// Evidence evaluates the runbook's four criteria on the release that runs: its health from what was observed, the error
// rate as measured. running is nil where the hosts don't all run one known release.
func Evidence(running *runbook.Release, rate runbook.RateSeen, now time.Time) []runbook.Criterion {
	return []runbook.Criterion{
		healthEvidence(running, now),
		rateEvidence(rate),
		{Name: runbook.CriterionRegression, Held: runbook.HeldByPeople, Detail: "whoever asks says so in the reason"},
		{Name: runbook.CriterionDecision, Held: runbook.HeldByPeople, Detail: "whoever asks, and whoever signs off, decides it"},
	}
}

// healthPatience is the runbook's "do not recover within 5 minutes".
const healthPatience = 5 * time.Minute

func healthEvidence(running *runbook.Release, now time.Time) runbook.Criterion {
	c := runbook.Criterion{Name: runbook.CriterionHealth, Held: runbook.HeldNotMeasured}
	switch {
	case running == nil:
		c.Detail = "the hosts don't all run one known release"
	case running.UpAt.IsZero():
		c.Detail = fmt.Sprintf("%s was not observed yet", running.Name())
	case running.FailingSince.IsZero():
		c.Held, c.Detail = runbook.HeldNo, fmt.Sprintf("%s passed its health checks when it was last observed", running.Name())
	default:
		lasted := max(now.Sub(running.FailingSince), 0)
		c.Held, c.Detail = runbook.HeldYes, fmt.Sprintf("%s has been failing for %s, since %s: %s", running.Name(), runbook.Lasted(lasted), runbook.UTC(running.FailingSince), running.Failure)
		if lasted <= healthPatience {
			c.Held, c.Detail = runbook.HeldNo, fmt.Sprintf("%s is failing for %s so far, since %s: %s", running.Name(), runbook.Lasted(lasted), runbook.UTC(running.FailingSince), running.Failure)
		}
	}
	return c
}

func rateEvidence(rate runbook.RateSeen) runbook.Criterion {
	c := runbook.Criterion{Name: runbook.CriterionErrorRate, Held: runbook.HeldNo, Detail: rate.Detail}
	switch {
	case !rate.Measured:
		c.Held = runbook.HeldNotMeasured
		if c.Detail == "" {
			c.Detail = "nothing that measures it is configured"
		}
	case rate.Above:
		c.Held = runbook.HeldYes
	}
	return c
}
