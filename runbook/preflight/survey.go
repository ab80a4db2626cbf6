package preflight

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"rollbackbot/internal/parallel"
	"rollbackbot/runbook"
)

// survey is what the preflight learns of one host before a target is chosen.
type survey struct {
	runbook.HostReport
	lock     string // who holds the app's lock there, for people; "": nobody does
	lockedBy string // by which rollback, or what stands for one; "": nobody, or it can't be read
}

// surveyHost reads everything of a host that doesn't depend on the target.
func (p Planner) surveyHost(ctx context.Context, a runbook.App, host runbook.Host) (survey, error) {
	var s survey
	on := p.Hosts.On(a, host)
	looks := []func(context.Context) error{
		func(ctx context.Context) (err error) {
			s.HostReport, err = on.Preflight(ctx, p.Before != nil)
			return err
		},
	}
	if p.Before == nil {
		looks = append(looks, func(ctx context.Context) (err error) {
			s.lock, s.lockedBy, err = lockNote(ctx, on, p.Rollback)
			return err
		})
	}
	if err := parallel.Do(ctx, looks...); err != nil {
		return survey{}, err
	}
	if p.Saw != nil {
		p.Saw(s.View)
	}
	return s, nil
}

// lockNote says who holds the app's lock on a host. It is a note and no problem: it may run out before anybody has
// decided, and it is looked at again, under the lock itself, before anything is changed. By is the rollback that holds it.
func lockNote(ctx context.Context, host runbook.AppHost, own string) (note, by string, err error) {
	held, err := host.Lock(ctx)
	var lease *runbook.LeaseError
	switch {
	case errors.As(err, &lease):
		return err.Error(), "", nil
	case err != nil:
		return "", "", err
	case held.Free() || held.Rollback == own && own != "":
		return "", "", nil
	}
	return held.Error(), held.Rollback, nil
}

// hostFacts is what the preflight learns of one host for one target.
type hostFacts struct {
	plan     runbook.HostPlan
	missing  []runbook.Image
	notes    []string // what is not known of getting them, without the host's name
	warnings []string
}

// planHost proves that a host can go to the target, and says what exactly that takes.
func (p Planner) planHost(ctx context.Context, a runbook.App, s survey, to runbook.Release) (hostFacts, error) {
	on := p.Hosts.On(a, s.Host)
	var facts hostFacts
	var services []runbook.ServicePlan
	asks := []func(context.Context) error{func(ctx context.Context) (err error) { services, err = s.services(ctx, on, a, to); return err }}
	if p.Before == nil {
		asks = append(asks,
			func(ctx context.Context) error { return on.Prove(ctx, to.Images, runbook.FromPlan) },
			func(ctx context.Context) (err error) {
				facts.missing, facts.notes, err = s.presence(ctx, on, a, to)
				return err
			})
	}
	if err := parallel.Do(ctx, asks...); err != nil {
		return hostFacts{}, err
	}
	for _, warning := range slices.Concat(s.Warnings, facts.notes) {
		facts.warnings = append(facts.warnings, string(s.Host)+": "+warning)
	}
	if s.lock != "" {
		facts.warnings = append(facts.warnings, s.lock)
	}
	facts.plan = runbook.HostPlan{Host: s.Host, Project: s.Project, EnvFile: s.PinsFile, Services: services, Launch: s.Launch, Dependents: s.Dependents}
	facts.plan.Commands = p.Hosts.Commands(a, facts.plan)
	return facts, s.leftBehind(facts.plan)
}

// leftBehind refuses a plan that would leave a container on an image that it takes away, or that would cut one off.
func (s survey) leftBehind(plan runbook.HostPlan) error {
	var problems []runbook.Problem
	for _, stranger := range s.Strangers {
		stays := func(service runbook.ServicePlan) bool {
			return service.Service == stranger.Service && !service.From.IsZero() && service.From.Digest == service.To.Digest
		}
		if !slices.ContainsFunc(plan.Services, stays) {
			problems = append(problems, stranger.Problem)
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return &runbook.PreflightError{Problems: problems}
}

// services are each service's way to the target, with what the pins file has to say there and for the way back.
func (s survey) services(ctx context.Context, on runbook.AppHost, a runbook.App, to runbook.Release) (plans []runbook.ServicePlan, err error) {
	pins, err := on.Pins(ctx, to.Images)
	if err != nil {
		return nil, err
	}
	for i, service := range a.Services {
		running, stack := s.Services[i], s.Stack[i]
		plan := runbook.ServicePlan{
			Service: service.Name, Variable: service.Variable, From: running.Image, FromNote: running.Note, FromMix: running.Mixed(), To: to.Images[service.Name],
			Containers: running.Containers, ConfigHash: stack.ConfigHash, Drifted: stack.Drifted,
		}
		if running.Containers > stack.Scale {
			plan.Scale = running.Containers
		}
		if pins[i].Value != plan.To.String() {
			plan.Pin = pins[i].Value
		}
		plans = append(plans, plan)
	}
	from, known := s.Set()
	if !known || !slices.ContainsFunc(plans, func(plan runbook.ServicePlan) bool { return plan.Pin != "" }) {
		return plans, nil
	}
	back, err := on.Pins(ctx, from)
	var none *runbook.PreflightError
	if errors.As(err, &none) && none.Err == nil {
		return plans, nil // there is no way back
	}
	for i := range back {
		if plans[i].Pin != "" {
			plans[i].PinBack = back[i].Value
		}
	}
	return plans, err
}

// presence finds the images that the host lacks, and makes sure that each of them can be had and would fit, as far as that
// can be told. What can't is a note: they are fetched while the sign-off is awaited, and that tells.
func (s survey) presence(ctx context.Context, on runbook.AppHost, a runbook.App, to runbook.Release) (missing []runbook.Image, notes []string, err error) {
	states, err := on.Images(ctx, a.ImagesOf(to), false)
	if err != nil {
		return nil, nil, err
	}
	if missing = runbook.MissingOf(states); len(missing) == 0 {
		return nil, nil, nil
	}
	if states, err = on.Images(ctx, missing, true); err != nil {
		return nil, nil, err
	}
	var problems []runbook.Problem
	var need int64
	for _, state := range states {
		switch {
		case state.Problem != (runbook.Problem{}):
			problems = append(problems, state.Problem)
		case state.Bytes == 0 || state.Guessed:
			notes = append(notes, fmt.Sprintf("how much room %s needs is not known; %s", state.Image, s.freeText()))
		default:
			need += state.Bytes
		}
		if state.Note != "" {
			notes = append(notes, state.Note)
		}
	}
	if s.FreeBytes >= 0 && need > s.FreeBytes {
		problems = append(problems, runbook.Problem{
			Host: s.Host, What: fmt.Sprintf("the missing images need about %d MiB on the disk of the images, and %d MiB are free", need>>20, s.FreeBytes>>20),
			Remedy: cmp.Or(s.MakeRoom, "Free some there"),
		})
	}
	if len(problems) > 0 {
		return nil, nil, &runbook.PreflightError{Problems: problems}
	}
	return missing, notes, nil
}

func (s survey) freeText() string {
	if s.FreeBytes < 0 {
		return "nor how much is free on the disk of the images"
	}
	return fmt.Sprintf("%d MiB are free on the disk of the images", s.FreeBytes>>20)
}
