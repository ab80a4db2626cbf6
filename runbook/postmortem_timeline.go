package runbook

import "fmt"

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

func (p postmortem) line(e Event) string {
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
func (p postmortem) happened(e Event) string {
	switch fact := e.Fact.(type) {
	case Deployed:
		return "the failed release was noted as deployed" + versionText(fact.Version, fact.Commit)
	case Observed:
		return "the failed release was first seen running on every host"
	case Requested:
		return fmt.Sprintf("asked for the rollback to %s; the plan is %s", markdown(fact.Plan.Target.Name()), inCode(fact.Plan.Hash()[:12]))
	case Replanned:
		return "a new plan, " + inCode(fact.Plan.Hash()[:12]) + ": " + p.said(fact.Why, 300)
	case Asked:
		return "asked people" + p.detail(": ", fact.Question.Text, 300)
	case Answered:
		return "answered " + inCode(string(fact.Answer))
	case HalfSigned:
		return "signed " + inCode(string(fact.Answer)) + " as one of two, since nobody else answered: " + p.said(fact.Reason, maxGlassReason)
	case Reminded:
		return "nobody had answered; reminded people"
	case DeputiesAsked:
		return "nobody had answered; asked the deputies"
	case BreakGlassOpened:
		return "nobody had answered; two requesters together may sign off from now on"
	case DeadlinePassed:
		return "nobody had answered by the deadline"
	case Refused:
		return "was refused " + inCode(fact.Action) + ": " + p.said(fact.Why, 300)
	case AbortRequested:
		return "asked to stop at the next safe point"
	}
	return p.done(e)
}

func versionText(version, commit string) string {
	text := ""
	if version != "" {
		text += ", version " + markdown(Truncate(version, 80))
	}
	if commit != "" {
		text += ", commit " + inCode(commit)
	}
	return text
}

// done is what the bot did, and what came after.
func (p postmortem) done(e Event) string {
	switch fact := e.Fact.(type) {
	case StepFinished:
		return fmt.Sprintf("%s: %s%s", fact.Step.Title(), fact.Outcome.Verdict, p.detail(", ", fact.Outcome.Detail, 300))
	case CommandStarted:
		if fact.Step == StepDeploy {
			return "began to replace the containers on " + inCode(string(fact.Host))
		}
	case PinsWritten:
		return "the pins were written on " + inCode(string(fact.Host))
	case PinsRestored:
		return "the former pins were put back on " + inCode(string(fact.Host))
	case Quarantined:
		return "quarantined " + count(len(fact.Images), "image")
	case Ended:
		return "ended as " + string(fact.Outcome) + p.detail(": ", fact.Why, 300)
	case OwnerAsked:
		if fact.By != "" {
			return "the follow-up was handed over to " + p.person(fact.Owner)
		}
		return p.person(fact.Owner) + " was asked to accept the follow-up"
	case OwnerAccepted:
		return "accepted the follow-up"
	case OwnerReminded:
		return p.person(fact.Owner) + " was reminded to accept the follow-up"
	case OwnerOverdue:
		return "who asked and the leads were told that " + p.person(fact.Owner) + " has not accepted"
	}
	return ""
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
