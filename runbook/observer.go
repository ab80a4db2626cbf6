package runbook

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Observer asks every host what it runs and keeps the history: which release went live when, and which one was healthy
// on every host for so long that it counts as known-good. It needs no integration with whatever deploys.
type Observer struct {
	Hosts   Hosts
	Journal Journal
	Health  HealthChecker
	// Chronicle remembers what is known of the apps' releases; nil: each look reads the whole journal.
	Chronicle *Chronicle
	Interval  time.Duration // between two looks at an app
	// Seen is told of every look at an app in which all its hosts were seen; may be nil.
	Seen func(app string)
	// Report gets every event after it was written; may be nil.
	Report func(Event)
	// Problem gets what went wrong with a look; it is tried again at the next one. May be nil.
	Problem func(app string, err error)
}

// watch is what an Observer remembers of an app between two looks.
type watch struct {
	set      string    // the release that was seen last
	healthy  time.Time // since when it was seen healthy without a break; zero: it isn't
	running  map[Host][]Running
	diverged string // what was last journalled as a divergence

	last   string    // the release that every host was last seen to run, also before a look that failed
	lastAt time.Time // when that was
}

// ObserveAll observes all apps until ctx ends, and returns when the last look is over.
func (o Observer) ObserveAll(ctx context.Context, apps []App) {
	var all sync.WaitGroup
	for _, app := range apps {
		all.Go(func() { o.Observe(ctx, app) })
	}
	all.Wait()
}

// Observe looks at one app, again and again, until ctx ends.
func (o Observer) Observe(ctx context.Context, a App) {
	seen := watch{}
	for {
		looked := time.Now()
		next, err := o.look(ctx, a, seen)
		if err != nil && ctx.Err() == nil && o.Problem != nil {
			o.Problem(a.Name, err)
		}
		if next.set != "" {
			next.last, next.lastAt = next.set, looked
		} else {
			next.last, next.lastAt = seen.last, seen.lastAt
		}
		seen = next
		if pause(ctx, o.Interval) != nil {
			return
		}
	}
}

// look is one look at an app. What it can't see breaks the time for which a release was seen healthy: known-good is
// only what was seen all along.
func (o Observer) look(ctx context.Context, a App, before watch) (watch, error) {
	open, err := o.Journal.Open(ctx, a.Name)
	if err != nil || open != "" {
		return watch{}, err // while a rollback is under way, what runs is its business
	}
	sights, err := o.sights(ctx, a)
	if err != nil {
		return watch{diverged: before.diverged}, err
	}
	if o.Seen != nil {
		o.Seen(a.Name)
	}
	history, err := o.Chronicle.History(ctx, o.Journal, a.Name)
	if err != nil {
		return watch{}, err
	}
	var running []map[string]Image
	now := watch{running: map[Host][]Running{}}
	for _, sight := range sights {
		images, _ := sight.set()
		running = append(running, images)
		now.running[sight.Host] = sight.Running
	}
	images := sameEverywhere(running)
	if images == nil {
		return o.diverged(ctx, a, sights, before)
	}
	now.set = ReleaseID(images)
	if history.observed != now.set {
		fact := Observed{Images: images}
		if before.last != "" && before.last != now.set {
			fact.After = before.lastAt.UTC()
		}
		if err := o.append(ctx, a, fact); err != nil {
			return watch{}, err
		}
	}
	return o.judge(ctx, a, history, images, before, now)
}

// judge counts how long the release has been seen healthy.
func (o Observer) judge(ctx context.Context, a App, history History, images map[string]Image, before, now watch) (watch, error) {
	if !o.healthy(ctx, a, before, now) {
		return now, nil
	}
	if now.healthy = before.healthy; before.set != now.set || before.healthy.IsZero() {
		now.healthy = time.Now()
	}
	lasted := time.Since(now.healthy)
	release, known := history.Of(images)
	if lasted < a.VerifyAfter || known && release.KnownGood() && !release.VerifiedAt.Before(release.LastLiveAt) {
		return now, nil
	}
	return now, o.append(ctx, a, Verified{Images: images, For: lasted.Round(time.Second)})
}

func (o Observer) sights(ctx context.Context, a App) ([]Sight, error) {
	ctx, cancel := context.WithTimeout(ctx, preflightTimeout)
	defer cancel()
	sights := make([]Sight, len(a.Hosts))
	var functions []func(context.Context) error
	for i, host := range a.Hosts {
		functions = append(functions, func(ctx context.Context) (err error) {
			sights[i], err = look(ctx, o.Hosts.Target(host), host, a)
			return err
		})
	}
	return sights, together(ctx, functions...)
}

// healthy is HOST.md's proof, once: every container runs, is healthy where it says so, was not restarted since the
// look before, and every health URL answers 200.
func (o Observer) healthy(ctx context.Context, a App, before, now watch) bool {
	for host, services := range now.running {
		for i, r := range services {
			former := before.running[host]
			if r.State != "" || r.Health != "" || before.set == now.set && i < len(former) && r.Restarts > former[i].Restarts {
				return false
			}
		}
	}
	var plan Plan
	for host := range now.running {
		plan.Hosts = append(plan.Hosts, HostPlan{Host: host})
	}
	for _, url := range allURLs(a, plan) {
		if status, err := o.Health.Check(ctx, url, a.Health.CAFile); err != nil || status != 200 {
			return false
		}
	}
	return true
}

// diverged journals once that the hosts don't run one known release.
func (o Observer) diverged(ctx context.Context, a App, sights []Sight, before watch) (watch, error) {
	var parts []string
	for _, sight := range sights {
		for _, r := range sight.Running {
			what := r.Note
			if what == "" {
				what = r.Image.Name + "@" + r.Image.Digest.Short()
			}
			parts = append(parts, fmt.Sprintf("%s %s: %s", sight.Host, r.Service, what))
		}
	}
	detail := strings.Join(parts, "; ")
	if detail == before.diverged {
		return watch{diverged: detail}, nil
	}
	return watch{diverged: detail}, o.append(ctx, a, Diverged{Detail: detail})
}

func (o Observer) append(ctx context.Context, a App, fact Fact) error {
	events, err := o.Journal.Append(ctx, Entry{App: a.Name, At: time.Now().UTC(), Facts: []Fact{fact}})
	for _, event := range events {
		if o.Report != nil {
			o.Report(event)
		}
	}
	return err
}
