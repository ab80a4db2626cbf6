package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"rollbackbot/internal/parts"
	"rollbackbot/runbook"
)

// delivery is one that a test knows by its key.
func delivery(key string) runbook.Delivery {
	return runbook.Delivery{Key: key, Kind: "command", Body: []byte("text=" + key), At: at}
}

// counting is a dialect that counts the transactions that have stored something.
type counting struct {
	dialect
	mu     sync.Mutex
	stored int
}

func (c *counting) announce(ctx context.Context, tx *sql.Tx) error {
	c.mu.Lock()
	c.stored++
	c.mu.Unlock()
	return c.dialect.announce(ctx, tx)
}

// put is the outcome of a Put.
type put struct {
	key   string
	fresh bool
	err   error
}

// putAll puts keys from a goroutine each, which queue up in this order; outcomes come as they are known.
func putAll(ctx context.Context, s *Store, keys ...string) <-chan put {
	outcomes := make(chan put, len(keys))
	for _, key := range keys {
		before := s.queued()
		go func() {
			fresh, err := s.Put(ctx, delivery(key))
			outcomes <- put{key, fresh, err}
		}()
		for s.queued() == before {
			time.Sleep(time.Millisecond)
		}
	}
	return outcomes
}

func (s *Store) queued() int {
	s.arrivals.mu.Lock()
	defer s.arrivals.mu.Unlock()
	return len(s.arrivals.waiting)
}

// holdInbox has another process hold the inbox, and one delivery of the store wait for it, so that those that come then
// queue up. free ends that.
func holdInbox(t *testing.T, s, other *Store) (free func()) {
	t.Helper()
	tx, err := other.writer.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := takePlaces(t.Context(), tx, 0); err != nil {
		t.Fatal(err)
	}
	first := make(chan error, 1)
	go func() {
		_, err := s.Put(context.Background(), delivery("first"))
		first <- err
	}()
	for underWay := false; !underWay; {
		time.Sleep(time.Millisecond)
		s.arrivals.mu.Lock()
		underWay = s.arrivals.carrying && len(s.arrivals.waiting) == 0
		s.arrivals.mu.Unlock()
	}
	return func() {
		t.Helper()
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
		if err := <-first; err != nil {
			t.Error(err)
		}
	}
}

// pendingKeys gives the keys of the inbox in its order.
func pendingKeys(t *testing.T, s *Store) (keys []string) {
	t.Helper()
	pending, err := s.Pending(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range pending {
		if string(d.Body) != "text="+d.Key {
			t.Errorf("the body of %s is %q", d.Key, d.Body)
		}
		keys = append(keys, d.Key)
	}
	return keys
}

// What comes while another transaction is under way shares the next one, in its order, and each is told what came of its
// own.
func TestGathering_SharesATransaction(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s, other := open(t, url), open(t, url)
		count := &counting{dialect: s.dialect}
		s.dialect = count
		mustPut(t, other, "known")
		free := holdInbox(t, s, other)
		want := []string{"known", "first"}
		keys := []string{"known", "twice", "twice"}
		for i := range 2*rowsAtOnce + 1 {
			keys = append(keys, strconv.Itoa(i))
		}
		outcomes := putAll(t.Context(), s, keys...)
		free()
		fresh := map[string]int{}
		for range keys {
			p := <-outcomes
			if p.err != nil {
				t.Errorf("%s: %v", p.key, p.err)
			}
			if p.fresh {
				fresh[p.key]++
			}
		}
		for _, key := range keys[2:] {
			want = append(want, key)
			if fresh[key] != 1 {
				t.Errorf("%s is fresh %d times", key, fresh[key])
			}
		}
		if fresh["known"] != 0 {
			t.Error("a key that was there is fresh")
		}
		mustExec(t, s, `UPDATE inbox SET body = 'dGV4dD1rbm93bg==' WHERE delivery = 'known'`) // mustPut's is another
		if got := pendingKeys(t, s); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("the inbox has\n%v, want\n%v", got, want)
		}
		if count.stored != 2 {
			t.Errorf("%d transactions, want 2", count.stored)
		}
		if s.queued() != 0 || s.arrivals.carrying {
			t.Error("somebody still carries")
		}
	})
}

// Batches are bounded, in number and in bytes.
func TestGathering_Bounds(t *testing.T) {
	large := make([]byte, maxBody)
	for name, c := range map[string]struct {
		body []byte
		want []int
	}{
		"many":  {nil, []int{maxBatch, maxBatch, 1, 0}},
		"large": {large, []int{4, 4, 4}},
	} {
		var g gathering[*arrival]
		for range 2*maxBatch + 1 {
			g.waiting = append(g.waiting, &parcel[*arrival]{what: &arrival{Delivery: runbook.Delivery{Body: c.body}}})
		}
		for i, want := range c.want {
			if got := len(g.next()); got != want {
				t.Errorf("%s: batch %d has %d, want %d", name, i, got, want)
			}
		}
	}
}

// A caller that goes before its turn knows that nothing of it is written, and nothing is, later on either.
func TestGathering_LeftBeforeItsTurn(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s, other := open(t, url), open(t, url)
		free := holdInbox(t, s, other)
		ctx, cancel := context.WithCancel(t.Context())
		stays := putAll(t.Context(), s, "stays")
		goes := putAll(ctx, s, "goes")
		cancel()
		if p := <-goes; p.fresh || !errors.Is(p.err, context.Canceled) || errors.Is(p.err, runbook.ErrUncertain) {
			t.Errorf("got %+v, want certainty", p)
		}
		free()
		if p := <-stays; !p.fresh || p.err != nil {
			t.Errorf("got %+v", p)
		}
		if got := fmt.Sprint(pendingKeys(t, s)); got != "[first stays]" {
			t.Errorf("the inbox has %s", got)
		}
		if fresh, err := s.Put(t.Context(), delivery("goes")); !fresh || err != nil {
			t.Errorf("again: %t, %v", fresh, err)
		}
	})
}

func contextFor(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// slow is a dialect whose transactions stand still once they have written, until they are let go.
type slow struct {
	dialect
	written, let chan struct{}
}

func (d slow) announce(ctx context.Context, tx *sql.Tx) error {
	d.written <- struct{}{}
	<-d.let
	return d.dialect.announce(ctx, tx)
}

// A caller that goes while its delivery is being written doesn't know what becomes of it. Done waits for that, and takes
// it back.
func TestGathering_LeftWhileWritten(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := open(t, url)
		stands := slow{s.dialect, make(chan struct{}), make(chan struct{})}
		s.dialect = stands
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-stands.written
			cancel()
		}()
		fresh, err := s.Put(ctx, delivery("left"))
		if fresh || !errors.Is(err, runbook.ErrUncertain) {
			t.Errorf("Put = %t, %v; want runbook.ErrUncertain", fresh, err)
		}
		done := make(chan error, 1)
		go func() { done <- s.Done(t.Context(), "left") }()
		time.Sleep(20 * time.Millisecond) // Done may begin; it is right at any moment
		close(stands.let)
		if err := <-done; err != nil {
			t.Errorf("Done: %v", err)
		}
		if got := pendingKeys(t, s); len(got) != 0 {
			t.Errorf("the inbox has %v", got)
		}
	})
}

// One that the database refuses fails alone.
func TestGathering_OneFailsAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s, other := open(t, url), open(t, url)
		mustExec(t, s, `CREATE UNIQUE INDEX refusing ON inbox (at) WHERE at > 4000000000000000`)
		free := holdInbox(t, s, other)
		outcomes := make(chan put, 4)
		for i, key := range []string{"a", "b", "c", "d"} {
			d := delivery(key)
			if i%2 == 1 { // the second of these two is refused
				d.At = time.UnixMicro(4000000000000001)
			}
			go func() {
				fresh, err := s.Put(t.Context(), d)
				outcomes <- put{key, fresh, err}
			}()
			for s.queued() != i+1 {
				time.Sleep(time.Millisecond)
			}
		}
		free()
		for range 4 {
			p := <-outcomes
			if refused := p.key == "d"; (p.err != nil) != refused || p.fresh == refused {
				t.Errorf("got %+v", p)
			}
		}
		if got := fmt.Sprint(pendingKeys(t, s)); got != "[first a b c]" {
			t.Errorf("the inbox has %s", got)
		}
	})
}

// A caller that has gone is not tried again on its own.
func TestGathering_NotAgainForNobody(t *testing.T) {
	tried := map[string]int{}
	g := gathering[*arrival]{store: func(_ context.Context, batch []*parcel[*arrival]) error {
		for _, p := range batch {
			if !p.take() {
				t.Errorf("%s is gone", p.what.Key)
			}
			tried[p.what.Key]++
		}
		batch[len(batch)-1].leave(goes)
		return errors.New("refused")
	}}
	batch := parcelsOf("a", "b")
	g.deliver(batch)
	if tried["a"] != 2 || tried["b"] != 1 {
		t.Errorf("tried %v", tried)
	}
	if <-batch[0].over; batch[0].err == nil {
		t.Error("no error")
	}
}

func parcelsOf(keys ...string) (batch []*parcel[*arrival]) {
	for _, key := range keys {
		batch = append(batch, &parcel[*arrival]{ctx: context.Background(), what: &arrival{Delivery: delivery(key)}, over: make(chan struct{})})
	}
	return batch
}

// A batch lasts as long as its most patient caller.
func TestGathering_Patience(t *testing.T) {
	short, long := contextFor(t, time.Hour), contextFor(t, 2*time.Hour)
	want, _ := long.Deadline()
	ctx, cancel := patienceOf([]*parcel[*mark]{{ctx: short}, {ctx: long}, {ctx: short}})
	defer cancel()
	if got, ok := ctx.Deadline(); !ok || !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	ctx, cancel = patienceOf([]*parcel[*mark]{{ctx: short}, {ctx: context.Background()}})
	defer cancel()
	if got, ok := ctx.Deadline(); ok {
		t.Errorf("got %v, want none", got)
	}
}

// A batch whose commit got no answer: each of it learns what became of its own.
func TestSettle_PutTogether(t *testing.T) {
	eachFate(t, func(t *testing.T, w *wire, s, direct *Store, f func(c *wired), written bool) {
		mustPut(t, direct, "known")
		w.next(f)
		batch := parcelsOf("a", "known", "a", "b")
		err := s.storeArrivals(t.Context(), batch)
		if (err == nil) != written || errors.Is(err, runbook.ErrUncertain) {
			t.Fatalf("got %v", err)
		}
		for i, want := range []bool{written, false, false, written} { // the third has the key of the first
			if batch[i].what.fresh != want {
				t.Errorf("%d: fresh = %t, want %t", i, batch[i].what.fresh, want)
			}
		}
		// The carrier goes on from there.
		g := gathering[*arrival]{store: s.storeArrivals}
		again := parcelsOf("a", "known", "b")
		g.deliver(again)
		for i, p := range again {
			if <-p.over; p.err != nil || p.what.fresh != (!written && i != 1) {
				t.Errorf("again %d: %t, %v", i, p.what.fresh, p.err)
			}
		}
	})
}

// Killed at any moment, a process leaves every delivery whose Put has returned.
func TestGathering_Killed(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := open(t, url)
		acknowledged := map[string]bool{}
		for range 3 {
			out, cmd, kill := startOther(t, putVariable, url)
			for n := 0; out.Scan(); n++ {
				acknowledged[out.Text()] = true
				if n == 50 {
					if err := cmd.Process.Kill(); err != nil {
						t.Fatal(err)
					}
				}
			}
			kill()
		}
		there := map[string]bool{}
		for _, key := range pendingKeys(t, s) {
			there[key] = true
		}
		for key := range acknowledged {
			if !there[key] {
				t.Errorf("%s is lost", key)
			}
		}
		if len(acknowledged) < 150 {
			t.Errorf("%d acknowledged", len(acknowledged))
		}
	})
}

// Two processes store the same deliveries at the same time: each is fresh in one of them.
func TestGathering_TwoStoresAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		stores := []*Store{open(t, url), open(t, url)}
		const keys = 300
		outcomes := make(chan put, 2*keys)
		for k := range keys {
			for _, s := range stores {
				go func() {
					fresh, err := s.Put(t.Context(), delivery(strconv.Itoa(k)))
					outcomes <- put{strconv.Itoa(k), fresh, err}
				}()
			}
		}
		fresh := map[string]int{}
		for range 2 * keys {
			p := <-outcomes
			if p.err != nil {
				t.Error(p.err)
			}
			if p.fresh {
				fresh[p.key]++
			}
		}
		for k := range keys {
			if n := fresh[strconv.Itoa(k)]; n != 1 {
				t.Errorf("%d is fresh %d times", k, n)
			}
		}
		if n := len(pendingKeys(t, stores[0])); n != keys {
			t.Errorf("%d pending, want %d", n, keys)
		}
	})
}

// PostgreSQL tells whoever listens that the inbox has something new, and in which schema it is.
func TestPostgreSQL_Announces(t *testing.T) {
	database := parts.PostgreSQL(t)
	s := open(t, database)
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), "LISTEN "+inboxChannel); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "a", "b"} {
		if _, err := s.Put(t.Context(), delivery(key)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		got, err := conn.WaitForNotification(contextFor(t, guard))
		if err != nil || got.Channel != "rollbackbot_inbox" || got.Payload != "public" {
			t.Fatalf("got %+v, %v", got, err)
		}
	}
	if got, err := conn.WaitForNotification(contextFor(t, 100*time.Millisecond)); err == nil {
		t.Errorf("a delivery that was there already is told of: %+v", got)
	}
}
