package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"

	"rollbackbot/runbook"
)

// Acquire makes the caller the owner of the app's rollbacks: the app's epoch becomes max(its own, floor) + 1 and is
// given back. floor is what the app's hosts have seen, so that a restored database does not lock itself out there.
// An app whose chain is broken is nobody's: a *BrokenError, and nothing was written. What this process has proven of the
// chain before is not proven again; Verify proves it from the first event.
// After another error the epoch may have grown nevertheless: the one before it is stale then, and nobody has the new one.
// A Store whose ownership has passed to another process gets runbook.ErrStaleEpoch and takes nothing from that one.
func (s *Store) Acquire(ctx context.Context, app string, floor int64) (epoch int64, err error) {
	if err := checkText(app); err != nil || app == "" {
		return 0, errors.Join(errors.New("take an app over: it needs a name"), err)
	}
	if err := s.verifyNew(ctx, app); err != nil {
		return 0, fmt.Errorf("take %s over: %w", app, remedied(err))
	}
	floor = max(floor, 0)
	if floor == math.MaxInt64 {
		return 0, fmt.Errorf("take %s over: there is no epoch after %d", app, floor)
	}
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := s.stillOwner(ctx, tx); err != nil {
			return err
		}
		// The sum is made here for the floor: two stores would read the type of "$2 + 1" differently.
		return tx.QueryRowContext(ctx,
			`INSERT INTO apps (app, seq, head, epoch) VALUES ($1, 0, '', $3)
			ON CONFLICT (app) DO UPDATE SET epoch = CASE WHEN apps.epoch > $2 THEN apps.epoch + 1 ELSE $3 END
			RETURNING epoch`, app, floor, floor+1).Scan(&epoch)
	})
	if err != nil {
		return 0, fmt.Errorf("take %s over: %w", app, err)
	}
	return epoch, nil
}

// stillOwner refuses a process that owned the journal and doesn't any more, and keeps others from taking it over before
// the transaction ends. Who never owned it, a command in a terminal, is not meant.
func (s *Store) stillOwner(ctx context.Context, tx *sql.Tx) error {
	term := s.owning.term()
	if term == "" {
		return nil
	}
	ours, err := affects(tx.ExecContext(ctx, `UPDATE ownership SET term = term WHERE term = $1`, term))
	if err == nil && !ours {
		err = runbook.ErrStaleEpoch
	}
	return err
}

// remedied says what to do about a broken chain.
func remedied(err error) error {
	if errors.Is(err, runbook.ErrBrokenJournal) {
		return fmt.Errorf("%w; nothing is done for this app until its journal is restored or replaced: docs/survival.md, \"A journal that was edited\"", err)
	}
	return err
}
