package runbook

import (
	"context"
	"fmt"
	"slices"
)

// Roles is what a person may do, read afresh whenever it matters.
type Roles struct {
	Person    string // Slack ID
	Barred    string // why this person never counts: a guest, of another organisation, a bot, deactivated; empty: counts
	Lead      bool
	Deputy    bool
	Requester bool
}

// Directory knows people. If something can't be read, it is an error, and nobody passes.
type Directory interface {
	Roles(ctx context.Context, person string) (Roles, error)
}

// Roster knows who has a role, user groups resolved to their members, at most so many of them, and nobody who never
// counts. What could be read is given beside an error. Nobody's rights follow from it: it says only whom to write to.
type Roster interface {
	Members(ctx context.Context, role Role, most int) ([]string, error)
}

// Policy is what the team decided about sign-offs.
type Policy struct {
	SignoffAlways bool // a lead signs off even where no migration is proven
	SelfSignoff   bool // a lead may sign off their own request
	Deputies      bool // there are some: they are asked when no lead answers
	BreakGlass    bool // two requesters together may sign off when nobody else answers
}

// RefusedError says why what a person did doesn't count. It is told to them alone.
type RefusedError struct {
	Why string
}

func (e *RefusedError) Error() string { return e.Why }

// Refusal is a *RefusedError with those words.
func Refusal(format string, args ...any) error {
	return &RefusedError{Why: fmt.Sprintf(format, args...)}
}

// NeedsLead says why a lead has to sign the plan off; empty where the requester's own confirmation is enough: only for
// a target that the bot itself saw known-good, on all hosts, with no migration proven.
func (p Policy) NeedsLead(plan Plan) string {
	switch {
	case p.SignoffAlways:
		return "every rollback is signed off here"
	case len(plan.Excluded) > 0:
		return "a host can't be reached and is left out"
	case !plan.Migration.None:
		return "it is not proven that there was no migration: " + plan.Migration.Why
	case !plan.Target.KnownGood():
		return "the target was never seen running and healthy for long enough"
	}
	return ""
}

// MayRequest says why a person can't ask for a rollback, or nil.
func MayRequest(roles Roles) error {
	switch {
	case roles.Barred != "":
		return Refusal("You can't ask for a rollback: %s.", roles.Barred)
	case !roles.Requester && !roles.Lead:
		return Refusal("You can't ask for a rollback: you are not among the people whom ROLLBACK_REQUESTERS names.")
	}
	return nil
}

// MayAnswer says why a person's answer doesn't count, or nil. Pure, so that the table of who may press what can be
// read and tested in one place.
func (p Policy) MayAnswer(rb Rollback, answer Answer, roles Roles) error {
	if roles.Barred != "" {
		return Refusal("That doesn't count: %s.", roles.Barred)
	}
	asked := roles.Person == rb.Request.By
	switch answer {
	case Confirm:
		if !asked || !roles.Requester && !roles.Lead {
			return Refusal("Only who asked for this rollback can confirm it.")
		}
	case SignoffInPlace, SignoffReverted, SignoffNone, SignoffReject, RollForward:
		deputy := roles.Deputy && answer != RollForward
		switch {
		case !roles.Lead && deputy && !rb.deputiesAsked():
			return Refusal("You are a deputy, and the deputies are not asked yet: an engineering lead decides%s.", p.untilDeputies(rb))
		case !roles.Lead && !deputy:
			return Refusal("Only an engineering lead can decide this, and you are not one of those whom ROLLBACK_LEADS names.")
		case asked && !p.SelfSignoff:
			return Refusal("You asked for this rollback, so another lead has to decide. You can abort it.")
		}
	case ErrorRateBaseline, ErrorRateElevated, Retry:
		if !roles.Requester && !roles.Lead {
			return Refusal("Only requesters and engineering leads can answer this.")
		}
	case Abort:
		if !asked && !roles.Lead {
			return Refusal("Only who asked for this rollback, or an engineering lead, can abort it.")
		}
	default:
		return Refusal("There is no answer %q.", answer)
	}
	return nil
}

// deputiesAsked reports whether the deputies may answer the open question.
func (rb Rollback) deputiesAsked() bool {
	open := rb.Question()
	return open != nil && !open.DeputiesAt.IsZero()
}

// untilDeputies says until when leads alone decide; "" where that is not to be told.
func (p Policy) untilDeputies(rb Rollback) string {
	if open := rb.Question(); open != nil {
		for _, m := range p.turns(*open) {
			if _, ok := m.fact.(DeputiesAsked); ok {
				return " until " + m.at.UTC().Format("15:04:05 UTC")
			}
		}
	}
	return ""
}

// LastAnswered finds the last question that had this among its answers and got one.
func (rb Rollback) LastAnswered(answer Answer) *Asking {
	for i := len(rb.Questions) - 1; i >= 0; i-- {
		if a := rb.Questions[i]; slices.Contains(a.Answers, answer) && a.Answer != "" {
			return &a
		}
	}
	return nil
}

// Person is how a person is named in texts of this package: Slack shows it as their name.
func Person(id string) string { return "<@" + id + ">" }
