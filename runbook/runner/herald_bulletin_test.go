package runner

import (
	"testing"
	"time"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/runbook"
)

// Whenever the process dies, and whether Slack's answer came or not: a suggestion is posted once, is brought up to date once
// it doesn't stand any more, and isn't posted at all where nobody could have read it before that.
func TestBulletin_IsToldOnceWhateverHappens(t *testing.T) {
	for dies := 1; dies <= 12; dies++ {
		inBubble(t, func(t *testing.T, w *world) {
			w.note(runbook.Suggested{Release: runbook.ReleaseID(w.v2), Target: runbook.ReleaseID(w.v1)})
			w.slack.lose = dies % 2
			r, p := w.start(dies)
			time.Sleep(5 * time.Minute)
			w.note(runbook.Observed{Images: w.v1})
			time.Sleep(5 * time.Minute)
			w.stop(r, p)
			r, p = w.start(0)
			time.Sleep(time.Hour)
			w.stop(r, p)
			want := 1
			if dies <= 3 { // before the intent, after it, and before the post
				want = 0
			}
			if got := w.bulletins("suggestion-"); len(got) != want {
				t.Errorf("died at %d: posted %v, want %d", dies, got, want)
			}
			if shown, posted := w.slack.shown[runbook.SuggestionKey(runbook.ReleaseID(w.v2))]; posted && shown.Bulletin.Withdrawn == "" {
				t.Errorf("died at %d: what is shown still stands", dies)
			}
			if n := len(w.ofKind(runbook.NoticeClosed{}.Kind())); n != 1 {
				t.Errorf("died at %d: closed %d times: %v", dies, n, w.kinds())
			}
		})
	}
}

// A rollback that is asked for takes a suggestion back at once, and what is said of it is said by its own bot: a drill, which
// reads the same history, says nothing.
func TestBulletin_WithdrawnByARequest(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.note(runbook.Suggested{Release: runbook.ReleaseID(w.v2), Target: runbook.ReleaseID(w.v1)})
		if list, err := (&Runner{Drill: true, Past: w.journal, Journal: runbooktest.NewMemoryStore()}).bulletinsOf([]runbook.App{w.app})(t.Context()); len(list) != 0 || err != nil {
			t.Errorf("a drill tells %v, %v", list, err)
		}
		r, p := w.start(0)
		time.Sleep(10 * time.Second)
		if _, err := r.Request(t.Context(), w.request(), ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if n := len(w.ofKind(runbook.NoticeClosed{}.Kind())); n != 1 {
			t.Errorf("closed %d times: %v", n, w.kinds())
		}
		w.stop(r, p)
	})
}
