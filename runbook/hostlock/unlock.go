package hostlock

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"rollbackbot/runbook"
)

// GiveBack gives the lock back on every host that can be reached, whoever took it by hand. A rollback's lock, a lease
// that can't be read, and what runs under the lock are left alone unless force is true: then the rollback loses the
// lock, and what runs is killed. What it says of each host comes with an error too.
func (l HostLock) GiveBack(ctx context.Context, force bool) ([]HostLine, error) {
	locks := l.look(ctx)
	epoch, err := l.nextEpoch(ctx, locks)
	if err != nil {
		return nil, err
	}
	if err := l.note(ctx, runbook.UnlockRequested{By: l.Holder, Force: force}); err != nil {
		return nil, err
	}
	lines := make([]HostLine, len(locks))
	l.onEach(ctx, func(ctx context.Context, i int) {
		if force {
			lines[i] = l.force(ctx, locks[i], epoch)
		} else {
			lines[i] = l.giveBack(ctx, locks[i])
		}
	})
	fact := runbook.Unlocked{By: l.Holder, Force: force}
	for _, line := range lines {
		fact.Hosts = append(fact.Hosts, line.String())
		if !line.OK {
			err = ErrNotUnlocked
		}
	}
	return lines, errors.Join(err, l.note(ctx, fact))
}

func (l HostLock) giveBack(ctx context.Context, lock lookedLock) HostLine {
	line := HostLine{Host: lock.Host}
	switch {
	case lock.err != nil:
		line.Text = hostProblem(lock.Host, lock.err)
	case lock.Free():
		line.Text, line.OK = "nobody held the app's lock", true
	case lock.CommandRuns:
		line.Text = hostProblem(lock.Host, &lock.LockedError) + ". It is left alone; `unlock --force` kills it"
	case strings.HasPrefix(lock.Rollback, "rb-"):
		line.Text = hostProblem(lock.Host, &lock.LockedError) + ". It is left alone: abort the rollback in Slack, or take the lock from it by `unlock --force`"
	default:
		_, err := l.Hosts.On(l.App, lock.Host).Release(ctx, runbook.Lease{Rollback: lock.Rollback, Epoch: lock.Epoch}, false)
		if err != nil {
			line.Text = hostProblem(lock.Host, err)
			break
		}
		line.Text, line.OK = fmt.Sprintf("given back; %s held it since %s", lock.Who(), lock.SinceText()), true
	}
	return line
}

// force takes the lock from whoever has it, under an epoch above theirs: a rollback that had it is refused from then on
// by the host, and asks its people.
func (l HostLock) force(ctx context.Context, lock lookedLock, epoch int64) HostLine {
	line := HostLine{Host: lock.Host}
	var damaged *runbook.LeaseError
	if lock.err != nil && !errors.As(lock.err, &damaged) {
		line.Text = hostProblem(lock.Host, lock.err)
		return line
	}
	if damaged == nil && lock.Free() {
		line.Text, line.OK = "nobody held the app's lock", true
		return line
	}
	lease := runbook.Lease{Rollback: l.id(), Epoch: epoch, Holder: l.Holder, Since: time.Now(), Reason: "unlock --force"}
	released, err := l.Hosts.On(l.App, lock.Host).Release(ctx, lease, true)
	was := "taken"
	switch {
	case damaged != nil:
		was = "the lease that could not be read is replaced"
	case !lock.Until.IsZero():
		was = fmt.Sprintf("taken from %s, who held it since %s", lock.Who(), lock.SinceText())
	}
	line.Text, line.OK = was, true
	if err != nil {
		line.Text, line.OK = hostProblem(lock.Host, err), false
	}
	for _, command := range released.Left {
		line.Text += ". The SSH user can't end it, since it runs as another user, by sudo perhaps; end it there by hand: process " + command
	}
	for _, command := range released.Ended {
		line.Text += "; killed: " + command
	}
	return line
}
