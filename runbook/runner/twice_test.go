package runner

import (
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/internal/standin"
	"rollbackbot/runbook"
)

// TellTwice has two replicas observe on one journal, for a while both at once, as when the first was paused through its
// lease and goes on; Slack's answer to the first post is lost. What the channel is told, it is told once.
func TellTwice(t *testing.T, open func(t *testing.T) runbooktest.Store) {
	for _, c := range []struct {
		name, kind, written string
		change              func(w *world)
	}{
		{"drift", "drift-", runbook.Drifted{}.Kind(), func(w *world) {
			w.hosts["deploy@one"].Set(func(s *standin.State) { s.Pins["API_IMAGE"] = w.v2["api"].String() })
		}},
		{"suggestion", "suggestion-", runbook.Suggested{}.Kind(), func(w *world) { w.deploy(w.v2) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := open(t)
			synctest.Test(t, func(t *testing.T) {
				w := newEmptyWorld(t, store, "deploy@one", "deploy@two")
				w.deploy(w.v1)
				_, stopFirst := w.observeOn()
				time.Sleep(15 * time.Minute)
				w.slack.mu.Lock()
				w.slack.lose = 1
				w.slack.mu.Unlock()
				c.change(w)
				time.Sleep(4*time.Minute + 30*time.Second) // the first has seen it, and says nothing yet
				if got := w.bulletins(c.kind); len(got) != 0 {
					t.Fatalf("told already: %v", got)
				}
				_, stopSecond := w.observeOn()
				time.Sleep(20 * time.Minute)
				stopFirst()
				time.Sleep(10 * time.Minute)
				stopSecond()
				_, stopThird := w.observeOn()
				time.Sleep(15 * time.Minute)
				stopThird()
				written := 0
				for _, kind := range w.kinds() {
					if kind == c.written {
						written++
					}
				}
				if got := w.bulletins(c.kind); len(got) != 1 || written != 1 {
					t.Errorf("the channel was told %v, and it was journalled %d times", got, written)
				}
			})
		})
	}
}

func TestTwoReplicas_TellOnce(t *testing.T) {
	TellTwice(t, func(*testing.T) runbooktest.Store { return runbooktest.NewMemoryStore() })
}
