package runner

import (
	"context"
	"errors"
	"time"

	"rollbackbot/internal/parallel"
	"rollbackbot/runbook"
)

// hold takes the app's lock on every host of the plan, under an epoch above all that any of them has seen. A command
// of this very rollback that still runs there, since a former process began it, is waited for.
//
// Where a person has looked at a refusal and said to go on, a lease that is gone is taken anew.
func (x *execution) hold(ctx context.Context) (runbook.StepOutcome, error) {
	again := mayTakeLockAgain(x.rollback())
	if x.epoch.Load() == 0 {
		floor, outcome, err := x.highestEpoch(ctx)
		if err != nil || outcome.Verdict != runbook.Passed {
			return outcome, err
		}
		epoch, err := x.acquire(ctx, floor)
		if err != nil {
			return runbook.StepOutcome{}, err
		}
		x.epoch.Store(epoch)
	}
	outcome, err := x.onEveryHost(ctx, func(ctx context.Context, h runbook.HostPlan) (hostOutcome, error) {
		return x.holdHost(ctx, h.Host, again)
	})
	if err != nil || outcome.Verdict != runbook.Passed {
		x.release(ctx)
	}
	return outcome, err
}

// highestEpoch reads the epoch that each host has recorded, so that a database restored from yesterday does not lock
// itself out.
func (x *execution) highestEpoch(ctx context.Context) (int64, runbook.StepOutcome, error) {
	var highest int64
	var one parallel.Serial
	outcome, err := x.onEveryHost(ctx, func(ctx context.Context, h runbook.HostPlan) (hostOutcome, error) {
		seen, err := x.host(h.Host).Lock(ctx)
		if err != nil {
			return x.failure(ctx, err)
		}
		return fine, one.Do(func() error { highest = max(highest, seen.Epoch); return nil })
	})
	return highest, outcome, err
}

// takeWait is how long one attempt waits for a command that runs under the lock.
const takeWait = 5 * time.Second

func (x *execution) holdHost(ctx context.Context, host runbook.Host, again bool) (hostOutcome, error) {
	first := x.rollback().Hosts[host].Epoch == 0 || again
	deadline := time.Now().Add(upLimit)
	for {
		err := x.host(host).Take(ctx, x.lease(), first, takeWait)
		var locked *runbook.LockedError
		switch {
		case err == nil:
			return fine, x.note(ctx, runbook.LeaseTaken{Host: host, Epoch: x.epoch.Load()})
		case errors.As(err, &locked) && locked.CommandRuns && locked.Rollback == x.rollback().ID && time.Now().Before(deadline):
			x.progress(host, "waiting for a command that still runs there")
		default:
			return x.failure(ctx, err)
		}
	}
}

// keep renews the leases until ctx ends. A renewal that is refused changes nothing here: the next changing command is
// refused by the host itself, which is what counts.
func (x *execution) keep(ctx context.Context) {
	ticker := time.NewTicker(runbook.LeaseInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			x.renew(ctx)
		}
	}
}

// renewTimeout is how long a renewal that was begun is waited for, also by whoever ends them.
const renewTimeout = 5 * time.Second

// renew is not cut short when the renewals end: what was sent may still reach a host, and has to come before the release.
func (x *execution) renew(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewTimeout)
	defer cancel()
	lease := x.lease()
	_, _ = x.onEveryHost(ctx, func(ctx context.Context, h runbook.HostPlan) (hostOutcome, error) {
		_ = x.host(h.Host).Take(ctx, lease, false, 0)
		return fine, nil
	})
}

// release gives the lock back on every host, as far as they answer; where they don't, the lease runs out by itself.
func (x *execution) release(ctx context.Context) {
	if x.epoch.Load() == 0 {
		return
	}
	lease := x.lease()
	_, _ = x.onEveryHost(ctx, func(ctx context.Context, h runbook.HostPlan) (hostOutcome, error) {
		_, _ = x.host(h.Host).Release(ctx, lease, false)
		return fine, nil
	})
	x.epoch.Store(0)
}

// toldToGoOn reports whether the last thing that a person said was to go on after something went wrong, and no step
// has passed since.
func toldToGoOn(rb runbook.Rollback) bool {
	last := rb.Questions[len(rb.Questions)-1]
	if last.Answer != runbook.Retry && last.Answer != runbook.RollForward {
		return false
	}
	for _, run := range rb.Steps {
		if run.Verdict == runbook.Passed && run.EndedAt.After(last.AnsweredAt) {
			return false
		}
	}
	return true
}

// mayTakeLockAgain reports whether a person was told that the lease is gone, and said to go on.
func mayTakeLockAgain(rb runbook.Rollback) bool {
	for i := len(rb.Steps) - 1; i >= 0; i-- {
		if run := rb.Steps[i]; !run.EndedAt.IsZero() {
			return run.LockGone && toldToGoOn(rb)
		}
	}
	return false
}
