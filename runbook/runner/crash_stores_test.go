package runner_test

import (
	"context"
	"fmt"
	"github.com/jackc/pgx/v5"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"testing"

	"rollbackbot/internal/journal"
	"rollbackbot/internal/parts"
	"rollbackbot/internal/runbooktest"
	"rollbackbot/runbook"
	"rollbackbot/runbook/runner"
)

// Killed at every point of its life, the bot goes on from a journal in SQLite.
func TestCrash_SQLite(t *testing.T) {
	runner.CrashOn(t, "sqlite", func(t *testing.T) runbooktest.Store {
		return open(t, sqliteURL(t))
	})
}

func sqliteURL(t *testing.T) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "journal.db")
}

// And from one in PostgreSQL: each a schema of its own in one database.
func TestCrash_PostgreSQL(t *testing.T) {
	database := parts.PostgreSQL(t)
	var schemas atomic.Int64
	runner.CrashOn(t, "postgresql", func(t *testing.T) runbooktest.Store {
		return open(t, newSchema(t, database, fmt.Sprintf("crash_%d", schemas.Add(1))))
	})
}

// newSchema makes an empty schema and gives the database's URL with it.
func newSchema(t *testing.T, database, schema string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), "CREATE SCHEMA "+schema); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Set("search_path", schema)
	u.RawQuery = query.Encode()
	return u.String()
}

func open(t *testing.T, url string) runbooktest.Store {
	t.Helper()
	store, err := journal.Open(t.Context(), url, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o := newOutside(store)
	t.Cleanup(func() {
		o.close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return o
}

// outside is a store that lives outside of a bubble, for one within. All that it does is done by goroutines, channels and
// contexts from outside: waiting for those doesn't count as idle, so that the bubble's time stands still meanwhile.
type outside struct {
	store *journal.Store
	idle  chan *task
	begun chan *task
}

// task is a call on its way out, and its answer on the way back.
type task struct {
	do   func()
	done chan struct{}
}

// workers is how many calls are under way at once.
const workers = 4

func newOutside(store *journal.Store) *outside {
	o := &outside{store: store, idle: make(chan *task, workers), begun: make(chan *task)}
	for range workers {
		o.idle <- &task{done: make(chan struct{})}
		go func() {
			for task := range o.begun {
				task.do()
				task.done <- struct{}{}
			}
		}()
	}
	return o
}

func (o *outside) close() { close(o.begun) }

// call has f called outside. The context of a process that was stopped is not let out, but keeps the call from leaving.
func call[T any](ctx context.Context, o *outside, f func(context.Context) (T, error)) (result T, err error) {
	if err := ctx.Err(); err != nil {
		return result, err
	}
	task := <-o.idle
	task.do = func() { result, err = f(context.Background()) }
	o.begun <- task
	<-task.done
	o.idle <- task
	return result, err
}

// Append implements runbook.Journal.
func (o *outside) Append(ctx context.Context, e runbook.Entry) ([]runbook.Event, error) {
	return call(ctx, o, func(ctx context.Context) ([]runbook.Event, error) { return o.store.Append(ctx, e) })
}

// Events implements runbook.Journal.
func (o *outside) Events(ctx context.Context, app, rollback string, after int64) ([]runbook.Event, error) {
	return call(ctx, o, func(ctx context.Context) ([]runbook.Event, error) { return o.store.Events(ctx, app, rollback, after) })
}

// Since implements runbook.Journal.
func (o *outside) Since(ctx context.Context, app string, after runbook.Place, kinds ...string) ([]runbook.Event, error) {
	return call(ctx, o, func(ctx context.Context) ([]runbook.Event, error) { return o.store.Since(ctx, app, after, kinds...) })
}

// Acquire implements runbook.Journal.
func (o *outside) Acquire(ctx context.Context, app string, floor int64) (int64, error) {
	return call(ctx, o, func(ctx context.Context) (int64, error) { return o.store.Acquire(ctx, app, floor) })
}

// Open implements runbook.Journal.
func (o *outside) Open(ctx context.Context, app string) (string, error) {
	return call(ctx, o, func(ctx context.Context) (string, error) { return o.store.Open(ctx, app) })
}

// App implements runbook.Journal.
func (o *outside) App(ctx context.Context, rollback string) (string, error) {
	return call(ctx, o, func(ctx context.Context) (string, error) { return o.store.App(ctx, rollback) })
}

// Apps implements runbook.Journal.
func (o *outside) Apps(ctx context.Context) ([]string, error) {
	return call(ctx, o, func(ctx context.Context) ([]string, error) { return o.store.Apps(ctx) })
}

// Put implements runbook.Inbox.
func (o *outside) Put(ctx context.Context, d runbook.Delivery) (bool, error) {
	return call(ctx, o, func(ctx context.Context) (bool, error) { return o.store.Put(ctx, d) })
}

// Pending implements runbook.Inbox.
func (o *outside) Pending(ctx context.Context) ([]runbook.Delivery, error) {
	return call(ctx, o, func(ctx context.Context) ([]runbook.Delivery, error) { return o.store.Pending(ctx) })
}

// Done implements runbook.Inbox.
func (o *outside) Done(ctx context.Context, key string) error {
	_, err := call(ctx, o, func(ctx context.Context) (bool, error) { return true, o.store.Done(ctx, key) })
	return err
}

// Verify proves the chain.
func (o *outside) Verify(ctx context.Context, app string) error {
	_, err := call(ctx, o, func(ctx context.Context) (bool, error) { return true, o.store.Verify(ctx, app) })
	return err
}
