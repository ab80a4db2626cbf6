package history

import (
	"slices"

	"rollbackbot/runbook"
)

// past adds to what is known of a rollback.
func (h *History) past(event runbook.Event) {
	switch fact := event.Fact.(type) {
	case runbook.Requested:
		h.rollbacks = append(h.rollbacks, runbook.Past{
			ID: event.Rollback, At: fact.Request.At, By: fact.Request.By, Reason: fact.Request.Reason, From: fact.Plan.Running, To: fact.Plan.Target.Name(),
			TargetID: fact.Plan.Target.ID,
		})
	case runbook.Replanned:
		if i := h.indexOf(event.Rollback); i >= 0 {
			h.rollbacks[i].From, h.rollbacks[i].To, h.rollbacks[i].TargetID = fact.Plan.Running, fact.Plan.Target.Name(), fact.Plan.Target.ID
		}
	case runbook.Ended:
		if i := h.indexOf(event.Rollback); i >= 0 {
			h.rollbacks[i].Outcome = fact.Outcome
			h.wentBack(h.rollbacks[i], fact)
		}
	}
}

// wentBack notes on a release how the rollback to it ended, where that says something about the release.
func (h *History) wentBack(rb runbook.Past, fact runbook.Ended) {
	known := h.releases[rb.TargetID]
	if known == nil {
		return
	}
	r := *known
	switch {
	case fact.Outcome == runbook.Failed, fact.Outcome == runbook.RolledForward, fact.FailedAt != "":
		r.FailedBack = rb.ID
	case fact.Outcome == runbook.Succeeded:
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
func (h History) Rollbacks() []runbook.Past { return slices.Clone(h.rollbacks) }
