package runner

import (
	"testing"
	"time"

	"rollbackbot/runbook"
)

// The images that ran may be gone from the host by the time a lead goes forward: they are fetched by jobs of their own,
// since a job whose name was used before isn't started.
func TestFetch_ForwardIsNotTheJobOfBackward(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := w.hosts["deploy@one"]
		w.health.sick = map[string]bool{w.v1["api"].String(): true}
		r, p := w.start(0)
		rb, err := r.Request(t.Context(), w.request(), "")
		if err != nil {
			t.Fatal(err)
		}
		h.mu.Lock()
		delete(h.images, w.v1["api"].String()) // pruned since: the fetch step of the way back pulls it
		h.mu.Unlock()
		if err := w.click(r, rb, runbook.SignoffInPlace, "ULEAD"); err != nil {
			t.Fatal(err)
		}
		for w.only().Question() == nil {
			time.Sleep(time.Second)
		}
		h.mu.Lock()
		delete(h.images, w.v2["api"].String())
		h.mu.Unlock()
		w.play(r, p, answers{runbook.AskFailed: {"ULEAD", runbook.RollForward}, runbook.AskErrorRate: {"UONCALL", runbook.ErrorRateBaseline}})
		w.stop(r, p)
		h.mu.Lock()
		defer h.mu.Unlock()
		if !h.images[w.v2["api"].String()] {
			t.Errorf("going forward passed its fetch without the image on the host: %s (%s)", w.only().Outcome, w.only().Why)
		}
	})
}
