package history

import (
	"testing"
	"time"

	"rollbackbot/runbook"
)

func TestChoices_HealthyTimeAndWhatIsBarred(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	images := func(digit string) map[string]runbook.Image {
		return map[string]runbook.Image{"api": {Name: "ghcr.io/acme/shop/api", Digest: runbook.Digest("sha256:" + digit)}}
	}
	event := func(minutes int, fact runbook.Fact) runbook.Event {
		return runbook.Event{App: "shop", Rollback: "rb-old", At: at.Add(time.Duration(minutes) * time.Minute), Fact: fact}
	}
	h := New([]runbook.Event{
		event(0, runbook.Observed{Images: images("1")}), event(10, runbook.Verified{Images: images("1")}),
		event(20, runbook.HealthChanged{Images: images("1"), Reason: "503"}), event(30, runbook.HealthChanged{Images: images("1"), Healthy: true}),
		event(40, runbook.Observed{Images: images("2")}), event(45, runbook.Verified{Images: images("2")}), event(50, runbook.Diverged{Detail: "mixed"}),
		event(60, runbook.Observed{Images: images("3")}), event(61, runbook.Quarantined{Images: []runbook.Image{images("2")["api"]}}),
	})
	c := h.Choices(at.Add(70 * time.Minute))
	if c.Running == nil || c.Running.ID != runbook.ReleaseID(images("3")) || c.Running.HealthyFor(c.At) != 10*time.Minute {
		t.Errorf("running %+v, want the third, healthy for 10 min", c.Running)
	}
	if len(c.KnownGood) != 1 || c.KnownGood[0].HealthyFor(c.At) != 30*time.Minute || c.Default == nil || c.Default.ID != c.KnownGood[0].ID {
		t.Errorf("known-good %+v, default %+v; want the first for both, healthy for 30 min", c.KnownGood, c.Default)
	}
	if len(c.Barred) != 1 || c.Barred[0].HealthyFor(c.At) != 10*time.Minute {
		t.Errorf("barred %+v, want the second, healthy for 10 min", c.Barred)
	}
	again, err := decodeHistory(h.encode())
	if err != nil {
		t.Fatal(err)
	}
	if got := again.Choices(c.At); got.KnownGood[0].HealthyFor(c.At) != 30*time.Minute || got.Running.HealthyFor(c.At) != 10*time.Minute {
		t.Errorf("kept and read again: %+v", got)
	}
}
