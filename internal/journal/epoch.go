package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
)

// Acquire makes the caller the owner of the app's rollbacks: the app's epoch becomes max(its own, floor) + 1 and is
// given back. floor is what the app's hosts have seen, so that a restored database does not lock itself out there.
// After an error the epoch may have grown nevertheless: the one before it is stale then, and nobody has the new one.
func (s *Store) Acquire(ctx context.Context, app string, floor int64) (epoch int64, err error) {
	if err := checkText(app); err != nil || app == "" {
		return 0, errors.Join(errors.New("take an app over: it needs a name"), err)
	}
	floor = max(floor, 0)
	if floor == math.MaxInt64 {
		return 0, fmt.Errorf("take %s over: there is no epoch after %d", app, floor)
	}
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
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
