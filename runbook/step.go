package runbook

import "slices"

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

// StepOrder is the runbook: its steps in their order.
func StepOrder() []StepName { return slices.Clone(stepOrder) }
