package runner

import (
	"strings"
	"testing"

	"rollbackbot/runbook"
)

func TestRollback_ForwardAndNobodyJudgesIsNoUnconfirmedRollback(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.sick(w.v1["api"])
		rb := w.run(answers{runbook.AskSignoff: {"ULEAD", runbook.SignoffInPlace}, runbook.AskFailed: {"ULEAD", runbook.RollForward}})
		if rb.Outcome != runbook.RolledForward || !strings.Contains(rb.Why, "nobody judged") {
			t.Errorf("the record says %s (%s), and the images that it started from run", rb.Outcome, rb.Why)
		}
	})
}
