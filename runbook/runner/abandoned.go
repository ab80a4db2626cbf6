package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"rollbackbot/runbook"
)

// Abandoned gives the open rollbacks of apps that are not configured any more. The bot doesn't know how to act for
// them, so they stay as they are, with their questions, until the app is configured again.
func (r *Runner) Abandoned(ctx context.Context) ([]runbook.Rollback, error) {
	apps, err := r.Journal.Apps(ctx)
	if err != nil {
		return nil, err
	}
	var found []runbook.Rollback
	for _, app := range apps {
		if slices.Contains(r.appNames(), app) {
			continue
		}
		id, err := r.Journal.Open(ctx, app)
		if err != nil {
			return nil, err
		}
		if id == "" {
			continue
		}
		rb, err := r.Status(ctx, id)
		if err != nil {
			return nil, err
		}
		found = append(found, rb)
	}
	return found, nil
}

// reportAbandoned says what this process does not carry. That it can't be read is no reason not to carry the others.
func (r *Runner) reportAbandoned(ctx context.Context) {
	abandoned, err := r.Abandoned(ctx)
	if err != nil {
		r.reportProblem(runbook.Rollback{}, fmt.Errorf("look for open rollbacks of apps that are not configured: %w", err))
	}
	for _, rb := range abandoned {
		r.reportProblem(rb, &runbook.AbandonedError{Rollback: rb.ID, App: rb.App})
	}
}

// refuseIdle answers a click on a rollback that this process does not carry.
func (r *Runner) refuseIdle(ctx context.Context, c runbook.Click) error {
	rb, err := r.Status(ctx, c.Rollback)
	if err != nil {
		return err
	}
	why := fmt.Sprintf("This rollback has ended: %s.", rb.Outcome)
	if rb.State != runbook.StateEnded {
		if _, err := r.App(rb.App); err == nil {
			return runbook.ErrStaleEpoch // another process carries it, and answers
		}
		why = fmt.Sprintf("This doesn't count: nobody carries this rollback, since %s is not in ROLLBACK_APPS any more. Once it is there again and the bot was started anew, the rollback goes on.", rb.App)
	}
	return errors.Join(&runbook.RefusedError{Why: why}, r.Refuse(ctx, rb.App, rb.ID, string(c.Answer), c.By, why, c.Cause))
}
