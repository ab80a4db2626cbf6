package outbox

import (
	"slices"

	"rollbackbot/runbook"
)

// settled reports whether every private message of an ended rollback shows the result.
func settled(rb runbook.Rollback) bool {
	if broken := rb.Broken(); broken != nil {
		if _, told := broken.Addressed[runbook.RoleLead]; !told {
			return false
		}
	}
	return !slices.ContainsFunc(PrivateNotices(rb, runbook.Live{}), func(n runbook.Notice) bool { return !rb.Posts[n.Key].Settled })
}
