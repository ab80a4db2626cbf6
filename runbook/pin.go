package runbook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
)

// writePinsEverywhere is the second phase of step 2: the images are written where compose reads them, so that the next
// `up`, by anybody, and a reboot bring them back. Before the phase passes, compose renders the stack with nothing
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

// setPins edits the file of the pins on one host: read, change the values of the planned variables, write the whole
// file anew if it still is what was read. What stood there before is journalled first.
func (x *execution) setPins(ctx context.Context, h HostPlan, pins []Pin) error {
	content, sum, err := x.readEnv(ctx, h)
	if err != nil {
		return err
	}
	wanted := EditPins(content, pins)
	if bytes.Equal(wanted, content) {
		return nil // as they should be already, or written by a former attempt
	}
	if err := x.note(ctx, PinsWriting{Host: h.Host, File: h.EnvFile, Former: ReadPins(content, x.app), Pins: pins}); err != nil {
		return err
	}
	return x.replaceEnv(ctx, h, sum, wanted)
}

func (x *execution) readEnv(ctx context.Context, h HostPlan) (content []byte, sum string, err error) {
	result, err := x.target(h.Host).Run(ctx, readFile(x.app, h.EnvFile))
	if err != nil {
		return nil, "", err
	}
	if result.Status != 0 {
		if bytes.Contains(result.Stderr, []byte("No such file")) {
			return nil, "absent", nil
		}
		return nil, "", fmt.Errorf("the file of the pins can't be read: %s", lastLines(result.Stderr, 1))
	}
	return result.Stdout, sumOf(result.Stdout), nil
}

// replaceEnv writes the file. A link that was cut leaves it whole, either old or new: so it is looked at again.
func (x *execution) replaceEnv(ctx context.Context, h HostPlan, oldSum string, content []byte) error {
	newSum := sumOf(content)
	result, err := x.target(h.Host).Run(ctx, writePins(x.lease(), h.EnvFile, oldSum, newSum, content))
	if errors.Is(err, ErrLost) {
		_, now, readErr := x.readEnv(ctx, h)
		switch {
		case readErr != nil:
			return readErr
		case now == newSum:
			return nil
		}
		return err
	}
	if err != nil {
		return err
	}
	return guardError(h.Host, result)
}

// provePinned renders the stack as the next `up` by anybody would. What runs is looked at meanwhile, for the next phase:
// that looks for itself where this could not.
func (x *execution) provePinned(ctx context.Context, h HostPlan) (hostOutcome, error) {
	var stack rendered
	err := together(ctx,
		func(ctx context.Context) (err error) {
			stack, err = renderStack(ctx, x.target(h.Host), h.Host, x.app, nil)
			return err
		},
		func(ctx context.Context) error {
			if _, err := x.look(ctx, h); errors.Is(err, errJournal) {
				return err
			}
			return nil
		})
	if err != nil {
		return x.failure(ctx, err)
	}
	for _, s := range h.Services {
		if got := stack.Services[s.Service].Image; got != s.To.String() {
			return broken("the pins are written to %s, but compose renders %s as %s: another file or an exported variable wins", h.EnvFile, s.Service, got), nil
		}
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
		content, sum, err := x.readEnv(ctx, h)
		if err == nil {
			err = x.replaceEnv(ctx, h, sum, EditPins(content, rb.unchanged(h.Host, ReadPins(content, x.app))))
		}
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
