package runner

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
)

// planOf is a plan on one host from some images to others.
func planOf(from, to map[string]runbook.Image) runbook.Plan {
	host := runbook.HostPlan{Host: "deploy@one"}
	for _, service := range slices.Sorted(maps.Keys(to)) {
		host.Services = append(host.Services, runbook.ServicePlan{Service: service, From: from[service], To: to[service]})
	}
	return runbook.Plan{App: "shop", Hosts: []runbook.HostPlan{host}}
}

// What is replaced is blocked, unless the target has it too, by whatever name, or another known-good release does.
func TestHistory_WhatARollbackBlocks(t *testing.T) {
	v1, v2, v3, at := runbooktest.Release(1), runbooktest.Release(2), runbooktest.Release(3), time.Now()
	v2["web"] = v1["web"]
	other := maps.Clone(v3)
	other["worker"] = v2["worker"]
	seen := []runbook.Event{{Fact: runbook.Observed{Images: v1}}, {Fact: runbook.Verified{Images: v1}, At: at}, {Fact: runbook.Observed{Images: other}}, {Fact: runbook.Observed{Images: v2}}}
	if got, want := history.New(seen).Harmed(planOf(v2, v1)), []runbook.Image{v2["api"], v2["worker"]}; !slices.Equal(got, want) {
		t.Errorf("blocked are %v, want %v", got, want)
	}
	seen = append(seen, runbook.Event{Fact: runbook.Verified{Images: other}, At: at})
	if got, want := history.New(seen).Harmed(planOf(v2, v1)), []runbook.Image{v2["api"]}; !slices.Equal(got, want) {
		t.Errorf("another known-good release has the worker; blocked are %v, want %v", got, want)
	}
	seen = append(seen, runbook.Event{Fact: runbook.Verified{Images: v2}, At: at})
	if got, want := history.New(seen).Harmed(planOf(v2, v1)), []runbook.Image{v2["api"]}; !slices.Equal(got, want) {
		t.Errorf("that it was known-good itself saves nothing; blocked are %v, want %v", got, want)
	}
	mirrored := maps.Clone(v1)
	mirrored["api"] = runbook.Image{Name: "mirror.example/api", Digest: v2["api"].Digest}
	if got := history.New(nil).Harmed(planOf(v2, mirrored)); slices.Contains(got, v2["api"]) {
		t.Errorf("the target has it under another name; blocked are %v", got)
	}
}

// What is blocked is not chosen, not by name and not by itself, and not noted; whatever its repository is called.
func TestHistory_WhatIsBlockedIsNotTaken(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.note(runbook.Verified{Images: w.v2})
		w.block()
		past, v3 := w.history(), runbooktest.Release(3)
		mirrored := maps.Clone(w.v1)
		mirrored["api"] = runbook.Image{Name: "mirror.example/api", Digest: w.v2["api"].Digest}
		var no *runbook.TargetError
		for name, request := range map[string]runbook.Request{
			"version": {Release: "v2"}, "ID": {Release: runbook.ReleaseID(w.v2)}, "digest": {Release: string(w.v2["worker"].Digest)}, "images": {Images: w.v2}, "another name": {Images: mirrored},
		} {
			if release, err := past.Choose(w.app, request, []map[string]runbook.Image{v3}); !errors.As(err, &no) {
				t.Errorf("by %s: %s, %v", name, release.Name(), err)
			}
		}
		if release, err := past.Choose(w.app, runbook.Request{}, []map[string]runbook.Image{v3}); err != nil || release.Version != "v1" {
			t.Errorf("by default: %s, %v; want v1, though v2 is known-good and newer", release.Name(), err)
		}
		var blocked *runbook.QuarantinedError
		if _, err := history.NoteDeployment(t.Context(), w.journal, w.app, runbook.Deployed{Images: mirrored}); !errors.As(err, &blocked) || blocked.Image != mirrored["api"] {
			t.Errorf("noted: %v", err)
		}
		blog := w.app
		blog.Name = "blog"
		if _, err := history.NoteDeployment(t.Context(), w.journal, blog, runbook.Deployed{Images: mirrored}); !errors.As(err, &blocked) || blocked.App != "shop" {
			t.Errorf("noted for another app: %v", err)
		}
	})
}
