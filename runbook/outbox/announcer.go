package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rollbackbot/internal/parallel"
	"rollbackbot/runbook"
)

// Notices are all the messages that a rollback should have by now, in the order in which they are posted.
func Notices(rb runbook.Rollback, live runbook.Live) []runbook.Notice {
	thread := rb.Posts[string(runbook.NoticeRequest)]
	list := []runbook.Notice{
		{Key: string(runbook.NoticeRequest), Kind: runbook.NoticeRequest, Rollback: rb, Live: live},
		{Key: "plan-" + rb.Plan.Hash()[:12], Kind: runbook.NoticePlan, Rollback: rb, Thread: thread},
	}
	if rb.Plan.Changes.Many() {
		list = append(list, runbook.Notice{Key: "migrations-" + rb.Plan.Hash()[:12], Kind: runbook.NoticeMigrations, Rollback: rb, Thread: thread})
	}
	for _, q := range rb.Questions {
		if q.Kind == runbook.AskErrorRate || q.Kind == runbook.AskFailed {
			list = append(list, runbook.Notice{Key: fmt.Sprintf("question-%d", q.ID), Kind: runbook.NoticeQuestion, Question: q.ID, Rollback: rb, Thread: thread})
		}
	}
	list = append(list, waitingNotices(rb, thread)...)
	if rb.State == runbook.StateEnded {
		list = append(list, runbook.Notice{Key: string(runbook.NoticeRecord), Kind: runbook.NoticeRecord, Rollback: rb})
		list = append(list, followUpNotices(rb)...)
	}
	return list
}

// followUpNotices are those of what comes after the record, in its thread or for one person alone.
func followUpNotices(rb runbook.Rollback) (list []runbook.Notice) {
	record := rb.Posts[string(runbook.NoticeRecord)]
	for i, a := range rb.FollowUp.Askings {
		n := runbook.Notice{Key: fmt.Sprintf("owner-%d", i+1), Kind: runbook.NoticeOwner, Asking: i + 1, To: a.Owner, Rollback: rb, Thread: record}
		if i < len(rb.FollowUp.Askings)-1 && rb.Posts[n.Key].IntendedAt.IsZero() {
			continue // it was handed over before they were asked
		}
		list = append(list, n)
		if a.Reminded {
			n.Key, n.Kind = fmt.Sprintf("owner-%d-reminder", i+1), runbook.NoticeReminder
			list = append(list, n)
		}
		if a.Overdue {
			n.Key, n.Kind, n.To = fmt.Sprintf("owner-%d-overdue", i+1), runbook.NoticeOverdue, ""
			list = append(list, n)
		}
	}
	if rb.FollowUp.Ticket.Forgone {
		list = append(list, runbook.Notice{Key: string(runbook.NoticePostmortem), Kind: runbook.NoticePostmortem, Rollback: rb, Thread: record})
	}
	return list
}

// Decorations are the messages that only show what others say too. They are posted beside the others, since they take
// longer, and are never waited for.
func Decorations(rb runbook.Rollback, _ runbook.Live) (list []runbook.Notice) {
	for _, run := range rb.Steps {
		if run.Rate != nil && len(run.Rate.Curve) > 0 {
			list = append(list, runbook.Notice{
				Key: fmt.Sprintf("error-rate-%d", len(list)+1), Kind: runbook.NoticeErrorRate, Rollback: rb, Judged: run, Thread: rb.Posts[string(runbook.NoticeRequest)],
			})
		}
	}
	return list
}

// Publisher keeps a rollback's messages as they should be: each is posted once, and brought up to date as things go on.
// It is a projection of the journal, so that a restart posts what is missing and nothing twice.
type Publisher struct {
	Announcer runbook.Announcer
	List      func(runbook.Rollback, runbook.Live) []runbook.Notice // its notices, in the order in which they are posted
	Gate      *Gate                                                 // one for all publishers
	State     func() (runbook.Rollback, runbook.Live, <-chan struct{})
	Note      func(ctx context.Context, facts ...runbook.Fact) error
	Report    func(error)
	// Postmortem writes the rollback's postmortem, for the people of the channel.
	Postmortem func(context.Context, runbook.Rollback) (string, error)

	shown map[string]string // what each posted notice showed last, by its key
}

func (p *Publisher) show(key, version string) {
	if p.shown == nil {
		p.shown = map[string]string{}
	}
	p.shown[key] = version
}

const (
	updateInterval = 1200 * time.Millisecond // between updates, for all rollbacks together: chat.update takes 50 a minute
	tickInterval   = 5 * time.Second         // how often the elapsed time is shown again
	FirstRetry     = time.Second
	LastRetry      = time.Minute
)

// Decorate posts the decorations until the rollback has ended and all of them are there, or ctx ends.
func (p *Publisher) Decorate(ctx context.Context) {
	wait := FirstRetry
	for {
		rb, live, changed := p.State()
		posted, err := p.postMissing(ctx, rb, live)
		switch {
		case ctx.Err() != nil:
			return
		case posted:
			wait = FirstRetry
			continue
		case err == nil && rb.State == runbook.StateEnded && decorated(rb):
			return
		case err == nil:
			p.waitFor(ctx, changed, rb)
			continue
		}
		if wait = p.backOff(ctx, err, wait); ctx.Err() != nil {
			return
		}
	}
}

// backOff reports err and pauses for wait, or for as long as err says, but never less than FirstRetry. It returns the
// next pause: twice this one, at most LastRetry. It ends early where ctx does.
func (p *Publisher) backOff(ctx context.Context, err error, wait time.Duration) time.Duration {
	p.Report(err)
	var retry *runbook.RetryError
	if errors.As(err, &retry) {
		wait = max(retry.After, FirstRetry)
	}
	_ = parallel.Pause(ctx, wait) // its error is ctx's, and the caller asks ctx
	return min(2*wait, LastRetry)
}

// decorated reports whether all decorations are posted.
func decorated(rb runbook.Rollback) bool {
	for _, n := range Decorations(rb, runbook.Live{}) {
		if rb.Posts[n.Key].TS == "" {
			return false
		}
	}
	return true
}

// Publish runs until the rollback is over, or ctx ends. Whenever everything that there is to say is said, it notes so.
func (p *Publisher) Publish(ctx context.Context) {
	wait := FirstRetry
	for {
		rb, live, changed := p.State()
		if rb.State == runbook.StateEnded && rb.Over() {
			return
		}
		var err error
		if !rb.Published { // else nothing has changed since, in whichever process that was said
			var done bool
			if done, err = p.round(ctx, rb, live); err == nil && done {
				err = p.Note(ctx, runbook.Published{})
			}
		}
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			wait = FirstRetry
			p.waitFor(ctx, changed, rb)
			continue
		}
		if wait = p.backOff(ctx, err, wait); ctx.Err() != nil {
			return
		}
	}
}

// waitFor waits for news. As long as the rollback goes on, time alone is some; the follow-up takes hours, and changes by
// events only.
func (p *Publisher) waitFor(ctx context.Context, changed <-chan struct{}, rb runbook.Rollback) {
	var tick <-chan time.Time
	if rb.State != runbook.StateEnded {
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
func (p *Publisher) round(ctx context.Context, rb runbook.Rollback, live runbook.Live) (done bool, err error) {
	posted, err := p.postMissing(ctx, rb, live)
	if posted || ctx.Err() != nil || slowDown(err) {
		return false, err // a new post is in the next state, and threads hang on it
	}
	err = errors.Join(err, p.updateChanged(ctx, rb, live))
	now, _, _ := p.State()
	return err == nil && rb.State == runbook.StateEnded && now.Seq == rb.Seq && decorated(now) && settled(now), err
}

// postMissing posts one notice that is missing: the first one that can be said.
func (p *Publisher) postMissing(ctx context.Context, rb runbook.Rollback, live runbook.Live) (posted bool, err error) {
	for _, n := range p.List(rb, live) {
		threadless := n.Kind != runbook.NoticeRequest && n.Kind != runbook.NoticeRecord && n.Thread.TS == ""
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
func (p *Publisher) updateChanged(ctx context.Context, rb runbook.Rollback, live runbook.Live) (err error) {
	for _, n := range p.List(rb, live) {
		if post := rb.Posts[n.Key]; !updated[n.Kind] || post.TS == "" || post.Settled {
			continue
		}
		failed := p.bringUpToDate(ctx, n)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		err = errors.Join(err, failed)
		if now, _, _ := p.State(); now.Seq != rb.Seq || slowDown(failed) {
			break
		}
	}
	return err
}

// bringUpToDate has a posted notice show what it should, and notes where that is for good: a process that is killed again
// and again would else begin with the same updates each time, and never come to the others.
func (p *Publisher) bringUpToDate(ctx context.Context, n runbook.Notice) error {
	if version := versionOf(n); p.shown[n.Key] != version {
		if err := p.Gate.wait(ctx); err != nil {
			return err
		}
		if err := p.Announcer.Update(ctx, n.Rollback.Posts[n.Key], n); err != nil {
			return failure("update", n, err)
		}
		p.show(n.Key, version)
	}
	if n.Final() {
		return failure("settle", n, p.Note(ctx, runbook.NoticeSettled{Key: n.Key}))
	}
	return nil
}

// updated are the notices that change after they were posted.
var updated = map[runbook.NoticeKind]bool{runbook.NoticeRequest: true, runbook.NoticeQuestion: true, runbook.NoticeRecord: true, runbook.NoticeOwner: true, runbook.NoticeWaiting: true, runbook.NoticeAsked: true}

// slowDown reports whether Slack wants no further call just now.
func slowDown(err error) bool {
	var retry *runbook.RetryError
	return errors.As(err, &retry)
}

// versionOf changes whenever an update would show something new. While something runs, time alone does.
func versionOf(n runbook.Notice) string {
	rb := n.Rollback
	switch n.Kind {
	case runbook.NoticeBroken:
		return "" // it says what was, once
	case runbook.NoticeRecord, runbook.NoticeOwner:
		t, asking := rb.FollowUp.Ticket, runbook.OwnerAsking{}
		if a := rb.Asking(); a != nil {
			asking = *a
		}
		return fmt.Sprint(len(rb.FollowUp.Askings), asking.AcceptedAt, asking.Overdue, t.Number, t.Assignee, t.Forgone, t.Why)
	case runbook.NoticeQuestion, runbook.NoticeWaiting, runbook.NoticeAsked:
		for _, q := range rb.Questions {
			if q.ID == n.Question {
				return fmt.Sprint(q.Open(), rb.State == runbook.StateEnded, q.Stage(), q.Halves)
			}
		}
	}
	version := fmt.Sprint(rb.State, len(rb.Steps), len(rb.Questions), rb.WaitingFor(), rb.AbortedBy, rb.Direction, len(rb.Fetched), n.Live)
	for _, run := range rb.Steps {
		version += string(run.Verdict)
	}
	if rb.State == runbook.StateExecuting {
		version += time.Now().Truncate(tickInterval).String()
	}
	return version
}

// post says something for the first time. The intent is journalled before; if there was one already, nobody knows
// whether the message arrived, so it is looked for, and never repeated while that can't be told.
func (p *Publisher) post(ctx context.Context, n runbook.Notice, intended time.Time) error {
	if !intended.IsZero() {
		at, found, err := p.Announcer.Find(ctx, n, intended)
		if err != nil {
			return fmt.Errorf("look whether it was posted: %w", err)
		}
		if found {
			return p.Note(ctx, runbook.NoticePosted{Key: n.Key, Channel: at.Channel, TS: at.TS})
		}
	} else if err := p.Note(ctx, runbook.NoticeIntended{Key: n.Key}); err != nil {
		return err
	}
	if n.Kind == runbook.NoticePostmortem {
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
	return p.Note(ctx, runbook.NoticePosted{Key: n.Key, Channel: at.Channel, TS: at.TS})
}

// Gate lets one through every interval.
type Gate struct {
	turn chan struct{}
}

// NewGate is one that lets the first call through at once.
func NewGate() *Gate {
	g := &Gate{turn: make(chan struct{}, 1)}
	g.turn <- struct{}{}
	return g
}

func (g *Gate) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-g.turn:
		time.AfterFunc(updateInterval, func() { g.turn <- struct{}{} })
		return nil
	}
}
