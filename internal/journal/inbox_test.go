package journal

import (
	"bytes"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"rollbackbot/runbook"
)

func TestInbox_OrderAndTwiceIsOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := open(t, url)
		want := []runbook.Delivery{
			{Key: "z", Kind: "click", Body: []byte{0, 0xff, '\n'}, At: timeOf(micros(at))},
			{Key: "a", Kind: "command", Body: []byte("text=shop"), At: timeOf(0)},
			{Key: "m", Kind: "", Body: []byte{}, At: timeOf(1)},
		}
		for _, d := range want {
			if fresh, err := s.Put(t.Context(), d); !fresh || err != nil {
				t.Fatalf("Put(%s) = %t, %v", d.Key, fresh, err)
			}
		}
		again := want[0]
		again.Body = []byte("changed")
		if fresh, err := s.Put(t.Context(), again); fresh || err != nil {
			t.Errorf("the second Put = %t, %v", fresh, err)
		}
		got, err := open(t, url).Pending(t.Context())
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, %v; want %v", got, err, want)
		}

		for range 2 {
			if err := s.Done(t.Context(), "a"); err != nil {
				t.Error(err)
			}
		}
		hasAll(t, s.Done(t.Context(), "b"), `no delivery "b"`)
		if fresh, err := s.Put(t.Context(), want[1]); fresh || err != nil {
			t.Errorf("after Done Put = %t, %v: a late second delivery must not come back", fresh, err)
		}
		got, err = s.Pending(t.Context())
		if want := []runbook.Delivery{want[0], want[2]}; err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, %v; want %v", got, err, want)
		}
	})
}

func TestInbox_Refuses(t *testing.T) {
	onBothStores(t, func(t *testing.T, s *Store) {
		for name, d := range map[string]runbook.Delivery{
			"no key":    {Body: []byte("x")},
			"a NUL":     {Key: "a\x00b"},
			"too large": {Key: "a", Body: bytes.Repeat([]byte("x"), maxBody+1)},
		} {
			if _, err := s.Put(t.Context(), d); err == nil {
				t.Errorf("%s was taken", name)
			}
		}
		if fresh, err := s.Put(t.Context(), runbook.Delivery{Key: "a", Body: bytes.Repeat([]byte("x"), maxBody)}); !fresh || err != nil {
			t.Errorf("the largest body: %t, %v", fresh, err)
		}
	})
}

// The same delivery through two processes at once is fresh in one of them.
func TestInbox_TwoStoresAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		stores := []*Store{open(t, url), open(t, url)}
		const keys = 20
		var fresh [2]int
		var group sync.WaitGroup
		for i, s := range stores {
			group.Go(func() {
				for k := range keys {
					ok, err := s.Put(t.Context(), runbook.Delivery{Key: fmt.Sprint(k), At: at})
					if err != nil {
						t.Error(err)
					}
					if ok {
						fresh[i]++
					}
				}
			})
		}
		group.Wait()
		if fresh[0]+fresh[1] != keys {
			t.Errorf("%d and %d fresh, want %d together", fresh[0], fresh[1], keys)
		}
		if pending, err := stores[0].Pending(t.Context()); len(pending) != keys || err != nil {
			t.Errorf("%d pending, %v; want %d", len(pending), err, keys)
		}
	})
}
