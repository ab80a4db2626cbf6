package runbook

import (
	"context"
	"time"
)

// Tickets is where postmortem tickets are opened: a repository "owner/name" has them.
//
// Errors are of three kinds: a *RetryError says when the next call is welcome, a *DeniedError that no call will go well
// before somebody has mended something, and after any other nobody knows what came of the call.
type Tickets interface {
	// Public reports whether anybody may read the repository's tickets. What can't be told is an error.
	Public(ctx context.Context, repository string) (bool, error)
	// Open opens a ticket. An error but a *DeniedError or a *RetryError leaves open whether it is there.
	Open(ctx context.Context, repository string, t Ticket) (OpenedTicket, error)
	// Find looks for a rollback's ticket, by its marker, that may have been opened since then; false when it surely was not.
	Find(ctx context.Context, repository, rollback string, since time.Time) (OpenedTicket, bool, error)
	// Update brings the owner of an open ticket up to date: the line about them in its body, as RenewOwner does it, and the
	// account that it is assigned to, which it gives back; "" where none is known.
	Update(ctx context.Context, repository string, number int, t Ticket) (assignee string, err error)
}

// Ticket is a rollback's postmortem as it is to be opened.
type Ticket struct {
	Rollback string // its ID: TicketMarker of it stands in the body
	Title    string
	Body     string // Markdown, from Postmortem
	Email    string // the owner's address, by which their account may be found; empty: not known
	Former   string // for Update: the account that it was assigned to; empty: none
}

// OpenedTicket is a ticket that is there.
type OpenedTicket struct {
	Number   int
	URL      string
	Assignee string // the owner's account; empty: not known
}

// DeniedError says that a service refuses: no call will go well before somebody has mended something.
type DeniedError struct {
	Why string // one sentence without a full stop, with the remedy; nothing secret is in it
	Err error  // the cause, for the log
}

func (e *DeniedError) Error() string { return e.Why }

// Unwrap gives the cause.
func (e *DeniedError) Unwrap() error { return e.Err }

// Contacts knows how people are called and reached outside of Slack.
type Contacts interface {
	// Contact gives what is known of a person; what isn't is empty, and no error.
	Contact(ctx context.Context, person string) (Contact, error)
}

// Contact is how a person is called and reached outside of Slack.
type Contact struct {
	Name  string
	Email string // empty where Slack doesn't tell it
}
