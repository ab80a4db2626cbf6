package runbook

import (
	"testing"
	"time"
)

func TestChoices_HealthyTimeAndWhatIsBarred(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	images := func(digit string) map[string]Image {
		return map[string]Image{"api": {Name: "ghcr.io/acme/shop/api", Digest: Digest("sha256:" + digit)}}
	}
	event := func(minutes int, fact Fact) Event {
		return Event{App: "shop", Rollback: "rb-old", At: at.Add(time.Duration(minutes) * time.Minute), Fact: fact}
	}
	h := NewHistory([]Event{
		event(0, Observed{Images: images("1")}), event(10, Verified{Images: images("1")}),
		event(20, HealthChanged{Images: images("1"), Reason: "503"}), event(30, HealthChanged{Images: images("1"), Healthy: true}),
		event(40, Observed{Images: images("2")}), event(45, Verified{Images: images("2")}), event(50, Diverged{Detail: "mixed"}),
		event(60, Observed{Images: images("3")}), event(61, Quarantined{Images: []Image{images("2")["api"]}}),
	})
	c := h.Choices(at.Add(70 * time.Minute))
	if c.Running == nil || c.Running.ID != ReleaseID(images("3")) || c.Running.HealthyFor(c.At) != 10*time.Minute {
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
