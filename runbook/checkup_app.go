package runbook

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// clockTolerance is how far a host's clock may be from the bot's: half of the minute in which a lease on a host runs out.
const clockTolerance = 30 * time.Second

// Checks are those of an app's hosts, health URLs and error rate, as a rollback tonight would meet them.
func (p Planner) Checks(a App, health HealthChecker, rate ErrorRateChecker) []Check {
	checks := []Check{
		{"hosts of " + a.Name, func(ctx context.Context) []Finding { return p.checkHosts(ctx, a) }},
		{"error rate of " + a.Name, func(ctx context.Context) []Finding { return []Finding{checkRate(ctx, a, rate)} }},
	}
	for _, url := range healthURLs(a) {
		checks = append(checks, Check{"health of " + a.Name, func(ctx context.Context) []Finding {
			return []Finding{checkHealth(ctx, a, health, url)}
		}})
	}
	return checks
}

// checkHosts is a preflight for the default target whose every host is looked at to its end: that one host is unwell
// keeps nobody from hearing of the others.
func (p Planner) checkHosts(ctx context.Context, a App) []Finding {
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
	_ = together(ctx, looks...)
	var found []Finding
	var reached []survey
	var running []map[string]Image
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
	if finding.Mark != Fine {
		return found
	}
	return append(found, p.checkGoing(ctx, a, reached, target)...)
}

// own reports whether a lock is held by a rollback that is open in this bot's journal: that ends, and gives it back.
func (p Planner) own(ctx context.Context, a App, lockedBy string) bool {
	if p.Journal == nil || lockedBy == "" {
		return false
	}
	open, err := p.Journal.Open(ctx, a.Name)
	return err == nil && open == lockedBy
}

// findings are those of a host on which a rollback could act. Own says that the bot itself holds the lock.
func (s survey) findings(a App, own bool) []Finding {
	about := a.Name + " on " + string(s.Host)
	seen := "engine, tools, the app's files and the pins file are there"
	if s.FreeBytes >= 0 {
		seen += fmt.Sprintf("; %d MiB are free on the disk of the images", s.FreeBytes>>20)
	}
	found := []Finding{FoundFine(about, "%s", seen), s.clock()}
	if s.lock != "" && own {
		return append(found, FoundFine("lock of "+about, "held by this bot's own rollback %s, which is under way", s.lockedBy))
	}
	if s.lock != "" {
		return append(found, FoundWrong("lock of "+about, "Wait until it runs out, or give it back: rollbackbot unlock "+a.Name, "%s", s.lock))
	}
	return append(found, FoundFine("lock of "+about, "nobody holds it"))
}

// checkTarget chooses the release that a rollback would go to.
func (p Planner) checkTarget(ctx context.Context, a App, running []map[string]Image) (Release, Finding) {
	about := "default target of " + a.Name
	if p.Journal == nil {
		return Release{}, NotChecked(about, "the database can't be read")
	}
	history, err := p.Chronicle.History(ctx, p.Journal, a.Name)
	if err != nil {
		return Release{}, NotChecked(about, "the history can't be read: %v", err)
	}
	if len(running) == 0 {
		return Release{}, NotChecked(about, "no host says what runs now")
	}
	target, err := history.Choose(a, Request{App: a.Name, Release: Previous}, running)
	if err != nil {
		why, _, _ := strings.Cut(err.Error(), "\n")
		return Release{}, FoundWrong(about, fmt.Sprintf("A release is known-good once the bot has seen it healthy for %s: let `rollbackbot serve` run, and note releases with `rollbackbot deployed %s`", a.VerifyAfter, a.Name), "%s", strings.TrimSuffix(why, "."))
	}
	return target, FoundFine(about, "%s", Describe(target))
}

// checkGoing proves on every host that the pins are taken, and that the target's images can be had and would fit.
func (p Planner) checkGoing(ctx context.Context, a App, reached []survey, target Release) []Finding {
	found := make([][]Finding, len(reached))
	var looks []func(context.Context) error
	for i, s := range reached {
		looks = append(looks, func(ctx context.Context) error {
			facts, err := p.planHost(ctx, a, s, target)
			about := "going to " + target.Name() + " on " + string(s.Host)
			switch {
			case err != nil:
				found[i] = wrongOn(a, s.Host, err)
			case len(facts.missing) > 0:
				found[i] = []Finding{FoundFine(about, "the pins are taken; %d of its images are not on the host, and the registry has them", len(facts.missing))}
			default:
				found[i] = []Finding{FoundFine(about, "the pins are taken, and its images are on the host")}
			}
			return nil
		})
	}
	_ = together(ctx, looks...)
	var all []Finding
	for _, of := range found {
		all = append(all, of...)
	}
	return all
}

func wrongOn(a App, host Host, err error) []Finding {
	var found []Finding
	for _, problem := range problemsOf(host, err) {
		found = append(found, FoundWrong(a.Name+" on "+string(host), UpperFirst(problem.Remedy), "%s", problem.What))
	}
	return found
}

// clock judges the host's.
func (s survey) clock() Finding {
	about := "clock of " + string(s.Host)
	if s.ClockOff < 0 {
		return NotChecked(about, "the host gives no time")
	}
	return ClockOffFinding(about, s.ClockOff)
}

// ClockFinding judges a clock that was read between two instants of ours.
func ClockFinding(about string, clock, asked, answered time.Time) Finding {
	switch {
	case clock.Before(asked):
		return ClockOffFinding(about, asked.Sub(clock))
	case clock.After(answered):
		return ClockOffFinding(about, clock.Sub(answered))
	}
	return ClockOffFinding(about, 0)
}

// ClockOffFinding judges by how much a clock differs from ours.
func ClockOffFinding(about string, off time.Duration) Finding {
	if off > clockTolerance {
		return FoundWrong(about, "Switch NTP on where the clock is wrong: timedatectl set-ntp true", "it is %s away from the bot's own", off.Round(time.Second))
	}
	return FoundFine(about, "within %s of the bot's own", clockTolerance)
}

// healthURLs are all that would be asked, for every host.
func healthURLs(a App) []string {
	urls := allURLs(a, Plan{})
	for _, host := range a.Hosts {
		urls = append(urls, hostURLs(a, host)...)
	}
	return urls
}

func checkHealth(ctx context.Context, a App, health HealthChecker, url string) Finding {
	about := "health of " + a.Name
	status, err := health.Check(ctx, url, a.Health.CAFile)
	switch {
	case err != nil:
		return FoundWrong(about, "Check HEALTH_URL and HEALTH_CA_FILE: curl -v "+url, "%s doesn't answer: %v", url, err)
	case status != 200:
		return FoundWrong(about, "Only 200 is healthy: if the app is well, mend HEALTH_URL; try it: curl -i "+url, "%s answers %d", url, status)
	}
	return FoundFine(about, "%s answers 200", url)
}

func checkRate(ctx context.Context, a App, rate ErrorRateChecker) Finding {
	about := "error rate of " + a.Name
	if rate == nil || a.ErrorRate.Query == "" {
		return NotChecked(about, "no Prometheus is configured, so a person is asked")
	}
	sample, err := rate.Now(ctx, a)
	var none *NoRateError
	switch {
	case errors.As(err, &none):
		return FoundWrong(about, "Mend PROMETHEUS_URL or ERROR_RATE_QUERY; without them a person is asked", "%s", none.Why)
	case err != nil:
		return FoundWrong(about, "Mend PROMETHEUS_URL or ERROR_RATE_QUERY; without them a person is asked", "%v", err)
	}
	return FoundFine(about, "one series, %.2f%% now", 100*sample.Rate)
}
