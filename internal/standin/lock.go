package standin

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"rollbackbot/runbook"
)

// How long a method waits for a job that runs under the lock.
const (
	actPatience     = 10 * time.Second
	releasePatience = 5 * time.Second
)

// Lock says whose turn it is.
func (h *Host) Lock(ctx context.Context) (state runbook.LockState, err error) {
	state.Host = h.name
	err = h.do(ctx, call{method: "Lock"}, func(s *State) error {
		state.LockedError = *h.locked(s)
		switch {
		case s.Lease == nil:
			return nil
		case s.Lease.Damaged:
			return h.leaseError(runbook.LeaseDamaged)
		}
		state.Epoch = s.Lease.Epoch
		return nil
	})
	return state, err
}

// locked is the lock as it stands.
func (h *Host) locked(s *State) *runbook.LockedError {
	e := &runbook.LockedError{Host: h.name, CommandRuns: h.running() != nil}
	if l := s.Lease; l != nil && !l.Damaged {
		e.Rollback, e.Holder, e.Since, e.Reason = l.Rollback, l.Holder, l.Since, l.Reason
		if s.held() {
			e.Until = l.Until
		}
	}
	return e
}

// held reports whether the lease has not run out.
func (s *State) held() bool { return s.Lease.Boot == s.Boot && time.Now().Before(s.Lease.Until) }

func (h *Host) leaseError(kind runbook.LeaseKind) *runbook.LeaseError {
	return &runbook.LeaseError{Host: h.name, Kind: kind, Why: cmp.Or(whys[kind], "nothing was changed: "+string(kind))}
}

var whys = map[runbook.LeaseKind]string{
	runbook.LeaseGone:     "the lease that this rollback holds is gone: somebody removed it",
	runbook.LeaseDamaged:  "the lease can't be read: somebody damaged it",
	runbook.PinsMoved:     "the pins file was changed by somebody else meanwhile",
	runbook.PinsCut:       "the new pins did not arrive whole; the file was left as it was",
	runbook.PinsNotOurs:   "the pins file can't be replaced without changing its owner or mode",
	runbook.LeaseUnusable: "a file could not be written",
}

func (h *Host) stale(s *State) error {
	e := h.leaseError(runbook.LeaseStale)
	e.Why = fmt.Sprintf("the app's lock has passed to %s (%s)", h.locked(s).Who(), cmp.Or(s.Lease.Reason, runbook.NotGiven))
	return e
}

// check lets the holder of the lease go on, and nobody else.
func (h *Host) check(s *State, l runbook.Lease) error {
	switch {
	case s.Lease == nil:
		return h.leaseError(runbook.LeaseGone)
	case s.Lease.Damaged:
		return h.leaseError(runbook.LeaseDamaged)
	case s.Lease.Rollback != l.Rollback || s.Lease.Epoch != l.Epoch:
		return h.stale(s)
	}
	return nil
}

// act is a change under the lock: nothing runs there meanwhile, and the lease is l.
func (h *Host) act(ctx context.Context, c call, l runbook.Lease, change func(s *State) error) error {
	c.ready = func(*State) bool { return h.running() == nil }
	return h.do(ctx, c, func(s *State) error {
		if h.running() != nil {
			return h.locked(s)
		}
		if err := h.check(s, l); err != nil {
			return err
		}
		return change(s)
	})
}

// Take takes or renews the lock.
func (h *Host) Take(ctx context.Context, l runbook.Lease, first bool, wait time.Duration) error {
	idle := func(*State) bool { return h.running() == nil }
	return h.do(ctx, call{method: "Take", patience: wait, ready: idle}, func(s *State) error {
		if err := h.mayTake(s, l, first); err != nil {
			return err
		}
		h.write(s, l, time.Now().Add(cmp.Or(l.For, runbook.LeaseTime)))
		return nil
	})
}

func (h *Host) mayTake(s *State, l runbook.Lease, first bool) error {
	is := s.Lease
	switch {
	case h.running() != nil:
		return h.locked(s)
	case is == nil && !first:
		return h.leaseError(runbook.LeaseGone)
	case is == nil:
		return nil
	case is.Damaged:
		return h.leaseError(runbook.LeaseDamaged)
	case is.Rollback != l.Rollback && s.held():
		return h.locked(s)
	case l.Epoch < is.Epoch, l.Epoch == is.Epoch && is.Rollback != l.Rollback:
		return h.stale(s)
	}
	return nil
}

// write makes it this lease's turn until then.
func (h *Host) write(s *State, l runbook.Lease, until time.Time) {
	s.Lease = &Lease{
		Rollback: l.Rollback, Epoch: l.Epoch, Boot: s.Boot, Until: until,
		Holder: runbook.OneLine(l.Holder), Since: l.Since.UTC().Format(time.RFC3339), Reason: runbook.OneLine(l.Reason),
	}
}

// Release gives the lock back, or takes it from whoever has it.
func (h *Host) Release(ctx context.Context, l runbook.Lease, force bool) (released runbook.Released, err error) {
	if force {
		err = h.do(ctx, call{method: "Release"}, func(s *State) (err error) {
			released, err = h.force(s, l)
			return err
		})
		return released, err
	}
	err = h.act(ctx, call{method: "Release", patience: releasePatience}, l, func(s *State) error {
		s.Lease.Boot, s.Lease.Until = s.Boot, time.Time{}
		return nil
	})
	return released, err
}

// force ends what runs. Who began it is refused from then on, since the epoch is above theirs.
func (h *Host) force(s *State, l runbook.Lease) (released runbook.Released, err error) {
	if job := h.running(); job != nil {
		line := runbook.Mask(runbook.OneLine(job.meant.Command.String()))
		if s.Sudo {
			released.Left = []string{"41: " + line}
			return released, h.locked(s)
		}
		released.Ended = []string{line}
		h.strike(runbook.JobKilled)
	}
	if s.Lease != nil && !s.Lease.Damaged {
		l.Epoch = max(l.Epoch, s.Lease.Epoch+1)
	}
	h.write(s, l, time.Time{})
	return released, nil
}
