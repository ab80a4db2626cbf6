package runbook

// StepName names a step in the journal; Title is how one reads it aloud.
type StepName string

// The steps, in the runbook's order; its step 2 is done in three phases.
const (
	StepIdentify  StepName = "identify"
	StepFetch     StepName = "fetch"
	StepPin       StepName = "pin"
	StepDeploy    StepName = "deploy"
	StepHealth    StepName = "health"
	StepErrorRate StepName = "error_rate"
	StepMigration StepName = "migration"
	StepRecord    StepName = "record"
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
	StepRecord:    "Record the rollback",
}
