package runner

import (
	"context"
	"slices"
	"time"

	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
)

// Standing says how an app stands now.
func (r *Runner) Standing(ctx context.Context, app string) (runbook.Standing, error) {
	if _, err := r.App(app); err != nil {
		return runbook.Standing{}, err
	}
	history, err := r.History(ctx, app)
	if err != nil {
		return runbook.Standing{}, err
	}
	s := runbook.Standing{App: app, Choices: history.Choices(time.Now().UTC()), Apart: history.Apart(), Quarantines: history.Quarantines()}
	if err := r.standingRollbacks(ctx, history, &s); err != nil {
		return runbook.Standing{}, err
	}
	for i := range s.Quarantines[:min(len(s.Quarantines), runbook.StandingTickets)] {
		q := &s.Quarantines[i]
		rb, err := r.Status(ctx, q.Rollback)
		if err != nil {
			return runbook.Standing{}, err
		}
		q.Ticket, q.Record = rb.FollowUp.Ticket, rb.Posts[string(runbook.NoticeRecord)]
	}
	return s, nil
}

// standingRollbacks finds the open rollback and the last one that ended.
func (r *Runner) standingRollbacks(ctx context.Context, history history.History, s *runbook.Standing) error {
	for _, past := range slices.Backward(history.Rollbacks()) {
		if s.Open != nil && past.Outcome == "" {
			continue
		}
		rb, err := r.Status(ctx, past.ID)
		if err != nil {
			return err
		}
		if rb.State == runbook.StateEnded { // also one that has ended since the history was read
			s.Last = &rb
			return nil
		}
		s.Open = &rb
	}
	return nil
}
