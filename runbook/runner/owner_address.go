package runner

import (
	"context"
	"fmt"
	"slices"

	"rollbackbot/internal/parallel"
	"rollbackbot/runbook"
	"rollbackbot/runbook/outbox"
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
	wait, tries := outbox.FirstRetry, 0
	for ctx.Err() == nil {
		rb, _, changed := o.state()
		question, role := unaddressed(rb, o.runner.Roster != nil)
		switch {
		case role != "":
		case rb.State == runbook.StateEnded:
			return
		default:
			wait, tries = outbox.FirstRetry, 0
			o.until(ctx, changed, -1)
			continue
		}
		people, err := o.members(ctx, role)
		if err != nil {
			o.runner.reportProblem(rb, fmt.Errorf("find out who is to be written to as %s: %w", role, err))
			open := rb.Question() != nil && rb.Question().ID == question
			if tries++; tries < addressTries || open && len(people) == 0 {
				_ = parallel.Pause(ctx, wait)
				wait = min(2*wait, outbox.LastRetry)
				continue
			}
		}
		err = o.decide(ctx, "", "", func(now runbook.Rollback) ([]runbook.Fact, error) {
			if q, r := unaddressed(now, o.runner.Roster != nil); q != question || r != role {
				return nil, nil // it was answered meanwhile
			}
			return []runbook.Fact{runbook.Addressed{Question: question, Role: role, People: writeTo(o.runner.Policy, now, people)}}, nil
		})
		if err != nil && ctx.Err() == nil {
			o.runner.reportProblem(rb, err)
			_ = parallel.Pause(ctx, outbox.LastRetry)
		}
	}
}

func (o *owner) members(ctx context.Context, role runbook.Role) ([]string, error) {
	if o.runner.Roster == nil {
		return nil, nil
	}
	people, err := o.runner.Roster.Members(ctx, role, maxAddressed+1)
	people = runbook.Unique(people)
	if len(people) > maxAddressed {
		o.runner.reportProblem(o.snapshot(), fmt.Errorf("more than %d people are to be asked as %s; only so many are written to privately", maxAddressed, role))
		people = people[:maxAddressed]
	}
	return people, err
}

// writeTo leaves out who can't answer anyway, and who was written to already.
func writeTo(p runbook.Policy, rb runbook.Rollback, people []string) []string {
	return slices.DeleteFunc(slices.Clone(people), func(id string) bool {
		if id == rb.Request.By && !p.SelfSignoff {
			return true
		}
		open := rb.Question()
		return open != nil && slices.Contains(open.Addressed[runbook.RoleLead], id)
	})
}

// unaddressed is the question of whose people it isn't known yet whom to write to, and their role; "" where there is
// none. Leads are also to be told where two requesters signed off without them.
func unaddressed(rb runbook.Rollback, known bool) (question int64, role runbook.Role) {
	if broken := rb.Broken(); broken != nil {
		if _, done := broken.Addressed[runbook.RoleLead]; !done {
			return broken.ID, runbook.RoleLead
		}
	}
	open := rb.Question()
	if open == nil || !open.WantsLead() || !known {
		return 0, ""
	}
	if _, done := open.Addressed[runbook.RoleLead]; !done {
		return open.ID, runbook.RoleLead
	}
	if _, done := open.Addressed[runbook.RoleDeputy]; !done && !open.DeputiesAt.IsZero() {
		return open.ID, runbook.RoleDeputy
	}
	return 0, ""
}
