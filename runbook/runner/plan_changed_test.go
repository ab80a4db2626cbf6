package runner

import (
	"strings"
	"testing"
	"testing/synctest"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/runbook"
	"rollbackbot/runbook/preflight"
)

// What a release is called may be learnt while its sign-off is awaited. It is the same plan then.
func TestPlan_ANameThatIsLearntChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newEmptyWorld(t, runbooktest.NewMemoryStore())
		w.note(runbook.Observed{Images: w.v1}, runbook.Verified{Images: w.v1}, runbook.Observed{Images: w.v2})
		plan := func() runbook.Plan {
			t.Helper()
			plan, err := preflight.Planner{Hosts: w.lab, Journal: w.journal}.Plan(t.Context(), w.app, w.request())
			if err != nil {
				t.Fatal(err)
			}
			return plan
		}
		before := plan()
		labels := map[string]runbook.Build{"api": {Version: "v2", Commit: "0123456789ab"}}
		w.note(runbook.Described{Images: w.v2, Labels: labels})
		after := plan()
		if after.Running != "v2" || before.Running == "v2" {
			t.Errorf("the release is called %q, and was called %q before", after.Running, before.Running)
		}
		if after.Hash() != before.Hash() {
			t.Errorf("it changed: %q", changes(before, after))
		}
	})
}

// A plan of a version that named no IDs compares by names.
func TestPlan_FactsOfAnOlderVersion(t *testing.T) {
	facts := runbook.MigrationFacts{Releases: []runbook.ReleaseFact{{ID: "r-1", Release: "v1", Migration: runbook.MigrationYes, Source: "note"}}}
	older := runbook.MigrationFacts{Releases: []runbook.ReleaseFact{{Release: "v1", Migration: runbook.MigrationYes, Source: "note"}}}
	if now, was := (runbook.Plan{Migration: comparable(facts, older)}), (runbook.Plan{Migration: older}); now.Hash() != was.Hash() {
		t.Errorf("it changed: %q", changes(was, now))
	}
	if now, was := (runbook.Plan{Migration: comparable(facts, facts)}), (runbook.Plan{Migration: older}); now.Hash() == was.Hash() {
		t.Error("an ID is not what is signed")
	}
	if facts.Releases[0].ID == "" {
		t.Error("comparing took the ID away")
	}
}

func TestChanges(t *testing.T) {
	host := func(change func(*runbook.HostPlan)) runbook.HostPlan {
		h := runbook.HostPlan{Host: "deploy@one", Project: "shop", EnvFile: ".env",
			Services: []runbook.ServicePlan{{Service: "api", Variable: "API_IMAGE", From: runbooktest.Image("api", 2), To: runbooktest.Image("api", 1), ConfigHash: "a"}},
			Commands: runbook.Commands{Pulls: []runbook.Command{{Args: []string{"pull"}}}, Prove: runbook.Command{Args: []string{"prove"}}, Up: runbook.Command{Args: []string{"up"}}}}
		if change != nil {
			change(&h)
		}
		return h
	}
	former := runbook.Plan{App: "shop", Hosts: []runbook.HostPlan{host(nil)}}
	for words, plan := range map[string]runbook.Plan{
		"":                              former,
		"deploy@one can't be reached":   {App: "shop", Excluded: []runbook.ExcludedHost{{Host: "deploy@one"}}},
		"api runs sha256:6170":          {App: "shop", Hosts: []runbook.HostPlan{host(func(h *runbook.HostPlan) { h.Services[0].From = runbooktest.Image("api", 3) })}},
		"the configuration of api":      {App: "shop", Hosts: []runbook.HostPlan{host(func(h *runbook.HostPlan) { h.Services[0].ConfigHash = "b" })}},
		"deploy@one: the commands":      {App: "shop", Hosts: []runbook.HostPlan{host(func(h *runbook.HostPlan) { h.EnvFile = "other" })}},
		"the migrations in between":     {App: "shop", Hosts: former.Hosts, Migration: runbook.MigrationFacts{None: true}},
		"deploy@two can be reached":     {App: "shop", Hosts: append([]runbook.HostPlan{{Host: "deploy@two"}}, former.Hosts...)},
		"the commands, or the hosts":    {App: "shop"},
		"deploy@one: worker is new":     {App: "shop", Hosts: []runbook.HostPlan{host(func(h *runbook.HostPlan) { h.Services = append(h.Services, runbook.ServicePlan{Service: "worker"}) })}},
		"an image that is not known, a": {App: "shop", Hosts: []runbook.HostPlan{host(func(h *runbook.HostPlan) { h.Services[0].From = runbook.Image{} })}},
	} {
		got := strings.Join(changes(former, plan), "; ")
		if (words == "") != (got == "") || !strings.Contains(got, words) {
			t.Errorf("it says %q, want %q", got, words)
		}
	}
}
