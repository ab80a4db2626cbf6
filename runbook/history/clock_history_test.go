package history

import (
	"strings"
	"testing"
	"time"

	"rollbackbot/runbook"
)

// A release that was verified while the clock was put back is verified: it went live before that, and after the release
// before it.
func TestHistory_ClockPutBack(t *testing.T) {
	now := time.Date(2026, 5, 4, 3, 0, 0, 0, time.UTC)
	images := func(digit string) map[string]runbook.Image {
		return map[string]runbook.Image{"api": {Name: "acme/api", Digest: "sha256:" + runbook.Digest(strings.Repeat(digit, 64))}}
	}
	releases := New([]runbook.Event{
		{At: now, Fact: runbook.Observed{Images: images("a")}},
		{At: now.Add(-time.Hour), Fact: runbook.Observed{Images: images("b")}},
		{At: now.Add(-time.Hour), Fact: runbook.Verified{Images: images("b")}},
	}).Releases()
	release := releases[0]
	if release.ID != runbook.ReleaseID(images("b")) {
		t.Errorf("the last live is %+v", release)
	}
	if !release.KnownGood() || release.VerifiedAt.Before(release.LastLiveAt) {
		t.Errorf("live at %v, verified at %v", release.LastLiveAt, release.VerifiedAt)
	}
}
