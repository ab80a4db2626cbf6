package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"rollbackbot/runbook"
)

// patience is how long one transaction may take, in all: its waits for other processes too, which their own timeouts
// end after 5 s, and the connection, for which PostgreSQL gets 5 s.
const patience = 15 * time.Second

// errStalled is why a transaction's context ended when it was our own patience that ended it.
var errStalled = errors.New("the database did not answer in time")

// write runs f in one transaction: all of it is on disk when write returns nil, and nothing otherwise, but for an
// *uncertainError.
func (s *Store) write(ctx context.Context, f func(context.Context, *sql.Tx) error) error {
	return s.transact(ctx, s.patience, f)
}

// transact is write with another patience.
func (s *Store) transact(ctx context.Context, patience time.Duration, f func(context.Context, *sql.Tx) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errStalled)
	defer cancel()
	if err := s.isThere(); err != nil {
		return &awayError{err}
	}
	tx, err := s.begin(ctx, s.writer, s.writes)
	if err != nil {
		return s.explain(ctx, err)
	}
	if err := f(ctx, tx); err != nil {
		// The error that matters is the one that made it fail; a transaction that can't be rolled back loses its
		// connection, and with it what it wrote.
		_ = tx.Rollback()
		return s.explain(ctx, err)
	}
	err = tx.Commit()
	if err != nil && s.dialect.uncertain(err) {
		return &uncertainError{err: s.explain(ctx, err)}
	}
	return s.explain(ctx, err)
}

// read runs f in one transaction that sees the journal as it was at one moment.
func (s *Store) read(ctx context.Context, f func(context.Context, *sql.Tx) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.patience, errStalled)
	defer cancel()
	if err := s.isThere(); err != nil {
		return &awayError{err}
	}
	tx, err := s.begin(ctx, s.reader, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return s.explain(ctx, err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	return s.explain(ctx, f(ctx, tx))
}

// begin begins a transaction, over a connection that is made first where there is none. SQLite gives up at once, without
// the wait that it was told, where two processes make a new file's write-ahead log at the same moment; nothing has been
// done by then, so it is asked again for as long as it should have waited.
func (s *Store) begin(ctx context.Context, db *sql.DB, options *sql.TxOptions) (*sql.Tx, error) {
	for giveUp := time.Now().Add(busyTimeout); ; {
		tx, err := db.BeginTx(ctx, options)
		if err == nil || !s.dialect.busy(err) || time.Now().After(giveUp) {
			return tx, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(busyPause):
		}
	}
}

// isThere refuses to work on a journal that nobody else would find.
func (s *Store) isThere() error {
	if s.there == nil {
		return nil
	}
	return s.there()
}

// explain is the dialect's, and says when it was our patience that ended ctx. What the database is to blame for is a
// runbook.ErrAway; what was asked of it in vain is not.
func (s *Store) explain(ctx context.Context, err error) error {
	switch {
	case err == nil, errors.Is(err, runbook.ErrAway):
		return err
	case ctx.Err() != nil && errors.Is(context.Cause(ctx), errStalled):
		return &awayError{fmt.Errorf("%s has stalled: see what keeps it from its work: %w: %w", s.dialect, errStalled, err)}
	case s.dialect.fault(err):
		return &awayError{s.dialect.explain(err)}
	}
	return s.dialect.explain(err)
}

// awayError is a runbook.ErrAway that says what is wrong with the database.
type awayError struct{ err error }

func (e *awayError) Error() string   { return e.err.Error() }
func (e *awayError) Unwrap() []error { return []error{runbook.ErrAway, e.err} }
