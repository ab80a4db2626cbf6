package preflight

import (
	"context"
	"time"

	"rollbackbot/runbook"
)

// CheckupTimeout bounds a whole checkup: the preflight's 30 s, and as much again, since its host part is a preflight.
const CheckupTimeout = 2 * preflightTimeout

// Checkup runs all checks at once and gives what they found, in their order. A check that hangs or panics is a finding
// of its own and stops no other: one that doesn't heed its context is left behind.
func Checkup(ctx context.Context, limit time.Duration, checks []runbook.Check) []runbook.Finding {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	answers := make([]chan []runbook.Finding, len(checks))
	for i, check := range checks {
		answers[i] = make(chan []runbook.Finding, 1)
		go func() { answers[i] <- foundBy(ctx, check) }()
	}
	var all []runbook.Finding
	for i, check := range checks {
		select {
		case found := <-answers[i]:
			all = append(all, found...)
			continue
		default:
		}
		select {
		case found := <-answers[i]:
			all = append(all, found...)
		case <-ctx.Done():
			all = append(all, runbook.FoundWrong(check.About, "See by hand what is slow there", "it did not answer within %s", limit))
		}
	}
	for i := range all {
		all[i].Seen, all[i].Remedy = runbook.Mask(all[i].Seen), runbook.Mask(all[i].Remedy)
	}
	return all
}

// foundBy is what a check finds, its panic included. What panicked isn't quoted: it may hold anything.
func foundBy(ctx context.Context, c runbook.Check) (found []runbook.Finding) {
	defer func() {
		if recover() != nil {
			found = []runbook.Finding{runbook.FoundWrong(c.About, "This is a defect of the bot, please report it", "the check itself failed, so nothing is known of it")}
		}
	}()
	if found = c.Run(ctx); len(found) == 0 {
		found = []runbook.Finding{runbook.NotChecked(c.About, "the check said nothing")}
	}
	return found
}
