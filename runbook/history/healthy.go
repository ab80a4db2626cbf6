package history

import (
	"time"

	"rollbackbot/runbook"
)

// health folds how long each release ran healthy. It comes before the event's other effects: what ran until now is
// still the one that runs.
func (h *History) health(event runbook.Event) {
	switch fact := event.Fact.(type) {
	case runbook.Observed:
		id := runbook.ReleaseID(fact.Images)
		if h.observed != id {
			h.countHealthy(h.observed, event.At, false)
		}
		h.release(fact.Images) // it may be new
		h.countHealthy(id, event.At, true)
	case runbook.Diverged:
		h.countHealthy(h.observed, event.At, false)
	case runbook.HealthChanged:
		id := runbook.ReleaseID(fact.Images)
		h.countHealthy(id, event.At, fact.Healthy && id == h.observed)
	}
}

// countHealthy ends or begins a release's time of running healthy.
func (h *History) countHealthy(id string, at time.Time, healthy bool) {
	known := h.releases[id]
	if known == nil || healthy != known.HealthySince.IsZero() {
		return
	}
	r := *known
	r.Healthy, r.HealthySince = r.HealthyFor(at), time.Time{}
	if healthy {
		r.HealthySince = at
	}
	h.releases[id] = &r
}
