package runbook

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// identify is step 1: take the app's lock on every host, and look again. What was true when the plan was signed is
// checked once more before anything is done on the strength of it.
type identify struct{}

func (identify) Name() StepName { return StepIdentify }

func (s identify) Run(ctx context.Context, x *execution) (StepOutcome, error) {
	outcome, err := x.hold(ctx)
	if err != nil || outcome.Verdict != Passed {
		return outcome, err
	}
	if x.rollback().Touched() || x.rollback().Direction == Forward {
		return s.compareRunning(ctx, x)
	}
	return s.comparePlans(ctx, x)
}

// comparePlans makes the plan anew: the same hash means that nothing which was signed has changed. A plan that is to be
// signed in its place is proven in full.
func (identify) comparePlans(ctx context.Context, x *execution) (StepOutcome, error) {
	rb := x.rollback()
	request := rb.Request
	if !rb.Plan.Exact {
		request.Release = rb.Plan.Target.ID
	}
	again := x.planner
	again.Before, again.Saw = &rb.Plan, x.views.saw
	plan, err := again.Plan(ctx, x.app, request)
	plan.Migration = plan.Migration.comparable(rb.Plan.Migration)
	if err == nil && plan.Hash() != rb.Plan.Hash() {
		plan, err = x.planner.Plan(ctx, x.app, request)
		plan.Migration = plan.Migration.comparable(rb.Plan.Migration)
	}
	switch {
	case ctx.Err() != nil:
		return StepOutcome{}, ctx.Err()
	case err != nil:
		return StepOutcome{Verdict: Broken, Detail: planFailure(err)}, nil
	case plan.Hash() != rb.Plan.Hash():
		x.replace = &plan
		return StepOutcome{Verdict: Changed, Detail: "since the plan was made this has changed: " + Mask(strings.Join(plan.changedSince(rb.Plan), "; "))}, nil
	}
	return StepOutcome{Verdict: Passed, Detail: fmt.Sprintf("%s, as signed", plan.Target.Name())}, nil
}

// planFailure is why no plan can be made, for people.
func planFailure(err error) string {
	var preflight *PreflightError
	var target *TargetError
	var already *AlreadyRunningError
	if errors.As(err, &preflight) || errors.As(err, &target) || errors.As(err, &already) {
		return err.Error()
	}
	return Mask(err.Error())
}

// compareRunning looks in the middle of things: every service runs where the plan starts or where it goes, or
// somebody else has changed something meanwhile.
func (identify) compareRunning(ctx context.Context, x *execution) (StepOutcome, error) {
	return x.onEveryHost(ctx, func(ctx context.Context, h HostPlan) (hostOutcome, error) {
		view, err := x.look(ctx, h)
		if err != nil {
			return x.failure(ctx, err)
		}
		return foreign(h, view), nil
	})
}

// foreign finds what is neither the plan's start nor its target. A service without containers, or with a mix of the
// two, is where an interrupted `up` leaves it: going to the target again mends that.
func foreign(h HostPlan, view View) hostOutcome {
	for i, s := range h.Services {
		for _, image := range view.Services[i].Images {
			if !s.knows(image) {
				return broken("%s runs %s, which this rollback did not put there: somebody changed it meanwhile", s.Service, orUnknown(image))
			}
		}
	}
	return fine
}

func orUnknown(image Image) string {
	if image.IsZero() {
		return "an image without a digest"
	}
	return image.Name + "@" + image.Digest.Short()
}
