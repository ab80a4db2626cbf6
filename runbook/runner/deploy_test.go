package runner

import (
	"slices"
	"strings"
	"testing"
	"time"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/internal/standin"
	"rollbackbot/runbook"
)

func TestRollback_FewerContainersThanBeforeIsNoSuccess(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.hosts["deploy@one"].Set(func(s *standin.State) {
			s.Containers["worker"] = slices.Repeat(s.Containers["worker"], 3)
			s.UpStatus = 1 // it gave up half-way: one worker of three is there, on the right image
		})
		rb := w.run(answers{runbook.AskSignoff: {"ULEAD", runbook.SignoffInPlace}, runbook.AskErrorRate: {"UONCALL", runbook.ErrorRateBaseline}})
		if rb.Outcome != runbook.Failed || !strings.Contains(rb.Why, "status 1") {
			t.Errorf("outcome %s (%s) with one worker where three ran", rb.Outcome, rb.Why)
		}
	})
}

// A deployment that died half-way leaves a service in containers of two images: that is what a rollback is for.
func TestRollback_FromAMixOfImages(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.hosts["deploy@one"].Set(func(s *standin.State) { put(s, "worker", w.v2["worker"], runbooktest.Release(3)["worker"]) })
		rb := w.run(goingWell)
		if rb.Outcome != runbook.Succeeded {
			t.Errorf("outcome %s (%s), want succeeded", rb.Outcome, rb.Why)
		}
	})
}

func TestRollback_FromAMixSomebodyChangesItMeanwhile(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := w.hosts["deploy@one"]
		h.Set(func(s *standin.State) { put(s, "worker", w.v2["worker"], runbooktest.Release(3)["worker"]) })
		r, p := w.start(0)
		rb, err := r.Request(t.Context(), w.request(), "")
		if err != nil {
			t.Fatal(err)
		}
		h.Set(func(s *standin.State) { put(s, "worker", w.v2["worker"], runbooktest.Release(4)["worker"]) })
		if err := w.click(r, rb, runbook.SignoffInPlace, "ULEAD"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if now := w.only(); now.Signoff.By != "" || len(h.UpsRun()) > 0 {
			t.Errorf("the sign-off for another mix counted: state %s, %d ups", now.State, len(h.UpsRun()))
		}
		w.stop(r, p)
	})
}
