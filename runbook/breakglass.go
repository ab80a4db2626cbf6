package runbook

import ()

// MaxGlassReason bounds what a requester states, in characters: as much as a message shows of it.
const MaxGlassReason = 300

// signsAlone are the answers that two requesters may give together. Whether not to roll back they don't decide.
var signsAlone = map[Answer]bool{SignoffInPlace: true, SignoffReverted: true, SignoffNone: true}

// MayBreakGlass reports whether somebody who may not sign off alone may do it together with another one by now.
func (rb Rollback) MayBreakGlass(answer Answer, roles Roles) bool {
	open := rb.Question()
	return open != nil && !open.BreakGlassAt.IsZero() && signsAlone[answer] && roles.Barred == "" && (roles.Requester || roles.Lead)
}
