package runbook

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// The lease on a host runs out by itself, so that a dead bot can't hold a host for weeks.
const (
	LeaseTime     = 60 * time.Second // how long a lease holds
	LeaseInterval = 20 * time.Second // how often it is renewed while a rollback is under way
)

// Lease is whose turn it is with an app on a host.
type Lease struct {
	Rollback string
	Epoch    int64
	Holder   string // the requester, or who locked it: shown to whoever is refused
	Since    time.Time
	Reason   string
	For      time.Duration // how long it holds; 0: LeaseTime
}

// LockedError says that somebody else holds an app's lock on a host.
type LockedError struct {
	Host                  Host
	Rollback              string // or who has locked it, as HostLock names them; "" where it could not be read
	Holder, Since, Reason string
	Until                 time.Time // when the lease runs out by itself; zero: it has, or there is none
	CommandRuns           bool      // a command still runs there under the lock
}

// Error is the same sentence in a plan's notes, in a refusal, and in a terminal.
func (e *LockedError) Error() string {
	what := "the app's lock is held"
	if e.CommandRuns {
		what = "a command still runs under the app's lock"
	}
	if e.Until.IsZero() || e.Rollback == "" {
		return fmt.Sprintf("%s: %s", e.Host, what)
	}
	if e.CommandRuns {
		what += ", which is held"
	}
	return fmt.Sprintf("%s: %s by %s since %s, until %s, because: %s", e.Host, what, e.Who(), e.SinceText(), e.Until.UTC().Format("15:04 UTC"), cmp.Or(e.Reason, NotGiven))
}

// Who is the holder as people read it.
func (e *LockedError) Who() string {
	holder := cmp.Or(Truncate(e.Holder, 60), "somebody")
	if strings.HasPrefix(e.Rollback, "rb-") {
		return "rollback " + e.Rollback + " of " + holder
	}
	return holder
}

// SinceText is Since as people read it.
func (e *LockedError) SinceText() string {
	if at, err := time.Parse(time.RFC3339, e.Since); err == nil {
		return at.UTC().Format("2006-01-02 15:04 UTC")
	}
	return cmp.Or(e.Since, "a time that nobody wrote down")
}

// LeaseError says that the lease on a host isn't this rollback's any more, or that what it allows could not be done: a
// person has to look.
type LeaseError struct {
	Host Host
	Kind LeaseKind
	Why  string
}

func (e *LeaseError) Error() string { return fmt.Sprintf("%s: %s", e.Host, e.Why) }

// LeaseKind is what a LeaseError is about.
type LeaseKind string

// The kinds. After each of them nothing was changed.
const (
	LeaseStale    LeaseKind = "stale"         // a newer epoch holds it
	LeaseGone     LeaseKind = "gone"          // it was taken once and is not there any more
	LeaseDamaged  LeaseKind = "damaged"       // it can't be read
	PinsMoved     LeaseKind = "pins moved"    // somebody changed the pins file since it was read
	PinsCut       LeaseKind = "pins cut"      // the new content did not arrive whole
	PinsNotOurs   LeaseKind = "pins not ours" // the pins file can't be replaced with its owner and mode
	LeaseUnusable LeaseKind = "not written"   // a file of ours could not be written there
)

// OneLine makes a foreign text fit into one line of a lease or a terminal; 200 characters are enough to know who and why.
func OneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	return Truncate(strings.Join(strings.Fields(s), " "), 200)
}
