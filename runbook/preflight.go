package runbook

import (
	"fmt"
	"strings"
)

// Problem is one reason why a rollback can't be planned or begun, with what mends it. Both are for people.
type Problem struct {
	Host   Host   // empty where it is about no host
	What   string // what is wrong: a sentence without a full stop
	Remedy string // what to do about it: a sentence without a full stop
}

func (p Problem) String() string {
	text := p.What + ". " + p.Remedy + "."
	if p.Host != "" {
		return string(p.Host) + ": " + text
	}
	return text
}

// PreflightError ends a request before anybody is asked: everything that was found wrong, together.
type PreflightError struct {
	Problems []Problem
	Err      error // ErrNoEngine, or nil
}

// Unwrap gives what decides.
func (e *PreflightError) Unwrap() error { return e.Err }

func (e *PreflightError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

func problem(host Host, remedy, format string, args ...any) *PreflightError {
	return &PreflightError{Problems: []Problem{{Host: host, What: fmt.Sprintf(format, args...), Remedy: remedy}}}
}
