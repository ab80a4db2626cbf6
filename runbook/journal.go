package runbook

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Event is one fact in an app's journal, with who, when and why. Events are never changed or removed.
type Event struct {
	App      string    // whose chain it stands in
	Seq      int64     // its place in that chain, from 1; set by the Journal
	Rollback string    // the rollback it belongs to; empty for facts about the app
	Epoch    int64     // the owner's epoch when it was written; 0 for facts that need no owner
	At       time.Time // UTC
	Actor    string    // the Slack ID of the person who caused it; empty for the bot itself
	Cause    string    // the key of the Delivery that caused it; empty when none did
	Fact     Fact
	Hash     string // the link of the hash chain that ends here: 64 hex digits, set by the Journal
}

// Entry is what one Append adds to an app's chain, in one transaction: all of it, or nothing.
type Entry struct {
	App      string
	Rollback string // empty for facts about the app
	Epoch    int64  // must be the app's current epoch, or 0 for facts that need no owner
	At       time.Time
	Actor    string
	Cause    string // this Delivery is done with this Entry: appended together, or not at all
	Facts    []Fact
}

// Journal keeps what happened. Nothing is done that it has not taken first.
type Journal interface {
	// Append adds the entry's facts to the app's chain and gives them back as Events.
	// A Requested fact opens its rollback: an *OpenError when the app has another one open.
	// An Ended fact closes it. No events and no error when the entry's Cause was dealt with before. ErrStaleEpoch when another process owns the app by now.
	// ErrUncertain leaves open whether it was written; every other error means that nothing was.
	//
	// An entry without facts writes nothing. It is refused like any other, and it waits like any other for what is under
	// way in the app's chain: once it was taken, Events gives everything that was begun before it and ever will be there.
	Append(ctx context.Context, entry Entry) ([]Event, error)
	// Events gives the app's events after seq, oldest first; those of one rollback alone when rollback is not empty.
	Events(ctx context.Context, app, rollback string, after int64) ([]Event, error)
	// Since gives the app's events of those kinds after a place that the caller knows, oldest first. ErrOtherChain where the
	// event that stands in that place is another one by now, or none does.
	Since(ctx context.Context, app string, after Place, kinds ...string) ([]Event, error)
	// Acquire makes the caller the owner of the app's rollbacks: the app's epoch becomes
	// max(its own, floor) + 1 and is given back. Entries with an older epoch are refused from then on.
	// Every error leaves open whether the epoch has grown.
	// ErrBrokenJournal where the app's events are not as they were written: nobody acts on those.
	Acquire(ctx context.Context, app string, floor int64) (epoch int64, err error)
	// Open lists the app's rollbacks that have not ended: one at most.
	Open(ctx context.Context, app string) (rollback string, err error)
	// App finds the app of a rollback by its ID; empty when no app has it.
	App(ctx context.Context, rollback string) (app string, err error)
	// Apps lists the apps that have a chain, sorted by name: also those that are not configured any more.
	Apps(ctx context.Context) (apps []string, err error)
}

// Inbox keeps what people said from before Slack gets its acknowledgement until it was dealt with.
type Inbox interface {
	// Put stores a delivery. It reports false when its key was there already: Slack delivers some things twice.
	Put(ctx context.Context, d Delivery) (fresh bool, err error)
	// Pending gives the deliveries that are not done, in the order in which they came.
	Pending(ctx context.Context) ([]Delivery, error)
	// Done marks a delivery as dealt with where no Entry did.
	Done(ctx context.Context, key string) error
}

// Delivery is one thing a person said, as it arrived.
type Delivery struct {
	Key  string    // what makes it one: a trigger_id, an event_id, the view.id of a form
	Kind string    // the adapter's own word for how Body reads
	Body []byte    // at most 1 MiB
	At   time.Time // when it arrived, UTC
}

// ErrStaleEpoch says that another process has taken the app over. Whoever gets it stops acting.
var ErrStaleEpoch = errors.New("another process has taken over this app's rollbacks")

// ErrUncertain says that it is not known whether something was written: the journal was lost in the midst of it. Whoever
// gets it does nothing in the dark: it reads the journal again.
var ErrUncertain = errors.New("it is not known whether it was written")

// ErrAway says that the journal could not be reached, read or written at that moment: nothing was written, and the same
// may go well later.
var ErrAway = errors.New("the journal is out of reach")

// ErrBrokenJournal says that an app's events were changed by other means than the journal's own. Nothing is done for the
// app then: what they say may not have happened.
var ErrBrokenJournal = errors.New("the journal was changed by other means than this program")

// OpenError says that the app has a rollback open: there is one at a time.
type OpenError struct {
	App      string
	Rollback string // the one that is open
}

func (e *OpenError) Error() string {
	return fmt.Sprintf("%s has rollback %s open", e.App, e.Rollback)
}
