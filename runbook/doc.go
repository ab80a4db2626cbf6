// Package runbook is the runbook "Rollback a Release" as code: its words, what is kept of a rollback, what comes next, who
// may do what, and the ports to everything outside. It knows no engine, no shell, no Slack and no SQL.
//
// # The document, step by step
//
// The prerequisites come first. Package preflight reads what every host runs, finds the last known-good [Release] in the
// history, and has each host prove that exactly its images would run: a [Plan]. A person's [Request] with such a plan
// opens a [Rollback], and a [Question]: may the images go back, and what about the migration? An engineering lead answers
// it, on the hash of the plan they saw; where it is proven that there was no migration, the requester confirms.
// Then the steps, in the document's order (see stepOrder in step.go):
//
//  1. Identify the previous image digest: take the app's lock on every host, look again, and go on only if the plan
//     made now is the plan that was signed.
//  2. Deploy the previous image: fetch what is missing on every host, write the pins on every host, then replace the
//     containers host by host, the first one proven healthy before the next is touched.
//  3. Verify health checks: three 200s in a row, every container on its planned image and not restarted.
//  4. Confirm error rate returns to baseline: watch on through the window, then judge what was read against the baseline
//     that was frozen at the request; where the bot can't tell, ask a person.
//  5. Assess migration state: what the sign-off said.
//  6. Record the rollback: the six fields, once, whatever the outcome.
//
// A step that fails, or whose end is not known, stops everything and asks a person: retry, roll forward, or abort.
//
// # State is a fold
//
// Everything that happens is an [Event] in the app's [Journal] before anything is done on the strength of it.
// [Rollback.Apply] gives the rollback after an event, and [Rollback.Next] what it does next; both are pure, and a
// restarted process that replays the journal stands exactly where the former one stood. What the former one left
// running on a host is waited for and looked at, never assumed to have failed.
//
// # Who does what
//
// The packages below this one do it: runner drives each rollback, watch keeps the history, whoever deploys, outbox keeps
// the messages as they should be, postmortem writes the ticket's text, hostlock is the lock by hand. They reach the world
// by these ports:
//
//	Hosts             an app on its hosts                  packages internal/compose, internal/standin, internal/drill
//	Journal, Inbox    keep events and deliveries           package internal/journal
//	Announcer         posts and updates notices            package bot
//	Directory         says who may do what                 package bot
//	HealthChecker     asks a health endpoint               package internal/probe
//	ErrorRateChecker  reads the error rate                 package internal/probe
//	Tickets, Source   opens tickets, reads the source      package internal/github
package runbook
