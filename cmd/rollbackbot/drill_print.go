package main

import (
	"fmt"
	"time"

	"rollbackbot/runbook"
)

// conclude says how long everything took, and what was not proven.
func (d *drillProcess) conclude(rb runbook.Rollback) error {
	d.say("\nThe drill ended: %s. %s", rb.Outcome, rb.Why)
	for _, part := range []struct {
		name     string
		from, to time.Time
	}{
		{"from the request to the sign-off", rb.Request.At, rb.SignedAt},
		{"from the sign-off to healthy", rb.SignedAt, rb.HealthyAt},
		{"from healthy to the end", rb.HealthyAt, rb.EndedAt},
		{"in all", rb.Request.At, rb.EndedAt},
	} {
		if !part.from.IsZero() && !part.to.IsZero() {
			d.say("  %-34s %s", part.name, part.to.Sub(part.from).Round(time.Second))
		}
	}
	d.say("Not proven:")
	for _, text := range rb.NotProven() {
		d.say("  - %s", text)
	}
	if rb.Outcome != runbook.Succeeded {
		return &statusError{status: exitFailed}
	}
	return nil
}

func (d *drillProcess) say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(d.out, format+"\n", args...)
}

// would prints a command that is not run.
func (d *drillProcess) would(host runbook.Host, command string) {
	d.say("would run on %s: %s", host, command)
}

// tell prints what happens.
func (d *drillProcess) tell(e runbook.Event) {
	at := e.At.UTC().Format("15:04:05 UTC")
	switch fact := e.Fact.(type) {
	case runbook.Answered:
		d.say("%s  %s answers %s", at, fact.By, fact.Answer)
	case runbook.Asked:
		d.say("%s  a question is open in the channel: %s", at, fact.Question.Text)
	case runbook.StepStarted:
		d.say("%s  %s …", at, fact.Step.Title())
	case runbook.StepFinished:
		d.say("%s  %s: %s %s", at, fact.Step.Title(), fact.Outcome.Verdict, fact.Outcome.Detail)
	}
}
