package compose

import (
	"cmp"
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"time"

	"rollbackbot/runbook"
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
	return line{Command: runbook.Command{Args: append([]string{"sh", "-c", guardScript, "rollbackbot"}, words...)}, timeout: timeout}
}

// takeLease takes or renews the app's lease on a host, waiting up to wait for a command that still runs there.
// first says that this rollback has never held it: then a missing lease is none at all, and not one that was removed.
func takeLease(app string, l runbook.Lease, first bool, wait time.Duration) line {
	lasts := l.For
	if lasts == 0 {
		lasts = runbook.LeaseTime
	}
	return guard(wait+defaultTimeout, "take", app, l.Rollback, strconv.FormatInt(l.Epoch, 10), flag(first), tenths(wait),
		seconds(lasts), runbook.OneLine(l.Holder), l.Since.UTC().Format(time.RFC3339), runbook.OneLine(l.Reason))
}

func releaseLease(app string, l runbook.Lease) line {
	return guard(0, "release", app, l.Rollback, strconv.FormatInt(l.Epoch, 10))
}

func showLease(app string) line { return guard(0, "show", app) }

// forceLease takes the lease from whoever has it, kills what runs under the lock, and gives it back at once.
func forceLease(app string, l runbook.Lease) line {
	return guard(forceWait+defaultTimeout, "force", app, l.Rollback, strconv.FormatInt(l.Epoch, 10),
		runbook.OneLine(l.Holder), l.Since.UTC().Format(time.RFC3339), runbook.OneLine(l.Reason))
}

// forceWait is the time that the guard takes to ask what runs to end, to end it, and to wait for that.
const forceWait = 20 * time.Second

// act starts a changing command on the host under the lock: it goes on when the link is cut, its output and exit
// status stay in files of the rollback's folder there. Starting the same job again starts nothing.
func act(app string, l runbook.Lease, job string, limit time.Duration, cmd runbook.Command) line {
	words := []string{"act", app, l.Rollback, strconv.FormatInt(l.Epoch, 10), job, seconds(limit), seconds(runbook.LeaseTime), cmd.Dir}
	return guard(0, append(words, cmd.Args...)...)
}

// stop asks a job to end before its time. How it ended is still to be followed; a job that has ended is left alone.
func stop(app string, l runbook.Lease, job string) line {
	return guard(0, "stop", app, l.Rollback, strconv.FormatInt(l.Epoch, 10), job)
}

// follow gives what a job printed from offset on, as soon as there is something, and how it stands, on stderr.
func follow(app string, l runbook.Lease, job string, offset int64) line {
	return guard(0, "follow", app, l.Rollback, job, strconv.FormatInt(offset, 10), tenths(5*time.Second))
}

// writePins replaces the pins file if it still is what was read, keeping its owner and mode.
// oldSum is "absent" where there was no file.
func writePins(app string, l runbook.Lease, file, oldSum, newSum string, content []byte) line {
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
func lockedError(host runbook.Host, fields map[string]string) *runbook.LockedError {
	e := &runbook.LockedError{
		Host: host, Rollback: fields["rollback"], Holder: runbook.OneLine(fields["holder"]), Since: runbook.OneLine(fields["since"]), Reason: runbook.OneLine(fields["reason"]),
		CommandRuns: fields["running"] != "",
	}
	if left, err := strconv.ParseInt(fields["left"], 10, 64); err == nil && left > 0 {
		e.Until = time.Now().Add(time.Duration(left) * time.Second)
	}
	return e
}

// guardError gives the guard's refusal as an error; nil for status 0.
func guardError(host runbook.Host, r result) error {
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
		return &runbook.LeaseError{Host: host, Kind: runbook.LeaseStale, Why: fmt.Sprintf("the app's lock has passed to %s (%s)", locked.Who(), cmp.Or(locked.Reason, runbook.NotGiven))}
	case guardGone:
		return &runbook.LeaseError{Host: host, Kind: runbook.LeaseGone, Why: "the lease that this rollback holds in ~/.rollbackbot is gone: somebody removed it. If nobody else works there, Retry takes it again"}
	case guardRubbish:
		return &runbook.LeaseError{Host: host, Kind: runbook.LeaseDamaged, Why: "the lease in ~/.rollbackbot can't be read: somebody or a full disk damaged it. If nobody else works there, remove the file and Retry"}
	case guardPinsMoved:
		return &runbook.LeaseError{Host: host, Kind: runbook.PinsMoved, Why: "the pins file was changed by somebody else meanwhile"}
	case guardPinsCut:
		return &runbook.LeaseError{Host: host, Kind: runbook.PinsCut, Why: "the new pins did not arrive whole; the file was left as it was"}
	case guardPinsOwner:
		return &runbook.LeaseError{Host: host, Kind: runbook.PinsNotOurs, Why: "the pins file can't be replaced without changing its owner or mode; let the SSH user own it"}
	case guardBroken:
		return &runbook.LeaseError{Host: host, Kind: runbook.LeaseUnusable, Why: "a file could not be written: " + runbook.LastLines(r.stderr, 1)}
	}
	return &runbook.LeaseError{Host: host, Kind: runbook.LeaseUnusable, Why: fmt.Sprintf("the guard ended with status %d: %s", r.status, runbook.LastLines(r.stderr, 2))}
}
