package journal

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"

	"rollbackbot/runbook"
)

// A chain of several pages reads as one, also while somebody appends to it.
func TestEach_SeveralPages(t *testing.T) {
	onBothStores(t, func(t *testing.T, s *Store) {
		const entries, each = 5, pageSize / 2
		many := make([]runbook.Fact, each)
		for i := range many {
			many[i] = note(fmt.Sprint(i))
		}
		for range entries {
			mustAppend(t, s, runbook.Entry{Facts: many})
		}
		events, err := s.Events(t.Context(), "shop", "", 1)
		if err != nil || len(events) != entries*each-1 || events[len(events)-1].Seq != entries*each {
			t.Fatalf("%d events, %v; want %d", len(events), err, entries*each-1)
		}

		var group sync.WaitGroup
		group.Go(func() {
			for range 20 {
				mustAppend(t, s, runbook.Entry{Facts: facts(note("meanwhile"), note("and"))})
			}
		})
		for range 5 {
			mustVerify(t, s, "shop")
			events, err := s.Events(t.Context(), "shop", "", 0)
			if err != nil || len(events)%2 != 0 {
				t.Errorf("%d events, %v: half an entry was read", len(events), err)
			}
		}
		group.Wait()

		var out bytes.Buffer
		if err := s.Export(t.Context(), &out); err != nil {
			t.Fatal(err)
		}
		heads, err := VerifyExport(&out)
		if head, headErr := s.Head(t.Context(), "shop"); err != nil || headErr != nil || heads["shop"] != head {
			t.Errorf("exported %v, %v; the head is %q, %v", heads, err, head, headErr)
		}

		mustExec(t, s, `UPDATE events SET actor = 'U9' WHERE seq = $1`, 2*pageSize+1)
		var broken *BrokenError
		if err := s.Verify(t.Context(), "shop"); !errors.As(err, &broken) || broken.Seq != 2*pageSize+1 {
			t.Errorf("got %v, want event %d", err, 2*pageSize+1)
		}
	})
}

// A page that ends with the chain is not its end yet.
func TestEach_AWholePage(t *testing.T) {
	onBothStores(t, func(t *testing.T, s *Store) {
		many := make([]runbook.Fact, pageSize)
		for i := range many {
			many[i] = note(fmt.Sprint(i))
		}
		mustAppend(t, s, runbook.Entry{Facts: many})
		if events, err := s.Events(t.Context(), "shop", "", 0); err != nil || len(events) != pageSize {
			t.Errorf("%d events, %v", len(events), err)
		}
		mustVerify(t, s, "shop")
	})
}
