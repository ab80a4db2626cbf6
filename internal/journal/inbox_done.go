package journal

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Done marks a delivery as dealt with where no Entry did. Marking it again changes nothing; a key that the inbox
// never had is an error. One that a Put is storing is waited for: after a runbook.ErrUncertain of Put, Done takes it back.
// Marks that come at the same time share a transaction.
func (s *Store) Done(ctx context.Context, key string) error {
	m := &mark{key: key}
	err := s.marks.send(ctx, m)
	if err == nil && m.unknown {
		err = fmt.Errorf("%w %q", errNoDelivery, key)
	}
	if err != nil {
		return fmt.Errorf("mark a delivery as done: %w", err)
	}
	return nil
}

// mark says that a delivery is done.
type mark struct {
	key     string
	unknown bool // the inbox never had it
}

func (m *mark) weight() int { return 0 }

// storeMarks marks deliveries in one transaction.
func (s *Store) storeMarks(ctx context.Context, batch []*parcel[*mark]) error {
	var marks []*mark
	return s.writeAndLook(ctx, func(ctx context.Context, tx *sql.Tx) error {
		marks = taken(batch)
		return eachRows(marks, func(rows []*mark) error { return markRows(ctx, tx, rows, time.Now()) })
	}, func(ctx context.Context, tx *sql.Tx) (done bool, err error) {
		done = true
		err = eachRows(marks, func(rows []*mark) error {
			pending, err := pendingAmong(ctx, tx, rows)
			done = done && len(pending) == 0
			return err
		})
		return done, err
	})
}

// eachRows goes through marks in bits that one statement takes.
func eachRows(marks []*mark, f func(rows []*mark) error) error {
	for rows := range slices.Chunk(marks, rowsAtOnce) {
		if err := f(rows); err != nil {
			return err
		}
	}
	return nil
}

// markRows marks deliveries in one statement, and notes which of them the inbox never had.
func markRows(ctx context.Context, tx *sql.Tx, rows []*mark, at time.Time) error {
	known, err := knownAmong(ctx, tx, rows)
	if err == nil && len(known) < len(rows) {
		// It may be in a transaction that has not ended: that one has the lock of the inbox.
		if _, err = takePlaces(ctx, tx, 0); err == nil {
			known, err = knownAmong(ctx, tx, rows)
		}
	}
	if err != nil {
		return err
	}
	for _, m := range rows {
		m.unknown = !slices.Contains(known, m.key)
	}
	in, keys := among(rows)
	mark := fmt.Sprintf(`UPDATE inbox SET body = '', done_at = $%d WHERE done_at IS NULL AND delivery IN %s`, len(keys)+1, in)
	_, err = tx.ExecContext(ctx, mark, append(keys, micros(at))...)
	return err
}

func knownAmong(ctx context.Context, tx *sql.Tx, rows []*mark) ([]string, error) {
	in, keys := among(rows)
	return queryTexts(ctx, tx, `SELECT delivery FROM inbox WHERE delivery IN `+in, keys...)
}

// pendingAmong gives those that are not done. It waits first for a transaction that may yet mark them.
func pendingAmong(ctx context.Context, tx *sql.Tx, rows []*mark) ([]string, error) {
	in, keys := among(rows)
	if _, err := tx.ExecContext(ctx, `UPDATE inbox SET place = place WHERE delivery IN `+in, keys...); err != nil {
		return nil, err
	}
	return queryTexts(ctx, tx, `SELECT delivery FROM inbox WHERE done_at IS NULL AND delivery IN `+in, keys...)
}

// among is the right side of an IN, and its arguments.
func among(rows []*mark) (in string, keys []any) {
	names := make([]string, len(rows))
	for i, m := range rows {
		names[i] = fmt.Sprintf("$%d", i+1)
		keys = append(keys, m.key)
	}
	return "(" + strings.Join(names, ", ") + ")", keys
}
