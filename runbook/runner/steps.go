package runner

import (
	"context"
	"slices"

	"rollbackbot/runbook"
)

// Step is one step of the runbook.
type Step interface {
	Name() runbook.StepName
	// Run does the step and says the result. An error means that nothing can be said: the process stops, or the
	// journal could not be written; then nothing more may be done.
	Run(ctx context.Context, x *execution) (runbook.StepOutcome, error)
}

// steps are all steps, as a rollback's Move names them. stepOrder is their order, and steps_test.go holds the two together.
var steps = []Step{identify{}, fetch{}, writePinsEverywhere{}, deploy{}, verifyHealth{}, confirmErrorRate{}, assessMigration{}}

// stepNamed finds a step of stepOrder.
func stepNamed(name runbook.StepName) Step {
	return steps[slices.IndexFunc(steps, func(s Step) bool { return s.Name() == name })]
}
