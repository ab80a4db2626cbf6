package runner

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/internal/compose"
	"rollbackbot/internal/runbooktest"
	"rollbackbot/runbook"
)

func TestRollback_NobodyDecidesBeforeUpThePinsGoBack(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := w.hosts["deploy@one"]
		before := h.env
		r, p := w.start(0)
		rb, err := r.Request(t.Context(), w.request(), "")
		if err != nil {
			t.Fatal(err)
		}
		h.foreignAfterPins = runbooktest.Release(7)["api"].String() // somebody deploys by hand right after the pins are written
		if err := w.click(r, rb, runbook.SignoffInPlace, "ULEAD"); err != nil {
			t.Fatal(err)
		}
		w.play(r, p, nil)
		w.stop(r, p)
		if rb = w.only(); rb.Outcome != runbook.Failed || len(h.upsRun()) > 0 {
			t.Fatalf("outcome %s (%s), %d ups", rb.Outcome, rb.Why, len(h.upsRun()))
		}
		if h.env != before {
			t.Errorf("no container was touched, and the next `up` by anybody would roll back:\n%s", h.env)
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
		w.health.sick[w.v1["api"].String()] = true
		two := w.hosts["deploy@two"]
		before := two.env
		rb := w.run(answers{runbook.AskSignoff: {"ULEAD", runbook.SignoffInPlace}, runbook.AskFailed: {"ULEAD", runbook.Abort}})
		if rb.Outcome != runbook.Aborted || len(two.upsRun()) > 0 {
			t.Fatalf("outcome %s (%s), %d ups on the second host", rb.Outcome, rb.Why, len(two.upsRun()))
		}
		if two.env != before {
			t.Errorf("the second host runs what it ran, but its pins say otherwise:\n%s", two.env)
		}
		if one := w.hosts["deploy@one"]; !strings.Contains(one.env, w.v1["api"].String()) {
			t.Errorf("the first host's pins are not what it runs:\n%s", one.env)
		}
	})
}

func TestRollback_PinsOfSomebodyElseAreNotOverwrittenByAnAbort(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := w.hosts["deploy@one"]
		theirs := runbooktest.Release(7)["api"].String()
		r, p := w.start(0)
		rb, err := r.Request(t.Context(), w.request(), "")
		if err != nil {
			t.Fatal(err)
		}
		h.foreignAfterPins = theirs
		if err := w.click(r, rb, runbook.SignoffInPlace, "ULEAD"); err != nil {
			t.Fatal(err)
		}
		for w.only().Question() == nil {
			time.Sleep(time.Second)
		}
		h.mu.Lock()
		h.env = string(compose.EditPins([]byte(h.env), []runbook.Pin{{Variable: "API_IMAGE", Value: theirs}}))
		h.mu.Unlock()
		w.play(r, p, answers{runbook.AskFailed: {"ULEAD", runbook.Abort}})
		w.stop(r, p)
		pins := compose.ReadPins([]byte(h.env), w.app)
		if pins[0].Value != theirs || pins[1].Value != w.v2["worker"].String() {
			t.Errorf("after the abort the pins are %v, want theirs for api and the former ones for the rest", pins)
		}
	})
}
