package runbook

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// The guard is a POSIX shell text that runs on the host, by way of sh -c: it keeps the lock there, and it is the only
// way in which a rollback changes anything. It is readable in guard.sh, and was tried in dash, bash and busybox.
//
//go:embed guard.sh
var guardText string

// guardScript is the guard as it is sent: without its comments.
var guardScript = withoutComments(guardText)

func withoutComments(script string) string {
	var kept []string
	for line := range strings.Lines(script) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// The lease on a host runs out by itself, so that a dead bot can't hold a host for weeks.
const (
	LeaseTime     = 60 * time.Second // how long a lease holds
	LeaseInterval = 20 * time.Second // how often it is renewed while a rollback is under way
)

// How the guard refuses, by exit status. All are outside of what sh, timeout and docker use themselves.
const (
	guardBroken    = 71 // a file of ours could not be written
	guardNoJob     = 72 // no such command was ever started
	guardBusy      = 73 // a command still runs under the lock
	guardHeld      = 74 // another rollback, or a person, holds the lease
	guardStale     = 75 // a newer owner holds the lease
	guardGone      = 76 // the lease was taken once and is gone
	guardRubbish   = 77 // the lease can't be read
	guardPinsMoved = 78 // the file of the pins changed since it was read
	guardPinsCut   = 79 // the new content did not arrive whole
	guardPinsOwner = 80 // the file's owner or mode can't be kept
)

// Lease is whose turn it is on a host.
type Lease struct {
	App      string
	Rollback string
	Epoch    int64
	Holder   string // who asked: shown to whoever is refused
	Since    time.Time
	Reason   string
	For      time.Duration // how long it holds; 0: LeaseTime
}

func guard(timeout time.Duration, words ...string) Command {
	return Command{Args: append([]string{"sh", "-c", guardScript, "rollbackbot"}, words...), Timeout: timeout}
}

// takeLease takes or renews the app's lease on a host, waiting up to wait for a command that still runs there.
// first says that this rollback has never held it: then a missing lease is none at all, and not one that was removed.
func takeLease(l Lease, first bool, wait time.Duration) Command {
	lasts := l.For
	if lasts == 0 {
		lasts = LeaseTime
	}
	return guard(wait+DefaultTimeout, "take", l.App, l.Rollback, strconv.FormatInt(l.Epoch, 10), flag(first), tenths(wait),
		seconds(lasts), oneLine(l.Holder), l.Since.UTC().Format(time.RFC3339), oneLine(l.Reason))
}

func releaseLease(l Lease) Command {
	return guard(0, "release", l.App, l.Rollback, strconv.FormatInt(l.Epoch, 10))
}

func showLease(app string) Command { return guard(0, "show", app) }

// forceLease takes the lease from whoever has it, kills what runs under the lock, and gives it back at once.
func forceLease(l Lease) Command {
	return guard(forceWait+DefaultTimeout, "force", l.App, l.Rollback, strconv.FormatInt(l.Epoch, 10),
		oneLine(l.Holder), l.Since.UTC().Format(time.RFC3339), oneLine(l.Reason))
}

// forceWait is the time that the guard takes to ask what runs to end, to end it, and to wait for that.
const forceWait = 20 * time.Second

// act starts a changing command on the host under the lock: it goes on when the link is cut, its output and exit
// status stay in files of the rollback's folder there. Starting the same job again starts nothing.
func act(l Lease, job string, limit time.Duration, cmd Command) Command {
	words := []string{"act", l.App, l.Rollback, strconv.FormatInt(l.Epoch, 10), job, seconds(limit), seconds(LeaseTime), cmd.Dir}
	return guard(0, append(words, cmd.Args...)...)
}

// stop asks a job to end before its time. How it ended is still to be followed; a job that has ended is left alone.
func stop(l Lease, job string) Command {
	return guard(0, "stop", l.App, l.Rollback, strconv.FormatInt(l.Epoch, 10), job)
}

// follow gives what a job printed from offset on, as soon as there is something, and how it stands, on stderr.
func follow(l Lease, job string, offset int64) Command {
	return guard(0, "follow", l.App, l.Rollback, job, strconv.FormatInt(offset, 10), tenths(5*time.Second))
}

// writePins replaces the file of the pins if it still is what was read, keeping its owner and mode.
// oldSum is "absent" where there was no file.
func writePins(l Lease, file, oldSum, newSum string, content []byte) Command {
	cmd := guard(0, "pin", l.App, l.Rollback, strconv.FormatInt(l.Epoch, 10), file, oldSum, newSum)
	cmd.Stdin = content
	return cmd
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

func tenths(d time.Duration) string  { return strconv.FormatInt(int64(d/(100*time.Millisecond)), 10) }
func seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

// oneLine keeps a text from breaking the lease's lines, and a terminal; 200 characters are enough to know who and why.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	return Truncate(strings.Join(strings.Fields(s), " "), 200)
}

// parseLease reads what the guard printed of a lease.
func parseLease(text []byte) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if key, value, found := strings.Cut(strings.TrimRight(line, "\n"), "="); found {
			fields[key] = value
		}
	}
	return fields
}

// LockedError says that somebody else holds an app's lock on a host.
type LockedError struct {
	Host                  Host
	Rollback              string // or who has locked it, as lockID names them; "" where it could not be read
	Holder, Since, Reason string
	Until                 time.Time // when the lease runs out by itself; zero: it has, or there is none
	CommandRuns           bool      // a command still runs there under the kernel lock
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
	return fmt.Sprintf("%s: %s by %s since %s, until %s, because: %s", e.Host, what, e.who(), e.since(), e.Until.UTC().Format("15:04 UTC"), orElse(e.Reason, NotGiven))
}

func (e *LockedError) who() string {
	holder := orElse(Truncate(e.Holder, 60), "somebody")
	if strings.HasPrefix(e.Rollback, "rb-") {
		return "rollback " + e.Rollback + " of " + holder
	}
	return holder
}

func (e *LockedError) since() string {
	if at, err := time.Parse(time.RFC3339, e.Since); err == nil {
		return at.UTC().Format("2006-01-02 15:04 UTC")
	}
	return orElse(e.Since, "a time that nobody wrote down")
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// lockedError reads what the guard printed of a lease.
func lockedError(host Host, fields map[string]string) *LockedError {
	e := &LockedError{
		Host: host, Rollback: fields["rollback"], Holder: oneLine(fields["holder"]), Since: oneLine(fields["since"]), Reason: oneLine(fields["reason"]),
		CommandRuns: fields["running"] != "",
	}
	if left, err := strconv.ParseInt(fields["left"], 10, 64); err == nil && left > 0 {
		e.Until = time.Now().Add(time.Duration(left) * time.Second)
	}
	return e
}

// LeaseError says that the lease on a host isn't this rollback's any more, or can't be trusted: a person has to look.
type LeaseError struct {
	Host   Host
	Status int // the guard's exit status
	Why    string
}

func (e *LeaseError) Error() string { return fmt.Sprintf("%s: %s", e.Host, e.Why) }

// guardError gives the guard's refusal as an error; nil for status 0.
func guardError(host Host, r Result) error {
	fields := parseLease(r.Stdout)
	locked := lockedError(host, fields)
	switch r.Status {
	case 0:
		return nil
	case guardBusy:
		locked.CommandRuns = true
		return locked
	case guardHeld:
		return locked
	case guardStale:
		return &LeaseError{host, r.Status, fmt.Sprintf("the app's lock has passed to %s (%s)", locked.who(), orElse(locked.Reason, NotGiven))}
	case guardGone:
		return &LeaseError{host, r.Status, "the lease that this rollback holds in ~/.rollbackbot is gone: somebody removed it. If nobody else works there, Retry takes it anew"}
	case guardNoJob:
		return &LeaseError{host, r.Status, "what ~/.rollbackbot holds of a command that was begun there is gone: somebody removed it. Whether it still runs, and how it ended, is not known: look there before you Retry"}
	case guardRubbish:
		return &LeaseError{host, r.Status, "the lease in ~/.rollbackbot can't be read: somebody or a full disk damaged it. If nobody else works there, remove the file and Retry"}
	case guardPinsMoved:
		return &LeaseError{host, r.Status, "the file of the pins was changed by somebody else meanwhile"}
	case guardPinsCut:
		return &LeaseError{host, r.Status, "the new pins did not arrive whole; the file was left as it was"}
	case guardPinsOwner:
		return &LeaseError{host, r.Status, "the file of the pins can't be replaced without changing its owner or mode; let the SSH user own it"}
	case guardBroken:
		return &LeaseError{host, r.Status, "a file could not be written: " + lastLines(r.Stderr, 1)}
	}
	return &LeaseError{host, r.Status, fmt.Sprintf("the guard ended with status %d: %s", r.Status, lastLines(r.Stderr, 2))}
}
