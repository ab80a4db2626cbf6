package history

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"rollbackbot/runbook"
)

// A journal of an older version has a note under the long name and what ran under the short one: that is one release.
func TestHistory_OneReleaseUnderAllNamesOfARepository(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("a1", 32)
	var events []runbook.Event
	for i, fact := range []struct {
		kind runbook.Fact
		text string
	}{
		{&runbook.Deployed{}, `{"images":{"api":"docker.io/acme/api` + digest + `"},"version":"v1","migration":"none"}`},
		{&runbook.Observed{}, `{"images":{"api":"acme/api` + digest + `"}}`},
		{&runbook.Verified{}, `{"images":{"api":"index.docker.io/acme/api` + digest + `"}}`},
	} {
		if err := json.Unmarshal([]byte(fact.text), fact.kind); err != nil {
			t.Fatal(err)
		}
		event := runbook.Event{Seq: int64(i + 1), At: time.Unix(int64(i), 0)}
		switch f := fact.kind.(type) {
		case *runbook.Deployed:
			event.Fact = *f
		case *runbook.Observed:
			event.Fact = *f
		case *runbook.Verified:
			event.Fact = *f
		}
		events = append(events, event)
	}
	releases := New(events).Releases()
	if len(releases) != 1 || releases[0].Version != "v1" || !releases[0].KnownGood() || releases[0].SeenAt.IsZero() {
		t.Fatalf("there are %+v, want v1, seen and known-good", releases)
	}
	if got := releases[0].Images["api"].String(); got != "acme/api"+digest {
		t.Errorf("it runs %s", got)
	}
}
