package journal

import (
	"context"
	"fmt"

	"rollbackbot/runbook"
)

// Events gives the app's events after seq, oldest first; those of one rollback alone when rollback is not empty.
// An event of a kind that this version does not know is an error: a newer version wrote it.
func (s *Store) Events(ctx context.Context, app, rollback string, after int64) ([]runbook.Event, error) {
	var events []runbook.Event
	err := s.each(ctx, app, rollback, after, func(r record, hash string) error {
		event, err := r.event(hash)
		events = append(events, event)
		return err
	}, nothingMore)
	if err != nil {
		return nil, fmt.Errorf("read the journal of %s: %w", app, err)
	}
	return events, nil
}
