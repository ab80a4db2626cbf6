package runbook

import (
	"context"
	"errors"
	"time"
)

// changes asks what lies between the target and what runs; nil where nobody can be asked.
func (p Planner) changes(ctx context.Context, a App, history History, target Release, running map[string]Image, patience time.Duration) *Changes {
	if p.Source == nil || a.Repository == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return changesReader{source: p.Source, judge: p.Judge, app: a}.read(ctx, history.between(target, running))
}

// awaitChanges asks on for what the source had not told when the plan was made, as long as the sign-off is awaited. What
// arrives makes a new plan: nobody signs what they did not see.
func (o *owner) awaitChanges(ctx context.Context) {
	if rb := o.snapshot(); rb.State != StateRequested || !rb.Plan.Changes.awaited() {
		return
	}
	o.runner.running.Go(func() {
		for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
			rb := o.snapshot()
			if rb.State != StateRequested || !rb.Plan.Changes.awaited() {
				return
			}
			plan, err := o.execution.planner.again(ctx, o.app, rb.Plan)
			if err == nil && plan.Hash() != rb.Plan.Hash() {
				err = o.learn(ctx, rb.Plan, plan)
			}
			if ctx.Err() != nil || err == nil && !plan.Changes.awaited() || errors.Is(err, errRetired) {
				return
			}
			if pause(ctx, wait) != nil {
				return
			}
		}
	})
}

// again is the plan with what the source says by now; all else is as it was.
func (p Planner) again(ctx context.Context, a App, plan Plan) (Plan, error) {
	history, err := p.Chronicle.History(ctx, p.Journal, a.Name)
	if err != nil {
		return plan, err
	}
	running := plan.fromEverywhere()
	plan.Changes = p.changes(ctx, a, history, plan.Target, running, changesTimeout)
	plan.Migration = history.migrationFacts(plan.Target, running, plan.Exact, plan.Changes)
	return plan, nil
}

// learn puts the new plan in the place of the former one, where that still awaits its sign-off.
func (o *owner) learn(ctx context.Context, former, plan Plan) error {
	return o.decide(ctx, "", "", func(now Rollback) ([]Fact, error) {
		if now.State != StateRequested || now.Question() == nil || now.Plan.Hash() != former.Hash() {
			return nil, nil
		}
		question := o.runner.question(now.Questions[len(now.Questions)-1].ID+1, plan)
		return []Fact{Replanned{Plan: plan, Why: "the repository has told what lies between the two releases", Question: question}}, nil
	})
}
