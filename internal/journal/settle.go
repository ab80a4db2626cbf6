package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"rollbackbot/runbook"
)

// uncertainError is a commit that got no answer, before anybody has looked what became of it.
type uncertainError struct{ err error }

func (e *uncertainError) Error() string   { return fmt.Sprintf("%v: %v", runbook.ErrUncertain, e.err) }
func (e *uncertainError) Unwrap() []error { return []error{runbook.ErrUncertain, e.err} }

const (
	// settlePatience is how long a lost database is waited for, to ask it what became of a commit: longer than a
	// restart of PostgreSQL takes, and than it takes PostgreSQL to end a transaction that nobody is at the other end of.
	settlePatience = 30 * time.Second
	// settleGrace is what a caller's deadline is overrun by for that: Slack gives 3 s, of which a delivery has 2.
	settleGrace = 500 * time.Millisecond
	// settlePause parts two attempts.
	settlePause = 100 * time.Millisecond
)

// writeAndLook is write for what must not be done twice: where the commit got no answer, look finds out whether it was
// written. look has to wait for the locks that f took, so that it sees the end of f's transaction, and it must not mind
// being called again; what it writes is rolled back.
func (s *Store) writeAndLook(ctx context.Context, f func(context.Context, *sql.Tx) error, look func(context.Context, *sql.Tx) (bool, error)) error {
	return s.certain(ctx, s.write(ctx, f), look)
}

// certain turns the error of a write into certainty, by look: nil where it was written, the commit's own error where it
// was not, and runbook.ErrUncertain where the database can't be asked. Other errors pass as they are.
func (s *Store) certain(ctx context.Context, err error, look func(context.Context, *sql.Tx) (bool, error)) error {
	var commit *uncertainError
	if !errors.As(err, &commit) {
		return err
	}
	ctx, cancel := settling(ctx)
	defer cancel()
	for {
		written := false
		err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
			if written, err = look(ctx, tx); err == nil {
				err = errLooked
			}
			return err
		})
		switch {
		case errors.Is(err, errLooked) && written:
			return nil
		case errors.Is(err, errLooked):
			return commit.err
		}
		select {
		case <-ctx.Done():
			return commit
		case <-time.After(settlePause):
		}
	}
}

// errLooked rolls back a transaction that only looks.
var errLooked = errors.New("only a look")

// settling is the context in which a commit's fate is found out: the caller's may have ended with that commit, and a
// short time is due to it nevertheless.
func settling(ctx context.Context) (context.Context, context.CancelFunc) {
	settling, cancel := context.WithTimeout(context.WithoutCancel(ctx), settlePatience)
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-settling.Done():
		case <-time.After(settleGrace):
			cancel()
		}
	})
	return settling, func() { stop(); cancel() }
}
