package runbook

import (
	"context"
	"fmt"
)

// BusyError says that the app has a rollback open already.
type BusyError struct {
	Rollback Rollback
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("%s has rollback %s open, asked for by %s at %s", e.Rollback.App, e.Rollback.ID,
		Person(e.Rollback.Request.By), e.Rollback.Request.At.UTC().Format("15:04:05 UTC"))
}

// OpenRollback gives a *BusyError when the app has a rollback open, as its journal stands.
func OpenRollback(ctx context.Context, j Journal, app string) error {
	id, err := j.Open(ctx, app)
	if err != nil || id == "" {
		return err
	}
	events, err := j.Events(ctx, app, id, 0)
	if err != nil {
		return err
	}
	rb, err := Fold(events)
	if err != nil {
		return err
	}
	return &BusyError{Rollback: rb}
}
