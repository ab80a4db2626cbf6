package journal

import (
	"context"
	"database/sql"
	"fmt"

	"rollbackbot/runbook/history"
)

var _ history.Memos = (*Store)(nil)

// Memo gives an app's memo of a kind; a zero one where there is none.
func (s *Store) Memo(ctx context.Context, app, kind string) (history.Memo, error) {
	memo := history.Memo{Kind: kind}
	err := s.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT seq, hash, body FROM memos WHERE app = $1 AND kind = $2`, app, kind)
		if err != nil {
			return err
		}
		defer rows.Close()
		if rows.Next() {
			if err := rows.Scan(&memo.Place.Seq, &memo.Place.Hash, &memo.Body); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	if err != nil {
		return history.Memo{}, fmt.Errorf("read what was kept of %s: %w", app, err)
	}
	return memo, nil
}

// KeepMemo replaces an app's memo of that kind. One that is further on is replaced too: the chain may be another one.
func (s *Store) KeepMemo(ctx context.Context, app string, memo history.Memo) error {
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx,
			`INSERT INTO memos (app, kind, seq, hash, body) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (app, kind) DO UPDATE SET seq = $3, hash = $4, body = $5`,
			app, memo.Kind, memo.Place.Seq, memo.Place.Hash, memo.Body)
		return err
	})
	if err != nil {
		return fmt.Errorf("keep the memo of %s: %w", app, err)
	}
	return nil
}
