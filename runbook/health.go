package runbook

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// HealthChecker asks a health endpoint once.
type HealthChecker interface {
	// Check makes one GET on a new connection, following no redirect, within 5 s, and gives the HTTP status.
	// caFile is a PEM file of a private CA; empty means the system's. An error means that there was no HTTP answer.
	Check(ctx context.Context, url, caFile string) (status int, err error)
}

// verifyHealth is step 3. The runbook takes the first 200; it can come from a container that is about to crash, or
// from the old one. Here it takes three in a row, with every planned container running the planned image, not
// restarted meanwhile, and healthy where it says so itself.
type verifyHealth struct{}

func (verifyHealth) Name() StepName { return StepHealth }

func (verifyHealth) Run(ctx context.Context, x *execution) (StepOutcome, error) {
	outcome, err := x.proveHealthy(ctx, x.plan().Hosts, allURLs(x.app, x.plan()), x.runningBefore())
	return StepOutcome{Verdict: outcome.verdict, Detail: outcome.problem}, err
}

const (
	healthyStreak  = 3                     // HOST.md's rule: one 200 is luck
	healthInterval = 50 * time.Millisecond // between rounds, each of which takes about as long: several a second, so that the proof costs a quarter of one
)

// hostURLs are the health URLs that speak of one host.
func hostURLs(a App, host Host) []string {
	var urls []string
	for _, url := range a.Health.URLs {
		if strings.Contains(url, "{host}") {
			urls = append(urls, strings.ReplaceAll(url, "{host}", host.Name()))
		}
	}
	return urls
}

// allURLs are the health URLs of every host of the plan, and those that speak of all hosts together.
func allURLs(a App, p Plan) []string {
	var urls []string
	for _, url := range a.Health.URLs {
		if !strings.Contains(url, "{host}") {
			urls = append(urls, url)
		}
	}
	for _, h := range p.Hosts {
		urls = append(urls, hostURLs(a, h.Host)...)
	}
	return unique(urls)
}

// proveHealthy looks, round by round, until the hosts were seen healthy three times in a row or the budget is over:
// the runbook's attempts times its interval. restarts holds what was seen before, and after it what was seen last.
func (x *execution) proveHealthy(ctx context.Context, hosts []HostPlan, urls []string, restarts map[Host][]Running) (hostOutcome, error) {
	deadline := time.Now().Add(x.app.Health.Budget())
	last := hostOutcome{}
	for streak := 0; ; {
		if x.aborting() {
			return hostOutcome{verdict: Stopped, problem: "stopped while waiting for the health checks"}, nil
		}
		var err error
		if last, err = x.healthRound(ctx, hosts, urls, restarts); err != nil {
			return hostOutcome{}, err
		}
		if last.verdict == Passed {
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
		if err := pause(ctx, healthInterval); err != nil {
			return hostOutcome{}, err
		}
	}
	return hostOutcome{verdict: Passed, problem: fmt.Sprintf("%d times in a row, every container on its planned image", healthyStreak)}, nil
}

// runningBefore is what each host ran when the step under way began, by a former process too.
func (x *execution) runningBefore() map[Host][]Running {
	running := map[Host][]Running{}
	for host, state := range x.seen {
		running[host] = state.Running
	}
	return running
}

// healthRound looks once at the containers of every host and at every URL. restarts holds what was seen before.
func (x *execution) healthRound(ctx context.Context, hosts []HostPlan, urls []string, restarts map[Host][]Running) (hostOutcome, error) {
	outcomes := make([]hostOutcome, len(hosts)+len(urls))
	var functions []func(context.Context) error
	var one serial
	for i, h := range hosts {
		functions = append(functions, func(ctx context.Context) (err error) {
			view, err := x.look(ctx, h)
			if err != nil {
				outcomes[i], err = x.failure(ctx, err)
				return err
			}
			return one.do(func() error {
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
	if err := together(ctx, functions...); err != nil {
		return hostOutcome{}, err
	}
	if ctx.Err() != nil {
		return hostOutcome{}, ctx.Err()
	}
	for i, o := range outcomes {
		if o.verdict != Passed {
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
		return broken("%s doesn't answer: %s", url, Mask(err.Error()))
	case status != 200:
		return broken("%s answers %d", url, status)
	}
	return fine
}

// containersHealthy judges what one host runs against the plan, and against what it ran in the round before.
func containersHealthy(h HostPlan, view View, before []Running) hostOutcome {
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

// pause waits, or says that the process is stopping.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
