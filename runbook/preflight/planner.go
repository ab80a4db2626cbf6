package preflight

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"rollbackbot/internal/parallel"
	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
	"rollbackbot/runbook/rate"
)

// preflightTimeout bounds the whole look at all hosts, which happens while a person waits.
const preflightTimeout = 30 * time.Second

// surveyTimeout bounds its first part, so that a host which takes connections and then hangs leaves time for the
// others: it is left out of the plan like one that can't be reached.
const surveyTimeout = 20 * time.Second

// Planner makes plans: it reads what every host runs, chooses the release to go to, and proves that it can be done.
type Planner struct {
	Hosts   runbook.Hosts
	Journal runbook.Journal
	// Chronicle remembers what is known of the app's releases; nil: the whole journal is read.
	Chronicle *history.Chronicle
	// Before is the plan as it was made before and is about to be carried out; nil: it is made for the first time. Then it
	// is not proven once more that compose is there and takes the images from the pins, nor that the images can be had: the
	// next phases prove that, before any container is replaced, and an outage lasts meanwhile.
	Before *runbook.Plan
	// Rollback is whose plan it is, where it is made anew: its own lock on the hosts is no news.
	Rollback string
	// Rate tells of the error rate; nil: nothing measures it.
	Rate runbook.RateEvidence
	// Source tells what lies between two releases of an app with a Repository; nil: nobody is asked.
	Source runbook.Source
	// Judge judges the migration files in between; nil: nobody does.
	Judge runbook.MigrationJudge

	// Saw is told of what was seen of each host; nil: nobody is.
	Saw func(runbook.View)
}

// Plan makes the plan for a request. It changes nothing anywhere. A *TargetError when no release can be chosen, a
// *PreflightError when it can't be done, *AlreadyRunningError when there is nothing to do.
func (p Planner) Plan(ctx context.Context, a runbook.App, request runbook.Request) (runbook.Plan, error) {
	ctx, cancel := context.WithTimeout(ctx, preflightTimeout)
	defer cancel()
	history, err := p.Chronicle.History(ctx, p.Journal, a.Name)
	if err != nil {
		return runbook.Plan{}, err
	}
	surveys, excluded, err := p.survey(ctx, a)
	if err != nil {
		return runbook.Plan{}, err
	}
	var running []map[string]runbook.Image
	for _, s := range surveys {
		images, _ := s.Set()
		running = append(running, images)
	}
	target, err := history.Choose(a, request, running)
	if err != nil {
		return runbook.Plan{}, err
	}
	if err := knownRepositories(a, history, surveys, target); err != nil {
		return runbook.Plan{}, err
	}
	if len(excluded) == 0 && runs(surveys, target) && p.pinned(ctx, a, surveys, target) {
		return runbook.Plan{}, &runbook.AlreadyRunningError{App: a.Name, Release: target}
	}
	plan := runbook.Plan{App: a.Name, Target: target, Excluded: excluded, Exact: len(request.Images) > 0, Missing: map[runbook.Host][]runbook.Image{}}
	same := runbook.SameEverywhere(running)
	var now *runbook.Release
	if r, ok := history.Of(same); ok {
		plan.Running, now = r.Name(), &r
	}
	known := now
	if len(excluded) > 0 {
		same, known = nil, nil // what the others run is not known
	}
	asking, stop := context.WithCancel(ctx)
	defer stop()
	err = parallel.Do(ctx,
		func(ctx context.Context) error {
			err := p.planHosts(ctx, a, surveys, &plan)
			if err != nil {
				stop() // what can't be done needs no facts
			}
			return err
		},
		func(context.Context) error {
			if p.Before != nil { // nobody asks while an outage lasts
				plan.Evidence, plan.Changes = p.Before.Evidence, p.Before.Changes
				return nil
			}
			plan.Evidence = rate.Evidence(now, rate.Of(asking, p.Rate, a, history, known), time.Now())
			return nil
		},
		func(context.Context) error {
			if p.Before == nil {
				plan.Changes = p.changes(asking, a, history, target, same, changesPatience)
			}
			return nil
		},
	)
	if err != nil {
		return runbook.Plan{}, err
	}
	plan.Migration = history.MigrationFacts(target, same, plan.Exact, plan.Changes)
	if request.IsDefault() {
		plan.Warnings = append(plan.Warnings, history.PassedOver(target, running)...)
	}
	plan.Warnings = append(plan.Warnings, differences(surveys)...)
	return plan, nil
}

// survey looks at all hosts at once. A host that can't be reached is left out by name.
func (p Planner) survey(ctx context.Context, a runbook.App) ([]survey, []runbook.ExcludedHost, error) {
	ctx, cancel := context.WithTimeout(ctx, surveyTimeout)
	defer cancel()
	surveys := make([]survey, len(a.Hosts))
	failures := make([]error, len(a.Hosts))
	var functions []func(context.Context) error
	for i, host := range a.Hosts {
		functions = append(functions, func(ctx context.Context) error {
			surveys[i], failures[i] = p.surveyHost(ctx, a, host)
			return nil
		})
	}
	_ = parallel.Do(ctx, functions...)
	var reached []survey
	var excluded []runbook.ExcludedHost
	var problems []runbook.Problem
	for i, host := range a.Hosts {
		why, gone := unreachable(failures[i])
		switch {
		case failures[i] == nil:
			reached = append(reached, surveys[i])
		case gone:
			excluded = append(excluded, runbook.ExcludedHost{Host: host, Why: why})
		default:
			problems = append(problems, runbook.ProblemsOf(host, failures[i])...)
		}
	}
	if len(reached) == 0 && len(problems) == 0 {
		for i, host := range a.Hosts {
			problems = append(problems, runbook.ProblemsOf(host, failures[i])...)
		}
	}
	if len(problems) > 0 {
		return nil, nil, &runbook.PreflightError{Problems: problems}
	}
	return reached, excluded, nil
}

func (p Planner) planHosts(ctx context.Context, a runbook.App, surveys []survey, plan *runbook.Plan) error {
	facts := make([]hostFacts, len(surveys))
	failures := make([]error, len(surveys))
	var functions []func(context.Context) error
	for i, s := range surveys {
		functions = append(functions, func(ctx context.Context) error {
			facts[i], failures[i] = p.planHost(ctx, a, s, plan.Target)
			return nil
		})
	}
	_ = parallel.Do(ctx, functions...)
	var problems []runbook.Problem
	for i, s := range surveys {
		if failures[i] != nil {
			problems = append(problems, runbook.ProblemsOf(s.Host, failures[i])...)
			continue
		}
		plan.Hosts = append(plan.Hosts, facts[i].plan)
		plan.Warnings = append(plan.Warnings, facts[i].warnings...)
		if len(facts[i].missing) > 0 {
			plan.Missing[s.Host] = facts[i].missing
		}
	}
	if len(problems) > 0 {
		return &runbook.PreflightError{Problems: problems}
	}
	return nil
}

// knownRepositories lets only those names through under which a service runs now or ran in a known-good release:
// nothing else is ever pulled or deployed.
func knownRepositories(a runbook.App, history history.History, surveys []survey, target runbook.Release) error {
	var problems []runbook.Problem
	for i, service := range a.Services {
		known := history.Repositories(service.Name)
		for _, s := range surveys {
			known = append(known, s.Services[i].Repositories...)
		}
		if name := target.Images[service.Name].Name; name == "" || !slices.Contains(known, name) {
			problems = append(problems, runbook.Problem{
				What:   fmt.Sprintf("%s is no repository that %s runs now or ran in a known-good release", name, service.Name),
				Remedy: "Known are: " + runbook.OrNone(known),
			})
		}
	}
	if len(problems) > 0 {
		return &runbook.PreflightError{Problems: problems}
	}
	return nil
}

// runs reports whether every host runs the target, and has a pin for each service.
func runs(surveys []survey, target runbook.Release) bool {
	return !slices.ContainsFunc(surveys, func(s survey) bool {
		return !s.Runs(target.Images) || slices.ContainsFunc(s.Pins, func(pin runbook.Pin) bool { return pin.Absent })
	})
}

// pinned reports whether the next deployment, by anybody and on every host, would bring the target.
func (p Planner) pinned(ctx context.Context, a runbook.App, surveys []survey, target runbook.Release) bool {
	return !slices.ContainsFunc(surveys, func(s survey) bool {
		return p.Hosts.On(a, s.Host).Prove(ctx, target.Images, runbook.FromFile) != nil
	})
}

// differences names the hosts that run something else than the first one, and containers that don't run.
func differences(surveys []survey) (warnings []string) {
	for _, s := range surveys {
		for i, running := range s.Services {
			if first := surveys[0].Services[i]; running.Image != first.Image {
				warnings = append(warnings, fmt.Sprintf("%s runs another %s than %s", s.Host, running.Service, surveys[0].Host))
			}
			if running.Tag != "" && running.Note == "" {
				warnings = append(warnings, fmt.Sprintf("%s: %s was started as %s, and not by digest; what that was is known by its digest", s.Host, running.Service, running.Tag))
			}
			if running.State != "" {
				warnings = append(warnings, fmt.Sprintf("%s: a container of %s is %s", s.Host, running.Service, running.State))
			}
		}
	}
	return warnings
}

// unreachable reports whether an error means that a host could not be reached, and why.
func unreachable(err error) (string, bool) {
	var host *runbook.HostError
	if errors.As(err, &host) && host.Unreachable {
		return host.Problem, true
	}
	if errors.Is(err, runbook.ErrLost) || errors.Is(err, context.DeadlineExceeded) {
		return "it did not answer in the time that the preflight has", true
	}
	return "", false
}
