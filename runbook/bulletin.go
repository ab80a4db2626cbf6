package runbook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Bulletin is a message about an app that belongs to no rollback: that the hosts drifted, or that a rollback is suggested.
// Each is posted once, and updated once where it doesn't stand any more.
type Bulletin struct {
	App        string
	Key        string // the same for the same message
	At         time.Time
	Drift      *Drifted   // one of the two
	Suggestion *Suggested // is there
	Running    Release    // for a suggestion: the release that it is about
	Target     Release    // for a suggestion: where a rollback would have gone then
	Withdrawn  string     // why it doesn't stand any more, without a full stop; empty: it does
	post       Post
	closed     bool // it was brought to its last state
}

// NoticeClosed says that a bulletin which doesn't stand any more says so in Slack.
type NoticeClosed struct {
	Key string `json:"key"`
}

// Kind is the fact's name in the journal.
func (NoticeClosed) Kind() string { return "notice_closed" }

func init() { register[NoticeClosed]() }

// NoticeBulletin is the kind of notice that a Bulletin is.
const NoticeBulletin NoticeKind = "bulletin"

// bulletin folds what belongs to bulletins.
func (h *History) bulletin(e Event) {
	switch fact := e.Fact.(type) {
	case Drifted:
		h.bulletins = append(h.bulletins, Bulletin{App: e.App, Key: fact.Key, At: e.At, Drift: &fact})
	case Suggested:
		h.bulletins = append(h.bulletins, Bulletin{App: e.App, Key: suggestionKey(fact.Release), At: e.At, Suggestion: &fact})
	case Requested:
		h.withdraw(all, "a rollback was asked for: "+e.Rollback)
	case Observed:
		if r := h.releases[ReleaseID(fact.Images)]; r != nil {
			h.withdraw(func(s Suggested) bool { return s.Release != r.ID }, "another release runs now: "+r.Name())
		}
	case Diverged:
		h.withdraw(all, "the hosts don't all run one known release any more")
	case HealthChanged:
		if fact.Healthy {
			h.withdraw(overHealth, "the health checks pass again")
		}
	}
	if e.Rollback != "" {
		return
	}
	switch fact := e.Fact.(type) {
	case NoticeIntended:
		h.changeBulletin(fact.Key, func(b *Bulletin) { b.post.IntendedAt = e.At })
	case NoticePosted:
		h.changeBulletin(fact.Key, func(b *Bulletin) { b.post.Channel, b.post.TS = fact.Channel, fact.TS })
	case NoticeClosed:
		h.changeBulletin(fact.Key, func(b *Bulletin) { b.closed = true })
	}
}

func (h *History) changeBulletin(key string, change func(*Bulletin)) {
	for i := range h.bulletins {
		if h.bulletins[i].Key == key {
			change(&h.bulletins[i])
		}
	}
}

// withdraw takes back those suggestions that don't stand any more.
func (h *History) withdraw(which func(Suggested) bool, why string) {
	for i, b := range h.bulletins {
		if b.Suggestion != nil && b.Withdrawn == "" && which(*b.Suggestion) {
			h.bulletins[i].Withdrawn = why
		}
	}
}

func all(Suggested) bool { return true }

// overHealth reports whether a suggestion was made because of failing health checks.
func overHealth(s Suggested) bool {
	return slices.ContainsFunc(HeldOf(s.Evidence), func(c Criterion) bool { return c.Name == CriterionHealth })
}

// Suggestion gives the suggestion to leave a release; false where there was none.
func (h History) Suggestion(release string) (Bulletin, bool) {
	for _, b := range h.bulletins {
		if b.Suggestion != nil && b.Suggestion.Release == release {
			return h.complete(b), true
		}
	}
	return Bulletin{}, false
}

func (h History) complete(b Bulletin) Bulletin {
	if b.Suggestion == nil {
		return b
	}
	if r := h.releases[b.Suggestion.Release]; r != nil {
		b.Running = h.seen(*r)
	}
	if r := h.releases[b.Suggestion.Target]; r != nil {
		b.Target = h.seen(*r)
	}
	return b
}

// tell posts the bulletins that are missing, and brings those up to date that don't stand any more. What can't be said is
// said at the next look. The intent is journalled before a post; where there was one already, nobody knows whether the
// message arrived, so it is looked for, and never repeated while that can't be told.
func (o Observer) tell(ctx context.Context, a App, read *reads) error {
	if o.Announcer == nil {
		return nil
	}
	if err := read.on(ctx, o.Journal, a.Name); err != nil {
		return err
	}
	var failures []error
	for _, b := range read.history.bulletins {
		if b.closed {
			continue
		}
		err := o.say(ctx, a, read, read.history.complete(b))
		if err != nil {
			failures = append(failures, fmt.Errorf("say %s: %w", b.Key, err))
		}
		if ctx.Err() != nil || slowDown(err) {
			break
		}
	}
	return errors.Join(failures...)
}

func (o Observer) say(ctx context.Context, a App, read *reads, b Bulletin) error {
	notice := Notice{Key: b.Key, Kind: NoticeBulletin, Bulletin: b}
	if b.post.TS == "" {
		posted, err := o.sayFirst(ctx, a, read, notice)
		if err != nil || !posted {
			return err
		}
		return nil // brought up to date at the next look, where that is to be done
	}
	if b.Withdrawn == "" {
		return nil
	}
	if err := o.Announcer.Update(ctx, b.post, notice); err != nil {
		return err
	}
	return o.write(ctx, a, read, NoticeClosed{Key: b.Key})
}

// sayFirst posts a bulletin that isn't known to be there. One that was withdrawn before anybody could read it is not said.
func (o Observer) sayFirst(ctx context.Context, a App, read *reads, n Notice) (posted bool, err error) {
	b := n.Bulletin
	if !b.post.IntendedAt.IsZero() {
		at, found, err := o.Announcer.Find(ctx, n, b.post.IntendedAt)
		if err != nil {
			return false, err
		}
		if found {
			return true, o.write(ctx, a, read, NoticePosted{Key: n.Key, Channel: at.Channel, TS: at.TS})
		}
	}
	if b.Withdrawn != "" {
		return false, o.write(ctx, a, read, NoticeClosed{Key: n.Key})
	}
	if b.post.IntendedAt.IsZero() {
		if err := o.write(ctx, a, read, NoticeIntended{Key: n.Key}); err != nil {
			return false, err
		}
	}
	at, err := o.Announcer.Post(ctx, n)
	if err != nil {
		return false, err
	}
	return true, o.write(ctx, a, read, NoticePosted{Key: n.Key, Channel: at.Channel, TS: at.TS})
}
