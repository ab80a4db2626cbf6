package bot

import (
	"context"

	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
)

// Runner is what the bot asks of the runbook.
type Runner interface {
	// App finds an app; a *runbook.UnknownAppError names those there are.
	App(name string) (runbook.App, error)
	// Request opens a rollback, or says why not. The same cause may come again after a crash.
	Request(ctx context.Context, request runbook.Request, cause string) (runbook.Rollback, error)
	// Answer takes a button, or an abort in words. It journals its refusals itself.
	Answer(ctx context.Context, click runbook.Click) error
	// HandOver gives a rollback's follow-up to another person. It journals its refusals itself.
	HandOver(ctx context.Context, h runbook.HandOver) error
	// Plan is what a request would do, and why a lead has to sign it off ("" where none has to). It changes nothing.
	Plan(ctx context.Context, request runbook.Request) (plan runbook.Plan, needsLead string, err error)
	// Status is one rollback as it stands.
	Status(ctx context.Context, id string) (runbook.Rollback, error)
	// Abandoned are the open rollbacks of apps that are not configured any more: nobody carries them.
	Abandoned(ctx context.Context) ([]runbook.Rollback, error)
	// History is what is known of an app's releases and rollbacks.
	History(ctx context.Context, app string) (history.History, error)
	// Choices are what a form for an app offers: the releases, and the runbook's criteria on the one that runs.
	Choices(ctx context.Context, app string) (runbook.Choices, error)
	// Standing is how an app stands.
	Standing(ctx context.Context, app string) (runbook.Standing, error)
	// Blocked gives an app's quarantined digests, each with the rollback that blocked it.
	Blocked(ctx context.Context, app string) (map[runbook.Digest]string, error)
	// Lift takes a digest out of quarantine.
	Lift(ctx context.Context, digest, cause, by, delivery string) error
	// Refuse journals that something a person did doesn't count. rollback is empty where it is about none.
	Refuse(ctx context.Context, app, rollback, action, by, why, cause string) error
}
