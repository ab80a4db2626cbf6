package runner

import (
	"strings"
	"testing"
	"time"

	"rollbackbot/runbook"
)

// A container that crashed and came back between the last look of the window and the proof at its end was not healthy
// all along.
func TestErrorRate_ARestartBetweenTwoLooksIsSeen(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		r, p := w.start(0)
		rb, err := r.Request(t.Context(), w.request(), "")
		if err != nil {
			t.Fatal(err)
		}
		if err := w.click(r, rb, runbook.SignoffInPlace, "ULEAD"); err != nil {
			t.Fatal(err)
		}
		var began time.Time
		for began.IsZero() {
			time.Sleep(100 * time.Millisecond)
			if run, ok := w.only().Step(runbook.StepErrorRate); ok {
				began = run.StartedAt
			}
		}
		time.Sleep(time.Until(began.Add(w.app.ErrorRate.Window - 20*time.Millisecond)))
		w.restarts("deploy@one", "api", 1)
		for w.only().Question() == nil {
			time.Sleep(time.Second)
		}
		if q := w.only().Question(); q.Kind != runbook.AskFailed || !strings.Contains(q.Text, "restarted") {
			t.Errorf("asked %s: %s", q.Kind, q.Text)
		}
		w.stop(r, p)
	})
}

func TestErrorRate_ARestartWhileTheBotWasAwayIsSeen(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		r, p := w.start(0)
		rb, err := r.Request(t.Context(), w.request(), "")
		if err != nil {
			t.Fatal(err)
		}
		if err := w.click(r, rb, runbook.SignoffInPlace, "ULEAD"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.stop(r, p)
		w.restarts("deploy@one", "worker", 4)
		r, p = w.start(0)
		for w.only().Question() == nil {
			time.Sleep(time.Second)
		}
		if q := w.only().Question(); q.Kind != runbook.AskFailed || !strings.Contains(q.Text, "restarted") {
			t.Errorf("asked %s: %s", q.Kind, q.Text)
		}
		w.stop(r, p)
	})
}
