package parts

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// Never are more under way than there are places, and everybody has their turn.
func TestTurn_AsManyAsThereArePlaces(t *testing.T) {
	const places, tests = 2, 12
	folder := t.TempDir()
	var all sync.WaitGroup
	var underWay, most, had atomic.Int32
	for range tests {
		all.Go(func() {
			release, err := takeTurn(folder, places)
			if err != nil {
				t.Error(err)
				return
			}
			n := underWay.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			for range 100 {
				runtime.Gosched() // others would come in here
			}
			had.Add(1)
			underWay.Add(-1)
			release()
		})
	}
	all.Wait()
	if had.Load() != tests || most.Load() > places {
		t.Errorf("%d had a turn, up to %d at once; want %d, up to %d", had.Load(), most.Load(), tests, places)
	}
}

// A test that has a turn waits for none, and neither does a part of it: it would wait for itself.
func TestTurn_APartOfATestHasItsTurn(t *testing.T) {
	for range 2 * runtime.NumCPU() {
		Turn(t)
	}
	t.Run("part", func(t *testing.T) {
		for range 2 * runtime.NumCPU() {
			Turn(t)
		}
	})
	if turns.taken("TestTurn_APartOfATestHas") {
		t.Error("a test whose name begins so has a turn")
	}
}
