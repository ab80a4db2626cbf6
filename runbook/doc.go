// Package runbook is the runbook "Rollback a Release" as code: what it decides, what it does on hosts, and what it
// keeps of that. It knows neither Slack nor SSH nor SQL; those stand behind its ports.
//
// # The document, step by step
//
// The prerequisites come first. A [Planner] reads what every host runs, finds the last known-good [Release] in the
// [History], and proves that compose would run exactly its images: a [Plan]. A person's [Request] with such a plan
// opens a [Rollback], and a [Question]: may the images go back, and what about the migration? An engineering lead
// answers it, on the hash of the plan they saw; where it is proven that there was no migration, the requester confirms.
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
// # After the record
//
// Where containers were replaced, the owner of the follow-up is asked to accept it, and a [Ticket] is opened with the
// [Postmortem] as its body. Both are journalled like the rest, and hold neither lock nor epoch: the app is free.
//
// # Who does what
//
// The [Runner] owns the rollbacks of this process: one goroutine drives each, another keeps its messages as they should
// be. People reach it by Request and Answer; the [Observer] keeps the history, whoever deploys.
//
//	Target, Hosts     run a Command on a host              package ssh
//	Journal, Inbox    keep events and deliveries           package internal/journal
//	Announcer         posts and updates notices            package bot
//	Directory         says who may do what                 package bot
//	HealthChecker     asks a health endpoint               package internal/probe
//	ErrorRateChecker  reads the error rate                 package internal/probe
//	Tickets, Source   opens tickets, reads the source      package internal/github
//
// # On a host
//
// Looking is plain docker and compose commands (docker.go). Whatever changes something goes through the guard, a shell
// text that keeps a kernel lock and a lease with an epoch in ~/.rollbackbot (guard.sh): a paused or replaced process
// changes nothing, and a command outlives the link that started it.
package runbook
