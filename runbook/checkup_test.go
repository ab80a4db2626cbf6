package runbook

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// One check that hangs and heeds no context, and one that panics, keep nobody from hearing of the others; what they say
// holds no secret.
func TestCheckup_SurvivesItsChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := make(chan struct{})
		defer close(hung)
		said := func(f Finding) func(context.Context) []Finding {
			return func(context.Context) []Finding { return []Finding{f} }
		}
		began := time.Now()
		found := Checkup(t.Context(), time.Minute, []Check{
			{"first", said(FoundFine("first", "there"))},
			{"hanging", func(context.Context) []Finding { <-hung; return nil }},
			{"panicking", func(context.Context) []Finding { panic("xoxb-1234567890-abcdefghij") }},
			{"silent", func(context.Context) []Finding { return nil }},
			{"talkative", said(FoundWrong("talkative", "Mend it", "the token xoxb-1234567890-abcdefghij is wrong"))},
		})
		if took := time.Since(began); took != time.Minute {
			t.Errorf("it took %s, want the bound of a minute", took)
		}
		var marks []Mark
		for _, f := range found {
			marks = append(marks, f.Mark)
			if strings.Contains(f.String(), "abcdefghij") {
				t.Errorf("a secret shows: %s", f)
			}
		}
		if want := []Mark{Fine, Wrong, Wrong, Unchecked, Wrong}; !slices.Equal(marks, want) {
			t.Errorf("got %v, want %v", marks, want)
		}
		if Sound(found) || !Sound(found[:1]) {
			t.Error("Sound doesn't tell what is wrong")
		}
	})
}
