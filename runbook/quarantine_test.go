package runbook

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"
)

// planOf is a plan on one host from some images to others.
func planOf(from, to map[string]Image) Plan {
	host := HostPlan{Host: "deploy@one"}
	for _, service := range slices.Sorted(maps.Keys(to)) {
		host.Services = append(host.Services, ServicePlan{Service: service, From: from[service], To: to[service]})
	}
	return Plan{App: "shop", Hosts: []HostPlan{host}}
}

// What is replaced is blocked, unless the target has it too, by whatever name, or another known-good release does.
func TestHistory_WhatARollbackBlocks(t *testing.T) {
	v1, v2, v3, at := release(1), release(2), release(3), time.Now()
	v2["web"] = v1["web"]
	other := maps.Clone(v3)
	other["worker"] = v2["worker"]
	seen := []Event{{Fact: Observed{Images: v1}}, {Fact: Verified{Images: v1}, At: at}, {Fact: Observed{Images: other}}, {Fact: Observed{Images: v2}}}
	if got, want := NewHistory(seen).harmed(planOf(v2, v1)), []Image{v2["api"], v2["worker"]}; !slices.Equal(got, want) {
		t.Errorf("blocked are %v, want %v", got, want)
	}
	seen = append(seen, Event{Fact: Verified{Images: other}, At: at})
	if got, want := NewHistory(seen).harmed(planOf(v2, v1)), []Image{v2["api"]}; !slices.Equal(got, want) {
		t.Errorf("another known-good release has the worker; blocked are %v, want %v", got, want)
	}
	seen = append(seen, Event{Fact: Verified{Images: v2}, At: at})
	if got, want := NewHistory(seen).harmed(planOf(v2, v1)), []Image{v2["api"]}; !slices.Equal(got, want) {
		t.Errorf("that it was known-good itself saves nothing; blocked are %v, want %v", got, want)
	}
	mirrored := maps.Clone(v1)
	mirrored["api"] = Image{Name: "mirror.example/api", Digest: v2["api"].Digest}
	if got := NewHistory(nil).harmed(planOf(v2, mirrored)); slices.Contains(got, v2["api"]) {
		t.Errorf("the target has it under another name; blocked are %v", got)
	}
}

// What is blocked is not chosen, not by name and not by itself, and not noted; whatever its repository is called.
func TestHistory_WhatIsBlockedIsNotTaken(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.note(Verified{Images: w.v2})
		w.block()
		history, v3 := w.history(), release(3)
		mirrored := maps.Clone(w.v1)
		mirrored["api"] = Image{Name: "mirror.example/api", Digest: w.v2["api"].Digest}
		var no *TargetError
		for name, request := range map[string]Request{
			"version": {Release: "v2"}, "ID": {Release: ReleaseID(w.v2)}, "digest": {Release: string(w.v2["worker"].Digest)}, "images": {Images: w.v2}, "another name": {Images: mirrored},
		} {
			if release, err := history.Choose(w.app, request, []map[string]Image{v3}); !errors.As(err, &no) {
				t.Errorf("by %s: %s, %v", name, release.Name(), err)
			}
		}
		if release, err := history.Choose(w.app, Request{}, []map[string]Image{v3}); err != nil || release.Version != "v1" {
			t.Errorf("by default: %s, %v; want v1, though v2 is known-good and newer", release.Name(), err)
		}
		var blocked *QuarantinedError
		if _, err := NoteDeployment(t.Context(), w.journal, w.app, Deployed{Images: mirrored}); !errors.As(err, &blocked) || blocked.Image != mirrored["api"] {
			t.Errorf("noted: %v", err)
		}
		blog := w.app
		blog.Name = "blog"
		if _, err := NoteDeployment(t.Context(), w.journal, blog, Deployed{Images: mirrored}); !errors.As(err, &blocked) || blocked.App != "shop" {
			t.Errorf("noted for another app: %v", err)
		}
	})
}
