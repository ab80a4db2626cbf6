package runbook

import (
	"strings"
	"testing"
)

func TestRollback_ForwardAndNobodyJudgesIsNoUnconfirmedRollback(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.health.sick = map[string]bool{w.v1["api"].String(): true}
		rb := w.run(answers{AskSignoff: {"ULEAD", SignoffInPlace}, AskFailed: {"ULEAD", RollForward}})
		if rb.Outcome != RolledForward || !strings.Contains(rb.Why, "nobody judged") {
			t.Errorf("the record says %s (%s), and the images that it started from run", rb.Outcome, rb.Why)
		}
	})
}
