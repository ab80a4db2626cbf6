package runner

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/internal/standin"
	"rollbackbot/runbook"
)

func TestRollback_NobodyDecidesBeforeUpThePinsGoBack(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := w.hosts["deploy@one"]
		before := pinsFile(h)
		r, p := w.start(0)
		rb, err := r.Request(t.Context(), w.request(), "")
		if err != nil {
			t.Fatal(err)
		}
		h.Set(putByHand(runbooktest.Release(7)["api"])) // somebody deploys by hand right after the pins are written
		if err := w.click(r, rb, runbook.SignoffInPlace, "ULEAD"); err != nil {
			t.Fatal(err)
		}
		w.play(r, p, nil)
		w.stop(r, p)
		if rb = w.only(); rb.Outcome != runbook.Failed || len(h.UpsRun()) > 0 {
			t.Fatalf("outcome %s (%s), %d ups", rb.Outcome, rb.Why, len(h.UpsRun()))
		}
		if now := pinsFile(h); now != before {
			t.Errorf("no container was touched, and the next `up` by anybody would roll back:\n%s", now)
		}
		if !strings.Contains(rb.Why, "former pins") {
			t.Errorf("the record doesn't say what became of the pins: %s", rb.Why)
		}
	})
}

func TestRollback_AbortedBetweenTwoHostsTheSecondGetsItsPinsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "deploy@one", "deploy@two")
		w.app.Health.URLs = []string{"http://{host}/health"}
		w.lab.SetSick(w.v1["api"], true)
		two := w.hosts["deploy@two"]
		before := pinsFile(two)
		rb := w.run(answers{runbook.AskSignoff: {"ULEAD", runbook.SignoffInPlace}, runbook.AskFailed: {"ULEAD", runbook.Abort}})
		if rb.Outcome != runbook.Aborted || len(two.UpsRun()) > 0 {
			t.Fatalf("outcome %s (%s), %d ups on the second host", rb.Outcome, rb.Why, len(two.UpsRun()))
		}
		if now := pinsFile(two); now != before {
			t.Errorf("the second host runs what it ran, but its pins say otherwise:\n%s", now)
		}
		if one := pinsFile(w.hosts["deploy@one"]); one != fileWith(w.app, w.v1) {
			t.Errorf("the first host's pins are not what it runs:\n%s", one)
		}
	})
}

func TestRollback_PinsOfSomebodyElseAreNotOverwrittenByAnAbort(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := w.hosts["deploy@one"]
		theirs := runbooktest.Release(7)["api"]
		r, p := w.start(0)
		rb, err := r.Request(t.Context(), w.request(), "")
		if err != nil {
			t.Fatal(err)
		}
		h.Set(putByHand(theirs))
		if err := w.click(r, rb, runbook.SignoffInPlace, "ULEAD"); err != nil {
			t.Fatal(err)
		}
		for w.only().Question() == nil {
			time.Sleep(time.Second)
		}
		h.Set(func(s *standin.State) { s.Pins["API_IMAGE"] = theirs.String() })
		w.play(r, p, answers{runbook.AskFailed: {"ULEAD", runbook.Abort}})
		w.stop(r, p)
		want := fileWith(w.app, map[string]runbook.Image{"api": theirs, "worker": w.v2["worker"], "web": w.v2["web"]})
		if got := pinsFile(h); got != want {
			t.Errorf("after the abort the pins are\n%s\nwant theirs for api and the former ones for the rest:\n%s", got, want)
		}
	})
}
