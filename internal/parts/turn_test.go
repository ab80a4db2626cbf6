package parts

import (
	"runtime"
	"sync"
	"testing"
)

// Never are more under way than there are places, never a browser beside an engine, and everybody has their turn.
func TestTurn_AsManyAsThereArePlaces(t *testing.T) {
	const places, tests = 2, 30
	q := queue{t.TempDir(), places}
	var all sync.WaitGroup
	var mu sync.Mutex
	underWay, had, most := map[kind]int{}, map[kind]int{}, 0
	for i := range tests {
		of := []kind{engine, browser, anything}[i%3]
		all.Go(func() {
			release, err := q.take(of)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			underWay[of]++
			had[of]++
			most = max(most, underWay[engine]+underWay[browser]+underWay[anything])
			if underWay[engine] > 0 && underWay[browser] > 0 {
				t.Errorf("%v are under way together", underWay)
			}
			mu.Unlock()
			for range 100 {
				runtime.Gosched() // others would come in here
			}
			mu.Lock()
			underWay[of]--
			mu.Unlock()
			release()
		})
	}
	all.Wait()
	if len(had) != 3 || had[engine]+had[browser]+had[anything] != tests || most > places {
		t.Errorf("%v had a turn, up to %d at once; want %d, up to %d", had, most, tests, places)
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
