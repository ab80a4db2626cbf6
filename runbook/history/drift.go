package history

import "rollbackbot/runbook"

// pinned is what the last rollback that ended well left on the hosts.
type pinned struct {
	rollback string
	images   map[runbook.Host]map[string]runbook.Image
}

// drifts folds what drift is judged against.
func (h *History) drifts(e runbook.Event) {
	switch fact := e.Fact.(type) {
	case runbook.Observed, runbook.Diverged, runbook.Reconfigured:
		h.changed = e.Seq
	case runbook.Drifted:
		for _, p := range fact.Points {
			h.told[p.Key] = true
		}
	case runbook.Requested:
		h.going = fact.Plan
	case runbook.Replanned:
		h.going = fact.Plan
	case runbook.Ended:
		if fact.Outcome == runbook.Succeeded || fact.Outcome == runbook.Unconfirmed {
			h.pinned = pinned{rollback: e.Rollback, images: map[runbook.Host]map[string]runbook.Image{}}
			for _, host := range h.going.Hosts {
				h.pinned.images[host.Host] = host.To()
			}
			h.left[e.Rollback] = true
		}
		h.going = runbook.Plan{}
	}
}

// ToldOfDrift reports whether people were told of a point of drift.
func (h History) ToldOfDrift(key string) bool { return h.told[key] }

// LastChange is the place of the event that last said that something else runs, or runs otherwise; 0: none did.
func (h History) LastChange() int64 { return h.changed }

// EndedWell reports whether a rollback succeeded, as far as anybody could tell.
func (h History) EndedWell(rollback string) bool { return h.left[rollback] }

// Pinned gives the image of a service that the last rollback which ended well pinned on a host, and that rollback; "" where
// it pinned none there.
func (h History) Pinned(host runbook.Host, service string) (image runbook.Image, rollback string) {
	image, pinned := h.pinned.images[host][service]
	if !pinned {
		return runbook.Image{}, ""
	}
	return image, h.pinned.rollback
}
