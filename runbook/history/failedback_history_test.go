package history

import (
	"testing"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/runbook"
)

// How a rollback ended says something about its target only where it went there.
func TestHistory_WhichRollbacksFailed(t *testing.T) {
	v1 := runbooktest.Release(1)
	target := runbook.Release{ID: runbook.ReleaseID(v1), Images: v1}
	for _, c := range []struct {
		ended runbook.Ended
		want  string
	}{
		{runbook.Ended{Outcome: runbook.Failed}, "rb-1"},
		{runbook.Ended{Outcome: runbook.RolledForward}, "rb-1"},
		{runbook.Ended{Outcome: runbook.Aborted, FailedAt: runbook.StepHealth}, "rb-1"},
		{runbook.Ended{Outcome: runbook.Aborted}, ""},
		{runbook.Ended{Outcome: runbook.Rejected}, ""},
		{runbook.Ended{Outcome: runbook.Expired}, ""},
		{runbook.Ended{Outcome: runbook.Unconfirmed}, ""},
		{runbook.Ended{Outcome: runbook.Succeeded}, ""},
	} {
		history := New([]runbook.Event{
			{Fact: runbook.Observed{Images: v1}}, {Fact: runbook.Verified{Images: v1}},
			{Rollback: "rb-1", Fact: runbook.Requested{Plan: runbook.Plan{Target: target}}}, {Rollback: "rb-1", Fact: c.ended},
		})
		got, _ := history.Of(v1)
		if got.FailedBack != c.want {
			t.Errorf("%+v: the rollback to it that failed is %q, want %q", c.ended, got.FailedBack, c.want)
		}
		again, err := decodeHistory(history.encode())
		if r, _ := again.Of(v1); err != nil || r.FailedBack != c.want {
			t.Errorf("%+v: kept as %q, %v", c.ended, r.FailedBack, err)
		}
		then := history.then([]runbook.Event{{Rollback: "rb-2", Fact: runbook.Requested{Plan: runbook.Plan{Target: target}}}, {Rollback: "rb-2", Fact: runbook.Ended{Outcome: runbook.Succeeded}}})
		if r, _ := then.Of(v1); r.FailedBack != "" {
			t.Errorf("%+v: after a rollback to it that succeeded it is still %q", c.ended, r.FailedBack)
		}
	}
}
