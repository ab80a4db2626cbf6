// Package drill is the port to the hosts for a drill. A drill is a whole rollback, with its people, questions, deadlines and
// messages, on the team's own hosts, on which nothing changes (docs/drill.md).
//
// Hosts wraps the runbook.Hosts that a rollback would use. What only looks is the real hosts' answer. What would change
// something is printed instead, as a person would type it, and each host has a stand-in that holds it for done: from then on
// the fetched image is there, the pins are written, and the containers run what they were replaced by. So a rollback goes
// its whole way, and its steps don't know that it is a drill. The lock is looked at, and not taken: who holds it keeps a
// drill out, as it would keep out a rollback.
package drill
