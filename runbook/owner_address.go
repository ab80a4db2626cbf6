package runbook

import (
	"context"
	"fmt"
	"slices"
)

const (
	// maxAddressed bounds how many people of a role are written to about one question: each is a message to post and to
	// bring up to date, within the 50 updates a minute that Slack takes from the whole bot.
	maxAddressed = 20
	// addressTries is how often it is tried to find out who has a role before those have to do who could be read.
	addressTries = 4
)

// address finds out who is to be written to about a question, when they are asked, until the rollback has ended and
// nobody is to be told any more. It holds nothing up: the question stands in the channel.
func (o *owner) address(ctx context.Context) {
	wait, tries := firstRetry, 0
	for ctx.Err() == nil {
		rb, _, changed := o.state()
		question, role := rb.unaddressed(o.runner.Roster != nil)
		switch {
		case role != "":
		case rb.State == StateEnded:
			return
		default:
			wait, tries = firstRetry, 0
			o.until(ctx, changed, -1)
			continue
		}
		people, err := o.members(ctx, role)
		if err != nil {
			o.runner.reportProblem(rb, fmt.Errorf("find out who is to be written to as %s: %w", role, err))
			open := rb.Question() != nil && rb.Question().ID == question
			if tries++; tries < addressTries || open && len(people) == 0 {
				_ = pause(ctx, wait)
				wait = min(2*wait, lastRetry)
				continue
			}
		}
		err = o.decide(ctx, "", "", func(now Rollback) ([]Fact, error) {
			if q, r := now.unaddressed(o.runner.Roster != nil); q != question || r != role {
				return nil, nil // it was answered meanwhile
			}
			return []Fact{Addressed{Question: question, Role: role, People: o.runner.Policy.writeTo(now, people)}}, nil
		})
		if err != nil && ctx.Err() == nil {
			o.runner.reportProblem(rb, err)
			_ = pause(ctx, lastRetry)
		}
	}
}

func (o *owner) members(ctx context.Context, role Role) ([]string, error) {
	if o.runner.Roster == nil {
		return nil, nil
	}
	people, err := o.runner.Roster.Members(ctx, role, maxAddressed+1)
	people = unique(people)
	if len(people) > maxAddressed {
		o.runner.reportProblem(o.snapshot(), fmt.Errorf("more than %d people are to be asked as %s; only so many are written to privately", maxAddressed, role))
		people = people[:maxAddressed]
	}
	return people, err
}

// writeTo leaves out who can't answer anyway, and who was written to already.
func (p Policy) writeTo(rb Rollback, people []string) []string {
	return slices.DeleteFunc(slices.Clone(people), func(id string) bool {
		if id == rb.Request.By && !p.SelfSignoff {
			return true
		}
		open := rb.Question()
		return open != nil && slices.Contains(open.Addressed[RoleLead], id)
	})
}

// unaddressed is the question of whose people it isn't known yet whom to write to, and their role; "" where there is
// none. Leads are also to be told where two requesters signed off without them.
func (rb Rollback) unaddressed(known bool) (question int64, role Role) {
	if broken := rb.broken(); broken != nil {
		if _, done := broken.Addressed[RoleLead]; !done {
			return broken.ID, RoleLead
		}
	}
	open := rb.Question()
	if open == nil || !open.WantsLead() || !known {
		return 0, ""
	}
	if _, done := open.Addressed[RoleLead]; !done {
		return open.ID, RoleLead
	}
	if _, done := open.Addressed[RoleDeputy]; !done && !open.DeputiesAt.IsZero() {
		return open.ID, RoleDeputy
	}
	return 0, ""
}

// broken is the last question that two requesters answered in the leads' stead; nil: none.
func (rb Rollback) broken() *Asking {
	for i := len(rb.Questions) - 1; i >= 0; i-- {
		if len(rb.Questions[i].Together) > 0 {
			return &rb.Questions[i]
		}
	}
	return nil
}

// settled reports whether every private message of an ended rollback shows what came of it.
func settled(rb Rollback) bool {
	if broken := rb.broken(); broken != nil {
		if _, told := broken.Addressed[RoleLead]; !told {
			return false
		}
	}
	return !slices.ContainsFunc(privateNotices(rb, Live{}), func(n Notice) bool { return !rb.Posts[n.Key].Settled })
}
