package journal

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"rollbackbot/runbook"
)

// maxBody bounds a delivery's body, in bytes: the 1 MiB of runbook.Delivery.
const maxBody = 1 << 20

// Put stores a delivery; when it returns, the delivery is on disk. It reports false when its key was there already,
// and then changes nothing, also when that delivery is done. Every error means that it is not there, but for
// runbook.ErrUncertain; Done finds out whether it is. Deliveries that come at the same time share a transaction.
func (s *Store) Put(ctx context.Context, d runbook.Delivery) (fresh bool, err error) {
	a := &arrival{Delivery: d}
	if err = checkDelivery(d); err == nil {
		err = s.arrivals.send(ctx, a)
	}
	if err != nil {
		return false, fmt.Errorf("store a delivery: %w", err)
	}
	return a.fresh, nil
}

// arrival is a delivery that is to be stored, and what came of it.
type arrival struct {
	runbook.Delivery
	place int64 // in the inbox, where it got one
	fresh bool  // the inbox did not have the delivery
}

func (a *arrival) weight() int { return len(a.Body) }

// storeArrivals stores deliveries in one transaction.
func (s *Store) storeArrivals(ctx context.Context, batch []*parcel[*arrival]) error {
	err := s.writeAndLook(ctx, func(ctx context.Context, tx *sql.Tx) error {
		fresh, err := insertDeliveries(ctx, tx, batch)
		switch {
		case err != nil:
			return err
		case !fresh:
			return errNothingFresh
		}
		return s.dialect.announce(ctx, tx)
	}, func(ctx context.Context, tx *sql.Tx) (bool, error) { return delivered(ctx, tx, batch) })
	if errors.Is(err, errNothingFresh) {
		return nil
	}
	return err
}

// errNothingFresh ends a transaction that has nothing to write.
var errNothingFresh = errors.New("the deliveries are there already")

func checkDelivery(d runbook.Delivery) error {
	if d.Key == "" {
		return errors.New("it has no key")
	}
	if len(d.Body) > maxBody {
		return fmt.Errorf("its body has %d bytes, more than %d", len(d.Body), maxBody)
	}
	return errors.Join(checkText(d.Key), checkText(d.Kind))
}

// rowsAtOnce bounds the rows of one INSERT, and with that how many statements of different lengths there are to prepare.
const rowsAtOnce = 100

// insertDeliveries stores those that the inbox does not have, and reports whether there are any. Places are in the order
// of the batch; not every place is used.
func insertDeliveries(ctx context.Context, tx *sql.Tx, batch []*parcel[*arrival]) (fresh bool, err error) {
	last, err := takePlaces(ctx, tx, len(batch))
	if err != nil {
		return false, err
	}
	arrivals := taken(batch)
	for i, a := range arrivals {
		a.place, a.fresh = last-int64(len(batch)-1-i), false
	}
	for rows := range slices.Chunk(arrivals, rowsAtOnce) {
		stored, err := insertRows(ctx, tx, rows)
		if err != nil {
			return false, err
		}
		fresh = fresh || stored
	}
	return fresh, nil
}

// insertRows stores deliveries in one statement, marks those that the inbox did not have, one of each key, and reports
// whether there are any.
func insertRows(ctx context.Context, tx *sql.Tx, rows []*arrival) (fresh bool, err error) {
	var values strings.Builder
	args, byKey := make([]any, 0, 5*len(rows)), make(map[string]*arrival, len(rows))
	for i, a := range rows {
		byKey[a.Key] = a
		if i > 0 {
			values.WriteString(", ")
		}
		n := len(args)
		fmt.Fprintf(&values, "($%d, $%d, $%d, $%d, $%d)", n+1, n+2, n+3, n+4, n+5)
		args = append(args, a.Key, a.place, a.Kind, base64.StdEncoding.EncodeToString(a.Body), micros(a.At))
	}
	stored, err := queryTexts(ctx, tx, `INSERT INTO inbox (delivery, place, kind, body, at) VALUES `+values.String()+
		` ON CONFLICT (delivery) DO NOTHING RETURNING delivery`, args...)
	for _, key := range stored {
		byKey[key].fresh = true
	}
	return len(stored) > 0, err
}

// takePlaces gives the last of n places in the inbox. Its update is the lock of the inbox: places are taken in the order
// of the commits.
func takePlaces(ctx context.Context, tx *sql.Tx, n int) (last int64, err error) {
	err = tx.QueryRowContext(ctx, `UPDATE inbox_places SET taken = taken + $1 RETURNING taken`, n).Scan(&last)
	return last, err
}

// delivered looks whether the inbox has the deliveries after all, and whether it is these: one that came to another
// process has another place, or came at another time. The lock of the inbox is what it waits for first: a transaction
// that still holds it may yet commit.
func delivered(ctx context.Context, tx *sql.Tx, batch []*parcel[*arrival]) (all bool, err error) {
	if _, err := takePlaces(ctx, tx, 0); err != nil {
		return false, err
	}
	all = true
	for _, p := range batch {
		var place, at int64
		a := p.what
		err := tx.QueryRowContext(ctx, `SELECT place, at FROM inbox WHERE delivery = $1`, a.Key).Scan(&place, &at)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return false, err
		}
		a.fresh = err == nil && place == a.place && at == micros(a.At)
		all = all && err == nil
	}
	return all, nil
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
		err = fmt.Errorf("%w %q", errNoDelivery, key)
	}
	return false, err
}

var errNoDelivery = errors.New("the inbox has no delivery")

// isDone looks whether the delivery is done. It waits first for a transaction that may yet mark it.
func isDone(ctx context.Context, tx *sql.Tx, key string) (bool, error) {
	if _, err := tx.ExecContext(ctx, `UPDATE inbox SET place = place WHERE delivery = $1`, key); err != nil {
		return false, err
	}
	done, err := queryText(ctx, tx, `SELECT delivery FROM inbox WHERE delivery = $1 AND done_at IS NOT NULL`, key)
	return done != "", err
}
