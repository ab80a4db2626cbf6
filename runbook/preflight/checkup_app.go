package preflight

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"rollbackbot/internal/parallel"
	"rollbackbot/runbook"
	"rollbackbot/runbook/endpoint"
)

// Checks are those of an app's hosts, health URLs and error rate, as a rollback tonight would meet them.
func (p Planner) Checks(a runbook.App, health runbook.HealthChecker, rate runbook.ErrorRateChecker) []runbook.Check {
	checks := []runbook.Check{
		{About: "hosts of " + a.Name, Run: func(ctx context.Context) []runbook.Finding { return p.checkHosts(ctx, a) }},
		{About: "error rate of " + a.Name, Run: func(ctx context.Context) []runbook.Finding { return []runbook.Finding{checkRate(ctx, a, rate)} }},
	}
	for _, url := range healthURLs(a) {
		checks = append(checks, runbook.Check{About: "health of " + a.Name, Run: func(ctx context.Context) []runbook.Finding {
			return []runbook.Finding{checkHealth(ctx, a, health, url)}
		}})
	}
	return checks
}

// checkHosts is a preflight for the default target whose every host is looked at to its end: that one host is unwell
// keeps nobody from hearing of the others.
func (p Planner) checkHosts(ctx context.Context, a runbook.App) []runbook.Finding {
	ctx, cancel := context.WithTimeout(ctx, preflightTimeout)
	defer cancel()
	surveys, failures := make([]survey, len(a.Hosts)), make([]error, len(a.Hosts))
	var looks []func(context.Context) error
	for i, host := range a.Hosts {
		looks = append(looks, func(ctx context.Context) error {
			surveys[i], failures[i] = p.surveyHost(ctx, a, host)
			return nil
		})
	}
	_ = parallel.Do(ctx, looks...)
	var found []runbook.Finding
	var reached []survey
	var running []map[string]runbook.Image
	for i, host := range a.Hosts {
		if failures[i] != nil {
			found = append(found, wrongOn(a, host, failures[i])...)
			continue
		}
		s := surveys[i]
		reached = append(reached, s)
		images, _ := s.Set()
		running = append(running, images)
		found = append(found, s.findings(a, p.own(ctx, a, s.lockedBy))...)
	}
	target, finding := p.checkTarget(ctx, a, running)
	found = append(found, finding)
	if finding.Mark != runbook.Fine {
		return found
	}
	return append(found, p.checkGoing(ctx, a, reached, target)...)
}

// own reports whether a lock is held by a rollback that is open in this bot's journal: that ends, and gives it back.
func (p Planner) own(ctx context.Context, a runbook.App, lockedBy string) bool {
	if p.Journal == nil || lockedBy == "" {
		return false
	}
	open, err := p.Journal.Open(ctx, a.Name)
	return err == nil && open == lockedBy
}

// findings are those of a host on which a rollback could act. Own says that the bot itself holds the lock.
func (s survey) findings(a runbook.App, own bool) []runbook.Finding {
	about := a.Name + " on " + string(s.Host)
	seen := "engine, tools, the app's files and the pins file are there"
	if s.FreeBytes >= 0 {
		seen += fmt.Sprintf("; %d MiB are free on the disk of the images", s.FreeBytes>>20)
	}
	found := []runbook.Finding{runbook.FoundFine(about, "%s", seen), s.clock()}
	if s.lock != "" && own {
		return append(found, runbook.FoundFine("lock of "+about, "held by this bot's own rollback %s, which is under way", s.lockedBy))
	}
	if s.lock != "" {
		return append(found, runbook.FoundWrong("lock of "+about, "Wait until it runs out, or give it back: rollbackbot unlock "+a.Name, "%s", s.lock))
	}
	return append(found, runbook.FoundFine("lock of "+about, "nobody holds it"))
}

// checkTarget chooses the release that a rollback would go to.
func (p Planner) checkTarget(ctx context.Context, a runbook.App, running []map[string]runbook.Image) (runbook.Release, runbook.Finding) {
	about := "default target of " + a.Name
	if p.Journal == nil {
		return runbook.Release{}, runbook.NotChecked(about, "the database can't be read")
	}
	history, err := p.Chronicle.History(ctx, p.Journal, a.Name)
	if err != nil {
		return runbook.Release{}, runbook.NotChecked(about, "the history can't be read: %v", err)
	}
	if len(running) == 0 {
		return runbook.Release{}, runbook.NotChecked(about, "no host says what runs now")
	}
	target, err := history.Choose(a, runbook.Request{App: a.Name, Release: runbook.Previous}, running)
	if err != nil {
		why, _, _ := strings.Cut(err.Error(), "\n")
		return runbook.Release{}, runbook.FoundWrong(about, fmt.Sprintf("A release is known-good once the bot has seen it healthy for %s: let `rollbackbot serve` run, and note releases with `rollbackbot deployed %s`", a.VerifyAfter, a.Name), "%s", strings.TrimSuffix(why, "."))
	}
	return target, runbook.FoundFine(about, "%s", runbook.Describe(target))
}

// checkGoing proves on every host that the pins are taken, and that the target's images can be had and would fit.
func (p Planner) checkGoing(ctx context.Context, a runbook.App, reached []survey, target runbook.Release) []runbook.Finding {
	found := make([][]runbook.Finding, len(reached))
	var looks []func(context.Context) error
	for i, s := range reached {
		looks = append(looks, func(ctx context.Context) error {
			facts, err := p.planHost(ctx, a, s, target)
			about := "going to " + target.Name() + " on " + string(s.Host)
			switch {
			case err != nil:
				found[i] = wrongOn(a, s.Host, err)
			case len(facts.notes) > 0:
				found[i] = []runbook.Finding{runbook.NotChecked(about, "the pins are taken; %d of its images are not on the host: %s", len(facts.missing), strings.Join(facts.notes, "; "))}
			case len(facts.missing) > 0:
				found[i] = []runbook.Finding{runbook.FoundFine(about, "the pins are taken; %d of its images are not on the host, and the registry has them", len(facts.missing))}
			default:
				found[i] = []runbook.Finding{runbook.FoundFine(about, "the pins are taken, and its images are on the host")}
			}
			return nil
		})
	}
	_ = parallel.Do(ctx, looks...)
	var all []runbook.Finding
	for _, of := range found {
		all = append(all, of...)
	}
	return all
}

func wrongOn(a runbook.App, host runbook.Host, err error) []runbook.Finding {
	var found []runbook.Finding
	for _, problem := range runbook.ProblemsOf(host, err) {
		found = append(found, runbook.FoundWrong(a.Name+" on "+string(host), runbook.UpperFirst(problem.Remedy), "%s", problem.What))
	}
	return found
}

// clock judges the host's.
func (s survey) clock() runbook.Finding {
	about := "clock of " + string(s.Host)
	if s.ClockOff < 0 {
		return runbook.NotChecked(about, "the host gives no time")
	}
	return runbook.ClockOffFinding(about, s.ClockOff)
}

// healthURLs are all that would be asked, for every host.
func healthURLs(a runbook.App) []string {
	urls := endpoint.OfPlan(a, runbook.Plan{})
	for _, host := range a.Hosts {
		urls = append(urls, endpoint.OfHost(a, host)...)
	}
	return urls
}

func checkHealth(ctx context.Context, a runbook.App, health runbook.HealthChecker, url string) runbook.Finding {
	about := "health of " + a.Name
	status, err := health.Check(ctx, url, a.Health.CAFile)
	switch {
	case err != nil:
		return runbook.FoundWrong(about, "Check HEALTH_URL and HEALTH_CA_FILE: curl -v "+url, "%s doesn't answer: %v", url, err)
	case status != 200:
		return runbook.FoundWrong(about, "Only 200 is healthy: if the app is well, mend HEALTH_URL; try it: curl -i "+url, "%s answers %d", url, status)
	}
	return runbook.FoundFine(about, "%s answers 200", url)
}

func checkRate(ctx context.Context, a runbook.App, rate runbook.ErrorRateChecker) runbook.Finding {
	about := "error rate of " + a.Name
	if rate == nil || a.ErrorRate.Query == "" {
		return runbook.NotChecked(about, "no Prometheus is configured, so a person is asked")
	}
	sample, err := rate.Now(ctx, a)
	var none *runbook.NoRateError
	switch {
	case errors.As(err, &none):
		return runbook.FoundWrong(about, "Mend PROMETHEUS_URL or ERROR_RATE_QUERY; without them a person is asked", "%s", none.Why)
	case err != nil:
		return runbook.FoundWrong(about, "Mend PROMETHEUS_URL or ERROR_RATE_QUERY; without them a person is asked", "%v", err)
	}
	return runbook.FoundFine(about, "one series, %.2f%% now", 100*sample.Rate)
}
