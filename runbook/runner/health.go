package runner

import (
	"context"
	"fmt"
	"time"

	"rollbackbot/internal/parallel"
	"rollbackbot/runbook"
	"rollbackbot/runbook/endpoint"
)

// verifyHealth is step 3. The runbook takes the first 200; it can come from a container that is about to crash, or
// from the old one. Here it takes three in a row, with every planned container running the planned image, not
// restarted meanwhile, and healthy where it says so itself.
type verifyHealth struct{}

func (verifyHealth) Name() runbook.StepName { return runbook.StepHealth }

func (verifyHealth) Run(ctx context.Context, x *execution) (runbook.StepOutcome, error) {
	outcome, err := x.proveHealthy(ctx, x.plan().Hosts, endpoint.OfPlan(x.app, x.plan()), x.runningBefore())
	return runbook.StepOutcome{Verdict: outcome.verdict, Detail: outcome.problem}, err
}

const (
	healthyStreak  = 3                     // HOST.md's rule: one 200 is luck
	healthInterval = 50 * time.Millisecond // between rounds, each of which takes about as long: several a second, so that the proof costs a quarter of one
)

// proveHealthy looks, round by round, until the hosts were seen healthy three times in a row or the budget is over:
// the runbook's attempts times its interval. restarts holds what was seen before, and after it what was seen last.
func (x *execution) proveHealthy(ctx context.Context, hosts []runbook.HostPlan, urls []string, restarts map[runbook.Host][]runbook.Running) (hostOutcome, error) {
	deadline := time.Now().Add(x.app.Health.Budget())
	last := hostOutcome{}
	for streak := 0; ; {
		if x.aborting() {
			return hostOutcome{verdict: runbook.Stopped, problem: "stopped while waiting for the health checks"}, nil
		}
		var err error
		if last, err = x.healthRound(ctx, hosts, urls, restarts); err != nil {
			return hostOutcome{}, err
		}
		if last.verdict == runbook.Passed {
			streak++
			x.progress("", fmt.Sprintf("healthy, %d of %d times in a row", streak, healthyStreak))
		} else {
			streak = 0
			x.progress("", last.problem)
			if !time.Now().Before(deadline) {
				last.problem = fmt.Sprintf("not seen healthy within %s: %s", x.app.Health.Budget(), last.problem)
				return last, nil
			}
		}
		if streak == healthyStreak {
			break
		}
		if err := parallel.Pause(ctx, healthInterval); err != nil {
			return hostOutcome{}, err
		}
	}
	return hostOutcome{verdict: runbook.Passed, problem: fmt.Sprintf("%d times in a row, every container on its planned image", healthyStreak)}, nil
}

// runningBefore is what each host ran when the step under way began, by a former process too.
func (x *execution) runningBefore() map[runbook.Host][]runbook.Running {
	running := map[runbook.Host][]runbook.Running{}
	for host, state := range x.seen {
		running[host] = state.Running
	}
	return running
}

// healthRound looks once at the containers of every host and at every URL. restarts holds what was seen before.
func (x *execution) healthRound(ctx context.Context, hosts []runbook.HostPlan, urls []string, restarts map[runbook.Host][]runbook.Running) (hostOutcome, error) {
	outcomes := make([]hostOutcome, len(hosts)+len(urls))
	var functions []func(context.Context) error
	var one parallel.Serial
	for i, h := range hosts {
		functions = append(functions, func(ctx context.Context) (err error) {
			view, err := x.look(ctx, h)
			if err != nil {
				outcomes[i], err = x.failure(ctx, err)
				return err
			}
			return one.Do(func() error {
				outcomes[i] = containersHealthy(h, view, restarts[h.Host])
				restarts[h.Host] = view.Running()
				return nil
			})
		})
	}
	for i, url := range urls {
		functions = append(functions, func(ctx context.Context) error {
			outcomes[len(hosts)+i] = x.probe(ctx, url)
			return nil
		})
	}
	if err := parallel.Do(ctx, functions...); err != nil {
		return hostOutcome{}, err
	}
	if ctx.Err() != nil {
		return hostOutcome{}, ctx.Err()
	}
	for i, o := range outcomes {
		if o.verdict != runbook.Passed {
			if i < len(hosts) && len(hosts) > 1 {
				o.problem = string(hosts[i].Host) + ": " + o.problem
			}
			return o, nil
		}
	}
	return fine, nil
}

func (x *execution) probe(ctx context.Context, url string) hostOutcome {
	status, err := x.health.Check(ctx, url, x.app.Health.CAFile)
	switch {
	case err != nil:
		return broken("%s doesn't answer: %s", url, runbook.Mask(err.Error()))
	case status != 200:
		return broken("%s answers %d", url, status)
	}
	return fine
}

// containersHealthy judges what one host runs against the plan, and against what it ran in the round before.
func containersHealthy(h runbook.HostPlan, view runbook.View, before []runbook.Running) hostOutcome {
	for i, r := range view.Services {
		s := h.Services[i]
		switch {
		case r.Containers == 0:
			return broken("%s has no container", r.Service)
		case r.Containers < s.Containers:
			return broken("%s has %d of %d containers", r.Service, r.Containers, s.Containers)
		case r.Image.Digest != s.To.Digest:
			outcome := broken("%s runs %s and not the planned image", r.Service, orUnknown(r.Image))
			outcome.final = true
			return outcome
		case r.State != "":
			return broken("a container of %s is %s", r.Service, r.State)
		case r.Health != "":
			return broken("a container of %s says that it is %s", r.Service, r.Health)
		case i < len(before) && r.Restarts > before[i].Restarts:
			outcome := broken("a container of %s restarted", r.Service)
			outcome.final = true
			return outcome
		}
	}
	return fine
}
