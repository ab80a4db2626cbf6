package history

import (
	"time"

	"rollbackbot/runbook"
)

// sighting folds what the Observer wrote about a release.
func (h *History) sighting(event runbook.Event) {
	switch fact := event.Fact.(type) {
	case runbook.Observed:
		r := h.release(fact.Images)
		// It came up again: what failed before it went away says nothing of how it does now.
		r.UpAt, r.FailingSince, r.Failure = event.At, time.Time{}, ""
		r.Tags = fact.Tags
		if len(fact.Hosts) > 0 {
			r.Hosts = fact.Hosts
		}
		if len(fact.ConfigHashes) > 0 {
			r.ConfigHashes = fact.ConfigHashes
		}
		h.diverged = ""
	case runbook.Diverged:
		h.diverged = fact.Detail
	case runbook.Reconfigured:
		h.release(fact.Images).ConfigHashes = fact.ConfigHashes
	case runbook.HealthChanged:
		r := h.release(fact.Images)
		switch {
		case fact.Healthy:
			r.FailingSince, r.Failure, r.failures = time.Time{}, "", 0
		case r.FailingSince.IsZero():
			r.FailingSince, r.Failure, r.failures = event.At, fact.Reason, 0
		default:
			r.Failure, r.failures = fact.Reason, r.failures+1
		}
	}
}

// Apart says what the hosts were last seen to run where that was not one known release; empty where it was.
func (h History) Apart() string { return h.diverged }

// maxReasons bounds how often the journal says that a release fails for another reason than before, while it fails: one
// that crashes again and again looks different each time.
const maxReasons = 5

// HealthNews reports whether what fails now is to be written down: that it begins, that it is over, and that it is
// something else by now, once that was seen twice in a row: while a deployment lasts, it is this and that.
func (h History) HealthNews(images map[string]runbook.Image, failing, before string) bool {
	var r knownRelease
	if known := h.releases[runbook.ReleaseID(images)]; known != nil {
		r = *known
	}
	began := !r.FailingSince.IsZero()
	if failing == "" || !began {
		return began != (failing != "")
	}
	return failing != r.Failure && failing == before && r.failures < maxReasons
}
