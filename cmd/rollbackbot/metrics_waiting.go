package main

import (
	"context"

	"rollbackbot/runbook"
)

// waitFor adds who is waited for, by the role and never by name, since when and until when. Nobody is waited for where
// there is no sample.
func (r *replica) waitFor(ctx context.Context, out *exposition) {
	open := map[string]*runbook.Asking{}
	for _, app := range appNames(r.cfg) {
		question, err := r.openQuestion(ctx, app)
		if err != nil {
			r.log.Warn().Err(err).Str("app", app).Msg("who is waited for could not be read")
			continue
		}
		if question != nil {
			open[app] = question
		}
	}
	out.family("rollbackbot_waiting_since_timestamp_seconds", "gauge", "When the open question of the app's rollback was asked, in Unix seconds, and who is waited for.")
	for _, app := range appNames(r.cfg) {
		if q := open[app]; q != nil {
			out.sample("rollbackbot_waiting_since_timestamp_seconds", seconds(q.AskedAt), "app", app, "for", waitedFor(*q))
		}
	}
	out.family("rollbackbot_waiting_deadline_timestamp_seconds", "gauge", "When the open question of the app's rollback runs out, in Unix seconds.")
	for _, app := range appNames(r.cfg) {
		if q := open[app]; q != nil {
			out.sample("rollbackbot_waiting_deadline_timestamp_seconds", seconds(q.Deadline), "app", app, "for", waitedFor(*q))
		}
	}
}

// openQuestion is that of the app's open rollback; nil where there is none.
func (r *replica) openQuestion(ctx context.Context, app string) (*runbook.Asking, error) {
	rollback, err := r.store.Open(ctx, app)
	if err != nil || rollback == "" {
		return nil, err
	}
	events, err := r.store.Events(ctx, app, rollback, 0)
	if err != nil {
		return nil, err
	}
	rb, err := runbook.Fold(events)
	if err != nil {
		return nil, err
	}
	return rb.Question(), nil
}

// waitedFor is the role that a question has come to.
func waitedFor(q runbook.Asking) string {
	switch {
	case q.Kind == runbook.AskConfirm:
		return "requester"
	case q.Kind != runbook.AskSignoff:
		return "requesters_and_leads"
	}
	switch q.Stage() {
	case runbook.StageBreakGlass:
		return "two_requesters"
	case runbook.StageDeputies:
		return "deputies"
	}
	return "leads"
}
