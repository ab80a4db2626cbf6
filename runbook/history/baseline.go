package history

import (
	"time"

	"rollbackbot/runbook"
)

// BaselineSpan is how much of the time before the failed release is looked at.
const BaselineSpan = time.Hour

// BaselineRange is when the app ran as usual: the hour before the failed release came up, or as much of it as the release
// before ran, since the hour may hold the failure before the last. problem says why it isn't known.
func (h History) BaselineRange(p runbook.Plan) (from, until time.Time, problem string) {
	images := p.FromEverywhere()
	switch {
	case len(p.Excluded) > 0:
		return from, until, "what runs on the hosts that are left out is not known, nor since when"
	case images == nil:
		return from, until, "the hosts don't all run one known release"
	}
	from, until, _, problem = h.UsualBefore(images)
	return from, until, problem
}

// UsualBefore is the same for what runs by its images, and by when they were seen to run.
func (h History) UsualBefore(images map[string]runbook.Image) (from, until, by time.Time, problem string) {
	id := runbook.ReleaseID(images)
	at := lastIndex(h.live, id)
	if at < 0 {
		return from, until, by, "nobody saw the release in question come up"
	}
	for at >= 2 && h.live[at-1] == differed && h.live[at-2] == id { // a host was seen differently for a while
		at -= 2
	}
	by = h.spells[at].by
	if until = h.spells[at].after; until.IsZero() {
		return from, until, by, "nobody saw the release in question come up: it ran already when the bot looked first, and no note says since when"
	}
	from = until.Add(-BaselineSpan)
	for at--; at >= 0; at-- {
		if h.live[at] != differed {
			from = later(from, h.spells[at].by)
			break
		}
	}
	if !from.Before(until) {
		return from, until, by, "the release before the one in question did not run long enough"
	}
	return from, until, by, ""
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
