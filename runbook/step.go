package runbook

// StepName names a step in the journal; Title is how one reads it aloud.
type StepName string

// The steps, in the runbook's order. Its step 2 is done in three phases; its step 6, the record, ends every rollback.
const (
	StepIdentify  StepName = "identify"
	StepFetch     StepName = "fetch"
	StepPin       StepName = "pin"
	StepDeploy    StepName = "deploy"
	StepHealth    StepName = "health"
	StepErrorRate StepName = "error_rate"
	StepMigration StepName = "migration"
)

// Title is the step in the runbook's words.
func (n StepName) Title() string { return stepTitles[n] }

var stepTitles = map[StepName]string{
	StepIdentify:  "Identify the previous image digest",
	StepFetch:     "Fetch the images that are missing",
	StepPin:       "Write the pins",
	StepDeploy:    "Deploy the previous image",
	StepHealth:    "Verify health checks",
	StepErrorRate: "Confirm error rate returns to baseline",
	StepMigration: "Assess migration state",
}

// stepOrder is the runbook, in its order. A step passes or stops everything; nothing skips ahead.
//
//  1. Identify the previous image digest.
//  2. Deploy the previous image: fetch what is missing, write the pins, replace the containers.
//  3. Verify health checks.
//  4. Confirm error rate returns to baseline.
//  5. Assess migration state.
//  6. Record the rollback: whatever the outcome, by Ended and the notices that follow from it.
var stepOrder = []StepName{
	StepIdentify,
	StepFetch,
	StepPin,
	StepDeploy,
	StepHealth,
	StepErrorRate,
	StepMigration,
}

// Outcome is how a rollback ended.
type Outcome string

// The outcomes, as in the record's metadata.
const (
	Succeeded     Outcome = "succeeded"      // digests, health and error rate were all seen to be right
	Unconfirmed   Outcome = "unconfirmed"    // healthy; the error rate was judged by nobody in time
	Failed        Outcome = "failed"         // a step failed and nothing better came of it in time
	RolledForward Outcome = "rolled_forward" // the rollback failed, and the images it started from run again
	Rejected      Outcome = "rejected"       // the lead said: do not roll back
	Expired       Outcome = "expired"        // nobody signed off in time
	Aborted       Outcome = "aborted"        // a person stopped it
)

// Outcomes are all of them.
var Outcomes = []Outcome{Succeeded, Unconfirmed, Failed, RolledForward, Rejected, Expired, Aborted}

// Verdict is the result of a step.
type Verdict string

// The verdicts of a step. Unknown is a verdict of its own: it is never read as failed, and never blindly tried again.
const (
	Passed    Verdict = "passed"
	Broken    Verdict = "failed"
	Unknown   Verdict = "unknown"
	Changed   Verdict = "changed"   // somebody changed what the plan was made on
	Undecided Verdict = "undecided" // only a person can tell
	Stopped   Verdict = "stopped"   // an abort was asked for, and this was a safe point
)

// StepOutcome is a step's answer: its verdict, and what it saw.
type StepOutcome struct {
	Verdict Verdict `json:"verdict"`
	Detail  string  `json:"detail,omitempty"` // one or a few sentences for people; masked
	Output  string  `json:"output,omitempty"` // the last lines of a failed command; masked
	// LockGone says that the lease on a host was removed or damaged under way. It is taken again only after a person
	// was told so and said to go on.
	LockGone bool `json:"lock_gone,omitempty"`
	// Rate is what the error rate came to in its window; nil in other steps, and where the bot doesn't read it.
	Rate *RateJudgement `json:"rate,omitempty"`
}
