package runbook

import (
	"context"
	"errors"
	"fmt"
)

// Target runs commands on one host.
type Target interface {
	// Run runs one command and waits for its end. An error means that there is no exit status:
	// a *HostError when the host could not be used at all and nothing was started, or
	// an error that wraps ErrLost when the connection or the deadline ended first, so that
	// nobody knows how the command ended. Several Runs may be under way at once.
	Run(ctx context.Context, cmd Command) (Result, error)
}

// Hosts gives the Target of each host. The same host gives the same Target, whose connection is kept.
type Hosts interface {
	Target(host Host) Target
}

// Host is where an app runs: "user@name" or "user@name:port", as configured.
type Host string

// ErrLost says that a command was started and how it ended is not known. Never read it as failure.
var ErrLost = errors.New("the connection ended before the command's exit status arrived")

// HostError says that a host can't be used, and why, in one sentence with the remedy. Nothing was started on it.
type HostError struct {
	Host Host
	// Unreachable is true when nothing answered (no route, refused, time-out), so that a plan may go on without
	// this host; false when something answered that must be mended first (host key, refused key).
	Unreachable bool
	// HungUp is true when something answered and hung up before anybody was logged in: a host that is starting, stopping
	// or overloaded does that and lets us in a moment later; so does one that has banned us.
	HungUp  bool
	Problem string // what is wrong: one sentence without a full stop
	Remedy  string // what to do about it: one sentence without a full stop
	Err     error  // the cause, for the log
}

func (e *HostError) Error() string { return fmt.Sprintf("%s: %s: %s", e.Host, e.Problem, e.Remedy) }

// MayPass reports whether the host may be there again in a moment, without anybody mending anything.
func (e *HostError) MayPass() bool { return e.Unreachable || e.HungUp }

// Unwrap gives the cause.
func (e *HostError) Unwrap() error { return e.Err }
