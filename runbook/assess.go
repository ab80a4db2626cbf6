package runbook

import "context"

// assessMigration is step 5. The decision was taken before anything changed, by the sign-off; here it becomes the
// migration state of the record.
type assessMigration struct{}

func (assessMigration) Name() StepName { return StepMigration }

func (assessMigration) Run(_ context.Context, x *execution) (StepOutcome, error) {
	return StepOutcome{Verdict: Passed, Detail: string(x.rollback().MigrationState())}, nil
}

// MigrationState is the runbook's word for what became of the failed release's migration.
type MigrationState string

// The migration states of a record. Unknown only where nobody signed off.
const (
	StateNone        MigrationState = "none"
	StateLeftInPlace MigrationState = "left in place"
	StateReverted    MigrationState = "reverted"
	StateUnknown     MigrationState = "unknown"
)

// MigrationState is what the sign-off said.
func (rb Rollback) MigrationState() MigrationState {
	switch rb.Signoff.Answer {
	case SignoffInPlace:
		return StateLeftInPlace
	case SignoffReverted:
		return StateReverted
	case SignoffNone, Confirm:
		return StateNone
	}
	return StateUnknown
}
