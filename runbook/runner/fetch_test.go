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
		w.sick(w.v1["api"])
		r, p := w.start(0)
		rb, err := r.Request(t.Context(), w.request(), "")
		if err != nil {
			t.Fatal(err)
		}
		w.prune("deploy@one", w.v1["api"]) // since then: the fetch step of the way back pulls it
		if err := w.click(r, rb, runbook.SignoffInPlace, "ULEAD"); err != nil {
			t.Fatal(err)
		}
		for w.only().Question() == nil {
			time.Sleep(time.Second)
		}
		w.prune("deploy@one", w.v2["api"])
		w.play(r, p, answers{runbook.AskFailed: {"ULEAD", runbook.RollForward}, runbook.AskErrorRate: {"UONCALL", runbook.ErrorRateBaseline}})
		w.stop(r, p)
		if !w.has("deploy@one", w.v2["api"]) {
			t.Errorf("going forward passed its fetch without the image on the host: %s (%s)", w.only().Outcome, w.only().Why)
		}
	})
}
