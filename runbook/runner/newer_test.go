package runner

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/runbook"
)

// newerStore is a store into which a newer version has written an event of a kind that this one does not know.
type newerStore struct {
	runbooktest.Store
	written atomic.Bool
}

func (s *newerStore) Events(ctx context.Context, app, rollback string, after int64) ([]runbook.Event, error) {
	if s.written.Load() {
		_, err := runbook.DecodeFact("levitated", []byte("{}"))
		return nil, err
	}
	return s.Store.Events(ctx, app, rollback, after)
}

func (s *newerStore) Since(ctx context.Context, app string, after runbook.Place, kinds ...string) ([]runbook.Event, error) {
	if _, err := s.Events(ctx, app, "", after.Seq); err != nil {
		return nil, err
	}
	return s.Store.Since(ctx, app, after, kinds...)
}

// Nothing is done on a journal that can't be read as a whole, neither by who meets it at its start nor by who carries a
// rollback when it happens.
func TestRollback_ANewerVersionWritesMeanwhile(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		store := &newerStore{Store: w.journal}
		r, p := w.startOn(store)
		rb, err := r.Request(t.Context(), w.request(), "")
		if err != nil {
			t.Fatal(err)
		}
		store.written.Store(true)
		if err := w.click(r, rb, runbook.SignoffInPlace, "ULEAD"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if now, _ := r.Status(t.Context(), rb.ID); now.Question() == nil || !strings.Contains(now.Question().Text, "a newer version wrote it") {
			t.Errorf("it is %s, and asks %+v", now.State, now.Question())
		}
		w.stop(r, p)

		successor := &Runner{Apps: r.Apps, Journal: store, Hosts: r.Hosts, Health: r.Health, Directory: r.Directory, Announcer: r.Announcer}
		if err := successor.Start(t.Context()); err == nil || !strings.Contains(err.Error(), `"levitated"`) {
			t.Errorf("start: %v, want an error that names the kind", err)
		}
		successor.Wait()
		w.wantRunning(w.v2)
		if ups := w.hosts["deploy@one"].UpsRun(); len(ups) > 0 {
			t.Errorf("it acted in the dark: %v", ups)
		}
	})
}
