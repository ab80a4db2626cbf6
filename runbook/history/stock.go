package history

import (
	"time"

	"rollbackbot/runbook"
)

const stockInterval = 24 * time.Hour

// stocked folds what was found of a release's images.
func (h *History) stocked(e runbook.Event) {
	switch fact := e.Fact.(type) {
	case runbook.ImagesChecked:
		r := h.release(fact.Images)
		r.CheckedAt, r.Gone = e.At, fact.Gone
	case runbook.Observed:
		h.release(fact.Images).Gone = nil // whatever runs is there
	}
}

// Unchecked is a release whose images have to be looked for, now that images run everywhere.
func (h History) Unchecked(images map[string]runbook.Image, now time.Time) (runbook.Release, bool) {
	var wanted []runbook.Release
	if target, err := h.Previous([]map[string]runbook.Image{images}); err == nil {
		wanted = append(wanted, target)
	}
	for _, r := range h.Releases() {
		if len(r.Gone) > 0 && r.KnownGood() && r.Quarantine == "" {
			wanted = append(wanted, r)
		}
	}
	for _, r := range wanted {
		if now.Sub(r.CheckedAt) >= stockInterval {
			return r, true
		}
	}
	return runbook.Release{}, false
}
