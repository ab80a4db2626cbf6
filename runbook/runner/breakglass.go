package runner

import (
	"rollbackbot/runbook"
	"strings"
	"unicode/utf8"
)

// signTogether is one of two signatures: it is kept, or, as the second that says the same, it answers the question. Twice by
// the same person is once; another word of theirs takes the place of the first.
func signTogether(rb runbook.Rollback, c runbook.Click) ([]runbook.Fact, error) {
	open, reason := rb.Question(), strings.TrimSpace(runbook.Mask(c.Reason))
	mine := open.Half(c.By)
	switch {
	case mine != nil && mine.Answer == c.Answer && mine.Plan == c.Plan:
		return nil, nil
	case reason == "":
		return nil, runbook.Refusal("Two requesters together may sign off now, each with a reason: the message in the rollback's thread has the field for yours and the buttons.")
	case !utf8.ValidString(reason):
		return nil, runbook.Refusal("Your reason can't be read: write it anew.")
	}
	signed := runbook.HalfSigned{Question: open.ID, Answer: c.Answer, By: c.By, Plan: c.Plan, Reason: runbook.Truncate(reason, runbook.MaxGlassReason)}
	for _, other := range open.Halves {
		switch {
		case other.By == c.By:
		case other.Answer != c.Answer:
			return nil, runbook.Refusal("%s has signed something else about the migration: only the same from two people counts. Talk to them; each of you can sign anew.", runbook.Person(other.By))
		default:
			return []runbook.Fact{signed, runbook.Answered{Question: open.ID, Answer: c.Answer, By: c.By, Plan: c.Plan, Together: []string{other.By, c.By}}}, nil
		}
	}
	return []runbook.Fact{signed}, nil
}
