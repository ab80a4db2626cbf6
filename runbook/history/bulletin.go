package history

import (
	"slices"

	"rollbackbot/runbook"
)

// bulletin folds what belongs to bulletins.
func (h *History) bulletin(e runbook.Event) {
	switch fact := e.Fact.(type) {
	case runbook.Drifted:
		h.bulletins = append(h.bulletins, runbook.Bulletin{App: e.App, Key: fact.Key, At: e.At, Drift: &fact})
	case runbook.Suggested:
		h.bulletins = append(h.bulletins, runbook.Bulletin{App: e.App, Key: runbook.SuggestionKey(fact.Release), At: e.At, Suggestion: &fact})
	case runbook.Requested:
		h.withdraw(all, "a rollback was asked for: "+e.Rollback)
	case runbook.Observed:
		if r := h.releases[runbook.ReleaseID(fact.Images)]; r != nil {
			h.withdraw(func(s runbook.Suggested) bool { return s.Release != r.ID }, "another release runs now: "+r.Name())
		}
	case runbook.Diverged:
		h.withdraw(all, "the hosts don't all run one known release any more")
	case runbook.HealthChanged:
		if fact.Healthy {
			h.withdraw(overHealth, "the health checks pass again")
		}
	}
	if e.Rollback != "" {
		return
	}
	switch fact := e.Fact.(type) {
	case runbook.NoticeIntended:
		h.changeBulletin(fact.Key, func(b *runbook.Bulletin) { b.Post.IntendedAt = e.At })
	case runbook.NoticePosted:
		h.changeBulletin(fact.Key, func(b *runbook.Bulletin) { b.Post.Channel, b.Post.TS = fact.Channel, fact.TS })
	case runbook.NoticeClosed:
		h.changeBulletin(fact.Key, func(b *runbook.Bulletin) { b.Closed = true })
	}
}

func (h *History) changeBulletin(key string, change func(*runbook.Bulletin)) {
	for i := range h.bulletins {
		if h.bulletins[i].Key == key {
			change(&h.bulletins[i])
		}
	}
}

// withdraw takes back those suggestions that don't stand any more.
func (h *History) withdraw(which func(runbook.Suggested) bool, why string) {
	for i, b := range h.bulletins {
		if b.Suggestion != nil && b.Withdrawn == "" && which(*b.Suggestion) {
			h.bulletins[i].Withdrawn = why
		}
	}
}

func all(runbook.Suggested) bool { return true }

// overHealth reports whether a suggestion was made because of failing health checks.
func overHealth(s runbook.Suggested) bool {
	return slices.ContainsFunc(runbook.HeldOf(s.Evidence), func(c runbook.Criterion) bool { return c.Name == runbook.CriterionHealth })
}

// Suggestion gives the suggestion to leave a release; false where there was none.
func (h History) Suggestion(release string) (runbook.Bulletin, bool) {
	for _, b := range h.bulletins {
		if b.Suggestion != nil && b.Suggestion.Release == release {
			return h.complete(b), true
		}
	}
	return runbook.Bulletin{}, false
}

// OpenBulletins gives the bulletins that are not in their last state, oldest first.
func (h History) OpenBulletins() []runbook.Bulletin {
	var all []runbook.Bulletin
	for _, b := range h.bulletins {
		if !b.Closed {
			all = append(all, h.complete(b))
		}
	}
	return all
}

func (h History) complete(b runbook.Bulletin) runbook.Bulletin {
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
