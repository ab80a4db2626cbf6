package runner

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/internal/standin"
	"rollbackbot/runbook"
	"rollbackbot/runbook/watch"
)

// historyOf is a source that knows deployments, or answers with an error.
type historyOf struct {
	runbook.Source
	mu    sync.Mutex
	all   []runbook.SourceDeployment
	err   error
	asked int
}

func (h *historyOf) Deployments(context.Context, string) ([]runbook.SourceDeployment, error) {
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

// label has images say on all hosts that they were built so.
func (w *world) label(images map[string]runbook.Image, revision, version string) {
	w.onAll(func(s *standin.State) {
		for _, image := range images {
			s.Labels[image] = runbook.Label{Revision: revision, Version: version}
		}
	})
}

func (w *world) describedAs() (facts []runbook.Described) {
	for _, e := range w.events() {
		if fact, ok := e.Fact.(runbook.Described); ok {
			facts = append(facts, fact)
		}
	}
	return facts
}

func TestObserver_DescribesEachReleaseOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newEmptyWorld(t, runbooktest.NewMemoryStore(), "deploy@one", "deploy@two")
		w.label(w.v1, runbooktest.Commit1, "v1.0")
		w.app.Repository = "acme/shop"
		source := &historyOf{all: []runbook.SourceDeployment{{Commit: runbooktest.Commit1, Version: "main", Author: "ana", URL: "https://github.example/runs/1"}}}
		with := func(o *watch.Observer) { o.Source = source }
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
		if r.Commit != runbooktest.Commit1 || r.Version != "v1.0" || r.Author != "ana" || r.URL == "" || !strings.Contains(runbook.Describe(r), "commit 3f2c1ab04d5e by ana") {
			t.Errorf("got %+v: %s", r, runbook.Describe(r))
		}
	})
}

// A source that is away is missing, is said once, and asked again an hour later.
func TestObserver_SourceIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newEmptyWorld(t, runbooktest.NewMemoryStore())
		w.label(w.v2, runbooktest.Commit2, "")
		w.app.Repository = "acme/shop"
		source := &historyOf{err: &runbook.DeniedError{Why: "GitHub doesn't accept it: TOKEN=hunter2", Err: errors.New("401")}}
		_, stop := observedBy(t, w, func(o *watch.Observer) { o.Source = source })
		defer stop()
		time.Sleep(90 * time.Minute)
		facts := w.describedAs()
		if len(facts) != 1 || source.count() != 2 || len(facts[0].Missing) != 1 || strings.Contains(facts[0].Missing[0], "hunter2") {
			t.Fatalf("asked %d times: %+v", source.count(), facts)
		}
		if r, _ := w.history().Of(w.v2); r.Commit != runbooktest.Commit2 || !strings.Contains(runbook.Describe(r), "not known: what the source says of commit 81aa1ab04d5e: GitHub doesn't accept it") {
			t.Errorf("got %s", runbook.Describe(r))
		}
		source.mu.Lock()
		source.err, source.all = nil, []runbook.SourceDeployment{{Commit: runbooktest.Commit2, Version: "v2.0", Author: "ben"}}
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
	asked    *[]runbook.Image
}

func (r registryOf) Labels(_ context.Context, image runbook.Image) (string, string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*r.asked = append(*r.asked, image)
	return r.revision, "", r.err
}

// What lies on a host isn't asked of the registry; what lies on none is, also of a release that never ran.
func TestObserver_LabelsFromTheRegistry(t *testing.T) {
	for _, err := range []error{nil, errors.New("it doesn't answer")} {
		synctest.Test(t, func(t *testing.T) {
			w := newEmptyWorld(t, runbooktest.NewMemoryStore())
			w.note(runbook.Deployed{Images: runbooktest.Release(3), Version: "v3", Migration: runbook.MigrationNone})
			var asked []runbook.Image
			_, stop := observedBy(t, w, func(o *watch.Observer) { o.Registry = registryOf{&sync.Mutex{}, runbooktest.Commit1, err, &asked} })
			defer stop()
			time.Sleep(30 * time.Minute)
			for _, image := range asked {
				if !slices.Contains([]runbook.Image{runbooktest.Release(3)["api"], runbooktest.Release(3)["worker"], runbooktest.Release(3)["web"]}, image) {
					t.Errorf("the registry was asked for %s, which is on a host", image)
				}
			}
			r, _ := w.history().Of(runbooktest.Release(3))
			if err == nil && r.Commit != runbooktest.Commit1 || err != nil && (r.Commit != "" || !strings.Contains(r.Untold, "the labels of api: it doesn't answer")) || len(asked) != 3 || len(w.describedAs()) != 2 {
				t.Errorf("with %v: asked %d, described %d: %s", err, len(asked), len(w.describedAs()), runbook.Describe(r))
			}
		})
	}
}
