package postmortem

import (
	"fmt"

	"rollbackbot/runbook"
)

// timeline is what happened, one line an event, with who did it. What only keeps the journal honest is left out.
func (p postmortem) timeline() string {
	var lines []string
	for _, e := range p.before {
		lines = append(lines, p.line(e))
	}
	for _, e := range p.events {
		if line := p.line(e); line != "" {
			lines = append(lines, line)
		}
	}
	if n := len(lines); n > p.mostLines {
		half := p.mostLines / 2
		left := fmt.Sprintf("… %d more, which the journal has (`rollbackbot audit export`) …", n-2*half)
		lines = append(append(lines[:half:half], left), lines[n-half:]...)
	}
	return bullets(lines) + "\n\nTo be answered: What happened before the rollback was asked for, and in the channel meanwhile?"
}

func (p postmortem) line(e runbook.Event) string {
	what := p.happened(e)
	if what == "" {
		return ""
	}
	who := "the bot"
	if e.Actor != "" {
		who = p.person(e.Actor)
	}
	return fmt.Sprintf("%s, %s: %s", moment(e.At), who, what)
}

// happened is an event in words; empty for what nobody looks for in a timeline.
func (p postmortem) happened(e runbook.Event) string {
	switch fact := e.Fact.(type) {
	case runbook.Deployed:
		return "the failed release was noted as deployed" + versionText(fact.Version, fact.Commit)
	case runbook.Observed:
		return "the failed release was first seen running on every host"
	case runbook.Requested:
		return fmt.Sprintf("asked for the rollback to %s; the plan is %s", markdown(fact.Plan.Target.Name()), inCode(fact.Plan.Hash()[:12]))
	case runbook.Replanned:
		return "a new plan, " + inCode(fact.Plan.Hash()[:12]) + ": " + p.said(fact.Why, 300)
	case runbook.Asked:
		return "asked people" + p.detail(": ", fact.Question.Text, 300)
	case runbook.Answered:
		return "answered " + inCode(string(fact.Answer))
	case runbook.HalfSigned:
		return "signed " + inCode(string(fact.Answer)) + " as one of two, since nobody else answered: " + p.said(fact.Reason, runbook.MaxGlassReason)
	case runbook.Reminded:
		return "nobody had answered; reminded people"
	case runbook.DeputiesAsked:
		return "nobody had answered; asked the deputies"
	case runbook.BreakGlassOpened:
		return "nobody had answered; two requesters together may sign off from now on"
	case runbook.DeadlinePassed:
		return "nobody had answered by the deadline"
	case runbook.Refused:
		return "was refused " + inCode(fact.Action) + ": " + p.said(fact.Why, 300)
	case runbook.AbortRequested:
		return "asked to stop at the next safe point"
	}
	return p.done(e)
}

func versionText(version, commit string) string {
	text := ""
	if version != "" {
		text += ", version " + markdown(runbook.Truncate(version, 80))
	}
	if commit != "" {
		text += ", commit " + inCode(commit)
	}
	return text
}

// done is what the bot did, and what came after.
func (p postmortem) done(e runbook.Event) string {
	switch fact := e.Fact.(type) {
	case runbook.StepFinished:
		return fmt.Sprintf("%s: %s%s", fact.Step.Title(), fact.Outcome.Verdict, p.detail(", ", fact.Outcome.Detail, 300))
	case runbook.CommandStarted:
		if fact.Step == runbook.StepDeploy {
			return "began to replace the containers on " + inCode(string(fact.Host))
		}
	case runbook.PinsWritten:
		return "the pins were written on " + inCode(string(fact.Host))
	case runbook.PinsRestored:
		return "the former pins were put back on " + inCode(string(fact.Host))
	case runbook.Quarantined:
		return "quarantined " + runbook.Count(len(fact.Images), "image")
	case runbook.Ended:
		return "ended as " + string(fact.Outcome) + p.detail(": ", fact.Why, 300)
	case runbook.OwnerAsked:
		if fact.By != "" {
			return "the follow-up was handed over to " + p.person(fact.Owner)
		}
		return p.person(fact.Owner) + " was asked to accept the follow-up"
	case runbook.OwnerAccepted:
		return "accepted the follow-up"
	case runbook.OwnerReminded:
		return p.person(fact.Owner) + " was reminded to accept the follow-up"
	case runbook.OwnerOverdue:
		return "who asked and the leads were told that " + p.person(fact.Owner) + " has not accepted"
	}
	return ""
}
