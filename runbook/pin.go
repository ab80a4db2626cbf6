package runbook

import (
	"context"
	"errors"
	"slices"
)

// writePinsEverywhere is the second phase of step 2: the images are written where they are read, so that the next
// deployment, by anybody, and a reboot bring them back. Before the phase passes, the stack is rendered with nothing
// exported and has to show the plan's images; if it doesn't, every host gets its former pins back.
type writePinsEverywhere struct{}

func (writePinsEverywhere) Name() StepName { return StepPin }

func (s writePinsEverywhere) Run(ctx context.Context, x *execution) (StepOutcome, error) {
	outcome, err := x.onEveryHost(ctx, func(ctx context.Context, h HostPlan) (hostOutcome, error) {
		if err := x.setPins(ctx, h, h.Pins()); err != nil {
			return x.failure(ctx, err)
		}
		return x.provePinned(ctx, h)
	})
	if err != nil || outcome.Verdict == Passed || x.rollback().Touched() {
		return outcome, err
	}
	restored, err := x.restorePins(ctx)
	if err != nil {
		return StepOutcome{}, err
	}
	if restored.Verdict == Passed {
		outcome.Detail += "; the former pins are in place again, nothing has changed"
	} else {
		outcome.Detail += "; the former pins could not be put back: " + restored.Detail
	}
	return outcome, nil
}

// setPins writes pins on one host. What stood there before is journalled first; where all stands there already, as by a
// former attempt, nothing is written.
func (x *execution) setPins(ctx context.Context, h HostPlan, pins []Pin) error {
	return x.host(h.Host).EditPins(ctx, x.lease(), h.EnvFile, func(now []Pin) ([]Pin, error) {
		if slices.Equal(now, pins) {
			return nil, nil
		}
		return pins, x.note(ctx, PinsWriting{Host: h.Host, File: h.EnvFile, Former: now, Pins: pins})
	})
}

// provePinned makes sure that the next deployment by anybody would bring the plan's images. What runs is looked at
// meanwhile, for the next phase: that looks for itself where this could not.
func (x *execution) provePinned(ctx context.Context, h HostPlan) (hostOutcome, error) {
	err := together(ctx,
		func(ctx context.Context) error { return x.host(h.Host).Prove(ctx, h.To(), FromFile) },
		func(ctx context.Context) error {
			if _, err := x.look(ctx, h); errors.Is(err, errJournal) {
				return err
			}
			return nil
		})
	if err != nil {
		return x.failure(ctx, err)
	}
	return fine, x.note(ctx, PinsWritten{Host: h.Host})
}

// restorePins puts the former pins back on every host where this rollback wrote any and replaced no container.
func (x *execution) restorePins(ctx context.Context) (StepOutcome, error) {
	return x.onEveryHost(ctx, func(ctx context.Context, h HostPlan) (hostOutcome, error) {
		rb := x.rollback()
		state := rb.Hosts[h.Host]
		if state.Former == nil || state.UpStarted {
			return fine, nil
		}
		err := x.host(h.Host).EditPins(ctx, x.lease(), h.EnvFile, func(now []Pin) ([]Pin, error) {
			return rb.unchanged(h.Host, now), nil
		})
		if err != nil {
			return x.failure(ctx, err)
		}
		return fine, x.note(ctx, PinsRestored{Host: h.Host})
	})
}

// unchanged are the former pins of those variables that still say what this rollback wrote: what somebody else has
// written meanwhile stays.
func (rb Rollback) unchanged(host Host, now []Pin) []Pin {
	wrote := func(pin Pin) bool {
		for _, plan := range []*Plan{&rb.Plan, rb.Forward} {
			if plan == nil {
				continue
			}
			if h, ok := plan.Host(host); ok && slices.Contains(h.Pins(), pin) {
				return true
			}
		}
		return false
	}
	return slices.DeleteFunc(slices.Clone(rb.Hosts[host].Former), func(former Pin) bool {
		return !slices.ContainsFunc(now, func(pin Pin) bool { return pin.Variable == former.Variable && wrote(pin) })
	})
}
