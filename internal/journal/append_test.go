package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/runbook"
)

func TestAppend_GivesWhatALaterReadGives(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := open(t, url)
		mustPut(t, s, "trigger-1")
		first := mustAppend(t, s, runbook.Entry{Rollback: "rb-1", Actor: "U1", Cause: "trigger-1", Facts: facts(
			requested(), runbook.Looked{Host: "deploy@a", Problem: "no route"})})
		second := mustAppend(t, s, runbook.Entry{Facts: facts(note("eins"))})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}

		got, err := open(t, url).Events(t.Context(), "shop", "", 0)
		if err != nil {
			t.Fatal(err)
		}
		if want := append(first, second...); !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
		e := got[0]
		if want := time.Date(2026, 5, 4, 1, 2, 1, 123456000, time.UTC); !e.At.Equal(want) || e.At.Location() != time.UTC {
			t.Errorf("At = %v, want %v", e.At, want)
		}
		if e.Seq != 1 || e.Rollback != "rb-1" || e.Actor != "U1" || e.Cause != "trigger-1" || !reflect.DeepEqual(e.Fact, requested()) {
			t.Errorf("the first event is %+v", e)
		}
	})
}

func TestEvents_AfterSeqAndOfOneRollback(t *testing.T) {
	onBothStores(t, func(t *testing.T, s *Store) {
		mustAppend(t, s, runbook.Entry{Facts: facts(note("1"))})
		mustAppend(t, s, runbook.Entry{Rollback: "rb-1", Facts: facts(requested(), note("3"))})
		mustAppend(t, s, runbook.Entry{App: "other", Facts: facts(note("x"))})
		mustAppend(t, s, runbook.Entry{Facts: facts(note("4"))})
		for _, c := range []struct {
			app, rollback string
			after         int64
			want          []int64
		}{
			{"shop", "", 0, []int64{1, 2, 3, 4}},
			{"shop", "", 3, []int64{4}},
			{"shop", "rb-1", 0, []int64{2, 3}},
			{"shop", "rb-1", 2, []int64{3}},
			{"shop", "rb-2", 0, nil},
			{"other", "rb-1", 0, nil},
			{"none", "", 0, nil},
		} {
			events, err := s.Events(t.Context(), c.app, c.rollback, c.after)
			if err != nil {
				t.Fatal(err)
			}
			var got []int64
			for _, e := range events {
				got = append(got, e.Seq)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("Events(%s, %q, %d) = %v, want %v", c.app, c.rollback, c.after, got, c.want)
			}
		}
	})
}

func TestEvents_OfANewerVersion(t *testing.T) {
	onBothStores(t, func(t *testing.T, s *Store) {
		mustAppend(t, s, runbook.Entry{Facts: facts(note("1"))})
		mustExec(t, s, `UPDATE events SET kind = 'dreamt'`)
		_, err := s.Events(t.Context(), "shop", "", 0)
		hasAll(t, err, "event 1 of shop", `"dreamt"`, "a newer version")
	})
}

func TestAppend_OneOpenRollbackPerApp(t *testing.T) {
	onBothStores(t, func(t *testing.T, s *Store) {
		mustAppend(t, s, runbook.Entry{Rollback: "rb-1", Facts: facts(requested())})

		_, err := s.Append(t.Context(), runbook.Entry{App: "shop", Rollback: "rb-2", At: at, Facts: facts(requested())})
		var open *runbook.OpenError
		if !errors.As(err, &open) || *open != (runbook.OpenError{App: "shop", Rollback: "rb-1"}) {
			t.Errorf("a second one: %v", err)
		}
		mustAppend(t, s, runbook.Entry{App: "other", Rollback: "rb-3", Facts: facts(requested())})
		mustAppend(t, s, runbook.Entry{Rollback: "rb-1", Facts: facts(runbook.Ended{})})
		if got, err := s.Open(t.Context(), "shop"); got != "" || err != nil {
			t.Errorf("after the end Open = %q, %v", got, err)
		}
		_, err = s.Append(t.Context(), runbook.Entry{App: "shop", Rollback: "rb-1", At: at, Facts: facts(requested())})
		hasAll(t, err, "rb-1 was used before")
		_, err = s.Append(t.Context(), runbook.Entry{App: "shop", Rollback: "rb-1", At: at, Facts: facts(runbook.Ended{})})
		hasAll(t, err, "rb-1 is not open")
		mustAppend(t, s, runbook.Entry{Rollback: "rb-2", Facts: facts(requested())})

		for rollback, want := range map[string]string{"rb-1": "shop", "rb-2": "shop", "rb-3": "other", "rb-4": ""} {
			if got, err := s.App(t.Context(), rollback); got != want || err != nil {
				t.Errorf("App(%s) = %q, %v; want %q", rollback, got, err, want)
			}
		}
		if got, err := s.Open(t.Context(), "shop"); got != "rb-2" || err != nil {
			t.Errorf("Open = %q, %v", got, err)
		}
		mustVerify(t, s, "shop")
	})
}

func TestAppend_StaleEpoch(t *testing.T) {
	onBothStores(t, func(t *testing.T, s *Store) {
		acquire := func(floor, want int64) {
			t.Helper()
			if got, err := s.Acquire(t.Context(), "shop", floor); got != want || err != nil {
				t.Fatalf("Acquire(%d) = %d, %v; want %d", floor, got, err, want)
			}
		}
		acquire(-3, 1)
		mustAppend(t, s, runbook.Entry{Epoch: 1, Facts: facts(note("first owner"))})
		acquire(0, 2)
		acquire(9, 10)
		acquire(5, 11)
		for _, epoch := range []int64{1, 2, 10, 12} {
			_, err := s.Append(t.Context(), runbook.Entry{App: "shop", Epoch: epoch, At: at, Facts: facts(note("stale"))})
			if !errors.Is(err, runbook.ErrStaleEpoch) {
				t.Errorf("epoch %d: %v, want ErrStaleEpoch", epoch, err)
			}
		}
		mustAppend(t, s, runbook.Entry{Epoch: 11, Facts: facts(note("owner"))})
		if got := mustAppend(t, s, runbook.Entry{Facts: facts(note("nobody in particular"))}); got[0].Seq != 3 {
			t.Errorf("seq = %d, want 3: a refused entry must leave nothing", got[0].Seq)
		}
		mustVerify(t, s, "shop")
		if _, err := s.Acquire(t.Context(), "shop", 1<<63-1); err == nil {
			t.Error("an epoch after the last one")
		}
	})
}

// An entry that fails at its last fact, after the delivery was marked and events were written, leaves nothing behind.
func TestAppend_AllOrNothing(t *testing.T) {
	onBothStores(t, func(t *testing.T, s *Store) {
		mustAppend(t, s, runbook.Entry{Rollback: "rb-1", Facts: facts(requested())})
		before, err := s.Head(t.Context(), "shop")
		if err != nil {
			t.Fatal(err)
		}
		mustPut(t, s, "trigger-1")
		_, err = s.Append(t.Context(), runbook.Entry{App: "shop", Rollback: "rb-1", Cause: "trigger-1", At: at,
			Facts: facts(note("one"), runbook.Ended{}, runbook.Ended{})})
		hasAll(t, err, "append to the journal of shop", "rb-1 is not open")

		if pending, err := s.Pending(t.Context()); len(pending) != 1 || string(pending[0].Body) != "b" {
			t.Errorf("pending %v, %v: the delivery must be as it was", pending, err)
		}
		if open, err := s.Open(t.Context(), "shop"); open != "rb-1" {
			t.Errorf("Open = %q, %v", open, err)
		}
		if head, err := s.Head(t.Context(), "shop"); head != before {
			t.Errorf("head %s, %v; want %s", head, err, before)
		}
		mustVerify(t, s, "shop")
	})
}

func TestAppend_ContextEnded(t *testing.T) {
	onBothStores(t, func(t *testing.T, s *Store) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Append(ctx, runbook.Entry{App: "shop", At: at, Facts: facts(note("x"))}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if n := count(t, s, `SELECT COUNT(*) FROM events`); n != 0 {
			t.Errorf("%d events", n)
		}
	})
}

func TestAppend_CauseOnce(t *testing.T) {
	onBothStores(t, func(t *testing.T, s *Store) {
		mustPut(t, s, "trigger-1")
		entry := runbook.Entry{Cause: "trigger-1", Facts: facts(note("click"))}
		if got := mustAppend(t, s, entry); len(got) != 1 {
			t.Fatalf("%d events", len(got))
		}
		if pending, err := s.Pending(t.Context()); len(pending) != 0 || err != nil {
			t.Errorf("pending %v, %v", pending, err)
		}
		if got := mustAppend(t, s, entry); len(got) != 0 {
			t.Errorf("a delivery that is done wrote %d events", len(got))
		}
		mustPut(t, s, "trigger-2")
		if err := s.Done(t.Context(), "trigger-2"); err != nil {
			t.Fatal(err)
		}
		if got := mustAppend(t, s, runbook.Entry{Cause: "trigger-2", Facts: facts(note("late"))}); len(got) != 0 {
			t.Errorf("a delivery that is done wrote %d events", len(got))
		}
		_, err := s.Append(t.Context(), runbook.Entry{App: "shop", At: at, Cause: "trigger-3", Facts: facts(note("x"))})
		hasAll(t, err, `no delivery "trigger-3"`)
		if n := count(t, s, `SELECT COUNT(*) FROM events`); n != 1 {
			t.Errorf("%d events, want 1", n)
		}
		mustVerify(t, s, "shop")
	})
}

type unknownFact struct{}

func (unknownFact) Kind() string { return "guessed" }

func TestAppend_Refuses(t *testing.T) {
	onBothStores(t, func(t *testing.T, s *Store) {
		for name, entry := range map[string]runbook.Entry{
			"no app":                 {At: at, Facts: facts(note("x"))},
			"a NUL":                  {App: "shop", At: at, Actor: "U\x00", Facts: facts(note("x"))},
			"broken UTF-8":           {App: "sh\xffop", At: at, Facts: facts(note("x"))},
			"a year of five digits":  {App: "shop", At: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), Facts: facts(note("x"))},
			"a request without ID":   {App: "shop", At: at, Facts: facts(requested())},
			"an end without ID":      {App: "shop", At: at, Facts: facts(runbook.Ended{})},
			"a fact nobody can read": {App: "shop", At: at, Facts: facts(unknownFact{})},
		} {
			if _, err := s.Append(t.Context(), entry); err == nil {
				t.Errorf("%s was taken", name)
			}
		}
		if n := count(t, s, `SELECT COUNT(*) FROM apps`); n != 0 {
			t.Errorf("%d rows of apps were left", n)
		}
	})
}

// What people type must come back as it was, whatever it holds.
func TestAppend_HostileText(t *testing.T) {
	onBothStores(t, func(t *testing.T, s *Store) {
		want := "'; DROP TABLE events; -- \x00 \" \\ \u2028 <!channel> \U0001F525 \n\t{\"v\":1}"
		if got := mustAppend(t, s, runbook.Entry{Facts: facts(note(want))}); got[0].Fact != note(want) {
			t.Errorf("got %q", got[0].Fact)
		}
		mustVerify(t, s, "shop")
	})
}

// Two stores on one file are two processes: serve and deployed append at the same time, and both succeed.
func TestAppend_TwoStoresAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		stores := []*Store{open(t, url), open(t, url)}
		const writers, each = 3, 15
		var group sync.WaitGroup
		for i, s := range stores {
			for w := range writers {
				group.Go(func() {
					for n := range each {
						entry := runbook.Entry{App: "shop", At: at, Facts: facts(note(fmt.Sprint(i, w, n)), note("and"))}
						if _, err := s.Append(t.Context(), entry); err != nil {
							t.Error(err)
						}
					}
				})
			}
		}
		group.Wait()
		mustVerify(t, stores[0], "shop")
		events, err := stores[1].Events(t.Context(), "shop", "", 0)
		if want := 2 * writers * each * len(stores); len(events) != want || err != nil {
			t.Errorf("%d events, %v; want %d", len(events), err, want)
		}
	})
}

// Of all that ask at the same moment, one opens a rollback.
func TestAppend_RaceToOpen(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		stores := []*Store{open(t, url), open(t, url)}
		won := make(chan string, 8)
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() {
				id := fmt.Sprintf("rb-%d", i)
				_, err := stores[i%2].Append(t.Context(), runbook.Entry{App: "shop", Rollback: id, At: at, Facts: facts(requested())})
				var open *runbook.OpenError
				switch {
				case err == nil:
					won <- id
				case !errors.As(err, &open):
					t.Error(err)
				}
			})
		}
		group.Wait()
		if len(won) != 1 {
			t.Fatalf("%d rollbacks were opened", len(won))
		}
		if open, err := stores[0].Open(t.Context(), "shop"); open != <-won {
			t.Errorf("Open = %q, %v", open, err)
		}
	})
}

// A process that dies in the middle of a transaction leaves what was there before; here it is a connection that is
// taken away with the transaction open.
func TestAppend_CrashInTheMiddle(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := open(t, url)
		mustAppend(t, s, runbook.Entry{Facts: facts(note("1"))})
		tx, err := s.writer.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		entry := runbook.Entry{App: "shop", Rollback: "rb-1", At: at, Facts: facts(requested())}
		records, err := recordsOf(entry)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := appendRecords(t.Context(), tx, entry, records); err != nil {
			t.Fatal(err)
		}

		// Another process sees nothing of it, and its own append waits for the lock until its context ends.
		other := openWith(t, url, Options{MustExist: true})
		mustVerify(t, other, "shop")
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if _, err := other.Append(ctx, runbook.Entry{App: "shop", At: at, Facts: facts(note("2"))}); err == nil {
			t.Error("two transactions at once")
		}
		if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
			t.Fatal(err)
		}
		if got := mustAppend(t, other, runbook.Entry{Facts: facts(note("2"))}); got[0].Seq != 2 {
			t.Errorf("seq = %d, want 2", got[0].Seq)
		}
		mustVerify(t, s, "shop")
	})
}

// The journal works in a bubble of testing/synctest: the tests of the whole rollback need it there.
func TestStore_InABubble(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		synctest.Test(t, func(t *testing.T) {
			s, other := open(t, url), open(t, url)
			mustPut(t, s, "trigger-1")
			var group sync.WaitGroup
			for _, store := range []*Store{s, other} {
				group.Go(func() {
					for range 5 {
						mustAppend(t, store, runbook.Entry{At: time.Now(), Facts: facts(note("x"))})
						time.Sleep(time.Minute)
					}
				})
			}
			group.Wait()
			mustVerify(t, s, "shop")
			if n := count(t, other, `SELECT COUNT(*) FROM events`); n != 10 {
				t.Errorf("%d events, want 10", n)
			}
		})
	})
}

// An entry without facts writes nothing, is refused like any other, and waits for who appends to the same app.
func TestAppend_NoFacts(t *testing.T) {
	onBothStores(t, func(t *testing.T, s *Store) {
		old, err := s.Acquire(t.Context(), "shop", 0)
		if err != nil {
			t.Fatal(err)
		}
		epoch, err := s.Acquire(t.Context(), "shop", 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Append(t.Context(), runbook.Entry{App: "shop", Epoch: old, At: at}); !errors.Is(err, runbook.ErrStaleEpoch) {
			t.Errorf("got %v, want ErrStaleEpoch", err)
		}
		empty := func() error {
			events, err := s.Append(context.Background(), runbook.Entry{App: "shop", Epoch: epoch, At: at})
			if len(events) > 0 {
				t.Errorf("got the events %+v", events)
			}
			return err
		}
		if err := empty(); err != nil {
			t.Error(err)
		}
		taken := make(chan error, 1)
		err = s.write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
			if _, _, _, err := lockApp(ctx, tx, "shop", 0); err != nil {
				return err
			}
			go func() { taken <- empty() }()
			select {
			case err := <-taken:
				t.Errorf("it was taken while another entry was under way: %v", err)
			case <-time.After(100 * time.Millisecond):
			}
			return nil
		})
		if err := errors.Join(err, <-taken); err != nil {
			t.Error(err)
		}
		if n := count(t, s, `SELECT COUNT(*) FROM events`); n != 0 {
			t.Errorf("%d events, want none", n)
		}
		mustVerify(t, s, "shop")
	})
}
