package parallel

import (
	"context"
	"time"
)

// Pause waits, or says that the process is stopping.
func Pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
