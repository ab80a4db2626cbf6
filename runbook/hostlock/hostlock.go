package hostlock

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"rollbackbot/internal/parallel"
	"rollbackbot/runbook"
)

// HostLock is an app's lock on its hosts as people and CI take it from a terminal, to keep rollbacks out while they
// deploy or repair by hand.
//
// Its epoch is one above all that the journal and the hosts have seen, and it is not acquired in the journal: that would
// make the owner stale of a rollback that is opened at the same moment. Such a rollback finds the lock when it begins to
// act, and asks.
type HostLock struct {
	App     runbook.App
	Journal runbook.Journal
	Hosts   runbook.Hosts
	Holder  string // who takes it, as they name themselves: shown to whoever is refused
}

// The shortest and the longest time for which a person may lock an app: nobody can forget it for ever.
const (
	MinLockTime = time.Minute
	MaxLockTime = 24 * time.Hour
)

const (
	// jobPatience is how long Take waits on a host for a command that runs under the lock.
	jobPatience = 5 * time.Second
	// leaveTimeout bounds giving back what was taken, where Take was told to stop as well.
	leaveTimeout = 15 * time.Second
)

// HostLine is how it went on one host.
type HostLine struct {
	Host runbook.Host
	Text string // for people
	OK   bool
}

func (l HostLine) String() string { return string(l.Host) + ": " + l.Text }

// ErrNotLocked says that the lock was not taken, on any host; the lines say why.
var ErrNotLocked = errors.New("the lock was not taken: on every host, or on none")

// ErrNotUnlocked says that the lock could not be given back on every host; the lines say why.
var ErrNotUnlocked = errors.New("the lock was not given back on every host")

// Take takes the lock on every host of the app, or on none, for so long; who has it already prolongs it. What it says of
// each host comes with an error too.
func (l HostLock) Take(ctx context.Context, reason string, lasts time.Duration) ([]HostLine, error) {
	if err := l.noRollback(ctx); err != nil {
		return nil, err
	}
	locks := l.look(ctx)
	if lines, free := l.mayTake(locks); !free {
		return lines, ErrNotLocked
	}
	epoch, err := l.nextEpoch(ctx, locks)
	if err != nil {
		return nil, err
	}
	lease := runbook.Lease{Rollback: l.id(), Epoch: epoch, Holder: l.Holder, Since: time.Now(), Reason: cmp.Or(reason, runbook.NotGiven), For: lasts}
	if err := l.note(ctx, runbook.LockRequested{By: l.Holder, Reason: lease.Reason, For: lasts}); err != nil {
		return nil, err
	}
	lines, all := l.takeAll(ctx, lease, locks)
	if !all {
		return lines, errors.Join(ErrNotLocked, l.note(ctx, runbook.LockRefused{By: l.Holder, Why: runbook.Mask(joined(lines))}))
	}
	if err := l.note(ctx, runbook.LockTaken{By: l.Holder, Epoch: epoch, Hosts: l.App.Hosts}); err != nil {
		return l.leave(ctx, lease, locks, make([]error, len(locks))), errors.Join(ErrNotLocked, err)
	}
	return lines, nil
}

// id stands in a lease where a rollback's ID does. The shell form in docs/host.md writes the same.
func (l HostLock) id() string { return "lock:" + runbook.OneLine(l.Holder) }

// noRollback refuses while the app has a rollback open, whether or not it has begun to act.
func (l HostLock) noRollback(ctx context.Context) error {
	err := runbook.OpenRollback(ctx, l.Journal, l.App.Name)
	var busy *runbook.BusyError
	if errors.As(err, &busy) {
		return fmt.Errorf("%w, because: %s", err, runbook.OneLine(busy.Rollback.Request.Reason))
	}
	return err
}

// note journals a fact about the app, also where whoever ran the command has stopped it.
func (l HostLock) note(ctx context.Context, fact runbook.Fact) error {
	_, err := l.Journal.Append(context.WithoutCancel(ctx), runbook.Entry{App: l.App.Name, At: time.Now().UTC(), Facts: []runbook.Fact{fact}})
	return err
}

// nextEpoch is above all epochs that the journal and the hosts have seen.
func (l HostLock) nextEpoch(ctx context.Context, locks []lookedLock) (int64, error) {
	events, err := l.Journal.Events(ctx, l.App.Name, "", 0)
	if err != nil {
		return 0, fmt.Errorf("read the journal of %s: %w", l.App.Name, err)
	}
	var highest int64
	for _, event := range events {
		highest = max(highest, event.Epoch)
	}
	for _, lock := range locks {
		highest = max(highest, lock.Epoch)
	}
	return highest + 1, nil
}

// lookedLock is an app's lock on a host as it was seen.
type lookedLock struct {
	runbook.LockState
	err error // why it could not be seen, or can't be read
}

// look looks at the lock on every host.
func (l HostLock) look(ctx context.Context) []lookedLock {
	locks := make([]lookedLock, len(l.App.Hosts))
	l.onEach(ctx, func(ctx context.Context, i int) {
		host := l.App.Hosts[i]
		locks[i].LockState, locks[i].err = l.Hosts.On(l.App, host).Lock(ctx)
		locks[i].Host = host
	})
	return locks
}

func (l HostLock) onEach(ctx context.Context, f func(ctx context.Context, i int)) {
	var functions []func(context.Context) error
	for i := range l.App.Hosts {
		functions = append(functions, func(ctx context.Context) error { f(ctx, i); return nil })
	}
	_ = parallel.Do(ctx, functions...)
}

// mine reports whether who asks holds it.
func (l HostLock) mine(lock lookedLock) bool { return !lock.Until.IsZero() && lock.Rollback == l.id() }

// mayTake says of each host whether the lock could be taken there.
func (l HostLock) mayTake(locks []lookedLock) (lines []HostLine, all bool) {
	all = true
	for _, lock := range locks {
		line := HostLine{Host: lock.Host, Text: "nobody holds the app's lock; it was left so", OK: true}
		switch {
		case lock.err != nil:
			line.Text, line.OK = hostProblem(lock.Host, lock.err), false
		case l.mine(lock):
			line.Text = fmt.Sprintf("still locked by %s, until %s", l.Holder, lock.Until.UTC().Format("15:04 UTC"))
		case !lock.Free():
			line.Text, line.OK = hostProblem(lock.Host, &lock.LockedError), false
		}
		lines, all = append(lines, line), all && line.OK
	}
	return lines, all
}

// takeAll takes the lock for the shortest time first, and for as long as was asked only when every host has given it:
// whoever is killed or cut off in the middle leaves nothing behind for longer than a minute.
func (l HostLock) takeAll(ctx context.Context, lease runbook.Lease, locks []lookedLock) ([]HostLine, bool) {
	brief := lease
	brief.For = runbook.LeaseTime
	failures := make([]error, len(locks))
	l.onEach(ctx, func(ctx context.Context, i int) {
		if !l.mine(locks[i]) {
			failures[i] = l.take(ctx, locks[i], brief)
		}
	})
	if errors.Join(failures...) != nil {
		return l.leave(ctx, brief, locks, failures), false
	}
	l.onEach(ctx, func(ctx context.Context, i int) { failures[i] = l.take(ctx, locks[i], lease) })
	if errors.Join(failures...) != nil {
		return l.leave(ctx, lease, locks, failures), false
	}
	var lines []HostLine
	for _, lock := range locks {
		text := fmt.Sprintf("locked by %s for %s, until %s", l.Holder, lease.For, time.Now().Add(lease.For).UTC().Format("2006-01-02 15:04 UTC"))
		lines = append(lines, HostLine{Host: lock.Host, Text: text, OK: true})
	}
	return lines, true
}

func (l HostLock) take(ctx context.Context, before lookedLock, lease runbook.Lease) error {
	if since, err := time.Parse(time.RFC3339, before.Since); err == nil && l.mine(before) {
		lease.Since = since
	}
	return l.Hosts.On(l.App, before.Host).Take(ctx, lease, true, jobPatience)
}

// leave gives back what was taken, also where it is not known whether it was; what its holder had before stays theirs.
// sent is the lease that was asked for last.
func (l HostLock) leave(ctx context.Context, sent runbook.Lease, locks []lookedLock, failures []error) []HostLine {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	lines := make([]HostLine, len(locks))
	l.onEach(ctx, func(ctx context.Context, i int) {
		text := "still locked by " + l.Holder
		if !l.mine(locks[i]) {
			text = l.undo(ctx, locks[i].Host, sent)
		}
		if failures[i] != nil {
			text = hostProblem(locks[i].Host, failures[i]) + "; " + text
		}
		lines[i] = HostLine{Host: locks[i].Host, Text: text, OK: failures[i] == nil}
	})
	return lines
}

func (l HostLock) undo(ctx context.Context, host runbook.Host, sent runbook.Lease) string {
	_, err := l.Hosts.On(l.App, host).Release(ctx, sent, false)
	var lease *runbook.LeaseError
	switch {
	case err == nil:
		return "it was given back"
	case errors.As(err, &lease) && lease.Kind != runbook.LeaseUnusable:
		return "it was not taken"
	}
	return fmt.Sprintf("if it was taken there, it runs out by %s, or `unlock` gives it back", time.Now().Add(sent.For).UTC().Format("2006-01-02 15:04 UTC"))
}

// hostProblem is what went wrong on a host, without its name.
func hostProblem(host runbook.Host, err error) string {
	var unusable *runbook.HostError
	switch {
	case errors.As(err, &unusable) && unusable.Unreachable:
		return fmt.Sprintf("it can't be reached: %s. %s", unusable.Problem, unusable.Remedy)
	case errors.As(err, &unusable):
		return fmt.Sprintf("%s. %s", unusable.Problem, unusable.Remedy)
	case errors.Is(err, runbook.ErrLost), errors.Is(err, context.DeadlineExceeded):
		return "it did not answer in time, or the connection was lost"
	}
	return strings.TrimPrefix(runbook.Mask(err.Error()), string(host)+": ")
}

func joined(lines []HostLine) string {
	texts := make([]string, len(lines))
	for i, line := range lines {
		texts[i] = line.String()
	}
	return strings.Join(texts, "\n")
}
