package parallel

import (
	"context"
	"sync"
)

// Do runs the functions at once and waits for all of them. The first error, in the functions' order, is given
// back; the others still run to their end, so that nothing is left under way.
func Do(ctx context.Context, functions ...func(context.Context) error) error {
	failures := make([]error, len(functions))
	var running sync.WaitGroup
	for i, function := range functions {
		running.Go(func() { failures[i] = function(ctx) })
	}
	running.Wait()
	for _, err := range failures {
		if err != nil {
			return err
		}
	}
	return nil
}
