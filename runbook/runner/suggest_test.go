package runner

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/internal/standin"
	"rollbackbot/runbook"
	"rollbackbot/runbook/watch"
)

// suggested is a world in which v2 fails after v1 was known-good, with a bot that may suggest.
func suggested(t *testing.T) (*world, func()) {
	w, stop := observed(t)
	w.deploy(w.v1)
	time.Sleep(15 * time.Minute)
	w.deploy(w.v2)
	return w, stop
}

// withdrawn is why the suggestion to leave v2 doesn't stand any more.
func (w *world) withdrawn() string {
	b, there := w.history().Suggestion(runbook.ReleaseID(w.v2))
	if !there {
		w.t.Error("nothing was suggested")
	}
	return b.Withdrawn
}

func TestSuggest_OncePerRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, stop := suggested(t)
		time.Sleep(5 * time.Minute)
		if got := w.bulletins("suggestion-"); len(got) != 0 {
			t.Errorf("suggested before the runbook's 5 minutes were over: %v", got)
		}
		time.Sleep(3 * time.Minute)
		want := []string{runbook.SuggestionKey(runbook.ReleaseID(w.v2))}
		if got := w.bulletins("suggestion-"); !slices.Equal(got, want) {
			t.Fatalf("posted %v, want %v", got, want)
		}
		stop()
		_, again := w.observeOn()
		time.Sleep(2 * time.Hour)
		w.deploy(w.v1)
		time.Sleep(20 * time.Minute)
		if why := w.withdrawn(); !strings.Contains(why, "another release runs now") {
			t.Errorf("withdrawn: %q", why)
		}
		w.deploy(w.v2)
		time.Sleep(2 * time.Hour)
		again()
		if got := w.bulletins("suggestion-"); !slices.Equal(got, want) {
			t.Errorf("after a restart, and when it came again, posted %v, want %v", got, want)
		}
		for _, h := range w.hosts {
			if begun := h.Begun(); len(begun) > 0 {
				t.Errorf("the observer changed what runs: %v", begun)
			}
		}
	})
}

func TestSuggest_NotUnlessAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, stop := observedBy(t, newWorldOn(t, runbooktest.NewMemoryStore()), func(o *watch.Observer) { o.Suggest = false })
		defer stop()
		time.Sleep(2 * time.Hour)
		if got := w.bulletins("suggestion-"); len(got) != 0 || slices.Contains(w.kinds(), "suggested") {
			t.Errorf("posted %v", got)
		}
	})
}

func TestSuggest_Withdrawn(t *testing.T) {
	for _, c := range []struct {
		name string
		act  func(w *world)
		want string
	}{
		{"healthy again", func(w *world) { w.sick() }, "the health checks pass again"},
		{"a rollback is asked for", func(w *world) { w.afterRollback() }, "a rollback was asked for: rb-1"},
		{"another release", func(w *world) { w.deploy(runbooktest.Release(3)) }, "another release runs now"},
		{"the hosts differ", func(w *world) {
			w.hosts["deploy@one"].Set(func(s *standin.State) { s.Containers["web"] = []standin.Container{{Tag: "built:here"}} })
		}, "the hosts don't all run one known release"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, stop := suggested(t)
				defer stop()
				time.Sleep(8 * time.Minute)
				if why := w.withdrawn(); why != "" {
					t.Fatalf("withdrawn already: %s", why)
				}
				c.act(w)
				time.Sleep(3 * time.Minute)
				if why := w.withdrawn(); !strings.Contains(why, c.want) {
					t.Errorf("withdrawn: %q, want %q", why, c.want)
				}
				if !slices.Contains(w.kinds(), "notice_closed") {
					t.Error("the message was not brought up to date")
				}
			})
		})
	}
}

// The error rate alone is enough, and is asked for only while it says something of the deployment.
func TestSuggest_ByTheErrorRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newEmptyWorld(t, runbooktest.NewMemoryStore())
		var above atomic.Bool
		var asked atomic.Int64
		_, stop := observedBy(t, w, func(o *watch.Observer) {
			o.Rate = func(context.Context, runbook.App, runbook.RateSpan) runbook.RateSeen {
				asked.Add(1)
				return runbook.RateSeen{Measured: true, Above: above.Load(), Detail: "12 %, baseline 0.1 %"}
			}
		})
		defer stop()
		w.deploy(w.v1)
		time.Sleep(15 * time.Minute)
		w.deploy(runbooktest.Release(3))
		time.Sleep(2 * time.Minute)
		above.Store(true)
		time.Sleep(2 * time.Minute)
		b, there := w.history().Suggestion(runbook.ReleaseID(runbooktest.Release(3)))
		if held := runbook.HeldOf(b.Suggestion.Evidence); !there || len(held) != 1 || held[0].Name != runbook.CriterionErrorRate {
			t.Errorf("suggested: %+v", b.Suggestion)
		}
		before := asked.Load()
		time.Sleep(time.Hour)
		if more := asked.Load() - before; more != 0 {
			t.Errorf("the error rate was asked for %d times more after the suggestion", more)
		}
	})
}

// An answer of Slack's that is lost makes no second message, and neither does a Slack that is down for a while.
func TestBulletins_AreThereOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, stop := suggested(t)
		defer stop()
		w.slack.mu.Lock()
		w.slack.lose = 3
		w.slack.mu.Unlock()
		time.Sleep(20 * time.Minute)
		if got := w.bulletins("suggestion-"); len(got) != 1 {
			t.Errorf("posted %v", got)
		}
	})
}
