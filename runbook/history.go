package runbook

import (
	"errors"
	"strings"
	"time"
)

// TargetError says why no release could be chosen, with what there is to choose from.
type TargetError struct {
	Why        string
	Candidates []Release
}

func (e *TargetError) Error() string {
	lines := []string{e.Why}
	for _, r := range e.Candidates {
		lines = append(lines, "• "+Describe(r))
	}
	return strings.Join(lines, "\n")
}

// Describe is a release in one line: what people call it, since when, and whether it is known-good.
func Describe(r Release) string {
	text := r.ID
	if r.Version != "" {
		text = r.Version + " (" + r.ID + ")"
	}
	if !r.LastLiveAt.IsZero() {
		text += ", live " + r.LastLiveAt.UTC().Format("2006-01-02 15:04 UTC")
	}
	if r.Commit != "" {
		text += ", commit " + ShortCommit(r.Commit)
	}
	if r.Author != "" {
		text += " by " + r.Author
	}
	switch {
	case r.Quarantine != "":
		text += ", quarantined by " + r.Quarantine
	case r.KnownGood():
		text += ", known-good"
	default:
		text += ", never seen healthy long enough"
	}
	if r.FailedBack != "" {
		text += ", the rollback " + r.FailedBack + " to it failed"
	}
	if len(r.Gone) > 0 {
		text += ", its images are gone: they were on no host and not in the registry at " + r.CheckedAt.UTC().Format("2006-01-02 15:04 UTC")
	}
	if len(r.Hosts) > 0 {
		text += ", on " + SomeHosts(r.Hosts)
	}
	if len(r.Tags) > 0 {
		text += ", started by tag: " + strings.Join(r.Tags, ", ")
	}
	if !r.FailingSince.IsZero() {
		text += ", failed its health checks from " + r.FailingSince.UTC().Format("2006-01-02 15:04 UTC") + ": " + Truncate(r.Failure, 100)
	}
	if r.Untold != "" {
		text += "; not known: " + Truncate(r.Untold, 150)
	}
	return text
}

// Previous is the word for the default target.
const Previous = "previous"

// Past is one rollback as a history lists it: its requester, what it was to do, and its result.
type Past struct {
	ID      string
	At      time.Time // when it was asked for
	By      string    // Slack ID of the requester
	From    string    // the release that ran; "" where that was not one known release
	To      string    // the release to go to
	Reason  string
	Outcome Outcome // empty while it is open

	TargetID string `json:"-"` // the ID of the release to go to
}

// HealthyFor is how long the release was seen to run on every host and to pass its health checks, all its spells
// together, up to now; 0: never seen so.
func (r Release) HealthyFor(now time.Time) time.Duration {
	lasted := r.Healthy
	if !r.HealthySince.IsZero() {
		lasted += max(now.Sub(r.HealthySince), 0)
	}
	return lasted
}

// Choices are what somebody who is about to ask for a rollback can choose from, by what is known without asking a host.
// The plan looks at the hosts, and has the last word.
type Choices struct {
	At        time.Time
	Running   *Release    // what every host was last seen to run; nil: not one known release
	Default   *Release    // what "previous" means by that; nil: nothing
	KnownGood []Release   // that can be gone to, the last one first
	Others    []Release   // not known-good, but nothing is known against them
	Barred    []Release   // quarantined, or gone
	Evidence  []Criterion // the runbook's criteria on Running
}

// Standing is how an app stands, by what is known without asking a host: what people want to know at a glance.
type Standing struct {
	App         string
	Choices                  // what runs, and where a rollback could go; without its Evidence, which takes asking
	Apart       string       // what the hosts were last seen to run where that isn't one known release; empty where it is
	Open        *Rollback    // the one that has not ended; nil: none
	Last        *Rollback    // the last one that ended; nil: none did
	Quarantines []Quarantine // the latest first
}

// Quarantine is what one rollback blocked, as far as it is blocked still.
type Quarantine struct {
	Rollback string
	At       time.Time // when that was asked for; zero: not known
	Images   []Image   // sorted; one of no known release has no name
	// Ticket and Record are where its postmortem is and where its record stands. Both are zero in those that come after
	// the first StandingTickets.
	Ticket TicketState
	Record Post
}

// StandingTickets is how many of an app's quarantines a Standing looks up the tickets of: more than fit where they are shown.
const StandingTickets = 5

// Place is where an event stands in its app's chain, and which one it is. The zero Place is before the first event.
type Place struct {
	Seq  int64
	Hash string
}

// ErrOtherChain says that another event stands in a Place by now, or none: the journal was exchanged for an older one, or
// it was edited.
var ErrOtherChain = errors.New("the journal is not the one that was read before")
