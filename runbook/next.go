package runbook

import "fmt"

// Move is what a rollback does next. Exactly one field is set, or none while somebody has to answer.
type Move struct {
	Step    StepName // run this step
	Attempt int      // of that step, from 1
	Ask     *StepRun // ask a person what to do about this run of a step
	End     Outcome  // end like this
	Why     string   // and say why
	Abort   bool     // put back what can be put back, then end as aborted
}

// Next says what a rollback does next. It is a pure function of the rollback, so that a restarted bot goes on with
// exactly what was next.
func (rb Rollback) Next() Move {
	if rb.State == StateEnded || rb.ID == "" {
		return Move{}
	}
	if rb.AbortedBy != "" {
		return Move{Abort: true}
	}
	if rb.Question() != nil {
		return Move{}
	}
	last := rb.Questions[len(rb.Questions)-1]
	switch {
	case last.Expired:
		return rb.afterDeadline(last)
	case last.Answer == SignoffReject:
		return Move{End: Rejected, Why: "the engineering lead decided not to roll back"}
	}
	for _, step := range stepOrder {
		run, begun := rb.Step(step)
		switch {
		case !begun:
			return Move{Step: step, Attempt: 1}
		case run.Verdict == Passed:
			continue
		case run.EndedAt.IsZero(), run.Verdict == Changed, rb.answeredAfter(run, Retry):
			return Move{Step: step, Attempt: run.Attempt + 1}
		}
		return Move{Ask: &run}
	}
	if rb.Direction == Forward {
		return Move{End: RolledForward, Why: "the rollback failed; the images that it started from run again"}
	}
	return Move{End: Succeeded, Why: "digests, health checks and error rate were seen to be right"}
}

// answeredAfter reports whether a person's last answer came after the run ended, and is this one.
func (rb Rollback) answeredAfter(run StepRun, answer Answer) bool {
	last := rb.Questions[len(rb.Questions)-1]
	return last.Answer == answer && !last.AskedAt.Before(run.EndedAt)
}

// afterDeadline is where nobody answered: every question ends in a record that says so.
func (rb Rollback) afterDeadline(last Asking) Move {
	switch last.Kind {
	case AskSignoff:
		return Move{End: Expired, Why: "nobody signed off in time"}
	case AskConfirm:
		return Move{End: Expired, Why: "the requester did not confirm in time"}
	case AskErrorRate:
		if rb.Direction == Forward {
			return Move{End: RolledForward, Why: "the rollback failed; the images that it started from run again, healthy, but nobody judged the error rate in time"}
		}
		return Move{End: Unconfirmed, Why: "healthy, but nobody judged the error rate in time"}
	}
	run := rb.Steps[len(rb.Steps)-1]
	return Move{End: Failed, Why: fmt.Sprintf("%s: %s; nobody decided in time what to do", run.Step.Title(), run.Detail)}
}
