package journal

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"rollbackbot/runbook"
)

// Open lists the app's rollbacks that have not ended: one at most, and "" when there is none.
func (s *Store) Open(ctx context.Context, app string) (rollback string, err error) {
	err = s.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		rollback, err = openRollback(ctx, tx, app)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read which rollback %s has open: %w", app, err)
	}
	return rollback, nil
}

// App finds the app of a rollback by its ID; "" when no app has it.
func (s *Store) App(ctx context.Context, rollback string) (app string, err error) {
	err = s.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		app, err = queryText(ctx, tx, `SELECT app FROM rollbacks WHERE rollback = $1`, rollback)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("find the app of rollback %s: %w", rollback, err)
	}
	return app, nil
}

// Apps lists the apps that have a chain, sorted by name.
func (s *Store) Apps(ctx context.Context) (apps []string, err error) {
	err = s.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		// Both tables: an app whose row was removed by hand still has its events, and Verify has to see it. One look into
		// the index for each app, and not for each event.
		apps, err = queryTexts(ctx, tx, `WITH RECURSIVE chains(app) AS (
				SELECT MIN(app) FROM events
				UNION ALL
				SELECT (SELECT MIN(app) FROM events WHERE app > chains.app) FROM chains WHERE chains.app IS NOT NULL
			) SELECT app FROM chains WHERE app IS NOT NULL UNION SELECT app FROM apps`)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the apps of the journal: %w", err)
	}
	slices.Sort(apps) // here: databases have orders of their own
	return apps, nil
}

// keepOpen keeps the list of open rollbacks, in the transaction of the event that opens or ends one.
func keepOpen(ctx context.Context, tx *sql.Tx, r record) error {
	switch r.kind {
	case kindRequested:
		return openOne(ctx, tx, r)
	case kindEnded:
		return endOne(ctx, tx, r)
	}
	return nil
}

func openOne(ctx context.Context, tx *sql.Tx, r record) error {
	inserted, err := affects(tx.ExecContext(ctx,
		`INSERT INTO open_rollbacks (app, rollback) VALUES ($1, $2) ON CONFLICT (app) DO NOTHING`, r.app, r.rollback))
	if err != nil {
		return err
	}
	if !inserted {
		open, err := openRollback(ctx, tx, r.app)
		if err != nil {
			return err
		}
		return &runbook.OpenError{App: r.app, Rollback: open}
	}
	fresh, err := affects(tx.ExecContext(ctx,
		`INSERT INTO rollbacks (rollback, app) VALUES ($1, $2) ON CONFLICT DO NOTHING`, r.rollback, r.app))
	if err == nil && !fresh {
		return fmt.Errorf("the rollback ID %s was used before", r.rollback)
	}
	return err
}

func endOne(ctx context.Context, tx *sql.Tx, r record) error {
	ended, err := affects(tx.ExecContext(ctx,
		`DELETE FROM open_rollbacks WHERE app = $1 AND rollback = $2`, r.app, r.rollback))
	if err == nil && !ended {
		return fmt.Errorf("rollback %s is not open", r.rollback)
	}
	return err
}

func openRollback(ctx context.Context, tx *sql.Tx, app string) (string, error) {
	return queryText(ctx, tx, `SELECT rollback FROM open_rollbacks WHERE app = $1`, app)
}

// affects tells whether a statement changed any row.
func affects(result sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}
