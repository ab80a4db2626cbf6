package runner

import (
	"context"
	"errors"
	"slices"

	"rollbackbot/internal/parallel"
	"rollbackbot/runbook"
)

// writePinsEverywhere is the second phase of step 2: the images are written where they are read, so that the next
// deployment, by anybody, and a reboot bring them back. Before the phase passes, the stack is rendered with nothing
// exported and has to show the plan's images; if it doesn't, every host gets its former pins back.
type writePinsEverywhere struct{}

func (writePinsEverywhere) Name() runbook.StepName { return runbook.StepPin }

func (s writePinsEverywhere) Run(ctx context.Context, x *execution) (runbook.StepOutcome, error) {
	outcome, err := x.onEveryHost(ctx, func(ctx context.Context, h runbook.HostPlan) (hostOutcome, error) {
		if err := x.setPins(ctx, h, h.Pins()); err != nil {
			return x.failure(ctx, err)
		}
		return x.provePinned(ctx, h)
	})
	if err != nil || outcome.Verdict == runbook.Passed || x.rollback().Touched() {
		return outcome, err
	}
	restored, err := x.restorePins(ctx)
	if err != nil {
		return runbook.StepOutcome{}, err
	}
	if restored.Verdict == runbook.Passed {
		outcome.Detail += "; the former pins are in place again, nothing has changed"
	} else {
		outcome.Detail += "; the former pins could not be put back: " + restored.Detail
	}
	return outcome, nil
}

// setPins writes pins on one host. What stood there before is journalled first; where all stands there already, as by a
// former attempt, nothing is written.
func (x *execution) setPins(ctx context.Context, h runbook.HostPlan, pins []runbook.Pin) error {
	return x.host(h.Host).EditPins(ctx, x.lease(), h.EnvFile, func(now []runbook.Pin) ([]runbook.Pin, error) {
		if slices.EqualFunc(now, pins, alike) {
			return nil, nil
		}
		return pins, x.note(ctx, runbook.PinsWriting{Host: h.Host, File: h.EnvFile, Former: now, Pins: pins})
	})
}

// alike reports whether two pins say the same: the file may have one in quotes.
func alike(a, b runbook.Pin) bool {
	one, plain := a.Plain()
	other, alsoPlain := b.Plain()
	return a.Variable == b.Variable && a.Absent == b.Absent && plain && alsoPlain && one == other
}

// provePinned makes sure that the next deployment by anybody would bring the plan's images. What runs is looked at
// meanwhile, for the next phase: that looks for itself where this could not.
func (x *execution) provePinned(ctx context.Context, h runbook.HostPlan) (hostOutcome, error) {
	err := parallel.Do(ctx,
		func(ctx context.Context) error { return x.host(h.Host).Prove(ctx, h.To(), runbook.FromFile) },
		func(ctx context.Context) error {
			if _, err := x.look(ctx, h); errors.Is(err, errJournal) {
				return err
			}
			return nil
		})
	if err != nil {
		return x.failure(ctx, err)
	}
	return fine, x.note(ctx, runbook.PinsWritten{Host: h.Host})
}

// restorePins puts the former pins back on every host where this rollback wrote any and replaced no container.
func (x *execution) restorePins(ctx context.Context) (runbook.StepOutcome, error) {
	return x.onEveryHost(ctx, func(ctx context.Context, h runbook.HostPlan) (hostOutcome, error) {
		rb := x.rollback()
		state := rb.Hosts[h.Host]
		if state.Former == nil || state.UpStarted {
			return fine, nil
		}
		err := x.host(h.Host).EditPins(ctx, x.lease(), h.EnvFile, func(now []runbook.Pin) ([]runbook.Pin, error) {
			return unchanged(rb, h.Host, now), nil
		})
		if err != nil {
			return x.failure(ctx, err)
		}
		return fine, x.note(ctx, runbook.PinsRestored{Host: h.Host})
	})
}

// unchanged are the former pins of those variables that still say what this rollback wrote: what somebody else has
// written meanwhile stays.
func unchanged(rb runbook.Rollback, host runbook.Host, now []runbook.Pin) []runbook.Pin {
	wrote := func(pin runbook.Pin) bool {
		for _, plan := range []*runbook.Plan{&rb.Plan, rb.Forward} {
			if plan == nil {
				continue
			}
			h, ok := plan.Host(host)
			if ok && slices.ContainsFunc(h.Pins(), func(planned runbook.Pin) bool { return alike(pin, planned) }) {
				return true
			}
		}
		return false
	}
	return slices.DeleteFunc(slices.Clone(rb.Hosts[host].Former), func(former runbook.Pin) bool {
		return !slices.ContainsFunc(now, func(pin runbook.Pin) bool { return pin.Variable == former.Variable && wrote(pin) })
	})
}
