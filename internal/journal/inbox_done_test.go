package journal

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"rollbackbot/runbook"
)

func marksOf(keys ...string) (batch []*parcel[*mark]) {
	for _, key := range keys {
		batch = append(batch, &parcel[*mark]{what: &mark{key: key}})
	}
	return batch
}

// What is marked at the same time is marked together, each by itself: one that nobody knows is that one's failure alone.
func TestDone_Together(t *testing.T) {
	onBothStores(t, func(t *testing.T, s *Store) {
		mustPut(t, s, "stays")
		keys := []string{"unknown"}
		for i := range rowsAtOnce + 2 {
			keys = append(keys, strconv.Itoa(i))
			mustPut(t, s, keys[i+1])
		}
		if err := s.Done(t.Context(), "1"); err != nil {
			t.Fatal(err)
		}
		batch := marksOf(append(keys, "2")...)
		if err := s.storeMarks(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		for i, p := range batch {
			if p.what.unknown != (i == 0) {
				t.Errorf("%s: unknown = %t", p.what.key, p.what.unknown)
			}
		}
		if pending, err := s.Pending(t.Context()); len(pending) != 1 || pending[0].Key != "stays" || err != nil {
			t.Errorf("%d pending, %v; want one", len(pending), err)
		}
		if n := count(t, s, `SELECT COUNT(*) FROM inbox WHERE body <> ''`); n != 1 {
			t.Errorf("%d bodies are left, want 1", n)
		}
	})
}

func TestDone_AtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		stores := []*Store{open(t, url), open(t, url)}
		var group sync.WaitGroup
		for i := range 200 {
			mustPut(t, stores[0], strconv.Itoa(i))
		}
		for i := range 200 {
			for _, s := range stores {
				group.Go(func() {
					if err := s.Done(t.Context(), strconv.Itoa(i)); err != nil {
						t.Error(err)
					}
				})
			}
		}
		group.Wait()
		if n := count(t, stores[1], `SELECT COUNT(*) FROM inbox WHERE done_at IS NULL`); n != 0 {
			t.Errorf("%d pending", n)
		}
	})
}

// Marks whose commit got no answer are looked for, all of them.
func TestSettle_DoneTogether(t *testing.T) {
	eachFate(t, func(t *testing.T, w *wire, s, direct *Store, f func(c *wired), written bool) {
		for _, key := range []string{"a", "b", "c"} {
			mustPut(t, direct, key)
		}
		w.next(f)
		err := s.storeMarks(t.Context(), marksOf("a", "unknown", "b"))
		if (err == nil) != written || errors.Is(err, runbook.ErrUncertain) {
			t.Errorf("got %v", err)
		}
		want := "[a b c]"
		if written {
			want = "[c]"
		}
		pending, err := direct.Pending(t.Context())
		var keys []string
		for _, d := range pending {
			keys = append(keys, d.Key)
		}
		if got := fmt.Sprint(keys); got != want || err != nil {
			t.Errorf("pending %s, %v; want %s", got, err, want)
		}
	})
}
