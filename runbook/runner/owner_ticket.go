package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rollbackbot/runbook"
	"rollbackbot/runbook/postmortem"
)

// moveTicket does what is next for the ticket: intent first, then the call, then what came of it. A ticket whose fate is
// not known is looked for, and none is opened while that can't be told.
func (o *owner) moveTicket(ctx context.Context, rb runbook.Rollback) error {
	if o.runner.Tickets == nil || o.app.Repository == "" {
		return o.note(ctx, "", "", runbook.TicketForgone{})
	}
	limited, cancel := context.WithTimeout(ctx, ticketTimeout)
	defer cancel()
	t, asking := rb.FollowUp.Ticket, *rb.Asking()
	if t.Number != 0 {
		return o.renewTicket(ctx, limited, rb)
	}
	if t.IntendedAt.IsZero() {
		if err := o.note(ctx, "", "", runbook.TicketIntended{}); err != nil {
			return err
		}
		t.IntendedAt = time.Now()
	} else {
		opened, found, err := o.runner.Tickets.Find(limited, o.app.Repository, rb.ID, t.IntendedAt)
		if err == nil && found {
			// What it says of the owner may be of an earlier time: it is brought up to date next.
			return o.note(ctx, "", "", runbook.TicketOpened{Number: opened.Number, URL: opened.URL, Assignee: opened.Assignee})
		}
		if err != nil {
			return o.orForgo(ctx, t, err)
		}
	}
	ticket, err := o.ticket(limited, rb)
	if err != nil {
		return o.orForgo(ctx, t, err)
	}
	opened, err := o.runner.Tickets.Open(limited, o.app.Repository, ticket)
	if err != nil {
		return o.orForgo(ctx, t, err)
	}
	return o.note(ctx, "", "", runbook.TicketOpened{
		Number: opened.Number, URL: opened.URL, Assignee: opened.Assignee, Owner: asking.Owner, Accepted: !asking.AcceptedAt.IsZero(),
	})
}

// renewTicket makes the ticket say who has the follow-up now.
func (o *owner) renewTicket(ctx, limited context.Context, rb runbook.Rollback) error {
	asking := *rb.Asking()
	fact := runbook.TicketUpdated{Owner: asking.Owner, Accepted: !asking.AcceptedAt.IsZero()}
	ticket, err := o.ticket(limited, rb)
	if err == nil {
		fact.Assignee, err = o.runner.Tickets.Update(limited, o.app.Repository, rb.FollowUp.Ticket.Number, ticket)
	}
	switch {
	case err == nil:
		return o.note(ctx, "", "", fact)
	case ctx.Err() != nil, worthTrying(err, asking.ChangedAt()):
		return err
	}
	fact.Problem = ticketProblem(err)
	return o.note(ctx, "", "", fact)
}

// worthTrying reports whether what could not be done is tried again, having been begun then.
func worthTrying(err error, begun time.Time) bool {
	var final *runbook.DeniedError
	next := time.Now()
	if after, ok := asRetry(err); ok {
		next = next.Add(after)
	}
	return !errors.As(err, &final) && (errors.Is(err, errJournal) || next.Before(begun.Add(ticketPatience)))
}

// orForgo gives the error back while it makes sense to try again, or else writes down that there will be no ticket.
func (o *owner) orForgo(ctx context.Context, t runbook.TicketState, err error) error {
	if ctx.Err() != nil || worthTrying(err, t.IntendedAt) {
		return err
	}
	return o.note(ctx, "", "", runbook.TicketForgone{Why: ticketProblem(err)})
}

// ticketProblem is why there is no ticket, for people.
func ticketProblem(err error) string {
	var final *runbook.DeniedError
	if errors.As(err, &final) {
		return runbook.Mask(final.Why)
	}
	return runbook.Mask(fmt.Sprintf("GitHub didn't take it within %s, and whether a ticket is there nevertheless is not known; the last answer: %s", ticketPatience, runbook.Truncate(err.Error(), 300)))
}

// ticket is the rollback's ticket as it should be now. A repository that can't be proven private is a public one.
func (o *owner) ticket(ctx context.Context, rb runbook.Rollback) (runbook.Ticket, error) {
	public, err := o.runner.Tickets.Public(ctx, o.app.Repository)
	if err != nil {
		return runbook.Ticket{}, err
	}
	body, err := o.postmortem(ctx, rb, public)
	if err != nil {
		return runbook.Ticket{}, err
	}
	return runbook.Ticket{Rollback: rb.ID, Title: postmortem.PostmortemTitle(rb), Body: body, Email: o.contact(ctx, rb.Owner()).Email, Former: rb.FollowUp.Ticket.Assignee}, nil
}

// postmortem is the rollback's, with the names that people go by.
func (o *owner) postmortem(ctx context.Context, rb runbook.Rollback, public bool) (string, error) {
	events, err := o.runner.Journal.Events(ctx, rb.App, "", 0)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errJournal, err)
	}
	names := map[string]string{}
	for _, id := range postmortem.PostmortemPeople(rb) {
		names[id] = o.contact(ctx, id).Name
	}
	return postmortem.Postmortem(events, rb.ID, postmortem.Reader{Public: public, Names: names, Compare: o.compare})
}

// contact is what is known of a person. Nothing waits for it: somebody who can't be looked up is called by their ID.
func (o *owner) contact(ctx context.Context, id string) runbook.Contact {
	if o.runner.Contacts == nil || id == "" {
		return runbook.Contact{}
	}
	contact, err := o.runner.Contacts.Contact(ctx, id)
	if err != nil {
		return runbook.Contact{}
	}
	return contact
}

// compare leads to what changed between two commits; "" where that is not known.
func (o *owner) compare(base, head string) string {
	if o.app.Repository == "" || o.runner.Links == nil {
		return ""
	}
	return o.runner.Links.CompareURL(o.app.Repository, base, head)
}

func asRetry(err error) (time.Duration, bool) {
	var retry *runbook.RetryError
	if errors.As(err, &retry) {
		return retry.After, true
	}
	return 0, false
}
