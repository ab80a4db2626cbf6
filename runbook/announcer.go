package runbook

import (
	"context"
	"errors"
	"fmt"
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

// notices are all the messages that a rollback should have by now, in the order in which they are posted.
func notices(rb Rollback, live Live) []Notice {
	thread := rb.Posts[string(NoticeRequest)]
	list := []Notice{
		{Key: string(NoticeRequest), Kind: NoticeRequest, Rollback: rb, Live: live},
		{Key: "plan-" + rb.Plan.Hash()[:12], Kind: NoticePlan, Rollback: rb, Thread: thread},
	}
	if rb.Plan.Changes.many() {
		list = append(list, Notice{Key: "migrations-" + rb.Plan.Hash()[:12], Kind: NoticeMigrations, Rollback: rb, Thread: thread})
	}
	for _, q := range rb.Questions {
		if q.Kind == AskErrorRate || q.Kind == AskFailed {
			list = append(list, Notice{Key: fmt.Sprintf("question-%d", q.ID), Kind: NoticeQuestion, Question: q.ID, Rollback: rb, Thread: thread})
		}
	}
	list = append(list, waitingNotices(rb, thread)...)
	if rb.State == StateEnded {
		list = append(list, Notice{Key: string(NoticeRecord), Kind: NoticeRecord, Rollback: rb})
		list = append(list, followUpNotices(rb)...)
	}
	return list
}

// followUpNotices are those of what comes after the record, in its thread or for one person alone.
func followUpNotices(rb Rollback) (list []Notice) {
	record := rb.Posts[string(NoticeRecord)]
	for i, a := range rb.FollowUp.Askings {
		n := Notice{Key: fmt.Sprintf("owner-%d", i+1), Kind: NoticeOwner, Asking: i + 1, To: a.Owner, Rollback: rb, Thread: record}
		if i < len(rb.FollowUp.Askings)-1 && rb.Posts[n.Key].IntendedAt.IsZero() {
			continue // it was handed over before they were asked
		}
		list = append(list, n)
		if a.Reminded {
			n.Key, n.Kind = fmt.Sprintf("owner-%d-reminder", i+1), NoticeReminder
			list = append(list, n)
		}
		if a.Overdue {
			n.Key, n.Kind, n.To = fmt.Sprintf("owner-%d-overdue", i+1), NoticeOverdue, ""
			list = append(list, n)
		}
	}
	if rb.FollowUp.Ticket.Forgone {
		list = append(list, Notice{Key: string(NoticePostmortem), Kind: NoticePostmortem, Rollback: rb, Thread: record})
	}
	return list
}

// decorations are the messages that only show what others say too. They are posted beside the others, since they take
// longer, and are never waited for.
func decorations(rb Rollback, _ Live) (list []Notice) {
	for _, run := range rb.Steps {
		if run.Rate != nil && len(run.Rate.Curve) > 0 {
			list = append(list, Notice{
				Key: fmt.Sprintf("error-rate-%d", len(list)+1), Kind: NoticeErrorRate, Rollback: rb, Judged: run, Thread: rb.Posts[string(NoticeRequest)],
			})
		}
	}
	return list
}

// publisher keeps a rollback's messages as they should be: each is posted once, and brought up to date as things go on.
// It is a projection of the journal, so that a restart posts what is missing and nothing twice.
type publisher struct {
	Announcer Announcer
	List      func(Rollback, Live) []Notice // its notices, in the order in which they are posted
	Gate      *gate                         // one for all publishers
	State     func() (Rollback, Live, <-chan struct{})
	Note      func(ctx context.Context, facts ...Fact) error
	Report    func(error)
	// Postmortem writes the rollback's postmortem, for the people of the channel.
	Postmortem func(context.Context, Rollback) (string, error)

	shown map[string]string // what each posted notice showed last, by its key
}

func (p *publisher) show(key, version string) {
	if p.shown == nil {
		p.shown = map[string]string{}
	}
	p.shown[key] = version
}

const (
	updateInterval = 1200 * time.Millisecond // between updates, for all rollbacks together: chat.update takes 50 a minute
	tickInterval   = 5 * time.Second         // how often the elapsed time is shown anew
	firstRetry     = time.Second
	lastRetry      = time.Minute
)

// decorate posts the decorations until the rollback has ended and all of them are there, or ctx ends.
func (p *publisher) decorate(ctx context.Context) {
	wait := firstRetry
	for {
		rb, live, changed := p.State()
		posted, err := p.postMissing(ctx, rb, live)
		switch {
		case ctx.Err() != nil:
			return
		case posted:
			wait = firstRetry
			continue
		case err == nil && rb.State == StateEnded && decorated(rb):
			return
		case err == nil:
			p.waitFor(ctx, changed, rb)
			continue
		}
		p.Report(err)
		var retry *RetryError
		if errors.As(err, &retry) {
			wait = max(retry.After, firstRetry)
		}
		if pause(ctx, wait) != nil {
			return
		}
		wait = min(2*wait, lastRetry)
	}
}

// decorated reports whether all decorations are posted.
func decorated(rb Rollback) bool {
	for _, n := range decorations(rb, Live{}) {
		if rb.Posts[n.Key].TS == "" {
			return false
		}
	}
	return true
}

// publish runs until the rollback is over, or ctx ends. Whenever everything that there is to say is said, it notes so.
func (p *publisher) publish(ctx context.Context) {
	wait := firstRetry
	for {
		rb, live, changed := p.State()
		if rb.State == StateEnded && rb.over() {
			return
		}
		done, err := p.round(ctx, rb, live)
		if err == nil && done && !rb.Published {
			err = p.Note(ctx, Published{})
		}
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			wait = firstRetry
			p.waitFor(ctx, changed, rb)
			continue
		}
		p.Report(err)
		var retry *RetryError
		if errors.As(err, &retry) {
			wait = max(retry.After, firstRetry)
		}
		if pause(ctx, wait) != nil {
			return
		}
		wait = min(2*wait, lastRetry)
	}
}

// waitFor waits for news. As long as the rollback goes on, time alone is some; the follow-up takes hours, and changes by
// events only.
func (p *publisher) waitFor(ctx context.Context, changed <-chan struct{}, rb Rollback) {
	var tick <-chan time.Time
	if rb.State != StateEnded {
		tick = time.After(tickInterval)
	}
	select {
	case <-ctx.Done():
	case <-changed:
	case <-tick:
	}
}

// round posts what is missing and updates what has changed; done says that nothing is left to be said. A message that
// can't be said keeps no other from being said.
func (p *publisher) round(ctx context.Context, rb Rollback, live Live) (done bool, err error) {
	posted, err := p.postMissing(ctx, rb, live)
	if posted || ctx.Err() != nil || slowDown(err) {
		return false, err // a new post is in the next state, and threads hang on it
	}
	err = errors.Join(err, p.updateChanged(ctx, rb, live))
	now, _, _ := p.State()
	return err == nil && rb.State == StateEnded && now.Seq == rb.Seq && decorated(now) && settled(now), err
}

// postMissing posts one notice that is missing: the first one that can be said.
func (p *publisher) postMissing(ctx context.Context, rb Rollback, live Live) (posted bool, err error) {
	for _, n := range p.List(rb, live) {
		threadless := n.Kind != NoticeRequest && n.Kind != NoticeRecord && n.Thread.TS == ""
		if rb.Posts[n.Key].TS != "" || threadless {
			continue
		}
		failed := p.post(ctx, n, rb.Posts[n.Key].IntendedAt)
		if failed == nil {
			return true, nil
		}
		err = errors.Join(err, fmt.Errorf("post the %s of %s: %w", n.Key, rb.ID, failed))
		if ctx.Err() != nil || slowDown(failed) {
			break
		}
	}
	return false, err
}

// updateChanged brings posted notices up to date, until there are newer things to be said first.
func (p *publisher) updateChanged(ctx context.Context, rb Rollback, live Live) (err error) {
	for _, n := range p.List(rb, live) {
		version := versionOf(n)
		if !updated[n.Kind] || p.shown[n.Key] == version || rb.Posts[n.Key].TS == "" {
			continue
		}
		if waited := p.Gate.wait(ctx); waited != nil {
			return waited
		}
		failed := p.Announcer.Update(ctx, rb.Posts[n.Key], n)
		if failed == nil {
			p.show(n.Key, version)
		} else {
			err = errors.Join(err, fmt.Errorf("update the %s of %s: %w", n.Key, rb.ID, failed))
		}
		if now, _, _ := p.State(); now.Seq != rb.Seq || slowDown(failed) {
			break
		}
	}
	return err
}

// updated are the notices that change after they were posted.
var updated = map[NoticeKind]bool{NoticeRequest: true, NoticeQuestion: true, NoticeRecord: true, NoticeOwner: true, NoticeWaiting: true, NoticeAsked: true}

// slowDown reports whether Slack wants no further call just now.
func slowDown(err error) bool {
	var retry *RetryError
	return errors.As(err, &retry)
}

// versionOf changes whenever an update would show something new. While something runs, time alone does.
func versionOf(n Notice) string {
	rb := n.Rollback
	switch n.Kind {
	case NoticeBroken:
		return "" // it says what was, once
	case NoticeRecord, NoticeOwner:
		t, asking := rb.FollowUp.Ticket, OwnerAsking{}
		if a := rb.asking(); a != nil {
			asking = *a
		}
		return fmt.Sprint(len(rb.FollowUp.Askings), asking.AcceptedAt, asking.Overdue, t.Number, t.Assignee, t.Forgone, t.Why)
	case NoticeQuestion, NoticeWaiting, NoticeAsked:
		for _, q := range rb.Questions {
			if q.ID == n.Question {
				return fmt.Sprint(q.Open(), rb.State == StateEnded, q.Stage(), q.Halves)
			}
		}
	}
	version := fmt.Sprint(rb.State, len(rb.Steps), len(rb.Questions), rb.waitingFor(), rb.AbortedBy, rb.Direction, len(rb.Fetched), n.Live)
	for _, run := range rb.Steps {
		version += string(run.Verdict)
	}
	if rb.State == StateExecuting {
		version += time.Now().Truncate(tickInterval).String()
	}
	return version
}

// post says something for the first time. The intent is journalled before; if there was one already, nobody knows
// whether the message arrived, so it is looked for, and never repeated while that can't be told.
func (p *publisher) post(ctx context.Context, n Notice, intended time.Time) error {
	if !intended.IsZero() {
		at, found, err := p.Announcer.Find(ctx, n, intended)
		if err != nil {
			return fmt.Errorf("look whether it was posted: %w", err)
		}
		if found {
			return p.Note(ctx, NoticePosted{Key: n.Key, Channel: at.Channel, TS: at.TS})
		}
	} else if err := p.Note(ctx, NoticeIntended{Key: n.Key}); err != nil {
		return err
	}
	if n.Kind == NoticePostmortem {
		text, err := p.Postmortem(ctx, n.Rollback)
		if err != nil {
			return fmt.Errorf("write the postmortem: %w", err)
		}
		n.Text = text
	}
	version := versionOf(n)
	at, err := p.Announcer.Post(ctx, n)
	if err != nil {
		return err
	}
	p.show(n.Key, version)
	return p.Note(ctx, NoticePosted{Key: n.Key, Channel: at.Channel, TS: at.TS})
}

// gate lets one through every interval.
type gate struct {
	turn chan struct{}
}

func newGate() *gate {
	g := &gate{turn: make(chan struct{}, 1)}
	g.turn <- struct{}{}
	return g
}

func (g *gate) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-g.turn:
		time.AfterFunc(updateInterval, func() { g.turn <- struct{}{} })
		return nil
	}
}
