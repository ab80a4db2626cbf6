package runner

import (
	"errors"
	"strings"
	"testing"
	"time"

	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
)

// blocked is a world in whose journal shop has v2's api in quarantine.
func (w *world) block() runbook.Digest {
	w.t.Helper()
	image := w.v2["api"]
	entry := runbook.Entry{App: "shop", Rollback: "rb-before", At: time.Now(), Facts: []runbook.Fact{
		runbook.Requested{Request: w.request(), Plan: runbook.Plan{App: "shop"}}, runbook.Quarantined{Images: []runbook.Image{image}}, runbook.Ended{Outcome: runbook.Succeeded}, runbook.Published{},
	}}
	if _, err := w.journal.Append(w.t.Context(), entry); err != nil {
		w.t.Fatal(err)
	}
	return image.Digest
}

const liftCause = "the pool was too small: https://github.com/acme/shop/issues/7"

func lifts(w *world) (n int) {
	for _, p := range w.slack.posts {
		if p.Kind == runbook.NoticeLift {
			n++
		}
	}
	return n
}

func TestLift_TellsTheChannelOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		digest := w.block()
		r, p := w.start(0)
		var no *runbook.RefusedError
		for by, cause := range map[string]string{"UONCALL": liftCause, "UOTHER": liftCause, "ULEAD": "it works now"} {
			if err := r.Lift(t.Context(), string(digest), cause, by, ""); !errors.As(err, &no) {
				t.Errorf("%s because %q: %v", by, cause, err)
			}
		}
		if err := r.Lift(t.Context(), string(digest[:len("sha256:")+12]), liftCause, "ULEAD", ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if err := r.Lift(t.Context(), string(digest), liftCause, "ULEAD", ""); !errors.As(err, &no) || !strings.Contains(no.Why, "not quarantined") {
			t.Errorf("a second time: %v", err)
		}
		w.stop(r, p)
		r, p = w.start(0)
		time.Sleep(time.Hour)
		w.stop(r, p)
		if n := lifts(w); n != 1 {
			t.Errorf("the channel was told %d times", n)
		}
	})
}

// Whenever the process dies, and whether Slack's answer came or not: the channel is told once.
func TestLift_TellsTheChannelOnceWhateverHappens(t *testing.T) {
	for dies := 1; dies <= 12; dies++ {
		inBubble(t, func(t *testing.T, w *world) {
			digest := w.block()
			r, p := w.start(dies)
			w.slack.lose = dies % 2
			err := r.Lift(t.Context(), string(digest), liftCause, "ULEAD", "")
			time.Sleep(time.Hour)
			w.stop(r, p)
			r, p = w.start(0)
			if err != nil { // who typed it was not answered, and types it again
				var no *runbook.RefusedError
				if err := r.Lift(t.Context(), string(digest), liftCause, "ULEAD", ""); err != nil && !errors.As(err, &no) {
					t.Error(err)
				}
			}
			time.Sleep(time.Hour)
			w.stop(r, p)
			if n := lifts(w); n != 1 {
				t.Errorf("died at %d: the channel was told %d times: %v", dies, n, w.kinds())
			}
			if by := w.history().Quarantined(digest); by != "" {
				t.Errorf("died at %d: it is quarantined by %s", dies, by)
			}
		})
	}
}

// Also an app that is not configured any more blocks what it has rolled back, until a lead lifts that.
func TestLift_OfAnAppThatIsGone(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		digest := w.block()
		r, p := w.start(0)
		r.Apps = nil
		if err := r.Lift(t.Context(), string(digest), liftCause, "ULEAD", ""); err != nil {
			t.Error(err)
		}
		w.stop(r, p)
		if err := history.Allowed(t.Context(), w.journal, []string{"shop"}, w.v2["api"]); err != nil {
			t.Error(err)
		}
	})
}
