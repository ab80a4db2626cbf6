package history

import "rollbackbot/runbook"

// Between is what lies between a target and what runs, as far as the history knows.
type Between struct {
	Target  runbook.Release
	Running *runbook.Release // nil: the hosts don't all run one known release
	// After are the releases after the target up to the one that runs, in the order in which they went live; the zero
	// Release stands where the hosts differed. None where the order is not known.
	After []runbook.Release
}

// Between gives the releases after the target, up to what runs.
func (h History) Between(target runbook.Release, running map[string]runbook.Image) Between {
	b := Between{Target: target}
	current, known := h.Of(running)
	if running == nil || !known {
		return b
	}
	b.Running = &current
	for _, id := range h.after(lastIndex(h.live, target.ID), lastIndex(h.live, current.ID)) {
		var r runbook.Release
		if known := h.releases[id]; known != nil {
			r = known.Release
		}
		b.After = append(b.After, r)
	}
	return b
}
