package runner

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"rollbackbot/runbook"
)

// identify is step 1: take the app's lock on every host, and look again. What was true when the plan was signed is
// checked once more before anything is done on the strength of it.
type identify struct{}

func (identify) Name() runbook.StepName { return runbook.StepIdentify }

func (s identify) Run(ctx context.Context, x *execution) (runbook.StepOutcome, error) {
	outcome, err := x.hold(ctx)
	if err != nil || outcome.Verdict != runbook.Passed {
		return outcome, err
	}
	if x.rollback().Touched() || x.rollback().Direction == runbook.Forward {
		return s.compareRunning(ctx, x)
	}
	return s.comparePlans(ctx, x)
}

// comparePlans makes the plan anew: the same hash means that nothing which was signed has changed. A plan that is to be
// signed in its place is proven in full.
func (identify) comparePlans(ctx context.Context, x *execution) (runbook.StepOutcome, error) {
	rb := x.rollback()
	request := rb.Request
	if !rb.Plan.Exact {
		request.Release = rb.Plan.Target.ID
	}
	again := x.planner
	again.Before, again.Saw = &rb.Plan, x.views.saw
	plan, err := again.Plan(ctx, x.app, request)
	plan.Migration = comparable(plan.Migration, rb.Plan.Migration)
	if err == nil && plan.Hash() != rb.Plan.Hash() {
		plan, err = x.planner.Plan(ctx, x.app, request)
		plan.Migration = comparable(plan.Migration, rb.Plan.Migration)
	}
	switch {
	case ctx.Err() != nil:
		return runbook.StepOutcome{}, ctx.Err()
	case err != nil:
		return runbook.StepOutcome{Verdict: runbook.Broken, Detail: planFailure(err)}, nil
	case plan.Hash() != rb.Plan.Hash():
		x.replace = &plan
		return runbook.StepOutcome{Verdict: runbook.Changed, Detail: "since the plan was made this has changed: " + runbook.Mask(strings.Join(changes(rb.Plan, plan), "; "))}, nil
	}
	return runbook.StepOutcome{Verdict: runbook.Passed, Detail: fmt.Sprintf("%s, as signed", plan.Target.Name())}, nil
}

// planFailure is why no plan can be made, for people.
func planFailure(err error) string {
	var preflight *runbook.PreflightError
	var target *runbook.TargetError
	var already *runbook.AlreadyRunningError
	if errors.As(err, &preflight) || errors.As(err, &target) || errors.As(err, &already) {
		return err.Error()
	}
	return runbook.Mask(err.Error())
}

// compareRunning looks in the middle of things: every service runs where the plan starts or where it goes, or
// somebody else has changed something meanwhile.
func (identify) compareRunning(ctx context.Context, x *execution) (runbook.StepOutcome, error) {
	return x.onEveryHost(ctx, func(ctx context.Context, h runbook.HostPlan) (hostOutcome, error) {
		view, err := x.look(ctx, h)
		if err != nil {
			return x.failure(ctx, err)
		}
		return foreign(h, view), nil
	})
}

// foreign finds what is neither the plan's start nor its target. A service without containers, or with a mix of the
// two, is where an interrupted `up` leaves it: going to the target again mends that.
func foreign(h runbook.HostPlan, view runbook.View) hostOutcome {
	for i, s := range h.Services {
		for _, image := range view.Services[i].Images {
			if !s.Knows(image) {
				return broken("%s runs %s, which this rollback did not put there: somebody changed it meanwhile", s.Service, orUnknown(image))
			}
		}
	}
	return fine
}

func orUnknown(image runbook.Image) string {
	if image.IsZero() {
		return "an image without a digest"
	}
	return image.Name + "@" + image.Digest.Short()
}
