package watch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"rollbackbot/internal/parallel"
	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
)

// Observer asks every host what it runs and keeps the history: which release went live when, on which hosts and with
// which configuration, whether it is healthy, and which one was healthy on every host for so long that it counts as
// known-good. It needs no integration with whatever deploys.
type Observer struct {
	Hosts   runbook.Hosts
	Journal runbook.Journal
	Health  runbook.HealthChecker
	// Chronicle remembers what is known of the apps' releases; nil: each look reads the whole journal.
	Chronicle *history.Chronicle
	Interval  time.Duration // between two looks at an app
	// Suggest allows the observer to suggest a rollback where one of the runbook's measured criteria holds.
	Suggest bool
	// Rate tells of the error rate; nil: nothing measures it.
	Rate runbook.RateEvidence
	// Source tells of deployments and runs of the apps' repositories; nil: nothing does.
	Source runbook.Source
	// Registry reads the labels of images that lie on no host; nil: nothing does.
	Registry runbook.LabelReader
	// Seen is told of every look at an app in which all its hosts were seen; may be nil.
	Seen func(app string)
	// Report gets every event after it was written; may be nil.
	Report func(runbook.Event)
	// News is told whenever something was written: whoever tells the channel of drift and of suggestions may have more to
	// tell. It must not wait; may be nil.
	News func()
	// Problem gets what went wrong with a look; it is tried again at the next one. May be nil.
	Problem func(app string, err error)
}

// watch is what an Observer remembers of an app between two looks.
type watch struct {
	set     string    // the release that was seen last
	hashes  string    // and its configuration, as text
	healthy time.Time // since when it was seen healthy without a break; zero: it isn't
	running map[runbook.Host][]runbook.Running
	failing string    // what was wrong with it; "": nothing
	picture string    // all that drift is judged by, as text
	steady  time.Time // since when the picture is the same

	last   string    // the release that every host was last seen to run, also before a look that failed
	lastAt time.Time // when that was

	projects *projects // what each host calls the app
	read     *reads    // what it has read of the journal
	stock    *stock
	told     *describing
}

// broken is the watch after a look that saw nothing: whatever was counted begins anew.
func (w watch) broken() watch {
	return watch{projects: w.projects, read: w.read, stock: w.stock, told: w.told, last: w.last, lastAt: w.lastAt}
}

// blind is the watch after a look at hosts that could not all be seen: they may be as they were.
func (w watch) blind() watch {
	next := w.broken()
	next.picture, next.steady = w.picture, w.steady
	return next
}

// ObserveAll observes all apps until ctx ends, and returns when the last look is over.
func (o Observer) ObserveAll(ctx context.Context, apps []runbook.App) {
	var all sync.WaitGroup
	for _, app := range apps {
		all.Go(func() { o.Observe(ctx, app) })
	}
	all.Wait()
}

// Observe looks at one app, again and again, until ctx ends.
func (o Observer) Observe(ctx context.Context, a runbook.App) {
	seen := watch{projects: &projects{}, read: &reads{chronicle: o.Chronicle}, stock: &stock{found: make(chan runbook.ImagesChecked, 1)}, told: newDescribing()}
	defer seen.stock.under.Wait()
	defer seen.told.under.Wait()
	for {
		looked := time.Now()
		next, err := o.look(ctx, a, seen)
		if err != nil && ctx.Err() == nil && o.Problem != nil {
			o.Problem(a.Name, err)
		}
		if next.set != "" {
			next.last, next.lastAt = next.set, looked
		}
		seen = next
		if parallel.Pause(ctx, o.Interval) != nil {
			return
		}
	}
}

// errUnderWay says that a rollback was opened while a look was under way: what was seen is its business.
var errUnderWay = errors.New("a rollback is under way")

// look is one look at an app. What it can't see breaks the time for which a release was seen healthy: known-good is
// only what was seen all along.
func (o Observer) look(ctx context.Context, a runbook.App, before watch) (watch, error) {
	if err := o.free(ctx, a); err != nil {
		return before.broken(), ignore(err, errUnderWay)
	}
	views, err := o.views(ctx, a, before.projects)
	if err != nil {
		return before.blind(), err
	}
	if o.Seen != nil {
		o.Seen(a.Name)
	}
	if err := before.read.on(ctx, o.Journal, a.Name); err != nil {
		return before.broken(), err
	}
	now, err := o.seen(ctx, a, views, before)
	if errors.Is(err, errUnderWay) {
		return before.broken(), nil
	}
	return now, err
}

func ignore(err, harmless error) error {
	if errors.Is(err, harmless) {
		return nil
	}
	return err
}

// free gives errUnderWay while the app has a rollback open.
func (o Observer) free(ctx context.Context, a runbook.App) error {
	open, err := o.Journal.Open(ctx, a.Name)
	if err == nil && open != "" {
		err = errUnderWay
	}
	return err
}

// seen notes what is new about what the hosts were seen to run.
func (o Observer) seen(ctx context.Context, a runbook.App, views []runbook.View, before watch) (watch, error) {
	now := before.broken()
	now.running = map[runbook.Host][]runbook.Running{}
	var running []map[string]runbook.Image
	for _, view := range views {
		images, _ := view.Set()
		running = append(running, images)
		now.running[view.Host] = view.Running()
	}
	images := runbook.SameEverywhere(running)
	if images == nil {
		if err := o.diverged(ctx, a, views, before); err != nil {
			return now.broken(), err
		}
		err := o.drift(ctx, a, views, before, &now)
		return now, err
	}
	hashes := hashesOf(views)
	now.set, now.hashes = runbook.ReleaseID(images), fmt.Sprint(hashes)
	if before.read.history.Observed() != now.set {
		fact := runbook.Observed{Images: images, ConfigHashes: hashes, Tags: tagsOf(views), Hosts: a.Hosts}
		if before.last != "" && before.last != now.set {
			fact.After = before.lastAt.UTC()
		}
		if err := o.append(ctx, a, before.read, fact); err != nil {
			return now.broken(), err
		}
	} else if known, _ := before.read.history.Of(images); fmt.Sprint(known.ConfigHashes) != now.hashes {
		if err := o.append(ctx, a, before.read, runbook.Reconfigured{Images: images, ConfigHashes: hashes}); err != nil {
			return now.broken(), err
		}
	}
	if err := o.drift(ctx, a, views, before, &now); err != nil {
		return now.broken(), err
	}
	now, err := o.judge(ctx, a, images, before, now)
	if err != nil {
		return now, err
	}
	if err := o.suggest(ctx, a, images, now.read); err != nil {
		return now, err
	}
	if err := o.check(ctx, a, images, now); err != nil {
		return now, err
	}
	return now, o.describe(ctx, a, views, now)
}

// hashesOf are the configurations that each service runs with, wherever it runs.
func hashesOf(views []runbook.View) map[string][]string {
	hashes := map[string][]string{}
	for _, view := range views {
		for _, s := range view.Services {
			for _, hash := range s.ConfigHashes {
				if !slices.Contains(hashes[s.Service], hash) {
					hashes[s.Service] = append(hashes[s.Service], hash)
				}
			}
		}
	}
	for _, of := range hashes {
		slices.Sort(of)
	}
	return hashes
}

// tagsOf are the references by which containers were started where those are no digests.
func tagsOf(views []runbook.View) (tags []string) {
	for _, view := range views {
		for _, r := range view.Services {
			if r.Tag != "" && !slices.Contains(tags, r.Tag) {
				tags = append(tags, r.Tag)
			}
		}
	}
	slices.Sort(tags)
	return tags
}

// judge notes when the release begins to fail and when it recovers, and counts how long it has been seen healthy.
func (o Observer) judge(ctx context.Context, a runbook.App, images map[string]runbook.Image, before, now watch) (watch, error) {
	health := o.healthOf(ctx, a, before, now)
	if ctx.Err() != nil {
		return now.broken(), ctx.Err() // what didn't answer to somebody who hung up is not failing
	}
	release, known := before.read.history.Of(images)
	now.failing = runbook.Mask(health.failing)
	if !health.pending && before.read.history.HealthNews(images, now.failing, before.failing) {
		if err := o.append(ctx, a, before.read, runbook.HealthChanged{Images: images, Healthy: health.healthy(), Reason: now.failing}); err != nil {
			return now.broken(), err
		}
	}
	if !health.healthy() {
		return now, nil
	}
	now.healthy = before.healthy
	if before.set != now.set || before.hashes != now.hashes || before.healthy.IsZero() {
		now.healthy = time.Now()
	}
	lasted := time.Since(now.healthy)
	if lasted < a.VerifyAfter || known && release.KnownGood() && !release.VerifiedAt.Before(release.LastLiveAt) {
		return now, nil
	}
	return now, o.append(ctx, a, before.read, runbook.Verified{Images: images, For: lasted.Round(time.Second)})
}

// diverged journals once that the hosts don't run one known release.
func (o Observer) diverged(ctx context.Context, a runbook.App, views []runbook.View, before watch) error {
	var parts []string
	for _, view := range views {
		for _, r := range view.Services {
			parts = append(parts, fmt.Sprintf("%s %s: %s", view.Host, r.Service, runningText(r.Running)))
		}
	}
	detail := strings.Join(parts, "; ")
	if detail == before.read.history.Apart() {
		return nil
	}
	return o.append(ctx, a, before.read, runbook.Diverged{Detail: detail})
}

// append writes a fact that was seen, unless a rollback was opened since the look began.
func (o Observer) append(ctx context.Context, a runbook.App, read *reads, fact runbook.Fact) error {
	if err := o.free(ctx, a); err != nil {
		return err
	}
	return o.write(ctx, a, read, fact)
}

func (o Observer) write(ctx context.Context, a runbook.App, read *reads, fact runbook.Fact) error {
	events, err := o.Journal.Append(ctx, runbook.Entry{App: a.Name, At: time.Now().UTC(), Facts: []runbook.Fact{fact}})
	for _, event := range events {
		if o.Report != nil {
			o.Report(event)
		}
	}
	if err != nil {
		return err
	}
	if o.News != nil {
		o.News()
	}
	return read.on(ctx, o.Journal, a.Name)
}

// reads is what is known of an app's journal.
type reads struct {
	chronicle *history.Chronicle
	history   history.History
}

// on reads what is new.
func (r *reads) on(ctx context.Context, j runbook.Journal, app string) error {
	history, err := r.chronicle.History(ctx, j, app)
	if err == nil {
		r.history = history
	}
	return err
}
