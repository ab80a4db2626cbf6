package bot

import (
	"fmt"

	"github.com/slack-go/slack"

	"rollbackbot/runbook"
)

// requestButtons are those of the request's message: the sign-off or the confirmation while that is open, and Abort
// until the end.
func requestButtons(rb runbook.Rollback) []button {
	if rb.State == runbook.StateEnded || rb.AbortedBy != "" {
		return nil
	}
	var row []button
	if open := rb.Question(); open != nil && (open.Kind == runbook.AskSignoff || open.Kind == runbook.AskConfirm) {
		for _, answer := range open.Answers {
			row = append(row, answerButton(rb, open.Question, answer))
		}
	}
	return append(row, abortButton(rb))
}

// questionButtons are those of a question in the thread.
func questionButtons(rb runbook.Rollback, q runbook.Question) []button {
	var row []button
	for _, answer := range q.Answers {
		if answer == runbook.Abort {
			row = append(row, abortButton(rb))
			continue
		}
		row = append(row, answerButton(rb, q, answer))
	}
	return row
}

var buttonTexts = map[runbook.Answer]string{
	runbook.Confirm:           "Confirm the rollback",
	runbook.SignoffInPlace:    "Roll back, leave the migration in place",
	runbook.SignoffReverted:   "Roll back, the schema has been reverted",
	runbook.SignoffNone:       "Roll back, there was no migration",
	runbook.SignoffReject:     "Do not roll back",
	runbook.ErrorRateBaseline: "Back at its baseline",
	runbook.ErrorRateElevated: "Still elevated",
	runbook.Retry:             "Try again",
	runbook.RollForward:       "Go back to what ran before",
	runbook.Abort:             "Abort",
	runbook.AcceptOwner:       "I accept it",
}

func answerButton(rb runbook.Rollback, q runbook.Question, answer runbook.Answer) button {
	b := button{
		value: Value{Rollback: rb.ID, Plan: q.PlanFor(answer), Answer: answer, Question: q.ID},
		text:  buttonTexts[answer], confirm: dialogFor(rb, answer),
	}
	switch answer {
	case runbook.Confirm:
		// The one green button: where it stands, no migration is in question.
		b.style = slack.StylePrimary
	case runbook.RollForward:
		b.style = slack.StyleDanger
	}
	return b
}

// dialogFor says exactly what a click will do; nil where the button says it all and little can go wrong.
func dialogFor(rb runbook.Rollback, answer runbook.Answer) *dialog {
	now := fmt.Sprintf("%s goes to %s on %s now. ", rb.App, runbook.Truncate(targetName(rb.Plan), 60), count(len(rb.Plan.Hosts), "host"))
	switch answer {
	case runbook.SignoffInPlace:
		return &dialog{title: "Leave the migration in place?", yes: "Roll back", style: slack.StyleDanger,
			text: now + "The database is left as it is: you say that the release it goes to works with the schema of today."}
	case runbook.SignoffReverted:
		return &dialog{title: "Has the schema been reverted?", yes: "Roll back", style: slack.StyleDanger,
			text: now + "You say that the schema has been reverted already: the bot changes nothing in the database."}
	case runbook.SignoffNone:
		return &dialog{title: "Was there no migration?", yes: "Roll back", style: slack.StyleDanger,
			text: now + "You say that none of the releases since had a migration."}
	case runbook.SignoffReject:
		return &dialog{title: "Do not roll back?", yes: "Do not roll back",
			text: fmt.Sprintf("%s stays as it is. The request ends as rejected, and the record says so.", rb.App)}
	case runbook.Retry:
		return &dialog{title: "Try it again?", yes: "Try again", text: retryText(rb)}
	case runbook.RollForward:
		return &dialog{title: "Go back to what ran before?", yes: "Go back", style: slack.StyleDanger,
			text: fmt.Sprintf("%s goes back to %s on %s now, the release that was to be left. About the schema was signed: %s. With this you sign that it fits.",
				rb.App, runbook.Truncate(fromName(rb.Plan), 60), count(len(rb.Plan.Hosts), "host"), signedText(rb))}
	}
	return nil
}

// retryText says which step is done again, and on which hosts.
func retryText(rb runbook.Rollback) string {
	step := "The step"
	if open := rb.Question(); open != nil {
		if run, ok := failedRun(rb, *open); ok {
			step = "“" + run.Step.Title() + "”"
		}
	}
	var wrong []string
	for _, h := range rb.Going().Hosts {
		if standingOf(h, rb.Hosts[h.Host]) != onTarget {
			wrong = append(wrong, string(h.Host))
		}
	}
	if len(wrong) == 0 {
		return step + " is done again. Every host runs the images that it should, and is only looked at."
	}
	return step + " is done again with the same images. Not right yet: " + runbook.Truncate(some(wrong, 3), 160) + ". Other hosts are looked at, and left alone."
}

func signedText(rb runbook.Rollback) string {
	switch rb.MigrationState() {
	case runbook.StateLeftInPlace:
		return "the migration is left in place"
	case runbook.StateReverted:
		return "it has been reverted"
	case runbook.StateNone:
		return "there was no migration"
	}
	return "nothing"
}

func abortButton(rb runbook.Rollback) button {
	plan, text := rb.Going().Hash(), "Nothing has been changed, and nothing will be. The record says who stopped it."
	switch {
	case rb.Touched():
		text = "It stops at the next safe point. Containers that were replaced stay as they are: the hosts may then run different releases. The record says what runs where."
	case rb.State != runbook.StateRequested:
		text = "It stops at the next safe point. If no container was replaced by then, the former pins go back and nothing has changed; else what was replaced stays."
	}
	return button{
		value: Value{Rollback: rb.ID, Plan: plan, Answer: runbook.Abort}, text: buttonTexts[runbook.Abort], style: slack.StyleDanger,
		confirm: &dialog{title: "Abort this rollback?", text: text, yes: "Abort the rollback", style: slack.StyleDanger},
	}
}
