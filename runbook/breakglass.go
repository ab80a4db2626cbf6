package runbook

import (
	"strings"
	"unicode/utf8"
)

// maxGlassReason bounds what a requester states, in characters: as much as a message shows of it.
const maxGlassReason = 300

// signsAlone are the answers that two requesters may give together. Whether not to roll back they don't decide.
var signsAlone = map[Answer]bool{SignoffInPlace: true, SignoffReverted: true, SignoffNone: true}

// glass reports whether somebody who may not sign off alone may do it together with another one by now.
func (rb Rollback) glass(answer Answer, roles Roles) bool {
	open := rb.Question()
	return open != nil && !open.BreakGlassAt.IsZero() && signsAlone[answer] && roles.Barred == "" && (roles.Requester || roles.Lead)
}

// signTogether is one of two signatures: it is kept, or, as the second that says the same, it answers the question. Twice by
// the same person is once; another word of theirs takes the place of the first.
func signTogether(rb Rollback, c Click) ([]Fact, error) {
	open, reason := rb.Question(), strings.TrimSpace(Mask(c.Reason))
	mine := open.half(c.By)
	switch {
	case mine != nil && mine.Answer == c.Answer && mine.Plan == c.Plan:
		return nil, nil
	case reason == "":
		return nil, refused("Two requesters together may sign off now, each with a reason: the message in the rollback's thread has the field for yours and the buttons.")
	case !utf8.ValidString(reason):
		return nil, refused("Your reason can't be read: write it anew.")
	}
	signed := HalfSigned{Question: open.ID, Answer: c.Answer, By: c.By, Plan: c.Plan, Reason: Truncate(reason, maxGlassReason)}
	for _, other := range open.Halves {
		switch {
		case other.By == c.By:
		case other.Answer != c.Answer:
			return nil, refused("%s has signed something else about the migration: only the same from two people counts. Talk to them; each of you can sign anew.", Person(other.By))
		default:
			return []Fact{signed, Answered{Question: open.ID, Answer: c.Answer, By: c.By, Plan: c.Plan, Together: []string{other.By, c.By}}}, nil
		}
	}
	return []Fact{signed}, nil
}
