package journal

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"rollbackbot/internal/parts"
	"rollbackbot/runbook"
)

// late loses the client's connection, and lets the server have the COMMIT long after that.
func late(wait time.Duration) func(c *wired) {
	return func(c *wired) {
		c.hide()
		time.Sleep(wait)
		_, _ = c.server.Write(c.commit)
		waitIdle(c.server)
	}
}

// fates are what can become of a COMMIT whose answer is lost.
var fates = map[string]struct {
	f       func(c *wired)
	written bool
}{
	"the server never heard of it": {beforeServer, false},
	"the server had committed":     {afterServer, true},
	// Whoever looks at once would find nothing, say so, and be wrong a moment later.
	"the server commits later": {late(300 * time.Millisecond), true},
}

// eachFate runs the test with a store through a wire, and one that sees the journal as it is.
func eachFate(t *testing.T, test func(t *testing.T, w *wire, s, direct *Store, f func(c *wired), written bool)) {
	t.Helper()
	for name, fate := range fates {
		t.Run(name, func(t *testing.T) {
			database := parts.PostgreSQL(t)
			w, through := newWire(t, database)
			test(t, w, open(t, through), open(t, database), fate.f, fate.written)
		})
	}
}

func TestSettle_Append(t *testing.T) {
	eachFate(t, func(t *testing.T, w *wire, s, direct *Store, f func(c *wired), written bool) {
		mustPut(t, s, "trigger-1")
		// The app's first entry: its row is that transaction's own.
		for i, entry := range []runbook.Entry{
			{Rollback: "rb-1", Facts: facts(requested(), note("1"))},
			{Rollback: "rb-1", Cause: "trigger-1", Facts: facts(runbook.Ended{})},
			{Facts: facts(note("3"))},
		} {
			entry.App, entry.At = "shop", at
			w.next(f)
			events, err := s.Append(t.Context(), entry)
			stored, readErr := direct.Events(t.Context(), "shop", "", 0)
			if readErr != nil {
				t.Fatal(readErr)
			}
			if written {
				if err != nil || len(stored) == 0 || stored[len(stored)-1].Hash != events[len(events)-1].Hash {
					t.Fatalf("entry %d: %v, %v; it was written: %v", i, events, err, stored)
				}
				continue
			}
			if err == nil || errors.Is(err, runbook.ErrUncertain) || len(events) > 0 {
				t.Errorf("entry %d: %v, %v; want a plain error", i, events, err)
			}
			hasAll(t, err, "the connection was lost", s.dialect.String())
			if again := mustAppend(t, s, entry); again[0].Seq != int64(len(stored))+1 {
				t.Errorf("entry %d: after %d events it is number %d", i, len(stored), again[0].Seq)
			}
		}
		mustVerify(t, direct, "shop")
		if n := count(t, direct, `SELECT COUNT(*) FROM events`); n != 4 {
			t.Errorf("%d events, want 4", n)
		}
	})
}

// An entry without facts is known by its delivery.
func TestSettle_AppendWithoutFacts(t *testing.T) {
	eachFate(t, func(t *testing.T, w *wire, s, direct *Store, f func(c *wired), written bool) {
		mustPut(t, s, "trigger-1")
		w.next(f)
		_, err := s.Append(t.Context(), runbook.Entry{App: "shop", At: at, Cause: "trigger-1"})
		if (err == nil) != written {
			t.Errorf("got %v", err)
		}
		if pending, err := direct.Pending(t.Context()); err != nil || (len(pending) == 0) != written {
			t.Errorf("%v pending, %v", pending, err)
		}
	})
}

func TestSettle_Put(t *testing.T) {
	eachFate(t, func(t *testing.T, w *wire, s, direct *Store, f func(c *wired), written bool) {
		w.next(f)
		d := runbook.Delivery{Key: "trigger-1", Kind: "command", Body: []byte("b"), At: at}
		fresh, err := s.Put(t.Context(), d)
		pending, readErr := direct.Pending(t.Context())
		if readErr != nil || (len(pending) == 1) != written {
			t.Fatalf("pending %v, %v", pending, readErr)
		}
		if fresh != written || (err == nil) != written || errors.Is(err, runbook.ErrUncertain) {
			t.Errorf("Put = %t, %v", fresh, err)
		}
		if fresh, err = s.Put(t.Context(), d); fresh == written || err != nil {
			t.Errorf("the second Put = %t, %v", fresh, err)
		}
	})
}

// Another process has stored the same delivery before it was looked for: it is there, and it is not ours.
func TestSettle_PutByAnother(t *testing.T) {
	database := parts.PostgreSQL(t)
	w, through := newWire(t, database)
	s, other := open(t, through), open(t, database)
	put := make(chan error, 1)
	w.next(func(c *wired) {
		c.server.Close()
		fresh, err := other.Put(context.Background(), runbook.Delivery{Key: "trigger-1", At: at.Add(time.Second)})
		if err == nil && !fresh {
			err = errors.New("not fresh")
		}
		put <- err
		c.hide()
	})
	fresh, err := s.Put(t.Context(), runbook.Delivery{Key: "trigger-1", At: at})
	if fresh || err != nil {
		t.Errorf("Put = %t, %v; want what a second delivery gets", fresh, err)
	}
	if err := <-put; err != nil {
		t.Errorf("the other's Put: %v", err)
	}
}

func TestSettle_Done(t *testing.T) {
	eachFate(t, func(t *testing.T, w *wire, s, direct *Store, f func(c *wired), written bool) {
		mustPut(t, s, "trigger-1")
		w.next(f)
		err := s.Done(t.Context(), "trigger-1")
		if (err == nil) != written || errors.Is(err, runbook.ErrUncertain) {
			t.Errorf("got %v", err)
		}
		if pending, err := direct.Pending(t.Context()); err != nil || (len(pending) == 0) != written {
			t.Errorf("%v pending, %v", pending, err)
		}
	})
}

func TestSettle_Upgrade(t *testing.T) {
	for name, fate := range fates {
		t.Run(name, func(t *testing.T) {
			database := parts.PostgreSQL(t)
			w, through := newWire(t, database)
			w.next(fate.f)
			s, err := Open(t.Context(), through, Options{})
			if (err == nil) != fate.written {
				t.Errorf("got %v", err)
			}
			if s != nil {
				s.Close()
			}
			mustAppend(t, open(t, database), runbook.Entry{Facts: facts(note("1"))})
		})
	}
}

// A database that stays away can't be asked: that is said, within a moment of the caller's deadline.
func TestSettle_Uncertain(t *testing.T) {
	database := parts.PostgreSQL(t)
	w, through := newWire(t, database)
	s := open(t, through)
	mustAppend(t, s, runbook.Entry{Facts: facts(note("1"))})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var over time.Time // when the caller went
	w.next(func(c *wired) {
		w.setDeaf(true)
		c.hide()
		_, _ = c.server.Write(c.commit)
		waitIdle(c.server)
		over = time.Now()
		cancel()
	})
	events, err := s.Append(ctx, runbook.Entry{App: "shop", At: at, Facts: facts(note("2"))})
	if !errors.Is(err, runbook.ErrUncertain) || len(events) > 0 {
		t.Errorf("got %v, %v; want runbook.ErrUncertain", events, err)
	}
	// Half a second is due to the commit after that. What is due to one whose caller waits on would be half a minute.
	if took := time.Since(over); took >= settlePatience {
		t.Errorf("it took %v more, want about %v", took, settleGrace)
	}
	w.cutAll()
	w.setDeaf(false)
	direct := open(t, database)
	if n := count(t, direct, `SELECT COUNT(*) FROM events`); n != 2 {
		t.Errorf("%d events, want 2: the server had it", n)
	}
	if got := mustAppend(t, s, runbook.Entry{Facts: facts(note("3"))}); got[0].Seq != 3 {
		t.Errorf("seq %d, want 3: the store goes on", got[0].Seq)
	}
}

// PostgreSQL is stopped and started again while several append: nothing that was acknowledged is lost, nothing that was
// refused is there, and nothing is there twice.
func TestAppend_ServerStopsAndStarts(t *testing.T) {
	for mode, away := range map[string]time.Duration{"fast": 10 * time.Second, "immediate": 500 * time.Millisecond} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			server := parts.StartPostgreSQL(t)
			database := server.Database(t)
			w := newWriters(t, database, 3)
			w.until(20)
			server.Stop(t, mode)
			time.Sleep(away) // the outage itself
			server.Start(t)
			w.until(20)
			w.end(t, open(t, database))
		})
	}
}

// writers append to one app from several stores, again and again.
type writers struct {
	t       *testing.T
	stop    chan struct{}
	written chan string // the texts of what Append said is there
	ended   chan struct{}
	all     []string
}

func newWriters(t *testing.T, url string, n int) *writers {
	w := &writers{t: t, stop: make(chan struct{}), written: make(chan string), ended: make(chan struct{}, n)}
	for i := range n {
		go w.write(open(t, url), i)
	}
	return w
}

func (w *writers) write(s *Store, writer int) {
	defer func() { w.ended <- struct{}{} }()
	for n := 0; ; n++ {
		text := fmt.Sprintf("%d-%d", writer, n)
		_, err := s.Append(context.Background(), runbook.Entry{App: "shop", At: at, Facts: facts(note(text))})
		switch {
		case errors.Is(err, runbook.ErrUncertain):
			w.t.Errorf("%s: %v", text, err)
		case err != nil:
			time.Sleep(10 * time.Millisecond) // a server that is away refuses at once
			text = ""
		}
		select {
		case <-w.stop:
			if text != "" {
				w.written <- text
			}
			return
		case w.written <- text:
		}
	}
}

// until waits for n more acknowledged appends.
func (w *writers) until(n int) {
	for n > 0 {
		if text := <-w.written; text != "" {
			w.all = append(w.all, text)
			n--
		}
	}
}

// end stops the writers and compares what they were told with what is there.
func (w *writers) end(t *testing.T, s *Store) {
	t.Helper()
	close(w.stop)
	for ended := 0; ended < cap(w.ended); {
		select {
		case text := <-w.written:
			if text != "" {
				w.all = append(w.all, text)
			}
		case <-w.ended:
			ended++
		}
	}
	events, err := s.Events(t.Context(), "shop", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]int{}
	for _, e := range events {
		there[e.Fact.(runbook.Diverged).Detail]++
	}
	for _, text := range w.all {
		if there[text] != 1 {
			t.Errorf("%s is there %d times", text, there[text])
		}
	}
	if len(events) != len(w.all) {
		t.Errorf("%d events, %d acknowledged", len(events), len(w.all))
	}
	mustVerify(t, s, "shop")
	t.Logf("%d events", len(events))
}
