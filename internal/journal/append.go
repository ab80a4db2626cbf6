package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"rollbackbot/runbook"
)

var (
	kindRequested = runbook.Requested{}.Kind()
	kindEnded     = runbook.Ended{}.Kind()
)

// Append adds the entry's facts to the app's chain, as runbook.Journal says. The events it gives are those that a
// later read gives, to the last byte.
//
// The entry's Cause must be a delivery of the inbox. Where that delivery is done already, Append gives no events and
// no error, and nothing is written: what it asked for was dealt with before a crash or by another process.
//
// A *runbook.OpenError, runbook.ErrStaleEpoch or any other error means that nothing was written, but for one. Among the
// others are a Requested whose rollback ID was used before, an Ended of a rollback that is not open, and text that no
// database takes (NUL bytes, broken UTF-8). The one is runbook.ErrUncertain: the database was lost while it committed, and did
// not come back in time to be asked what became of it.
func (s *Store) Append(ctx context.Context, entry runbook.Entry) ([]runbook.Event, error) {
	records, err := recordsOf(entry)
	if err != nil {
		return nil, appendError(entry, err)
	}
	var events []runbook.Event
	err = s.writeAndLook(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		events, err = appendRecords(ctx, tx, entry, records)
		return err
	}, func(ctx context.Context, tx *sql.Tx) (bool, error) { return appended(ctx, tx, entry, events) })
	switch {
	case errors.Is(err, errAlreadyDone):
		return nil, nil
	case err != nil:
		return nil, appendError(entry, err)
	}
	return events, nil
}

func appendError(entry runbook.Entry, err error) error {
	return fmt.Errorf("append to the journal of %s: %w", entry.App, err)
}

// recordsOf encodes the entry's facts before any lock is taken. Their place in the chain is not known yet.
func recordsOf(entry runbook.Entry) ([]record, error) {
	if entry.App == "" {
		return nil, errors.New("the entry names no app")
	}
	for _, text := range []string{entry.App, entry.Rollback, entry.Actor, entry.Cause} {
		if err := checkText(text); err != nil {
			return nil, err
		}
	}
	if year := entry.At.UTC().Year(); year < 0 || year > 9999 {
		return nil, fmt.Errorf("no line can hold the year %d", year)
	}
	records := make([]record, len(entry.Facts))
	for i, fact := range entry.Facts {
		body, err := body(fact)
		if err != nil {
			return nil, err
		}
		records[i] = record{
			app: entry.App, rollback: entry.Rollback, epoch: entry.Epoch, at: micros(entry.At),
			kind: fact.Kind(), actor: entry.Actor, cause: entry.Cause, body: body,
		}
		if opensOrEnds := records[i].kind == kindRequested || records[i].kind == kindEnded; opensOrEnds && entry.Rollback == "" {
			return nil, fmt.Errorf("a %s fact without the ID of its rollback", records[i].kind)
		}
	}
	return records, nil
}

// checkText refuses what PostgreSQL refuses in a TEXT column, so that no journal ever holds it.
func checkText(s string) error {
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return fmt.Errorf("%q is no text that a journal can hold", s)
	}
	return nil
}

func appendRecords(ctx context.Context, tx *sql.Tx, entry runbook.Entry, records []record) ([]runbook.Event, error) {
	seq, previous, epoch, err := lockApp(ctx, tx, entry.App, len(records))
	if err != nil {
		return nil, err
	}
	if entry.Epoch != 0 && entry.Epoch != epoch {
		return nil, runbook.ErrStaleEpoch
	}
	if entry.Cause != "" {
		if err := finish(ctx, tx, entry.Cause, entry.At); err != nil {
			return nil, err
		}
	}
	events := make([]runbook.Event, 0, len(records))
	for _, r := range records {
		seq++
		r.seq = seq
		if err := keepOpen(ctx, tx, r); err != nil {
			return nil, err
		}
		previous = r.link(previous)
		if err := insertEvent(ctx, tx, r, previous); err != nil {
			return nil, err
		}
		// Decoded again from what was stored: live code and a replay after a restart fold the same values.
		event, err := r.event(previous)
		if err != nil {
			return nil, err
		}
		events = append(events, event)
	}
	_, err = tx.ExecContext(ctx, `UPDATE apps SET head = $2 WHERE app = $1`, entry.App, previous)
	return events, err
}

// appended looks whether the entry is in the journal after all: its last event's hash is that of the event in its
// place, or, where it has none, its delivery is done. The app's row is what it waits for first: a transaction that still
// holds it may yet commit.
func appended(ctx context.Context, tx *sql.Tx, entry runbook.Entry, events []runbook.Event) (bool, error) {
	// An insert, because the row may be that transaction's own.
	const lock = `INSERT INTO apps (app, seq, head, epoch) VALUES ($1, 0, '', 0) ON CONFLICT (app) DO UPDATE SET seq = apps.seq`
	if _, err := tx.ExecContext(ctx, lock, entry.App); err != nil {
		return false, err
	}
	if len(events) == 0 {
		return isDone(ctx, tx, entry.Cause)
	}
	last := events[len(events)-1]
	hash, err := queryText(ctx, tx, `SELECT hash FROM events WHERE app = $1 AND seq = $2`, last.App, last.Seq)
	return hash == last.Hash, err
}

// lockApp makes room for n events and gives the end of the chain before them. Its update is the lock: whoever appends
// to the same app next waits here for our commit.
func lockApp(ctx context.Context, tx *sql.Tx, app string, n int) (seq int64, head string, epoch int64, err error) {
	const update = `UPDATE apps SET seq = seq + $2 WHERE app = $1 RETURNING seq, head, epoch`
	err = tx.QueryRowContext(ctx, update, app, n).Scan(&seq, &head, &epoch)
	if errors.Is(err, sql.ErrNoRows) {
		const insert = `INSERT INTO apps (app, seq, head, epoch) VALUES ($1, 0, '', 0) ON CONFLICT DO NOTHING`
		if _, err = tx.ExecContext(ctx, insert, app); err == nil {
			err = tx.QueryRowContext(ctx, update, app, n).Scan(&seq, &head, &epoch)
		}
	}
	return seq - int64(n), head, epoch, err
}

func insertEvent(ctx context.Context, tx *sql.Tx, r record, hash string) error {
	_, err := tx.ExecContext(ctx,
		`INSERT INTO events (app, seq, rollback, epoch, at, kind, actor, cause, body, hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		r.app, r.seq, r.rollback, r.epoch, r.at, r.kind, r.actor, r.cause, r.body, hash)
	return err
}

// finish marks the delivery that caused an entry as done, or says that it was done before.
func finish(ctx context.Context, tx *sql.Tx, key string, at time.Time) error {
	done, err := markDone(ctx, tx, key, at)
	if err == nil && !done {
		return errAlreadyDone
	}
	return err
}

// errAlreadyDone ends a transaction whose delivery has been dealt with.
var errAlreadyDone = errors.New("the delivery is done already")
