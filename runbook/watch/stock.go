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
)

const stockPatience = 2 * time.Minute // for all questions to one host: a registry may be slow

// stock are the looks at images that are under way beside an Observer's looks at what runs: fetching takes minutes.
type stock struct {
	under sync.WaitGroup
	busy  bool
	found chan runbook.ImagesChecked
}

// check journals what the last look at images found, and begins the next one where it is due: of the default target
// daily, and once it becomes the default target; and daily of those whose images were gone, which may be there again.
func (o Observer) check(ctx context.Context, a runbook.App, images map[string]runbook.Image, w watch) error {
	select {
	case fact := <-w.stock.found:
		w.stock.busy = false
		if err := o.append(ctx, a, w.read, fact); err != nil {
			return err
		}
	default:
	}
	if w.stock.busy || time.Since(w.steady) < o.settling(a) {
		return nil
	}
	release, due := w.read.history.Unchecked(images, time.Now())
	if !due {
		return nil
	}
	w.stock.busy = true
	w.stock.under.Go(func() { w.stock.found <- o.lookForImages(ctx, a, release) })
	return nil
}

// lookForImages looks for a release's images on every host and in the registry, and fetches what is missing where there
// is room for it.
func (o Observer) lookForImages(ctx context.Context, a runbook.App, r runbook.Release) runbook.ImagesChecked {
	fact := runbook.ImagesChecked{Release: r.ID, Images: r.Images, Hosts: make([]runbook.ImagesOnHost, len(a.Hosts))}
	answers := make([]map[runbook.Image]runbook.RegistryAnswer, len(a.Hosts))
	var functions []func(context.Context) error
	for i, host := range a.Hosts {
		functions = append(functions, func(ctx context.Context) error {
			fact.Hosts[i], answers[i] = o.imagesOn(ctx, a, host, r)
			return nil
		})
	}
	_ = parallel.Do(ctx, functions...)
	for _, service := range a.Services {
		image := r.Images[service.Name]
		if image.IsZero() || slices.Contains(fact.Absent, image) || registrySays(answers, image) != runbook.RegistryLacks {
			continue
		}
		fact.Absent = append(fact.Absent, image)
		everywhere := func(h runbook.ImagesOnHost) bool { return slices.Contains(h.Missing, image) }
		if !slices.ContainsFunc(fact.Hosts, func(h runbook.ImagesOnHost) bool { return !everywhere(h) }) {
			fact.Gone = append(fact.Gone, image)
		}
	}
	return fact
}

// registrySays is what the hosts heard of the registry together: one that has got the image is right.
func registrySays(answers []map[runbook.Image]runbook.RegistryAnswer, image runbook.Image) runbook.RegistryAnswer {
	said := runbook.RegistrySilent
	for _, by := range answers {
		switch by[image] {
		case runbook.RegistryHas:
			return runbook.RegistryHas
		case runbook.RegistryLacks:
			said = runbook.RegistryLacks
		}
	}
	return said
}

func (o Observer) imagesOn(ctx context.Context, a runbook.App, host runbook.Host, r runbook.Release) (found runbook.ImagesOnHost, answers map[runbook.Image]runbook.RegistryAnswer) {
	asking, cancel := context.WithTimeout(ctx, stockPatience)
	defer cancel()
	found, answers = runbook.ImagesOnHost{Host: host}, map[runbook.Image]runbook.RegistryAnswer{}
	on := o.Hosts.On(a, host)
	states, err := on.Images(asking, a.ImagesOf(r), true)
	if err != nil {
		found.Problem = problemText(host, err)
		return found, answers
	}
	for _, state := range states {
		answers[state.Image] = state.Registry
		if !state.Here {
			found.Missing = append(found.Missing, state.Image)
		}
		if state.Problem != (runbook.Problem{}) {
			found.Problem = state.Problem.What
		}
	}
	if len(found.Missing) == 0 || found.Problem != "" {
		return found, answers
	}
	report, err := on.Preflight(asking, true)
	if err != nil {
		found.Problem = problemText(host, err)
		return found, answers
	}
	if found.Problem = noRoom(states, report); found.Problem != "" {
		return found, answers
	}
	var denied []runbook.Image
	found.Missing, found.Fetched, denied, found.Problem = fetchMissing(ctx, on, host, found.Missing)
	for _, image := range denied {
		answers[image] = runbook.RegistryLacks
	}
	return found, answers
}

// The room that a fetch of which no person was asked leaves on a disk: a tenth of it, and at least 1, at most 10 GiB. A
// database may lie there too. (Kubernetes begins to evict at 10% of a node's disk: https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/)
const (
	reserveShare = 10
	leastReserve = 1 << 30
	mostReserve  = 10 << 30
)

// noRoom says why what is missing is not fetched by itself; "" where it is. What can't be told is no room: nobody is asked, and
// nothing is in a hurry.
func noRoom(states []runbook.ImageState, report runbook.HostReport) string {
	var need int64
	for _, state := range states {
		switch {
		case state.Here:
		case state.Bytes == 0:
			return fmt.Sprintf("%s is not fetched by itself: how much room it needs is not known", state.Image)
		default:
			need += state.Bytes
		}
	}
	reserve := min(max(report.DiskBytes/reserveShare, leastReserve), mostReserve)
	switch {
	case report.FreeBytes < 0:
		return "what is missing is not fetched by itself: how much room is free on the disk of the images is not known"
	case need > report.FreeBytes:
		return fmt.Sprintf("there is no room for what is missing: it needs about %d MiB on the disk of the images, and %d MiB are free", need>>20, report.FreeBytes>>20)
	case need+reserve > report.FreeBytes:
		return fmt.Sprintf("what is missing is not fetched by itself: it needs about %d MiB on the disk of the images, %d MiB are free, and %d MiB stay free for everything else", need>>20, report.FreeBytes>>20, reserve>>20)
	}
	return ""
}

// fetchMissing pulls images one after the other. Nothing that runs is touched by it, so it needs no lock. Denied are those
// that the registry itself denies.
func fetchMissing(ctx context.Context, on runbook.AppHost, host runbook.Host, missing []runbook.Image) (still, fetched, denied []runbook.Image, why string) {
	for _, image := range missing {
		err := on.Fetch(ctx, image)
		if err == nil {
			fetched = append(fetched, image)
			continue
		}
		still, why = append(still, image), problemText(host, err)
		if errors.Is(err, runbook.ErrDenied) {
			denied = append(denied, image)
		}
	}
	return still, fetched, denied, why
}

func problemText(host runbook.Host, err error) string {
	var texts []string
	for _, p := range runbook.ProblemsOf(host, err) {
		texts = append(texts, p.What)
	}
	return strings.Join(texts, "; ")
}
