package runbook

import (
	"context"
	"time"
)

// Source reads where the code of an app is kept: a repository "owner/name". Its errors are as those of Tickets; whoever
// gets one goes on without that fact, and says which is missing.
type Source interface {
	// Compare tells what lies between two commits. An unknown commit or repository is a *DeniedError.
	Compare(ctx context.Context, repository, base, head string) (Comparison, error)
	// File gives a file as it was at a commit, up to maxSourceFile bytes; a larger one is a *DeniedError.
	File(ctx context.Context, repository, path, commit string) ([]byte, error)
	// Deployments gives what was deployed lately, as far as the repository tells, the latest first: its deployments, and
	// the runs of its workflows that went well.
	Deployments(ctx context.Context, repository string) ([]SourceDeployment, error)
}

// Comparison is what lies between two commits.
type Comparison struct {
	Commits int      // how many head has that base has not
	Behind  int      // how many base has that head has not; above 0, head does not build on base
	Authors []string // each once, as the source names them
	URL     string   // the page that shows it
	Files   []ChangedFile
	Partial bool // there is more than was read: of files, or of authors
}

// ChangedFile is one file of a Comparison.
type ChangedFile struct {
	Path   string
	Status string // added, modified, removed, renamed, …
	Former string // what it was called, where it was renamed
}

// SourceDeployment is one deployment, or one run of a workflow, as the source has it.
type SourceDeployment struct {
	Commit  string // 40 hex digits
	Version string // a tag or what else it is called; empty: not told
	Author  string
	URL     string
	At      time.Time
	Run     bool // a workflow's run, which may have deployed nothing
}

// Links leads to pages about the source.
type Links interface {
	// CompareURL is the page that shows what changed in a repository "owner/name" between two commits; "" where there is
	// none. It calls nobody.
	CompareURL(repository, base, head string) string
}

// Tickets is where postmortem tickets are opened: a repository "owner/name" has them.
//
// Errors are of three kinds: a *RetryError says when the next call is welcome, a *DeniedError that no call will go well
// before somebody has fixed something, and after any other nobody knows the result of the call.
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
