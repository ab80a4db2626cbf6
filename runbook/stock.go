package runbook

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// ImagesChecked is what came of the daily look at the images of the release that a rollback would go to.
type ImagesChecked struct {
	Release string           `json:"release"` // its ID
	Images  map[string]Image `json:"images"`
	Hosts   []ImagesOnHost   `json:"hosts"`
	Absent  []Image          `json:"absent,omitempty"` // the registry says that it has no such image
	Gone    []Image          `json:"gone,omitempty"`   // those of them that are on no host either
}

// ImagesOnHost is what one host has of them.
type ImagesOnHost struct {
	Host    Host    `json:"host"`
	Missing []Image `json:"missing,omitempty"` // still, at the end of the look
	Fetched []Image `json:"fetched,omitempty"` // were missing, and are there now
	Problem string  `json:"problem,omitempty"` // why something is missing still, or could not be seen; masked
}

// Kind is the fact's name in the journal.
func (ImagesChecked) Kind() string { return "images_checked" }

func init() { register[ImagesChecked]() }

const (
	stockInterval = 24 * time.Hour
	stockPatience = 2 * time.Minute // for all questions to one host: a registry may be slow
)

// stocked folds what was found of a release's images.
func (h *History) stocked(e Event) {
	switch fact := e.Fact.(type) {
	case ImagesChecked:
		r := h.release(fact.Images)
		r.CheckedAt, r.Gone = e.At, fact.Gone
	case Observed:
		h.release(fact.Images).Gone = nil // whatever runs is there
	}
}

// stock are the looks at images that are under way beside an Observer's looks at what runs: fetching takes minutes.
type stock struct {
	under sync.WaitGroup
	busy  bool
	found chan ImagesChecked
}

// check journals what the last look at images found, and begins the next one where it is due: of the default target
// daily, and once it becomes the default target; and daily of those whose images were gone, which may be there again.
func (o Observer) check(ctx context.Context, a App, images map[string]Image, w watch) error {
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
	release, due := w.read.history.unchecked(images, time.Now())
	if !due {
		return nil
	}
	w.stock.busy = true
	w.stock.under.Go(func() { w.stock.found <- o.lookForImages(ctx, a, release) })
	return nil
}

// unchecked is a release whose images have to be looked for, now that images run everywhere.
func (h History) unchecked(images map[string]Image, now time.Time) (Release, bool) {
	var wanted []Release
	if target, err := h.previous([]map[string]Image{images}); err == nil {
		wanted = append(wanted, target)
	}
	for _, r := range h.Releases() {
		if len(r.Gone) > 0 && r.KnownGood() && r.Quarantine == "" {
			wanted = append(wanted, r)
		}
	}
	for _, r := range wanted {
		if now.Sub(r.CheckedAt) >= stockInterval {
			return r, true
		}
	}
	return Release{}, false
}

// lookForImages looks for a release's images on every host and in the registry, and fetches what is missing where there
// is room for it.
func (o Observer) lookForImages(ctx context.Context, a App, r Release) ImagesChecked {
	fact := ImagesChecked{Release: r.ID, Images: r.Images, Hosts: make([]ImagesOnHost, len(a.Hosts))}
	answers := make([]map[Image]RegistryAnswer, len(a.Hosts))
	var functions []func(context.Context) error
	for i, host := range a.Hosts {
		functions = append(functions, func(ctx context.Context) error {
			fact.Hosts[i], answers[i] = o.imagesOn(ctx, a, host, r)
			return nil
		})
	}
	_ = together(ctx, functions...)
	for _, service := range a.Services {
		image := r.Images[service.Name]
		if image.IsZero() || slices.Contains(fact.Absent, image) || registrySays(answers, image) != RegistryLacks {
			continue
		}
		fact.Absent = append(fact.Absent, image)
		everywhere := func(h ImagesOnHost) bool { return slices.Contains(h.Missing, image) }
		if !slices.ContainsFunc(fact.Hosts, func(h ImagesOnHost) bool { return !everywhere(h) }) {
			fact.Gone = append(fact.Gone, image)
		}
	}
	return fact
}

// registrySays is what the hosts heard of the registry together: one that has got the image is right.
func registrySays(answers []map[Image]RegistryAnswer, image Image) RegistryAnswer {
	said := RegistrySilent
	for _, by := range answers {
		switch by[image] {
		case RegistryHas:
			return RegistryHas
		case RegistryLacks:
			said = RegistryLacks
		}
	}
	return said
}

func (o Observer) imagesOn(ctx context.Context, a App, host Host, r Release) (found ImagesOnHost, answers map[Image]RegistryAnswer) {
	asking, cancel := context.WithTimeout(ctx, stockPatience)
	defer cancel()
	found, answers = ImagesOnHost{Host: host}, map[Image]RegistryAnswer{}
	on := o.Hosts.On(a, host)
	states, err := on.Images(asking, a.ImagesOf(r), true)
	if err != nil {
		found.Problem = problemText(host, err)
		return found, answers
	}
	var need int64
	for _, state := range states {
		answers[state.Image] = state.Registry
		if !state.Here {
			found.Missing = append(found.Missing, state.Image)
			need += state.Bytes
		}
		if state.Problem != (Problem{}) {
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
	if report.FreeBytes >= 0 && need > report.FreeBytes {
		found.Problem = fmt.Sprintf("there is no room for what is missing: it needs about %d MiB on the disk of the images, and %d MiB are free", need>>20, report.FreeBytes>>20)
		return found, answers
	}
	found.Missing, found.Fetched, found.Problem = fetchMissing(ctx, on, host, found.Missing)
	return found, answers
}

// fetchMissing pulls images one after the other. Nothing that runs is touched by it, so it needs no lock.
func fetchMissing(ctx context.Context, on AppHost, host Host, missing []Image) (still, fetched []Image, why string) {
	for _, image := range missing {
		if err := on.Fetch(ctx, image); err != nil {
			still, why = append(still, image), problemText(host, err)
			continue
		}
		fetched = append(fetched, image)
	}
	return still, fetched, why
}

func problemText(host Host, err error) string {
	var texts []string
	for _, p := range problemsOf(host, err) {
		texts = append(texts, p.What)
	}
	return strings.Join(texts, "; ")
}
