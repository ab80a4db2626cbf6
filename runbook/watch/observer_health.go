package watch

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"rollbackbot/runbook"
	"rollbackbot/runbook/endpoint"
)

// observedHealth is HOST.md's proof, once: every container runs, is healthy where it says so, was not restarted since the
// look before, and every health URL answers 200.
type observedHealth struct {
	failing string // what is wrong; "": nothing
	pending bool   // a container says of itself that it is still starting: neither healthy nor failing
}

func (h observedHealth) healthy() bool { return h.failing == "" && !h.pending }

func (o Observer) healthOf(ctx context.Context, a runbook.App, before, now watch) observedHealth {
	var health observedHealth
	for _, host := range a.Hosts {
		for i, r := range now.running[host] {
			former := before.running[host]
			switch {
			case r.State != "":
				return observedHealth{failing: fmt.Sprintf("%s: a container of %s is %s", host, r.Service, r.State)}
			case r.Health == "starting":
				health.pending = true
			case r.Health != "":
				return observedHealth{failing: fmt.Sprintf("%s: a container of %s says that it is %s", host, r.Service, r.Health)}
			case before.set == now.set && i < len(former) && r.Restarts > former[i].Restarts:
				return observedHealth{failing: fmt.Sprintf("%s: a container of %s restarted", host, r.Service)}
			}
		}
	}
	health.failing = o.probe(ctx, a)
	return health
}

// probe asks every health URL at once, and says what is wrong with the first one that isn't well; "" where all are.
func (o Observer) probe(ctx context.Context, a runbook.App) string {
	var plan runbook.Plan
	for _, host := range a.Hosts {
		plan.Hosts = append(plan.Hosts, runbook.HostPlan{Host: host})
	}
	urls := endpoint.OfPlan(a, plan)
	problems := make([]string, len(urls))
	var asked sync.WaitGroup
	for i, url := range urls {
		asked.Go(func() {
			status, err := o.Health.Check(ctx, url, a.Health.CAFile)
			switch {
			case err != nil:
				problems[i] = fmt.Sprintf("%s doesn't answer: %s", url, runbook.Mask(err.Error()))
			case status != 200:
				problems[i] = fmt.Sprintf("%s answers %d", url, status)
			}
		})
	}
	asked.Wait()
	if i := slices.IndexFunc(problems, func(p string) bool { return p != "" }); i >= 0 {
		return problems[i]
	}
	return ""
}
