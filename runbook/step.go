package runbook

import "context"

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

// Step is one step of the runbook.
type Step interface {
	Name() StepName
	// Run does the step and says what came of it. An error means that nothing can be said: the process stops, or the
	// journal could not be written; then nothing more may be done.
	Run(ctx context.Context, x *execution) (StepOutcome, error)
}
