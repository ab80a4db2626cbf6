package runbook

import (
	"testing"
)

func TestPolicy_HostsThatDifferedInBetweenProveNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		v3 := release(3)
		w.note(Observed{Images: w.v1}, Diverged{Detail: "deploy@one runs something else"}, Deployed{Images: v3, Version: "v3", Migration: MigrationNone}, Observed{Images: v3})
		h := w.hosts["deploy@one"]
		for _, s := range w.app.Services {
			h.containers[s.Name] = []string{v3[s.Name].String()}
			h.images[v3[s.Name].String()] = true
			h.env = string(EditPins([]byte(h.env), []Pin{{Variable: s.Variable, Value: v3[s.Name].String()}}))
		}
		plan, err := Planner{Hosts: newFakeHosts(w.hosts, &process{}), Journal: w.journal}.Plan(t.Context(), w.app, Request{App: "shop", Release: "v1"})
		if err != nil {
			t.Fatal(err)
		}
		if (Policy{}).needsLead(plan) == "" {
			t.Errorf("something unknown ran on a host after the target, and no lead is asked: %+v", plan.Migration)
		}
	})
}
