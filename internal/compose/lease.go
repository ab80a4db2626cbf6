package compose

import (
	"context"
	"strconv"
	"strings"
	"time"

	"rollbackbot/runbook"
)

// Lock reads the lease, and whether a command runs under the kernel lock.
func (h *appHost) Lock(ctx context.Context) (runbook.LockState, error) {
	r, err := h.run(ctx, showLease(h.app.Name))
	if err != nil {
		return runbook.LockState{LockedError: runbook.LockedError{Host: h.host}}, err
	}
	fields := r.fields()
	seen := runbook.LockState{LockedError: *lockedError(h.host, fields)}
	if r.status == guardGone {
		return seen, nil
	}
	seen.Epoch, _ = strconv.ParseInt(fields["epoch"], 10, 64)
	return seen, guardError(h.host, r)
}

// Take takes or renews the lease.
func (h *appHost) Take(ctx context.Context, lease runbook.Lease, first bool, wait time.Duration) error {
	r, err := h.run(ctx, takeLease(h.app.Name, lease, first, wait))
	if err != nil {
		return err
	}
	return guardError(h.host, r)
}

// Release lets the lease run out at once, or takes it by force.
func (h *appHost) Release(ctx context.Context, lease runbook.Lease, force bool) (runbook.Released, error) {
	send := releaseLease(h.app.Name, lease)
	if force {
		send = forceLease(h.app.Name, lease)
	}
	r, err := h.run(ctx, send)
	if err != nil {
		return runbook.Released{}, err
	}
	return runbook.Released{Ended: commandsOf(r, "killed"), Left: commandsOf(r, "theirs")}, guardError(h.host, r)
}

// commandsOf lists the commands of which the lock script says something.
func commandsOf(r result, what string) (commands []string) {
	for line := range strings.Lines(string(r.stdout)) {
		if command, found := strings.CutPrefix(line, what+"="); found {
			commands = append(commands, runbook.Mask(runbook.OneLine(command)))
		}
	}
	return commands
}
