package watch

import (
	"fmt"
	"strings"
	"testing"

	"rollbackbot/runbook"
)

// However much is wrong, the journal holds a bounded list of it, in one order.
func TestTroubles_Bounded(t *testing.T) {
	var found []runbook.Finding
	for i := range 50 {
		found = append(found, runbook.FoundWrong(fmt.Sprintf("host %02d", 49-i), strings.Repeat("m", 5000), "%s", strings.Repeat("s", 5000)))
	}
	fact := lastExamined{}.then(troubles(found))
	if len(fact.Wrong) != maxExamined || fact.More != 30 || fact.Wrong[0].About != "host 00" {
		t.Errorf("%d are listed, %d more, the first is %s", len(fact.Wrong), fact.More, fact.Wrong[0].About)
	}
	if n := len([]rune(fact.Wrong[0].Seen)); n > maxExaminedRunes {
		t.Errorf("what was seen takes %d characters", n)
	}
	if again := (lastExamined{wrong: fact.Wrong, more: fact.More, told: 1}).then(troubles(found)); again.Notice != "" {
		t.Error("the same is told again")
	}
}
