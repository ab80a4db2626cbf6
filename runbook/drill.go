package runbook

import (
	"fmt"
	"strings"
)

// A drill is a whole rollback, with its people, questions, deadlines and messages, on hosts on which nothing changes. Its ID
// says so, and so whoever has the ID knows: the letter l is in no real rollback's ID, since newID never uses it.
const DrillPrefix = "rb-drill"

// IsDrill reports whether an ID is that of a drill.
func IsDrill(rollback string) bool { return strings.HasPrefix(rollback, DrillPrefix) }

// Drill reports whether the rollback is one.
func (rb Rollback) Drill() bool { return IsDrill(rb.ID) }

// NotProven is what a drill leaves unproven, a sentence without a full stop each.
func (rb Rollback) NotProven() []string {
	missing := 0
	for _, images := range rb.Plan.Missing {
		missing += len(images)
	}
	proven := []string{
		"no container was replaced, so that the target comes up was not seen; health and error rate are those of what runs now",
		"the pins were not written: hosts were asked what would run with them, in a way in which nothing else can win over them",
		"the app's lock was looked at, and not taken",
	}
	if missing > 0 {
		proven = append(proven, fmt.Sprintf("the images that hosts lack, %d in all, were looked up in the registry, and not fetched", missing))
	}
	return append(proven, "nothing was quarantined, and no ticket was opened")
}
