package preflight

import (
	"context"
	"time"

	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
)

// changes asks what lies between the target and what runs; nil where nobody can be asked.
func (p Planner) changes(ctx context.Context, a runbook.App, history history.History, target runbook.Release, running map[string]runbook.Image, patience time.Duration) *runbook.Changes {
	if p.Source == nil || a.Repository == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return changesReader{source: p.Source, judge: p.Judge, app: a}.read(ctx, history.Between(target, running))
}

// Again is the plan with what the source says by now; all else is as it was.
func (p Planner) Again(ctx context.Context, a runbook.App, plan runbook.Plan) (runbook.Plan, error) {
	history, err := p.Chronicle.History(ctx, p.Journal, a.Name)
	if err != nil {
		return plan, err
	}
	running := plan.FromEverywhere()
	plan.Changes = p.changes(ctx, a, history, plan.Target, running, changesTimeout)
	plan.Migration = history.MigrationFacts(plan.Target, running, plan.Exact, plan.Changes)
	return plan, nil
}
