package runbook

import "time"

// HealthyFor is how long the release was seen to run on every host and to pass its health checks, all its spells
// together, up to now; 0: never seen so.
func (r Release) HealthyFor(now time.Time) time.Duration {
	lasted := r.Healthy
	if !r.HealthySince.IsZero() {
		lasted += max(now.Sub(r.HealthySince), 0)
	}
	return lasted
}

// health folds how long each release ran healthy. It comes before the event's other effects: what ran until now is
// still the one that runs.
func (h *History) health(event Event) {
	switch fact := event.Fact.(type) {
	case Observed:
		id := ReleaseID(fact.Images)
		if h.observed != id {
			h.countHealthy(h.observed, event.At, false)
		}
		h.release(fact.Images) // it may be new
		h.countHealthy(id, event.At, true)
	case Diverged:
		h.countHealthy(h.observed, event.At, false)
	case HealthChanged:
		id := ReleaseID(fact.Images)
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
