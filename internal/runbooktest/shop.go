package runbooktest

import (
	"fmt"
	"strings"
	"testing"

	"rollbackbot/runbook"
)

// Image is the image of a service in a version of the shop.
func Image(service string, version int) runbook.Image {
	return runbook.Image{Name: "ghcr.io/acme/shop/" + service, Digest: runbook.Digest("sha256:" + fmt.Sprintf("%s%060d", hexOf(service), version))}
}

func hexOf(s string) string { return fmt.Sprintf("%x", s[:2]) }

// Release is the images of a version of the shop.
func Release(version int) map[string]runbook.Image {
	return map[string]runbook.Image{"api": Image("api", version), "worker": Image("worker", version), "web": Image("web", version)}
}

// Commit1 and Commit2 are two commits of the shop.
const Commit1, Commit2 = "3f2c1ab04d5e6f708192a3b4c5d6e7f801234567", "81aa1ab04d5e6f708192a3b4c5d6e7f801234567"

// NoSeries and NoAnswer are why an error rate could not be read.
var (
	NoSeries = &runbook.NoRateError{Why: "the query gave no series", Answered: true}
	NoAnswer = &runbook.NoRateError{Why: "connection refused"}
)

// WantText fails the test where a text lacks any of the parts.
func WantText(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s: %q does not say %q", what, text, part)
		}
	}
}
