// Package bot is Rollbackbot in Slack: what people type and press comes in here, and what they read goes out.
//
// It has two halves. The [Announcer] speaks: it turns a rollback as it stands into messages of the team channel. The
// rest listens, and nothing a person said is lost on the way:
//
//	Socket     keeps Socket Mode connections, each replaced before it ends, and hands each envelope to
//	Handler    which stores it in the inbox, and only then acknowledges it; from there
//	Desk       works it off: reads it, asks the Runner, and answers the person privately.
//
// A process that dies after the acknowledgement finds the delivery in the inbox when it starts again; one that Slack
// delivers twice is stored once. Whoever asks has their rights read from Slack at that moment, by the [Directory]; what
// can't be read counts as "no". The channel of the team must not be shared with another organisation.
//
// # The grammar
//
// Alone, the command opens a form. In one line, clauses come in any order, and "because" takes the rest:
//
//	/rollback
//	/rollback APP [to RELEASE] [migration none|yes|unknown] [owner @person] [because REASON…]
//	/rollback status [ID|APP]
//	/rollback history APP
//	/rollback plan APP [to RELEASE]
//	/rollback abort ID
//	/rollback quarantine [APP]
//	/rollback lift sha256:… because CAUSE
//	/rollback doctor
//	/rollback help
//
// RELEASE is "previous", an ID or version from the history, a "sha256:" prefix of 12 or more digits, or one image for
// every service: api=NAME@sha256:… worker=… web=….
//
// # Buttons
//
// A button's action_id is its [runbook.Answer]; its value names the rollback, the question, and the hash of the plan
// that the person saw. A click counts for that plan alone.
package bot
