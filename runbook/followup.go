package runbook

import (
	"errors"
	"slices"
	"time"
)

// FollowUp is what the runbook asks for after a rollback: somebody who investigates, and a postmortem ticket.
type FollowUp struct {
	Askings []OwnerAsking // everybody who was asked to accept it; the last one has it. None: nothing was replaced
	Ticket  TicketState
}

// OwnerAsking is one person who was asked to accept the follow-up.
type OwnerAsking struct {
	OwnerAsked
	AskedAt    time.Time
	AcceptedAt time.Time // zero: not yet
	Reminded   bool
	Overdue    bool // who asked for the rollback, and the leads, are told
}

// TicketState is what became of the postmortem's ticket.
type TicketState struct {
	IntendedAt time.Time // zero: nobody has begun to open it
	Number     int       // 0: none is known to be open
	URL        string
	Owner      string // whom it names: a Slack ID
	Accepted   bool   // and whether it says that they have accepted
	Assignee   string // their account there; empty: not known
	Forgone    bool   // there is none, and none is going to be
	Why        string // why not, or why it could not be brought up to date
}

// TicketSettled reports whether nothing is to be done about the ticket, as things stand.
func (rb Rollback) TicketSettled() bool {
	t, a := rb.FollowUp.Ticket, rb.Asking()
	return a == nil || t.Forgone || t.Number != 0 && t.Owner == a.Owner && t.Accepted == !a.AcceptedAt.IsZero()
}

// How long the owner has. The runbook names an owner and no time; an hour is issue 4's.
const (
	remindAfter = time.Hour
	tellAfter   = 2 * time.Hour // an hour after the reminder
)

// AskOwner asks a person to accept the follow-up.
func AskOwner(owner, by string, now time.Time) OwnerAsked {
	return OwnerAsked{Owner: owner, By: by, RemindAt: now.Add(remindAfter).UTC(), TellAt: now.Add(tellAfter).UTC()}
}

// Owner is the Slack ID of who has the follow-up now: who was named in the request, until it was handed over.
func (rb Rollback) Owner() string {
	if asking := rb.Asking(); asking != nil {
		return asking.Owner
	}
	return rb.Request.Owner
}

// Asking is the last person who was asked; nil where nobody is.
func (rb Rollback) Asking() *OwnerAsking {
	if n := len(rb.FollowUp.Askings); n > 0 {
		return &rb.FollowUp.Askings[n-1]
	}
	return nil
}

// followed reports whether the follow-up needs nothing more of the bot, as things stand.
func (rb Rollback) followed() bool {
	asking := rb.Asking()
	return asking == nil || (!asking.AcceptedAt.IsZero() || asking.Overdue) && rb.TicketSettled()
}

// errNoFollowUp says that a fact is about a follow-up that there is not.
var errNoFollowUp = errors.New("there is no follow-up")

// followUp applies what comes after the end; false where the fact is about something else. Whatever comes makes
// something to be said.
func (rb Rollback) followUp(e Event) (next Rollback, mine bool, err error) {
	asking := func(owner string, change func(*OwnerAsking)) (Rollback, bool, error) {
		if open := rb.Asking(); open == nil || open.Owner != owner {
			return rb, true, errNoFollowUp
		}
		rb.FollowUp.Askings = slices.Clone(rb.FollowUp.Askings)
		change(rb.Asking())
		rb.Published = false
		return rb, true, nil
	}
	ticket := func(change func(*TicketState)) (Rollback, bool, error) {
		if rb.Asking() == nil {
			return rb, true, errNoFollowUp
		}
		change(&rb.FollowUp.Ticket)
		rb.Published = false
		return rb, true, nil
	}
	switch fact := e.Fact.(type) {
	case OwnerAsked:
		if rb.State != StateEnded {
			return rb, true, errors.New("it has not ended")
		}
		rb.FollowUp.Askings = append(slices.Clone(rb.FollowUp.Askings), OwnerAsking{OwnerAsked: fact, AskedAt: e.At})
		rb.Published = false
		return rb, true, nil
	case OwnerAccepted:
		return asking(fact.Owner, func(a *OwnerAsking) { a.AcceptedAt = e.At })
	case OwnerReminded:
		return asking(fact.Owner, func(a *OwnerAsking) { a.Reminded = true })
	case OwnerOverdue:
		return asking(fact.Owner, func(a *OwnerAsking) { a.Overdue = true })
	case TicketIntended:
		return ticket(func(t *TicketState) { t.IntendedAt = e.At })
	case TicketOpened:
		return ticket(func(t *TicketState) {
			t.Number, t.URL, t.Owner, t.Accepted, t.Assignee = fact.Number, fact.URL, fact.Owner, fact.Accepted, fact.Assignee
		})
	case TicketForgone:
		return ticket(func(t *TicketState) { t.Forgone, t.Why = true, fact.Why })
	case TicketUpdated:
		return ticket(func(t *TicketState) {
			t.Owner, t.Accepted, t.Assignee, t.Why = fact.Owner, fact.Accepted, fact.Assignee, fact.Problem
		})
	}
	return rb, false, nil
}

// Over reports whether an ended rollback needs nothing more, as things stand.
func (rb Rollback) Over() bool { return rb.Published && rb.followed() }

// NextOfOwner is what happens next while the owner doesn't accept, and when; nil: nothing.
func (rb Rollback) NextOfOwner() (Fact, time.Time) {
	switch a := rb.Asking(); {
	case a == nil || !a.AcceptedAt.IsZero() || a.Overdue:
		return nil, time.Time{}
	case !a.Reminded:
		return OwnerReminded{Owner: a.Owner}, a.RemindAt
	default:
		return OwnerOverdue{Owner: a.Owner}, a.TellAt
	}
}

// ChangedAt is when it last changed who has the follow-up.
func (a OwnerAsking) ChangedAt() time.Time {
	if a.AcceptedAt.After(a.AskedAt) {
		return a.AcceptedAt
	}
	return a.AskedAt
}
