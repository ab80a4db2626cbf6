package runbook

import (
	"context"
	"errors"
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

// OneProblem is a *PreflightError of one problem of a host.
func OneProblem(host Host, remedy, format string, args ...any) *PreflightError {
	return &PreflightError{Problems: []Problem{{Host: host, What: fmt.Sprintf(format, args...), Remedy: remedy}}}
}

// ProblemsOf turns whatever went wrong on a host into sentences for people.
func ProblemsOf(host Host, err error) []Problem {
	var preflight *PreflightError
	var unusable *HostError
	switch {
	case errors.As(err, &preflight):
		return preflight.Problems
	case errors.As(err, &unusable):
		return []Problem{{Host: host, What: unusable.Problem, Remedy: unusable.Remedy}}
	case errors.Is(err, ErrLost), errors.Is(err, context.DeadlineExceeded):
		return []Problem{{Host: host, What: "it did not answer in the time that the preflight has", Remedy: "Log in there by hand and see what is slow"}}
	}
	return []Problem{{Host: host, What: Mask(err.Error()), Remedy: "See the bot's log"}}
}

// OrNone lists names, each once.
func OrNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(Unique(names), ", ")
}

// AlreadyRunningError says that every host's containers and pins are the target's: there is nothing to roll back.
type AlreadyRunningError struct {
	App     string
	Release Release
}

func (e *AlreadyRunningError) Error() string {
	return fmt.Sprintf("%s runs %s already, on every host, and the pins say so too: there is nothing to do", e.App, e.Release.Name())
}

// SameEverywhere is the set that all hosts run; nil where they differ or one isn't known.
func SameEverywhere(running []map[string]Image) map[string]Image {
	for _, images := range running {
		if images == nil || ReleaseID(images) != ReleaseID(running[0]) {
			return nil
		}
	}
	if len(running) == 0 {
		return nil
	}
	return running[0]
}
