package runner

import (
	"context"
	"errors"
	"time"

	"rollbackbot/internal/parallel"
	"rollbackbot/runbook"
)

// handOverAction names it in the journal's refusals.
const handOverAction = "hand_over"

// accept takes the owner's word that they have the follow-up. Twice is once.
func (r *Runner) accept(ctx context.Context, c runbook.Click) error {
	return r.followUp(ctx, c.Rollback, string(runbook.AcceptOwner), c.By, c.Cause, func(rb runbook.Rollback) ([]runbook.Fact, error) {
		switch a := rb.Asking(); {
		case a == nil:
			return nil, runbook.Refusal("There is no follow-up to accept.")
		case a.Owner != c.By:
			return nil, runbook.Refusal("The follow-up is for %s now, so only they can accept it.", runbook.Person(a.Owner))
		case !a.AcceptedAt.IsZero():
			return nil, nil
		}
		return []runbook.Fact{runbook.OwnerAccepted{Owner: c.By}}, nil
	})
}

// HandOver gives a follow-up to another person, who is asked in turn: by its owner, or by a lead. A *RefusedError says why
// it doesn't count; it is journalled. The same again is no error and changes nothing.
func (r *Runner) HandOver(ctx context.Context, h runbook.HandOver) error {
	by, err := r.Directory.Roles(ctx, h.By)
	if err == nil && by.Barred == "" {
		var to runbook.Roles
		if to, err = r.Directory.Roles(ctx, h.To); err == nil {
			return r.followUp(ctx, h.Rollback, handOverAction, h.By, h.Cause, func(rb runbook.Rollback) ([]runbook.Fact, error) { return handOver(rb, h, by, to) })
		}
	}
	return r.followUp(ctx, h.Rollback, handOverAction, h.By, h.Cause, func(runbook.Rollback) ([]runbook.Fact, error) {
		if err != nil {
			return nil, runbook.Refusal("It could not be read from Slack who you both are, so this doesn't count. Try again.")
		}
		return nil, runbook.Refusal("That doesn't count: %s.", by.Barred)
	})
}

func handOver(rb runbook.Rollback, h runbook.HandOver, by, to runbook.Roles) ([]runbook.Fact, error) {
	switch a := rb.Asking(); {
	case a == nil:
		return nil, runbook.Refusal("There is no follow-up to hand over.")
	case a.Owner == h.To:
		return nil, nil // they have it: twice is once
	case a.Owner != h.By && !by.Lead:
		return nil, runbook.Refusal("The follow-up is for %s now: they can hand it over, or a lead.", runbook.Person(a.Owner))
	case to.Barred != "":
		return nil, runbook.Refusal("%s can't have the follow-up: only full members of this workspace can.", runbook.Person(h.To))
	}
	return []runbook.Fact{runbook.AskOwner(h.To, h.By, time.Now())}, nil
}

// retiredPause is how long an owner is waited for that is about to leave.
const retiredPause = 10 * time.Millisecond

// followUp takes what somebody says about a rollback's follow-up, however long ago that ended.
func (r *Runner) followUp(ctx context.Context, id, action, by, cause string, decision func(runbook.Rollback) ([]runbook.Fact, error)) error {
	for {
		o, err := r.follower(ctx, id)
		if err != nil {
			return err
		}
		err = o.decide(ctx, by, cause, decision)
		var no *runbook.RefusedError
		if errors.As(err, &no) {
			err = errors.Join(err, r.Refuse(ctx, o.app.Name, id, action, by, no.Why, cause))
		}
		if !errors.Is(err, errRetired) {
			return err
		}
		if err := parallel.Pause(ctx, retiredPause); err != nil {
			return err
		}
	}
}

// follower is who carries an ended rollback's follow-up: where nobody does any more, somebody begins to again.
func (r *Runner) follower(ctx context.Context, id string) (*owner, error) {
	if o := r.owner(id); o != nil {
		return o, nil
	}
	rb, err := r.Status(ctx, id)
	if err != nil {
		return nil, err
	}
	app, err := r.App(rb.App)
	if err != nil {
		return nil, runbook.Refusal("This doesn't count: %s is not in ROLLBACK_APPS any more.", rb.App)
	}
	if rb.State != runbook.StateEnded {
		return nil, runbook.ErrStaleEpoch // another process carries it, and answers
	}
	return r.own(app, rb, 0), nil
}
