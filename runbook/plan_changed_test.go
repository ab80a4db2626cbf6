package runbook

import (
	"strings"
	"testing"
	"testing/synctest"
)

// What a release is called may be learnt while its sign-off is awaited. It is the same plan then.
func TestPlan_ANameThatIsLearntChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newEmptyWorld(t, newMemoryStore())
		w.note(Observed{Images: w.v1}, Verified{Images: w.v1}, Observed{Images: w.v2})
		plan := func() Plan {
			t.Helper()
			plan, err := Planner{Hosts: newFakeHosts(w.hosts, &process{}), Journal: w.journal}.Plan(t.Context(), w.app, w.request())
			if err != nil {
				t.Fatal(err)
			}
			return plan
		}
		before := plan()
		labels := map[string]Build{"api": {Version: "v2", Commit: "0123456789ab"}}
		w.note(Described{Images: w.v2, Labels: labels})
		after := plan()
		if after.Running != "v2" || before.Running == "v2" {
			t.Errorf("the release is called %q, and was called %q before", after.Running, before.Running)
		}
		if after.Hash() != before.Hash() {
			t.Errorf("it changed: %q", after.changedSince(before))
		}
	})
}

// A plan of a version that named no IDs compares by names.
func TestPlan_FactsOfAnOlderVersion(t *testing.T) {
	facts := MigrationFacts{Releases: []ReleaseFact{{ID: "r-1", Release: "v1", Migration: MigrationYes, Source: "note"}}}
	older := MigrationFacts{Releases: []ReleaseFact{{Release: "v1", Migration: MigrationYes, Source: "note"}}}
	if now, was := (Plan{Migration: facts.comparable(older)}), (Plan{Migration: older}); now.Hash() != was.Hash() {
		t.Errorf("it changed: %q", now.changedSince(was))
	}
	if now, was := (Plan{Migration: facts.comparable(facts)}), (Plan{Migration: older}); now.Hash() == was.Hash() {
		t.Error("an ID is not what is signed")
	}
	if facts.Releases[0].ID == "" {
		t.Error("comparing took the ID away")
	}
}

func TestPlan_ChangedSince(t *testing.T) {
	host := func(change func(*HostPlan)) HostPlan {
		h := HostPlan{Host: "deploy@one", Project: "shop", EnvFile: ".env",
			Services: []ServicePlan{{Service: "api", Variable: "API_IMAGE", From: image("api", 2), To: image("api", 1), ConfigHash: "a"}},
			Commands: Commands{Pulls: []Command{{Args: []string{"pull"}}}, Prove: Command{Args: []string{"prove"}}, Up: Command{Args: []string{"up"}}}}
		if change != nil {
			change(&h)
		}
		return h
	}
	former := Plan{App: "shop", Hosts: []HostPlan{host(nil)}}
	for words, plan := range map[string]Plan{
		"":                              former,
		"deploy@one can't be reached":   {App: "shop", Excluded: []ExcludedHost{{Host: "deploy@one"}}},
		"api runs sha256:6170":          {App: "shop", Hosts: []HostPlan{host(func(h *HostPlan) { h.Services[0].From = image("api", 3) })}},
		"the configuration of api":      {App: "shop", Hosts: []HostPlan{host(func(h *HostPlan) { h.Services[0].ConfigHash = "b" })}},
		"deploy@one: the commands":      {App: "shop", Hosts: []HostPlan{host(func(h *HostPlan) { h.EnvFile = "other" })}},
		"the migrations in between":     {App: "shop", Hosts: former.Hosts, Migration: MigrationFacts{None: true}},
		"deploy@two can be reached":     {App: "shop", Hosts: append([]HostPlan{{Host: "deploy@two"}}, former.Hosts...)},
		"the commands, or the hosts":    {App: "shop"},
		"deploy@one: worker is new":     {App: "shop", Hosts: []HostPlan{host(func(h *HostPlan) { h.Services = append(h.Services, ServicePlan{Service: "worker"}) })}},
		"an image that is not known, a": {App: "shop", Hosts: []HostPlan{host(func(h *HostPlan) { h.Services[0].From = Image{} })}},
	} {
		got := strings.Join(plan.changedSince(former), "; ")
		if (words == "") != (got == "") || !strings.Contains(got, words) {
			t.Errorf("it says %q, want %q", got, words)
		}
	}
}
