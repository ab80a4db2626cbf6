package hosttest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"rollbackbot/runbook"
)

// scene is a case that is being tried: its bench, and the host as the implementation has it.
type scene struct {
	Bench
	ctx   context.Context // bounds the case
	host  runbook.AppHost // is tried
	wrong []error
	jobs  int // that it ran
}

// stop ends a case early. A case can't end its test by t.FailNow: who tries the suite on a broken implementation
// wants to see it fail.
type stop struct{}

func (s *scene) errorf(format string, args ...any) {
	s.wrong = append(s.wrong, fmt.Errorf(format, args...))
}

func (s *scene) fatalf(format string, args ...any) {
	s.errorf(format, args...)
	panic(stop{})
}

// must ends the case where something failed that has to go well.
func (s *scene) must(doing string, err error) {
	if err != nil {
		s.fatalf("%s: %w", doing, err)
	}
}

// do has somebody else do something.
func (s *scene) do(deed Deed) {
	if err := s.Bench.Do(s.ctx, deed); err != nil {
		s.fatalf("%T: %w", deed, err)
	}
}

// The rollbacks of the suite. A rollback's ID begins with "rb-".
const (
	mine   = "rb-mine"
	theirs = "rb-theirs"
)

func lease(rollback string, epoch int64) runbook.Lease {
	return runbook.Lease{Rollback: rollback, Epoch: epoch, Holder: "UHOLDER", Since: time.Unix(1700000000, 0), Reason: "checkout \"fails\" = $HOME\nnow"}
}

// held takes the lock for the case's own rollback under epoch 1.
func (s *scene) held() runbook.Lease {
	l := lease(mine, 1)
	s.must("take a lock that was never held", s.host.Take(s.ctx, l, true, 0))
	return l
}

func (s *scene) wantLease(doing string, err error, kind runbook.LeaseKind) {
	var e *runbook.LeaseError
	if !errors.As(err, &e) || e.Kind != kind || e.Host != s.Host() {
		s.errorf("%s: got %v, want a LeaseError %q of %s", doing, err, kind, s.Host())
	}
}

// wantLocked gives what the refusal says.
func (s *scene) wantLocked(doing string, err error) runbook.LockedError {
	var e *runbook.LockedError
	if !errors.As(err, &e) {
		s.fatalf("%s: got %v, want a LockedError", doing, err)
	}
	return *e
}

func (s *scene) view() runbook.View {
	view, err := s.host.Look(s.ctx, "")
	s.must("look", err)
	if len(view.Services) != len(s.App().Services) {
		s.fatalf("a view has %d services, want those of the app: %v", len(view.Services), s.App().ServiceNames())
	}
	return view
}

// first and second are the app's first services.
func (s *scene) first() string  { return s.App().Services[0].Name }
func (s *scene) second() string { return s.App().Services[1].Name }

// pinsOf are the pins of a release.
func (s *scene) pinsOf(which Which) []runbook.Pin {
	var pins []runbook.Pin
	for _, service := range s.App().Services {
		pins = append(pins, runbook.Pin{Variable: service.Variable, Value: s.Release(which).Images[service.Name].String()})
	}
	return pins
}

// plans are every service's way to a release.
func (s *scene) plans(to Which) []runbook.ServicePlan {
	var plans []runbook.ServicePlan
	for _, service := range s.App().Services {
		plans = append(plans, runbook.ServicePlan{
			Service: service.Name, Variable: service.Variable, From: s.Release(Current).Images[service.Name], To: s.Release(to).Images[service.Name], Containers: 1,
		})
	}
	return plans
}

// commands are the lines that bring services up, beside dependents.
func (s *scene) commands(plans []runbook.ServicePlan, beside ...runbook.Dependent) runbook.Commands {
	return s.Hosts().Commands(s.App(), runbook.HostPlan{Host: s.Host(), Services: plans, Dependents: beside})
}

// file is the pins file as a plan names it.
func (s *scene) file() string {
	report, err := s.host.Preflight(s.ctx, false)
	s.must("preflight", err)
	return report.PinsFile
}

// pin edits the pins to some.
func (s *scene) pin(l runbook.Lease, pins []runbook.Pin) error {
	return s.host.EditPins(s.ctx, l, s.file(), func([]runbook.Pin) ([]runbook.Pin, error) { return pins, nil })
}

func (s *scene) wantPins(when string, want []runbook.Pin) {
	if got := s.view().Pins; !slices.Equal(got, want) {
		s.errorf("%s the pins are %v, want %v", when, got, want)
	}
}

func (s *scene) rest() string {
	text, err := s.Rest(s.ctx)
	s.must("read the rest of the pins file", err)
	return text
}

// follow follows a job to its end, and gives all that it printed. A job that doesn't end in time ends the case.
func (s *scene) follow(l runbook.Lease, job string, within time.Duration) (runbook.Progress, []byte) {
	var output []byte
	for deadline := time.Now().Add(within); time.Now().Before(deadline); {
		progress, err := s.host.Follow(s.ctx, l, job, int64(len(output)), false)
		if errors.Is(err, runbook.ErrLost) && s.ctx.Err() == nil {
			continue // as the port says
		}
		s.must("follow "+job, err)
		if len(progress.Output) > followLimit {
			s.errorf("Follow gave %d bytes at once, want at most %d", len(progress.Output), followLimit)
		}
		output = append(output, progress.Output...)
		if progress.State != runbook.JobRunning {
			return progress, output
		}
	}
	s.fatalf("after %s %s is said to run still", within, job)
	return runbook.Progress{}, nil
}

// followLimit is how much Follow gives at once: 64 KiB.
const followLimit = 64 << 10

func (s *scene) wantEnd(got runbook.Progress, state runbook.JobState, status int) {
	if got.State != state || got.Status != status {
		s.errorf("the job is said to stand at %s with status %d, want %s with status %d", got.State, got.Status, state, status)
	}
}

func (s *scene) wantRan(job string, want int) {
	got, err := s.Ran(s.ctx, job)
	s.must("count the beginnings of "+job, err)
	if got != want {
		s.errorf("%s was begun %d times, want %d", job, got, want)
	}
}
