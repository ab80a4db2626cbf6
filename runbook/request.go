package runbook

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"
)

// Request is what a person asked for, in their words.
type Request struct {
	ID        string           `json:"id,omitempty"` // the rollback's, chosen before, since it was signed; empty: one is made
	App       string           `json:"app"`
	Release   string           `json:"release"`          // as typed; empty means "previous"
	Images    map[string]Image `json:"images,omitempty"` // given image by image instead of Release
	Reason    string           `json:"reason"`           // "not given" when nobody gave one
	Migration string           `json:"migration"`        // the requester's word: none, yes or unknown; it proves nothing
	Owner     string           `json:"owner"`            // Slack ID of the owner of the follow-up
	By        string           `json:"by"`               // Slack ID of who asked
	At        time.Time        `json:"at"`
	// Signed is the hash of the plan that who asks has seen and signed: no other one is opened. Empty: they signed none.
	Signed string `json:"signed,omitempty"`
}

// NotGiven stands where nobody gave a reason.
const NotGiven = "not given"

// IsDefault reports whether nobody named the release to go to.
func (r Request) IsDefault() bool {
	return len(r.Images) == 0 && (r.Release == "" || r.Release == Previous)
}

// UnknownAppError says that there is no such app, and which there are.
type UnknownAppError struct {
	Name string
	Apps []string
}

func (e *UnknownAppError) Error() string {
	return fmt.Sprintf("there is no app %q; there are: %s", e.Name, OrNone(e.Apps))
}

// Click is an answer as a person gave it.
type Click struct {
	Rollback string
	Question int64  // the question that the button stood under; 0: whichever is open
	Plan     string // the hash of the plan that the person saw
	Answer   Answer
	By       string    // Slack ID
	Reason   string    // what they stated; only where two requesters sign off together
	At       time.Time // when it arrived; zero: now
	Cause    string    // the key of its delivery
}

// Late reports whether the click came after a question's deadline.
func (c Click) Late(q Question) bool {
	at := c.At
	if at.IsZero() {
		at = time.Now()
	}
	return at.After(q.Deadline)
}

// UnknownRollbackError says that there is no such rollback.
type UnknownRollbackError struct {
	ID string
}

func (e *UnknownRollbackError) Error() string { return fmt.Sprintf("there is no rollback %q", e.ID) }

// UnreadableError says that an app's journal holds what this version can't make sense of: it was edited, or a newer
// version has written to it. Nothing is done on the strength of such a journal.
type UnreadableError struct {
	App string
	Err error
}

func (e *UnreadableError) Error() string {
	return fmt.Sprintf("the journal of %s can't be followed: a newer version has written to it, or somebody has edited it (`rollbackbot audit verify` tells): %v", e.App, e.Err)
}

// Unwrap gives the cause.
func (e *UnreadableError) Unwrap() error { return e.Err }

const (
	idLength  = 8
	idLetters = "abcdefghijkmnpqrstuvwxyz23456789" // 32 of them; none that is read as another
)

// NewID makes a rollback's ID: "rb-" and eight lower-case letters or digits, 40 bits of chance.
func NewID() string {
	b := make([]byte, idLength)
	_, _ = rand.Read(b) // never fails: crypto/rand
	for i := range b {
		b[i] = idLetters[int(b[i])%len(idLetters)]
	}
	return "rb-" + string(b)
}

// HandOver is a follow-up given on to somebody else.
type HandOver struct {
	Rollback string
	To       string // Slack ID
	By       string // Slack ID
	Cause    string // the key of its delivery
}

// AbandonedError says that a rollback is open and nobody carries it, since its app is not configured any more.
type AbandonedError struct {
	Rollback string
	App      string
}

func (e *AbandonedError) Error() string {
	return fmt.Sprintf("rollback %s of %s is open and nobody carries it: %s is not in ROLLBACK_APPS any more. "+
		"Put it back there and start the bot again: the rollback then goes on, and can be stopped", e.Rollback, e.App, e.App)
}

// BusyError says that the app has a rollback open already.
type BusyError struct {
	Rollback Rollback
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("%s has rollback %s open, asked for by %s at %s", e.Rollback.App, e.Rollback.ID,
		Person(e.Rollback.Request.By), e.Rollback.Request.At.UTC().Format("15:04:05 UTC"))
}

// OpenRollback gives a *BusyError when the app has a rollback open, as its journal stands.
func OpenRollback(ctx context.Context, j Journal, app string) error {
	id, err := j.Open(ctx, app)
	if err != nil || id == "" {
		return err
	}
	events, err := j.Events(ctx, app, id, 0)
	if err != nil {
		return err
	}
	rb, err := Fold(events)
	if err != nil {
		return err
	}
	return &BusyError{Rollback: rb}
}

// ValidID reports whether newID could have made it.
func ValidID(id string) bool {
	random, ok := strings.CutPrefix(id, "rb-")
	return ok && len(random) == idLength && strings.Trim(random, idLetters) == ""
}
