package runner

import (
	"slices"
	"strings"
	"testing"
	"time"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/runbook"
)

func TestRollback_FewerContainersThanBeforeIsNoSuccess(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := w.hosts["deploy@one"]
		h.containers["worker"] = slices.Repeat(h.containers["worker"], 3)
		h.upStatus = 1 // compose gave up half-way: one worker of three is there, on the right image
		rb := w.run(answers{runbook.AskSignoff: {"ULEAD", runbook.SignoffInPlace}, runbook.AskErrorRate: {"UONCALL", runbook.ErrorRateBaseline}})
		if rb.Outcome != runbook.Failed || !strings.Contains(rb.Why, "status 1") {
			t.Errorf("outcome %s (%s) with one worker where three ran", rb.Outcome, rb.Why)
		}
	})
}

// A deployment that died half-way leaves a service in containers of two images: that is what a rollback is for.
func TestRollback_FromAMixOfImages(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := w.hosts["deploy@one"]
		v3 := runbooktest.Release(3)
		h.images[v3["worker"].String()] = true
		h.containers["worker"] = []string{w.v2["worker"].String(), v3["worker"].String()}
		rb := w.run(goingWell)
		if rb.Outcome != runbook.Succeeded {
			t.Errorf("outcome %s (%s), want succeeded", rb.Outcome, rb.Why)
		}
	})
}

func TestRollback_FromAMixSomebodyChangesItMeanwhile(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := w.hosts["deploy@one"]
		v3, v4 := runbooktest.Release(3), runbooktest.Release(4)
		h.images[v3["worker"].String()], h.images[v4["worker"].String()] = true, true
		h.containers["worker"] = []string{w.v2["worker"].String(), v3["worker"].String()}
		r, p := w.start(0)
		rb, err := r.Request(t.Context(), w.request(), "")
		if err != nil {
			t.Fatal(err)
		}
		h.mu.Lock()
		h.containers["worker"] = []string{w.v2["worker"].String(), v4["worker"].String()}
		h.mu.Unlock()
		if err := w.click(r, rb, runbook.SignoffInPlace, "ULEAD"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if now := w.only(); now.Signoff.By != "" || len(h.upsRun()) > 0 {
			t.Errorf("the sign-off for another mix counted: state %s, %d ups", now.State, len(h.upsRun()))
		}
		w.stop(r, p)
	})
}
