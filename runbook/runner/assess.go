package runner

import (
	"context"

	"rollbackbot/runbook"
)

// assessMigration is step 5. The decision was taken before anything changed, by the sign-off; here it becomes the
// migration state of the record.
type assessMigration struct{}

func (assessMigration) Name() runbook.StepName { return runbook.StepMigration }

func (assessMigration) Run(_ context.Context, x *execution) (runbook.StepOutcome, error) {
	return runbook.StepOutcome{Verdict: runbook.Passed, Detail: string(x.rollback().MigrationState())}, nil
}
