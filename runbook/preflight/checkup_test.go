package preflight

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/runbook"
)

// One check that hangs and heeds no context, and one that panics, keep nobody from hearing of the others; what they say
// holds no secret.
func TestCheckup_SurvivesItsChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := make(chan struct{})
		defer close(hung)
		said := func(f runbook.Finding) func(context.Context) []runbook.Finding {
			return func(context.Context) []runbook.Finding { return []runbook.Finding{f} }
		}
		began := time.Now()
		found := Checkup(t.Context(), time.Minute, []runbook.Check{
			{About: "first", Run: said(runbook.FoundFine("first", "there"))},
			{About: "hanging", Run: func(context.Context) []runbook.Finding { <-hung; return nil }},
			{About: "panicking", Run: func(context.Context) []runbook.Finding { panic("xoxb-1234567890-abcdefghij") }},
			{About: "silent", Run: func(context.Context) []runbook.Finding { return nil }},
			{About: "talkative", Run: said(runbook.FoundWrong("talkative", "Mend it", "the token xoxb-1234567890-abcdefghij is wrong"))},
		})
		if took := time.Since(began); took != time.Minute {
			t.Errorf("it took %s, want the bound of a minute", took)
		}
		var marks []runbook.Mark
		for _, f := range found {
			marks = append(marks, f.Mark)
			if strings.Contains(f.String(), "abcdefghij") {
				t.Errorf("a secret shows: %s", f)
			}
		}
		if want := []runbook.Mark{runbook.Fine, runbook.Wrong, runbook.Wrong, runbook.Unchecked, runbook.Wrong}; !slices.Equal(marks, want) {
			t.Errorf("got %v, want %v", marks, want)
		}
		if runbook.Sound(found) || !runbook.Sound(found[:1]) {
			t.Error("Sound doesn't tell what is wrong")
		}
	})
}
