package runbook

import (
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
	Post       Post       // where it is; without a TS: not known to be anywhere
	Closed     bool       // it was brought to its last state
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
		h.changeBulletin(fact.Key, func(b *Bulletin) { b.Post.IntendedAt = e.At })
	case NoticePosted:
		h.changeBulletin(fact.Key, func(b *Bulletin) { b.Post.Channel, b.Post.TS = fact.Channel, fact.TS })
	case NoticeClosed:
		h.changeBulletin(fact.Key, func(b *Bulletin) { b.Closed = true })
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

// OpenBulletins gives the bulletins that are not in their last state, oldest first.
func (h History) OpenBulletins() []Bulletin {
	var all []Bulletin
	for _, b := range h.bulletins {
		if !b.Closed {
			all = append(all, h.complete(b))
		}
	}
	return all
}

func (h History) complete(b Bulletin) Bulletin {
	if b.Suggestion == nil {
		return b
	}
	if r := h.releases[b.Suggestion.Release]; r != nil {
		b.Running = h.seen(r.Release)
	}
	if r := h.releases[b.Suggestion.Target]; r != nil {
		b.Target = h.seen(r.Release)
	}
	return b
}
