package outbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"rollbackbot/internal/parallel"
	"rollbackbot/runbook"
)

// waitingNotices tell in the thread that nobody answers, and who else may by now. Only the latest stage is told: what
// was missed while no process was there would only confuse.
func waitingNotices(rb runbook.Rollback, thread runbook.Post) (list []runbook.Notice) {
	for _, q := range rb.Questions {
		if !q.WantsLead() {
			continue
		}
		for _, stage := range []runbook.Stage{runbook.StageReminded, runbook.StageDeputies, runbook.StageBreakGlass} {
			n := runbook.Notice{Key: fmt.Sprintf("waiting-%d-%s", q.ID, stage), Kind: runbook.NoticeWaiting, Question: q.ID, Stage: stage, Rollback: rb, Thread: thread}
			if begun := !rb.Posts[n.Key].IntendedAt.IsZero(); begun || q.Open() && q.Stage() == stage {
				list = append(list, n)
			}
		}
	}
	return list
}

// PrivateNotices are those to one person each: a question that the channel's message asks too, with the same buttons.
// What was answered before they were told isn't said to them any more.
func PrivateNotices(rb runbook.Rollback, _ runbook.Live) (list []runbook.Notice) {
	thread := rb.Posts[string(runbook.NoticeRequest)]
	add := func(q runbook.Asking, kind runbook.NoticeKind, stage runbook.Stage, person string, now bool) {
		n := runbook.Notice{Key: fmt.Sprintf("%s-%d-%s", cmp.Or(string(stage), string(kind)), q.ID, person), Kind: kind, Question: q.ID, Stage: stage, To: person, Rollback: rb, Thread: thread}
		if begun := !rb.Posts[n.Key].IntendedAt.IsZero(); begun || now {
			list = append(list, n)
		}
	}
	for _, q := range rb.Questions {
		if q.Kind == runbook.AskConfirm {
			add(q, runbook.NoticeAsked, runbook.StageReminded, rb.Request.By, q.Open() && q.Stage() == runbook.StageReminded)
		}
		for _, person := range q.Addressed[runbook.RoleLead] {
			add(q, runbook.NoticeAsked, runbook.StageAsked, person, q.Open())
			add(q, runbook.NoticeAsked, runbook.StageReminded, person, q.Open() && q.Stage() == runbook.StageReminded)
			add(q, runbook.NoticeBroken, runbook.StageAsked, person, len(q.Together) > 0)
		}
		for _, person := range q.Addressed[runbook.RoleDeputy] {
			add(q, runbook.NoticeAsked, runbook.StageDeputies, person, q.Open())
		}
	}
	return list
}

// Beside keeps private messages as they should be, until the rollback has ended and each shows for good what came of its
// question. It goes on beside the other messages, which never wait for it; and none of its own waits for another that
// can't be said.
func (p *Publisher) Beside(ctx context.Context) {
	var failed retries
	for ctx.Err() == nil {
		rb, _, changed := p.State()
		if rb.State == runbook.StateEnded && settled(rb) {
			return
		}
		key, err := p.nextBeside(ctx, rb, failed)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			p.Report(err)
			var retry *runbook.RetryError
			if errors.As(err, &retry) {
				_ = parallel.Pause(ctx, max(retry.After, FirstRetry)) // for all of them
			}
			failed.put(key, 0)
			continue
		case key != "":
			delete(failed.at, key)
			delete(failed.wait, key)
			continue
		}
		p.untilNext(ctx, changed, failed)
	}
}

func (p *Publisher) untilNext(ctx context.Context, changed <-chan struct{}, failed retries) {
	var timer <-chan time.Time
	for _, at := range failed.at {
		if d := time.Until(at); d > 0 && timer == nil {
			timer = time.After(min(d, LastRetry))
		}
	}
	select {
	case <-ctx.Done():
	case <-changed:
	case <-timer:
	}
}

// nextBeside says or brings up to date one private message, and gives its key; "" where there is nothing to do now. What
// is new comes first: updates have to wait for their turn.
func (p *Publisher) nextBeside(ctx context.Context, rb runbook.Rollback, failed retries) (key string, err error) {
	list := slices.DeleteFunc(p.List(rb, runbook.Live{}), func(n runbook.Notice) bool {
		return rb.Posts[n.Key].Settled || n.Thread.TS == "" || time.Now().Before(failed.at[n.Key])
	})
	for _, n := range list {
		if post := rb.Posts[n.Key]; post.TS == "" {
			err := p.post(ctx, n, post.IntendedAt)
			if errors.Is(err, runbook.ErrUnreachable) {
				p.Report(fmt.Errorf("%s of %s: %w", n.Key, rb.ID, err))
				err = p.Note(ctx, runbook.NoticeSettled{Key: n.Key})
			}
			return n.Key, failure("post", n, err)
		}
	}
	for _, n := range list {
		if n.Final() || p.shown[n.Key] != versionOf(n) {
			return n.Key, p.bringUpToDate(ctx, n)
		}
	}
	return "", nil
}

func failure(doing string, n runbook.Notice, err error) error {
	if err != nil {
		return fmt.Errorf("%s the %s of %s: %w", doing, n.Key, n.Rollback.ID, err)
	}
	return nil
}

// lastBeside is the longest pause before a private message is tried again: who was asked must not go on seeing buttons that
// don't count any more.
const lastBeside = 15 * time.Second

// retries is when each notice that could not be said is tried again.
type retries struct {
	at   map[string]time.Time
	wait map[string]time.Duration
}

func (l *retries) put(key string, atLeast time.Duration) {
	if l.at == nil {
		l.at, l.wait = map[string]time.Time{}, map[string]time.Duration{}
	}
	wait := max(FirstRetry, l.wait[key])
	l.at[key], l.wait[key] = time.Now().Add(max(wait, atLeast)), min(2*wait, lastBeside)
}
