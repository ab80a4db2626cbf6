// Package terminal is the door for people who come without Slack: what they sign, and whose signatures count.
package terminal

import (
	"fmt"
	"strings"
)

// Namespace keeps a signature for this program from counting elsewhere, and the other way round (ssh-keygen -n).
const Namespace = "rollbackbot"

// Statement is what a person signs. It names the rollback and the plan, so that a signature counts for one rollback, and
// for nothing but what its person saw.
type Statement struct {
	Verb     string // "request", or the answer: "signoff_in_place", "retry", "abort"
	Rollback string // its ID
	Question int64  // which of its questions is answered; 0: none, as with a request or an abort
	Plan     string // the plan's hash
	Reason   string // where one is stated; empty: the statement has no line for it
}

// Lines are the lines that are signed, each to be followed by a line feed. White space in a reason is drawn together:
// no reason can pass for another line.
func (s Statement) Lines() []string {
	about := s.Rollback
	if s.Question != 0 {
		about += fmt.Sprintf("/%d", s.Question)
	}
	lines := []string{fmt.Sprintf("rollbackbot %s %s %s", s.Verb, about, s.Plan)}
	if reason := strings.Join(strings.Fields(s.Reason), " "); reason != "" {
		lines = append(lines, "reason: "+reason)
	}
	return lines
}

// Text is what is signed, byte for byte.
func (s Statement) Text() string { return strings.Join(s.Lines(), "\n") + "\n" }

// Command is the shell command that signs the statement with the key in keyFile, a path that the shell may expand, and
// prints the signature.
func (s Statement) Command(keyFile string) string {
	var quoted []string
	for _, line := range s.Lines() {
		quoted = append(quoted, "'"+strings.ReplaceAll(line, "'", `'\''`)+"'")
	}
	return `printf '%s\n' ` + strings.Join(quoted, " ") + " | ssh-keygen -Y sign -n " + Namespace + " -f " + keyFile
}
