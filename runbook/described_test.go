package runbook

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const commit1, commit2 = "3f2c1ab04d5e6f708192a3b4c5d6e7f801234567", "81aa1ab04d5e6f708192a3b4c5d6e7f801234567"

// historyOf is a source that knows deployments, or answers with an error.
type historyOf struct {
	Source
	mu    sync.Mutex
	all   []SourceDeployment
	err   error
	asked int
}

func (h *historyOf) Deployments(context.Context, string) ([]SourceDeployment, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked++
	return h.all, h.err
}

func (h *historyOf) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked
}

// label has all hosts' docker say that an image was built so.
func (w *world) label(images map[string]Image, revision, version string) {
	for _, h := range w.hosts {
		h.mu.Lock()
		for _, image := range images {
			if h.labels == nil {
				h.labels = map[string]Label{}
			}
			h.labels[image.String()] = Label{revision, version}
		}
		h.mu.Unlock()
	}
}

func (w *world) describedAs() (facts []Described) {
	for _, e := range w.events() {
		if fact, ok := e.Fact.(Described); ok {
			facts = append(facts, fact)
		}
	}
	return facts
}

func TestObserver_DescribesEachReleaseOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newEmptyWorld(t, newMemoryStore(), "deploy@one", "deploy@two")
		w.label(w.v1, commit1, "v1.0")
		w.app.Repository = "acme/shop"
		source := &historyOf{all: []SourceDeployment{{Commit: commit1, Version: "main", Author: "ana", URL: "https://github.example/runs/1"}}}
		with := func(o *Observer) { o.Source = source }
		w.deploy(w.v1)
		_, stop := observedBy(t, w, with)
		time.Sleep(3 * time.Hour)
		stop()
		_, stop = observedBy(t, w, with)
		defer func() { stop() }()
		time.Sleep(3 * time.Hour)
		if facts := w.describedAs(); len(facts) != 1 || source.count() != 1 {
			t.Fatalf("described %d times, and the source was asked %d times: %+v", len(facts), source.count(), facts)
		}
		r, _ := w.history().Of(w.v1)
		if r.Commit != commit1 || r.Version != "v1.0" || r.Author != "ana" || r.URL == "" || !strings.Contains(Describe(r), "commit 3f2c1ab04d5e by ana") {
			t.Errorf("got %+v: %s", r, Describe(r))
		}
	})
}

// A source that is away is missing, is said once, and asked again an hour later.
func TestObserver_SourceIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newEmptyWorld(t, newMemoryStore())
		w.label(w.v2, commit2, "")
		w.app.Repository = "acme/shop"
		source := &historyOf{err: &DeniedError{Why: "GitHub doesn't accept it: TOKEN=hunter2", Err: errors.New("401")}}
		_, stop := observedBy(t, w, func(o *Observer) { o.Source = source })
		defer stop()
		time.Sleep(90 * time.Minute)
		facts := w.describedAs()
		if len(facts) != 1 || source.count() != 2 || len(facts[0].Missing) != 1 || strings.Contains(facts[0].Missing[0], "hunter2") {
			t.Fatalf("asked %d times: %+v", source.count(), facts)
		}
		if r, _ := w.history().Of(w.v2); r.Commit != commit2 || !strings.Contains(Describe(r), "not known: what the source says of commit 81aa1ab04d5e: GitHub doesn't accept it") {
			t.Errorf("got %s", Describe(r))
		}
		source.mu.Lock()
		source.err, source.all = nil, []SourceDeployment{{Commit: commit2, Version: "v2.0", Author: "ben"}}
		source.mu.Unlock()
		time.Sleep(2 * time.Hour)
		if r, _ := w.history().Of(w.v2); len(w.describedAs()) != 2 || r.Version != "v2.0" || r.Author != "ben" || r.Untold != "" {
			t.Errorf("got %+v after %d", r, len(w.describedAs()))
		}
		time.Sleep(48 * time.Hour)
		if n := source.count(); n > 4 {
			t.Errorf("asked %d times", n)
		}
	})
}

// registryOf is a registry whose every image has these labels.
type registryOf struct {
	mu       *sync.Mutex
	revision string
	err      error
	asked    *[]Image
}

func (r registryOf) Labels(_ context.Context, image Image) (string, string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*r.asked = append(*r.asked, image)
	return r.revision, "", r.err
}

// What lies on a host isn't asked of the registry; what lies on none is, also of a release that never ran.
func TestObserver_LabelsFromTheRegistry(t *testing.T) {
	for _, err := range []error{nil, errors.New("it doesn't answer")} {
		synctest.Test(t, func(t *testing.T) {
			w := newEmptyWorld(t, newMemoryStore())
			w.note(Deployed{Images: release(3), Version: "v3", Migration: MigrationNone})
			var asked []Image
			_, stop := observedBy(t, w, func(o *Observer) { o.Registry = registryOf{&sync.Mutex{}, commit1, err, &asked} })
			defer stop()
			time.Sleep(30 * time.Minute)
			for _, image := range asked {
				if !slices.Contains([]Image{release(3)["api"], release(3)["worker"], release(3)["web"]}, image) {
					t.Errorf("the registry was asked for %s, which is on a host", image)
				}
			}
			r, _ := w.history().Of(release(3))
			if err == nil && r.Commit != commit1 || err != nil && (r.Commit != "" || !strings.Contains(r.Untold, "the labels of api: it doesn't answer")) || len(asked) != 3 || len(w.describedAs()) != 2 {
				t.Errorf("with %v: asked %d, described %d: %s", err, len(asked), len(w.describedAs()), Describe(r))
			}
		})
	}
}
