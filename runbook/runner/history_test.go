package runner

import (
	"testing"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/runbook"
	"rollbackbot/runbook/preflight"
)

func TestPolicy_HostsThatDifferedInBetweenProveNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		v3 := runbooktest.Release(3)
		w.note(runbook.Observed{Images: w.v1}, runbook.Diverged{Detail: "deploy@one runs something else"}, runbook.Deployed{Images: v3, Version: "v3", Migration: runbook.MigrationNone}, runbook.Observed{Images: v3})
		w.deploy(v3)
		plan, err := preflight.Planner{Hosts: w.lab, Journal: w.journal}.Plan(t.Context(), w.app, runbook.Request{App: "shop", Release: "v1"})
		if err != nil {
			t.Fatal(err)
		}
		if (runbook.Policy{}).NeedsLead(plan) == "" {
			t.Errorf("something unknown ran on a host after the target, and no lead is asked: %+v", plan.Migration)
		}
	})
}
