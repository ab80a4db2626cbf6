package journal

import (
	"context"
	"database/sql"
	"fmt"

	"rollbackbot/runbook"
)

// Events gives the app's events after seq, oldest first; those of one rollback alone when rollback is not empty.
// An event of a kind that this version does not know is an error: a newer version wrote it.
func (s *Store) Events(ctx context.Context, app, rollback string, after int64) ([]runbook.Event, error) {
	const (
		ofApp      = selectEvents + ` WHERE app = $1 AND seq > $2 ORDER BY seq`
		ofRollback = selectEvents + ` WHERE app = $1 AND seq > $2 AND rollback = $3 ORDER BY seq`
	)
	query, args := ofApp, []any{app, after}
	if rollback != "" {
		query, args = ofRollback, append(args, rollback)
	}
	var events []runbook.Event
	err := s.read(ctx, func(tx *sql.Tx) error {
		return eachRecord(ctx, tx, func(r record, hash string) error {
			event, err := r.event(hash)
			events = append(events, event)
			return err
		}, query, args...)
	})
	if err != nil {
		return nil, fmt.Errorf("read the journal of %s: %w", app, err)
	}
	return events, nil
}

const selectEvents = `SELECT app, seq, rollback, epoch, at, kind, actor, cause, body, hash FROM events`

// eachRecord calls f with every row of a query that begins with selectEvents, until f fails.
func eachRecord(ctx context.Context, tx *sql.Tx, f func(r record, hash string) error, query string, args ...any) error {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var r record
		var hash string
		if err := rows.Scan(&r.app, &r.seq, &r.rollback, &r.epoch, &r.at, &r.kind, &r.actor, &r.cause, &r.body, &hash); err != nil {
			return err
		}
		if err := f(r, hash); err != nil {
			return err
		}
	}
	return rows.Err()
}
