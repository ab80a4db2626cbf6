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

func TestBuildOf(t *testing.T) {
	for _, c := range []struct {
		revision, version string
		want              Build
	}{
		{commit1, "v1.2", Build{"v1.2", commit1}},
		{" 3F2C1AB ", "v1.2\n", Build{"v1.2", "3f2c1ab"}},
		{"", "22.04", Build{}},
		{"3f2c1a", "v1", Build{}},
		{"main", "v1", Build{}},
		{strings.Repeat("a", 65), "v1", Build{}},
		{commit1, strings.Repeat("v", 101), Build{"", commit1}},
		{commit1, "v1\x1b[2J", Build{"", commit1}},
		{commit1, "v1\u202e2v", Build{"", commit1}},
		{commit1, "ghp_averysecrettoken00000", Build{"", commit1}},
		{commit1, "previous", Build{"", commit1}},
		{commit1, "r-0123456789ab", Build{"", commit1}},
		{commit1, "<!channel> *v1*", Build{"<!channel> *v1*", commit1}}, // shown as it is, with no meaning in Slack
	} {
		if got := buildOf(c.revision, c.version); got != c.want {
			t.Errorf("buildOf(%q, %q) = %q, want %q", c.revision, c.version, got, c.want)
		}
	}
}

func labelled(commit, version string) map[string]Build {
	return map[string]Build{"api": {version, commit}, "web": {version, commit}}
}

func TestDescribed_WhoWins(t *testing.T) {
	v1, v2 := release(1), release(2)
	source := Described{Images: v1, Labels: labelled(commit1, ""), Commit: commit1, Version: "v1.0", Author: "ana", URL: "https://x/1"}
	for name, c := range map[string]struct {
		facts                   []Fact
		version, commit, untold string
	}{
		"labels":               {[]Fact{Observed{Images: v1}, Described{Images: v1, Labels: labelled(commit1, "v1")}}, "v1", commit1, ""},
		"the source's version": {[]Fact{source}, "v1.0", commit1, ""},
		"a label's version":    {[]Fact{Described{Images: v1, Labels: labelled(commit1, "v1"), Commit: commit1, Version: "v1.0"}}, "v1", commit1, ""},
		"a note before":        {[]Fact{Deployed{Images: v1, Version: "noted", Commit: "abcdef0"}, source}, "noted", "abcdef0", ""},
		"a note after":         {[]Fact{source, Deployed{Images: v1, Version: "noted", Commit: "abcdef0"}}, "noted", "abcdef0", ""},
		"a note without them":  {[]Fact{source, Deployed{Images: v1}}, "v1.0", commit1, ""},
		"different commits":    {[]Fact{Described{Images: v1, Labels: map[string]Build{"api": {"v1", commit1}, "web": {"v1", commit2}}}}, "", "", "built from different commits: api 3f2c1ab04d5e, web 81aa1ab04d5e"},
		"inherited":            {[]Fact{source, Described{Images: v2, Labels: labelled(commit1, "v1")}}, "", "", "another release has the same commit"},
		"missing":              {[]Fact{Described{Images: v1, Labels: labelled(commit1, "v1"), Missing: []string{"what GitHub says"}}}, "v1", commit1, "what GitHub says"},
	} {
		var events []Event
		for i, fact := range c.facts {
			events = append(events, Event{Seq: int64(i + 1), At: time.Unix(int64(i), 0), Fact: fact})
		}
		history := NewHistory(events)
		again, err := decodeHistory(history.encode())
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range []History{history, again} {
			r, _ := h.Of(v1)
			if r.Version != c.version || r.Commit != c.commit || !strings.Contains(r.Untold, c.untold) || c.untold == "" && r.Untold != "" {
				t.Errorf("%s: %q, %q, untold %q; want %q, %q, %q", name, r.Version, r.Commit, r.Untold, c.version, c.commit, c.untold)
			}
			if strings.HasPrefix(name, "a note") && c.commit != commit1 && r.Author != "" {
				t.Errorf("%s: %s is said of another commit", name, r.Author)
			}
		}
	}
}

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
				h.labels = map[string]label{}
			}
			h.labels[image.String()] = label{revision, version}
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

func TestSourceVersion(t *testing.T) {
	all := []SourceDeployment{{Commit: commit1, Version: "v1.0"}, {Commit: commit1, Version: "main"}, {Commit: commit1, Version: "1.1"}, {Commit: commit2, Version: "1.1"}}
	for i, want := range []string{"v1.0", "", "", ""} {
		if got := sourceVersion(all, all[i]); got != want {
			t.Errorf("%+v: %q, want %q", all[i], got, want)
		}
	}
	if _, found := deploymentOf([]SourceDeployment{{Commit: "abcdef01"}, {Commit: "abcdef02"}}, "abcdef0"); found {
		t.Error("an abbreviation of two commits is taken for one")
	}
	if d, found := deploymentOf([]SourceDeployment{{Commit: commit1, Run: true}, {Commit: commit1, Author: "ana"}}, commit1[:8]); !found || d.Author != "ana" {
		t.Errorf("got %+v, %t: a deployment says more than a run", d, found)
	}
}
