package runbook

import (
	"slices"
	"time"
)

// Waiting is what has happened while a question was open: who was written to, and who may answer by now.
type Waiting struct {
	Addressed    map[Role][]string // who are written to privately; a role that isn't there: not found out yet
	RemindedAt   time.Time         // zero: not yet
	DeputiesAt   time.Time         // since when the deputies may sign off; zero: they may not
	BreakGlassAt time.Time         // since when two requesters together may; zero: they may not
	Halves       []Half            // their signatures so far; of two who said the same the question is answered
}

// Half is one of two signatures that stand in for a lead's.
type Half struct {
	By     string
	Answer Answer
	Plan   string
	Reason string
	At     time.Time
}

// Stage is how far a question has come that nobody answers.
type Stage string

// The stages, in their order.
const (
	StageAsked      Stage = ""
	StageReminded   Stage = "reminder"
	StageDeputies   Stage = "deputies"
	StageBreakGlass Stage = "break_glass"
)

// Stage is the latest one.
func (w Waiting) Stage() Stage {
	switch {
	case !w.BreakGlassAt.IsZero():
		return StageBreakGlass
	case !w.DeputiesAt.IsZero():
		return StageDeputies
	case !w.RemindedAt.IsZero():
		return StageReminded
	}
	return StageAsked
}

// Half is a person's own signature; nil: none.
func (w Waiting) Half(by string) *Half {
	if i := slices.IndexFunc(w.Halves, func(h Half) bool { return h.By == by }); i >= 0 {
		return &w.Halves[i]
	}
	return nil
}

// WantsLead reports whether a lead's signature is among a question's answers.
func (q Question) WantsLead() bool {
	return q.Kind == AskSignoff || slices.Contains(q.Answers, RollForward)
}

// turn is an instant in a question's time, with what happens then.
type turn struct {
	at   time.Time
	fact Fact
}

// turns are those of a question. The reminder comes after a third of its time, the deputies after two; two requesters
// together once the deputies have had half of what is left, or in the deputies' stead. Going back to what ran before
// stays a lead's: whoever signs that signs for the release that failed.
func (p Policy) turns(q Asking) []turn {
	third := q.Deadline.Sub(q.AskedAt) / 3
	if q.Kind != AskConfirm && !q.WantsLead() || third <= 0 {
		return nil
	}
	list := []turn{{q.AskedAt.Add(third), Reminded{Question: q.ID}}}
	if q.Kind != AskSignoff {
		return list
	}
	glass := q.AskedAt.Add(2 * third)
	if p.Deputies {
		list = append(list, turn{glass, DeputiesAsked{Question: q.ID}})
		glass = glass.Add(third / 2)
	}
	if p.BreakGlass {
		list = append(list, turn{glass, BreakGlassOpened{Question: q.ID}})
	}
	return list
}

// happened reports whether a turn's fact is written.
func (w Waiting) happened(fact Fact) bool {
	switch fact.(type) {
	case Reminded:
		return w.Stage() != StageAsked // later ones make it needless
	case DeputiesAsked:
		return !w.DeputiesAt.IsZero()
	case BreakGlassOpened:
		return !w.BreakGlassAt.IsZero()
	}
	return false
}

// Due gives what happens now while nobody answers the open question, or else when to look again: never later than its
// deadline. What was missed while no process was there happens at once, but nobody is reminded of what others are asked
// already.
func (p Policy) Due(q Asking, now time.Time) (facts []Fact, next time.Time) {
	if !now.Before(q.Deadline) {
		return nil, q.Deadline
	}
	for _, m := range p.turns(q) {
		switch {
		case q.happened(m.fact):
		case now.Before(m.at):
			if facts == nil {
				return nil, m.at
			}
			return facts, m.at
		default:
			if len(facts) == 1 && facts[0].Kind() == (Reminded{}).Kind() {
				facts = nil
			}
			facts = append(facts, m.fact)
		}
	}
	return facts, q.Deadline
}

// waiting applies what happens to a question while it is open, and to what is told of it; false where the fact is about
// something else.
func (rb Rollback) waiting(e Event) (next Rollback, mine bool, err error) {
	change := func(question int64, f func(*Asking)) (Rollback, bool, error) {
		i := slices.IndexFunc(rb.Questions, func(q Asking) bool { return q.ID == question })
		if i < 0 {
			return rb, true, ErrNotOpen
		}
		rb.Questions = slices.Clone(rb.Questions)
		f(&rb.Questions[i])
		return rb, true, nil
	}
	open := func(question int64, f func(*Asking)) (Rollback, bool, error) {
		if q := rb.Question(); q == nil || q.ID != question {
			return rb, true, ErrNotOpen
		}
		return change(question, f)
	}
	switch fact := e.Fact.(type) {
	case Addressed:
		if rb.State == StateEnded {
			rb.Published = false // there is something to be said again
		}
		return change(fact.Question, func(q *Asking) {
			addressed := map[Role][]string{fact.Role: fact.People}
			for role, people := range q.Addressed {
				if role != fact.Role {
					addressed[role] = people
				}
			}
			q.Addressed = addressed
		})
	case NoticeSettled:
		post := rb.Posts[fact.Key]
		post.Settled = true
		return rb.posted(fact.Key, post), true, nil
	case Reminded:
		return open(fact.Question, func(q *Asking) { q.RemindedAt = e.At })
	case DeputiesAsked:
		return open(fact.Question, func(q *Asking) { q.DeputiesAt = e.At })
	case BreakGlassOpened:
		return open(fact.Question, func(q *Asking) { q.BreakGlassAt = e.At })
	case HalfSigned:
		return open(fact.Question, func(q *Asking) {
			halves := slices.DeleteFunc(slices.Clone(q.Halves), func(h Half) bool { return h.By == fact.By })
			q.Halves = append(halves, Half{By: fact.By, Answer: fact.Answer, Plan: fact.Plan, Reason: fact.Reason, At: e.At})
		})
	}
	return rb, false, nil
}

// Broken is the last question that two requesters answered in the leads' stead; nil: none.
func (rb Rollback) Broken() *Asking {
	for i := len(rb.Questions) - 1; i >= 0; i-- {
		if len(rb.Questions[i].Together) > 0 {
			return &rb.Questions[i]
		}
	}
	return nil
}
