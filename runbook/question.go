package runbook

import "time"

// Question is something that a person has to answer before a rollback goes on.
type Question struct {
	ID       int64        `json:"id"` // 1, 2, … within its rollback
	Kind     QuestionKind `json:"kind"`
	Plan     string       `json:"plan"`              // the hash of the plan that an answer counts for
	Forward  string       `json:"forward,omitempty"` // the hash of the plan that RollForward counts for
	Text     string       `json:"text"`              // what happened, and what is asked
	Answers  []Answer     `json:"answers"`
	Deadline time.Time    `json:"deadline"` // a journalled instant: a restart does not prolong it
}

// QuestionKind says what a question is about, and with it who may answer.
type QuestionKind string

// The questions of a rollback.
const (
	AskSignoff   QuestionKind = "sign_off"    // may the images go back; what about the migration?
	AskConfirm   QuestionKind = "confirm"     // no lead is needed: does the requester mean it?
	AskErrorRate QuestionKind = "error_rate"  // is the error rate back at its baseline?
	AskFailed    QuestionKind = "step_failed" // a step failed, or its end is unknown: what now?
)

// Answer is one of the buttons, by its action ID.
type Answer string

// The answers, named as the buttons' action IDs are.
const (
	Confirm           Answer = "confirm"
	SignoffInPlace    Answer = "signoff_in_place"
	SignoffReverted   Answer = "signoff_reverted"
	SignoffNone       Answer = "signoff_none"
	SignoffReject     Answer = "signoff_reject"
	ErrorRateBaseline Answer = "error_rate_baseline"
	ErrorRateElevated Answer = "error_rate_elevated"
	Retry             Answer = "retry"
	RollForward       Answer = "roll_forward"
	Abort             Answer = "abort"
	AcceptOwner       Answer = "accept_owner" // to no question: the owner takes the follow-up on
)

// PlanFor is the hash that a click on this answer must carry.
func (q Question) PlanFor(answer Answer) string {
	if answer == RollForward {
		return q.Forward
	}
	return q.Plan
}
