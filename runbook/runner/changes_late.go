package runner

import (
	"context"
	"errors"

	"rollbackbot/internal/parallel"
	"rollbackbot/runbook"
	"rollbackbot/runbook/outbox"
)

// awaitChanges asks on for what the source had not told when the plan was made, as long as the sign-off is awaited. What
// arrives makes a new plan: nobody signs what they did not see.
func (o *owner) awaitChanges(ctx context.Context) {
	if rb := o.snapshot(); rb.State != runbook.StateRequested || !rb.Plan.Changes.Awaited() {
		return
	}
	o.runner.running.Go(func() {
		for wait := outbox.FirstRetry; ; wait = min(2*wait, outbox.LastRetry) {
			rb := o.snapshot()
			if rb.State != runbook.StateRequested || !rb.Plan.Changes.Awaited() {
				return
			}
			plan, err := o.execution.planner.Again(ctx, o.app, rb.Plan)
			if err == nil && plan.Hash() != rb.Plan.Hash() {
				err = o.learn(ctx, rb.Plan, plan)
			}
			if ctx.Err() != nil || err == nil && !plan.Changes.Awaited() || errors.Is(err, errRetired) {
				return
			}
			if parallel.Pause(ctx, wait) != nil {
				return
			}
		}
	})
}

// learn puts the new plan in the place of the former one, where that still awaits its sign-off.
func (o *owner) learn(ctx context.Context, former, plan runbook.Plan) error {
	return o.decide(ctx, "", "", func(now runbook.Rollback) ([]runbook.Fact, error) {
		if now.State != runbook.StateRequested || now.Question() == nil || now.Plan.Hash() != former.Hash() {
			return nil, nil
		}
		question := o.runner.question(now.Questions[len(now.Questions)-1].ID+1, plan)
		return []runbook.Fact{runbook.Replanned{Plan: plan, Why: "the repository has told what lies between the two releases", Question: question}}, nil
	})
}
