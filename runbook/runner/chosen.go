package runner

import (
	"context"

	"rollbackbot/runbook"
)

// unused refuses an ID that no rollback can have, or that one has. Empty is none yet.
func (r *Runner) unused(ctx context.Context, id string) error {
	if id == "" {
		return nil
	}
	if r.Drill || !runbook.ValidID(id) {
		return runbook.Refusal("%q can't be the ID of a rollback.", id)
	}
	app, err := r.Journal.App(ctx, id)
	if err != nil {
		return err
	}
	if app != "" {
		return runbook.Refusal("There is a rollback %s already, and a request counts once: ask again for a new one.", id)
	}
	return nil
}
