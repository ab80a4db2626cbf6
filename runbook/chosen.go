package runbook

import (
	"context"
	"strings"
)

// unused refuses an ID that no rollback can have, or that one has. Empty is none yet.
func (r *Runner) unused(ctx context.Context, id string) error {
	if id == "" {
		return nil
	}
	if r.Drill || !validID(id) {
		return refused("%q can't be the ID of a rollback.", id)
	}
	app, err := r.Journal.App(ctx, id)
	if err != nil {
		return err
	}
	if app != "" {
		return refused("There is a rollback %s already, and a request counts once: ask again for a new one.", id)
	}
	return nil
}

// validID reports whether newID could have made it.
func validID(id string) bool {
	random, ok := strings.CutPrefix(id, "rb-")
	return ok && len(random) == idLength && strings.Trim(random, idLetters) == ""
}
