package runner

import (
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/internal/standin"
	"rollbackbot/runbook/preflight"
)

func TestPlanner_AHostThatHangsIsLeftOutByName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "deploy@one", "deploy@two")
		w.hosts["deploy@two"].Set(func(s *standin.State) { s.Hangs = true })
		began := time.Now()
		plan, err := preflight.Planner{Hosts: w.lab, Journal: w.journal}.Plan(t.Context(), w.app, w.request())
		if err != nil || len(plan.Excluded) != 1 || plan.Excluded[0].Host != "deploy@two" {
			t.Errorf("excluded %v, %v", plan.Excluded, err)
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}
