package journal

import (
	"context"
	"database/sql"
	"math"
)

// pageSize is how many records one query gives. A page takes milliseconds, so that a database that has stalled can be
// told from a long chain, and nobody who reads a chain slowly keeps a transaction open.
const pageSize = 1000

const selectEvents = `SELECT app, seq, rollback, epoch, at, kind, actor, cause, body, hash FROM events`

// beforeAll is less than the number of every event, also of one that was added by hand.
const beforeAll = math.MinInt64

// each calls f with the app's records after seq, oldest first, until f fails; with those of one rollback alone when
// rollback is not empty. Every page is read in a transaction of its own. Records are never changed, and an entry's are
// there together, so that they add up to the chain as it was when its end was reached; there, in the last page's
// transaction and before f has its records, end is called.
func (s *Store) each(ctx context.Context, app, rollback string, after int64, f func(r record, hash string) error, end func(context.Context, *sql.Tx) error) error {
	for {
		var page []linked
		last := false
		err := s.read(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
			if page, err = readPage(ctx, tx, app, rollback, after); err != nil {
				return err
			}
			if last = len(page) < pageSize; last {
				return end(ctx, tx)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, l := range page {
			if err := f(l.record, l.hash); err != nil {
				return err
			}
			after = l.seq
		}
		if last {
			return nil
		}
	}
}

// nothingMore is the end of reading records alone.
func nothingMore(context.Context, *sql.Tx) error { return nil }

// linked is a record with its hash.
type linked struct {
	record
	hash string
}

// readPage reads the first pageSize records after seq.
func readPage(ctx context.Context, tx *sql.Tx, app, rollback string, after int64) ([]linked, error) {
	const (
		ofApp      = selectEvents + ` WHERE app = $1 AND seq > $2 ORDER BY seq LIMIT $3`
		ofRollback = selectEvents + ` WHERE app = $1 AND seq > $2 AND rollback = $4 ORDER BY seq LIMIT $3`
	)
	query, args := ofApp, []any{app, after, pageSize}
	if rollback != "" {
		query, args = ofRollback, append(args, rollback)
	}
	return readRecords(ctx, tx, query, args...)
}

// readRecords reads the records that a query of selectEvents gives.
func readRecords(ctx context.Context, tx *sql.Tx, query string, args ...any) ([]linked, error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var page []linked
	for rows.Next() {
		var l linked
		if err := rows.Scan(&l.app, &l.seq, &l.rollback, &l.epoch, &l.at, &l.kind, &l.actor, &l.cause, &l.body, &l.hash); err != nil {
			return nil, err
		}
		page = append(page, l)
	}
	return page, rows.Err()
}
