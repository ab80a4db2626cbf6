package runbook

import (
	"testing"
)

// How a rollback ended says something about its target only where it went there.
func TestHistory_WhichRollbacksFailed(t *testing.T) {
	v1 := release(1)
	target := Release{ID: ReleaseID(v1), Images: v1}
	for _, c := range []struct {
		ended Ended
		want  string
	}{
		{Ended{Outcome: Failed}, "rb-1"},
		{Ended{Outcome: RolledForward}, "rb-1"},
		{Ended{Outcome: Aborted, FailedAt: StepHealth}, "rb-1"},
		{Ended{Outcome: Aborted}, ""},
		{Ended{Outcome: Rejected}, ""},
		{Ended{Outcome: Expired}, ""},
		{Ended{Outcome: Unconfirmed}, ""},
		{Ended{Outcome: Succeeded}, ""},
	} {
		history := NewHistory([]Event{
			{Fact: Observed{Images: v1}}, {Fact: Verified{Images: v1}},
			{Rollback: "rb-1", Fact: Requested{Plan: Plan{Target: target}}}, {Rollback: "rb-1", Fact: c.ended},
		})
		got, _ := history.Of(v1)
		if got.FailedBack != c.want {
			t.Errorf("%+v: the rollback to it that failed is %q, want %q", c.ended, got.FailedBack, c.want)
		}
		again, err := decodeHistory(history.encode())
		if r, _ := again.Of(v1); err != nil || r.FailedBack != c.want {
			t.Errorf("%+v: kept as %q, %v", c.ended, r.FailedBack, err)
		}
		then := history.then([]Event{{Rollback: "rb-2", Fact: Requested{Plan: Plan{Target: target}}}, {Rollback: "rb-2", Fact: Ended{Outcome: Succeeded}}})
		if r, _ := then.Of(v1); r.FailedBack != "" {
			t.Errorf("%+v: after a rollback to it that succeeded it is still %q", c.ended, r.FailedBack)
		}
	}
}
