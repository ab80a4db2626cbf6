package journal

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"rollbackbot/runbook"
)

// maxBody bounds a delivery's body, in bytes: the 1 MiB of runbook.Delivery.
const maxBody = 1 << 20

// Put stores a delivery; when it returns, the delivery is on disk. It reports false when its key was there already,
// and then changes nothing, also when that delivery is done. Every error means that it is not there, but for
// runbook.ErrUncertain.
func (s *Store) Put(ctx context.Context, d runbook.Delivery) (fresh bool, err error) {
	if err := checkDelivery(d); err != nil {
		return false, fmt.Errorf("store a delivery: %w", err)
	}
	var place int64
	err = s.writeAndLook(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		fresh, place, err = insertDelivery(ctx, tx, d)
		if err == nil && !fresh {
			return errKeyTaken
		}
		return err
	}, func(ctx context.Context, tx *sql.Tx) (written bool, err error) {
		written, fresh, err = delivered(ctx, tx, d, place)
		return written, err
	})
	switch {
	case errors.Is(err, errKeyTaken):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("store a delivery: %w", err)
	}
	return fresh, nil
}

// errKeyTaken ends the transaction of a delivery that arrived before, so that its place is not used up.
var errKeyTaken = errors.New("the delivery is there already")

func checkDelivery(d runbook.Delivery) error {
	if d.Key == "" {
		return errors.New("it has no key")
	}
	if len(d.Body) > maxBody {
		return fmt.Errorf("its body has %d bytes, more than %d", len(d.Body), maxBody)
	}
	return errors.Join(checkText(d.Key), checkText(d.Kind))
}

func insertDelivery(ctx context.Context, tx *sql.Tx, d runbook.Delivery) (fresh bool, place int64, err error) {
	// The lock of the inbox: places are taken in the order of the commits.
	if err := tx.QueryRowContext(ctx, `UPDATE inbox_places SET taken = taken + 1 RETURNING taken`).Scan(&place); err != nil {
		return false, 0, err
	}
	fresh, err = affects(tx.ExecContext(ctx,
		`INSERT INTO inbox (delivery, place, kind, body, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (delivery) DO NOTHING`,
		d.Key, place, d.Kind, base64.StdEncoding.EncodeToString(d.Body), micros(d.At)))
	return fresh, place, err
}

// delivered looks whether the inbox has the delivery after all, and whether it is this one: one that came to another
// process has another place, or came at another time. The lock of the inbox is what it waits for first: a transaction
// that still holds it may yet commit.
func delivered(ctx context.Context, tx *sql.Tx, d runbook.Delivery, place int64) (stored, ours bool, err error) {
	if _, err := tx.ExecContext(ctx, `UPDATE inbox_places SET taken = taken`); err != nil {
		return false, false, err
	}
	var gotPlace, gotAt int64
	err = tx.QueryRowContext(ctx, `SELECT place, at FROM inbox WHERE delivery = $1`, d.Key).Scan(&gotPlace, &gotAt)
	if errors.Is(err, sql.ErrNoRows) {
		return false, false, nil
	}
	return err == nil, gotPlace == place && gotAt == micros(d.At), err
}

// Pending gives the deliveries that are not done, in the order in which they came.
func (s *Store) Pending(ctx context.Context) (pending []runbook.Delivery, err error) {
	err = s.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		pending, err = pendingDeliveries(ctx, tx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the inbox: %w", err)
	}
	return pending, nil
}

func pendingDeliveries(ctx context.Context, tx *sql.Tx) ([]runbook.Delivery, error) {
	rows, err := tx.QueryContext(ctx, `SELECT delivery, kind, body, at FROM inbox WHERE done_at IS NULL ORDER BY place`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var pending []runbook.Delivery
	for rows.Next() {
		var d runbook.Delivery
		var body string
		var at int64
		if err := rows.Scan(&d.Key, &d.Kind, &body, &at); err != nil {
			return nil, err
		}
		if d.Body, err = base64.StdEncoding.DecodeString(body); err != nil {
			return nil, fmt.Errorf("the body of delivery %s: %w", d.Key, err)
		}
		d.At = timeOf(at)
		pending = append(pending, d)
	}
	return pending, rows.Err()
}

// Done marks a delivery as dealt with where no Entry did. Marking it again changes nothing; a key that the inbox
// never had is an error.
func (s *Store) Done(ctx context.Context, key string) error {
	err := s.writeAndLook(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := markDone(ctx, tx, key, time.Now())
		return err
	}, func(ctx context.Context, tx *sql.Tx) (bool, error) { return isDone(ctx, tx, key) })
	if err != nil {
		return fmt.Errorf("mark a delivery as done: %w", err)
	}
	return nil
}

// markDone reports whether the delivery was pending until now. Its body is emptied: what it said is in the journal by
// then, as far as it counted, and the key alone keeps a second delivery out.
func markDone(ctx context.Context, tx *sql.Tx, key string, at time.Time) (bool, error) {
	marked, err := affects(tx.ExecContext(ctx,
		`UPDATE inbox SET done_at = $2, body = '' WHERE delivery = $1 AND done_at IS NULL`, key, micros(at)))
	if err != nil || marked {
		return marked, err
	}
	known, err := queryText(ctx, tx, `SELECT delivery FROM inbox WHERE delivery = $1`, key)
	if err == nil && known == "" {
		err = fmt.Errorf("the inbox has no delivery %q", key)
	}
	return false, err
}

// isDone looks whether the delivery is done. It waits first for a transaction that may yet mark it.
func isDone(ctx context.Context, tx *sql.Tx, key string) (bool, error) {
	if _, err := tx.ExecContext(ctx, `UPDATE inbox SET place = place WHERE delivery = $1`, key); err != nil {
		return false, err
	}
	done, err := queryText(ctx, tx, `SELECT delivery FROM inbox WHERE delivery = $1 AND done_at IS NOT NULL`, key)
	return done != "", err
}
