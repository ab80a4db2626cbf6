package runner

import (
	"context"
	"time"

	"rollbackbot/runbook"
	"rollbackbot/runbook/rate"
)

// Choices are those of an app, with the runbook's criteria as they stand.
func (r *Runner) Choices(ctx context.Context, app string) (runbook.Choices, error) {
	a, err := r.App(app)
	if err != nil {
		return runbook.Choices{}, err
	}
	history, err := r.History(ctx, app)
	if err != nil {
		return runbook.Choices{}, err
	}
	c := history.Choices(time.Now().UTC())
	c.Evidence = rate.Evidence(c.Running, rate.Of(ctx, rate.MeasureRate(r.ErrorRate), a, history, c.Running), c.At)
	return c, nil
}
