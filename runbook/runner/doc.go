// Package runner carries rollbacks: it takes requests and answers, and drives each rollback through the runbook's steps to
// its record and its follow-up.
//
// One goroutine owns each rollback. Everything that it is about to do is in the journal before it is done; what a former
// process left under way is followed and looked at, never assumed to have failed. The steps are one file each, in the
// runbook's order: identify, fetch, pin, deploy, health, errorrate, assess.
package runner
