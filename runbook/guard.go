package runbook

import (
	"cmp"
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"time"
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

// How the guard refuses, by exit status. All are outside of what sh, timeout and docker use themselves.
const (
	guardBroken    = 71 // a file of ours could not be written
	guardNoJob     = 72 // no such command was ever started
	guardBusy      = 73 // a command still runs under the lock
	guardHeld      = 74 // another rollback, or a person, holds the lease
	guardStale     = 75 // a newer owner holds the lease
	guardGone      = 76 // the lease was taken once and is gone
	guardRubbish   = 77 // the lease can't be read
	guardPinsMoved = 78 // the pins file changed since it was read
	guardPinsCut   = 79 // the new content did not arrive whole
	guardPinsOwner = 80 // the file's owner or mode can't be kept
)

func guard(timeout time.Duration, words ...string) line {
	return line{Command: Command{Args: append([]string{"sh", "-c", guardScript, "rollbackbot"}, words...)}, timeout: timeout}
}

// takeLease takes or renews the app's lease on a host, waiting up to wait for a command that still runs there.
// first says that this rollback has never held it: then a missing lease is none at all, and not one that was removed.
func takeLease(app string, l Lease, first bool, wait time.Duration) line {
	lasts := l.For
	if lasts == 0 {
		lasts = LeaseTime
	}
	return guard(wait+defaultTimeout, "take", app, l.Rollback, strconv.FormatInt(l.Epoch, 10), flag(first), tenths(wait),
		seconds(lasts), OneLine(l.Holder), l.Since.UTC().Format(time.RFC3339), OneLine(l.Reason))
}

func releaseLease(app string, l Lease) line {
	return guard(0, "release", app, l.Rollback, strconv.FormatInt(l.Epoch, 10))
}

func showLease(app string) line { return guard(0, "show", app) }

// forceLease takes the lease from whoever has it, kills what runs under the lock, and gives it back at once.
func forceLease(app string, l Lease) line {
	return guard(forceWait+defaultTimeout, "force", app, l.Rollback, strconv.FormatInt(l.Epoch, 10),
		OneLine(l.Holder), l.Since.UTC().Format(time.RFC3339), OneLine(l.Reason))
}

// forceWait is the time that the guard takes to ask what runs to end, to end it, and to wait for that.
const forceWait = 20 * time.Second

// act starts a changing command on the host under the lock: it goes on when the link is cut, its output and exit
// status stay in files of the rollback's folder there. Starting the same job again starts nothing.
func act(app string, l Lease, job string, limit time.Duration, cmd Command) line {
	words := []string{"act", app, l.Rollback, strconv.FormatInt(l.Epoch, 10), job, seconds(limit), seconds(LeaseTime), cmd.Dir}
	return guard(0, append(words, cmd.Args...)...)
}

// stop asks a job to end before its time. How it ended is still to be followed; a job that has ended is left alone.
func stop(app string, l Lease, job string) line {
	return guard(0, "stop", app, l.Rollback, strconv.FormatInt(l.Epoch, 10), job)
}

// follow gives what a job printed from offset on, as soon as there is something, and how it stands, on stderr.
func follow(app string, l Lease, job string, offset int64) line {
	return guard(0, "follow", app, l.Rollback, job, strconv.FormatInt(offset, 10), tenths(5*time.Second))
}

// writePins replaces the pins file if it still is what was read, keeping its owner and mode.
// oldSum is "absent" where there was no file.
func writePins(app string, l Lease, file, oldSum, newSum string, content []byte) line {
	cmd := guard(0, "pin", app, l.Rollback, strconv.FormatInt(l.Epoch, 10), file, oldSum, newSum)
	cmd.stdin = content
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

// lockedError reads what the guard printed of a lease.
func lockedError(host Host, fields map[string]string) *LockedError {
	e := &LockedError{
		Host: host, Rollback: fields["rollback"], Holder: OneLine(fields["holder"]), Since: OneLine(fields["since"]), Reason: OneLine(fields["reason"]),
		CommandRuns: fields["running"] != "",
	}
	if left, err := strconv.ParseInt(fields["left"], 10, 64); err == nil && left > 0 {
		e.Until = time.Now().Add(time.Duration(left) * time.Second)
	}
	return e
}

// guardError gives the guard's refusal as an error; nil for status 0.
func guardError(host Host, r result) error {
	fields := r.fields()
	locked := lockedError(host, fields)
	switch r.status {
	case 0:
		return nil
	case guardBusy:
		locked.CommandRuns = true
		return locked
	case guardHeld:
		return locked
	case guardStale:
		return &LeaseError{host, LeaseStale, fmt.Sprintf("the app's lock has passed to %s (%s)", locked.Who(), cmp.Or(locked.Reason, NotGiven))}
	case guardGone:
		return &LeaseError{host, LeaseGone, "the lease that this rollback holds in ~/.rollbackbot is gone: somebody removed it. If nobody else works there, Retry takes it again"}
	case guardRubbish:
		return &LeaseError{host, LeaseDamaged, "the lease in ~/.rollbackbot can't be read: somebody or a full disk damaged it. If nobody else works there, remove the file and Retry"}
	case guardPinsMoved:
		return &LeaseError{host, PinsMoved, "the pins file was changed by somebody else meanwhile"}
	case guardPinsCut:
		return &LeaseError{host, PinsCut, "the new pins did not arrive whole; the file was left as it was"}
	case guardPinsOwner:
		return &LeaseError{host, PinsNotOurs, "the pins file can't be replaced without changing its owner or mode; let the SSH user own it"}
	case guardBroken:
		return &LeaseError{host, LeaseUnusable, "a file could not be written: " + lastLines(r.stderr, 1)}
	}
	return &LeaseError{host, LeaseUnusable, fmt.Sprintf("the guard ended with status %d: %s", r.status, lastLines(r.stderr, 2))}
}
