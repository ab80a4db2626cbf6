package runbook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Announcer speaks to the team.
type Announcer interface {
	// Post posts a notice for the first time. An error leaves open whether it is there.
	Post(ctx context.Context, n Notice) (Post, error)
	// Find looks for a notice that may have been posted since then; false when it surely was not.
	Find(ctx context.Context, n Notice, since time.Time) (Post, bool, error)
	// Update brings a posted notice up to date.
	Update(ctx context.Context, at Post, n Notice) error
}

// Notice is one message to the channel, of a rollback where it is not said otherwise. What it says is the Announcer's; that it is there, once, is the Publisher's.
type Notice struct {
	Key      string // the same for the same message of the same rollback
	Kind     NoticeKind
	Question int64  // for NoticeQuestion: which one
	Asking   int    // for those to the owner of the follow-up, and about them: which asking, from 1
	To       string // the Slack ID of the one person whom it is for; empty: the team
	Text     string // for NoticePostmortem: the text, in Markdown
	Rollback Rollback
	Live     Live
	Stage    Stage        // for NoticeWaiting and NoticeAsked: which; such a notice tells of nothing else
	Judged   StepRun      // for NoticeErrorRate: the run of the step in which the error rate was judged
	Lift     *Lift        // for NoticeLift, which belongs to no rollback
	Checkup  *Examination // for NoticeCheckup, which belongs to no rollback
	Thread   Post         // the message in whose thread it stands; zero for top-level ones
	Bulletin Bulletin     // for NoticeBulletin, which belongs to no Rollback
}

// NoticeKind says what a notice is about.
type NoticeKind string

// The notices of a rollback.
const (
	NoticeRequest    NoticeKind = "request"    // the one message per rollback, updated in place
	NoticePlan       NoticeKind = "plan"       // the exact commands, in its thread
	NoticeMigrations NoticeKind = "migrations" // all migration files between the two releases, in its thread, where there are many
	NoticeQuestion   NoticeKind = "question"   // a question in the middle of things, in its thread
	NoticeWaiting    NoticeKind = "waiting"    // who else is asked by now, in its thread
	NoticeAsked      NoticeKind = "asked"      // a question to one person alone, beside the one in the channel
	NoticeBroken     NoticeKind = "broken"     // tells a lead alone that two requesters signed off
	NoticeRecord     NoticeKind = "record"     // the runbook's six fields, at top level; updated as the follow-up goes on

	NoticeLift      NoticeKind = "lift"       // a quarantine was lifted, at top level
	NoticeErrorRate NoticeKind = "error_rate" // what the error rate came to, with a picture, in its thread

	NoticeOwner      NoticeKind = "owner"      // asks the owner alone to accept the follow-up
	NoticeReminder   NoticeKind = "reminder"   // reminds them
	NoticeOverdue    NoticeKind = "overdue"    // tells who asked, and the leads, in the record's thread
	NoticePostmortem NoticeKind = "postmortem" // the postmortem as a file in the record's thread, where there is no ticket
)

// Live is what happens right now. It isn't journalled.
type Live struct {
	Host Host
	Line string // the last line of output, or what is being waited for; masked
}

// RetryError says when Slack will take the next message.
type RetryError struct {
	After time.Duration
	Err   error
}

func (e *RetryError) Error() string { return fmt.Sprintf("try again in %s: %v", e.After, e.Err) }

// Unwrap gives the cause.
func (e *RetryError) Unwrap() error { return e.Err }

// ErrUnreachable says that nobody can write to a person: they left, or never could be written to.
var ErrUnreachable = errors.New("this person can't be written to")

// Final reports whether the message will not change any more: that of a question once it is closed, the request's once
// the rollback has ended. What tells of the follow-up may always change.
func (n Notice) Final() bool {
	switch n.Kind {
	case NoticeRequest:
		return n.Rollback.State == StateEnded
	case NoticeRecord, NoticeOwner:
		return false
	}
	return !slices.ContainsFunc(n.Rollback.Questions, func(q Asking) bool { return q.ID == n.Question && q.Open() })
}

// Lift is a quarantine that was lifted, as the channel is told of it.
type Lift struct {
	App string
	Lifted
	At time.Time
}
