package runbook

import (
	"slices"
	"time"
)

// Past is one rollback as a history lists it: who asked for what, and what came of it.
type Past struct {
	ID      string
	At      time.Time // when it was asked for
	By      string    // Slack ID of who asked
	From    string    // the release that ran; "" where that was not one known release
	To      string    // the release to go to
	Reason  string
	Outcome Outcome // empty while it is open

	TargetID string `json:"-"` // the ID of the release to go to
}

// past adds to what is known of a rollback.
func (h *History) past(event Event) {
	switch fact := event.Fact.(type) {
	case Requested:
		h.rollbacks = append(h.rollbacks, Past{
			ID: event.Rollback, At: fact.Request.At, By: fact.Request.By, Reason: fact.Request.Reason, From: fact.Plan.Running, To: fact.Plan.Target.Name(),
			TargetID: fact.Plan.Target.ID,
		})
	case Replanned:
		if i := h.indexOf(event.Rollback); i >= 0 {
			h.rollbacks[i].From, h.rollbacks[i].To, h.rollbacks[i].TargetID = fact.Plan.Running, fact.Plan.Target.Name(), fact.Plan.Target.ID
		}
	case Ended:
		if i := h.indexOf(event.Rollback); i >= 0 {
			h.rollbacks[i].Outcome = fact.Outcome
			h.wentBack(h.rollbacks[i], fact)
		}
	}
}

// wentBack notes on a release how the rollback to it ended, where that says something about the release.
func (h *History) wentBack(rb Past, fact Ended) {
	known := h.releases[rb.TargetID]
	if known == nil {
		return
	}
	r := *known
	switch {
	case fact.Outcome == Failed, fact.Outcome == RolledForward, fact.FailedAt != "":
		r.FailedBack = rb.ID
	case fact.Outcome == Succeeded:
		r.FailedBack = ""
	default:
		return
	}
	h.releases[r.ID] = &r
}

// indexOf finds a rollback from the last one on: most events are about that.
func (h *History) indexOf(id string) int {
	for i, rb := range slices.Backward(h.rollbacks) {
		if rb.ID == id {
			return i
		}
	}
	return -1
}

// Rollbacks gives all rollbacks, in the order in which they were asked for.
func (h History) Rollbacks() []Past { return slices.Clone(h.rollbacks) }
