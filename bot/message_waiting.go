package bot

import (
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"rollbackbot/runbook"
)

// waitingMessage tells in the thread that nobody has answered yet, and who may by now. Once that is over it says how.
func waitingMessage(rb runbook.Rollback, id int64, stage runbook.Stage, v view) Message {
	q, ok := askingOf(rb, id)
	if !ok {
		return TextMessage(fmt.Sprintf("%s has no question %d.", rb.ID, id))
	}
	d := newDraft()
	d.header(waitingTitles[stage])
	if !q.Open() || rb.State == runbook.StateEnded {
		sayClosed(d, q)
		d.note(rb.ID)
		return d.message()
	}
	d.say(append(asWell(stage, v), words(" It is open until "+until(q.Deadline, v.now)+"."))...)
	if q.Kind == runbook.AskFailed {
		d.say(words("Nobody has answered since " + instant(q.AskedAt) + ": " + closed(questionTitle(rb, q)) + " What each button does stands beside it, in this thread."))
		d.note(rb.ID)
		return d.message()
	}
	d.say(words("Nobody has answered since "+instant(q.AskedAt)+": may "), bold(rb.App), words(" go from "+fromName(rb.Plan)+" to "+targetName(rb.Plan)+"? The plan, and the buttons, are in the message above this thread."))
	if stage == runbook.StageBreakGlass {
		sayBreakGlass(d, rb, q)
		return d.message()
	}
	d.note(rb.ID)
	return d.message()
}

var waitingTitles = map[runbook.Stage]string{
	runbook.StageReminded:   "Reminder: a lead is waited for",
	runbook.StageDeputies:   "The deputies are asked: no lead has answered",
	runbook.StageBreakGlass: "Break-glass: two requesters together may sign off",
}

// asWell is who is called by a stage's message.
func asWell(stage runbook.Stage, v view) []span {
	switch stage {
	case runbook.StageDeputies:
		return append(people(v.deputies), words(": you may sign off now, as the leads may."))
	case runbook.StageBreakGlass:
		all := people(append(v.leads[:len(v.leads):len(v.leads)], v.deputies...))
		return append(all, words(": you still may decide. So may two requesters together, from now on."))
	}
	return append(people(v.leads), words(": please decide."))
}

// fieldGlass is the field of the reason that each of two requesters states.
const fieldGlass = "break_glass_reason"

// maxGlassInput is what the journal keeps of such a reason.
const maxGlassInput = 300

// sayBreakGlass asks two requesters to sign: each states a reason, and both say the same about the migration.
func sayBreakGlass(d *draft, rb runbook.Rollback, q runbook.Asking) {
	d.say(words("Two different requesters are needed, each with a reason, and both have to say the same about the migration. Who asked for the rollback may be one of them. Both names go into the record, and the leads are told at once."))
	sayHalves(d, q)
	input := slack.NewPlainTextInputBlockElement(plain("Why can it not wait for a lead?", maxOptions), fieldGlass).WithMaxLength(maxGlassInput)
	field := slack.NewInputBlock("", plain("Your reason", maxLabelRunes), nil, input)
	d.lines = append(d.lines, "Field: Your reason")
	d.blocks = append(d.blocks, field)
	var row []button
	for _, answer := range []runbook.Answer{runbook.SignoffInPlace, runbook.SignoffReverted, runbook.SignoffNone} {
		row = append(row, answerButton(rb, q.Question, answer))
	}
	d.buttons(row...)
	d.note(rb.ID)
}

// sayHalves says who has signed so far as one of two, and why.
func sayHalves(d *draft, q runbook.Asking) {
	var points [][]span
	for _, h := range q.Halves {
		points = append(points, []span{person(h.By), words(" " + answerWords[h.Answer] + ", at " + instant(h.At) + ": " + h.Reason)})
	}
	if len(points) > 0 {
		title := "Signed by one of two"
		if len(q.Together) > 0 {
			title = "The two signatures"
		}
		d.field(title)
		d.points(points)
	}
}

func askingOf(rb runbook.Rollback, id int64) (runbook.Asking, bool) {
	for _, q := range rb.Questions {
		if q.ID == id {
			return q, true
		}
	}
	return runbook.Asking{}, false
}

// askedMessage asks one person alone what the channel is asked too, with the same buttons. address leads to the
// channel's message; empty: it is not known.
func askedMessage(rb runbook.Rollback, id int64, stage runbook.Stage, address string, v view) Message {
	q, ok := askingOf(rb, id)
	if !ok {
		return TextMessage(fmt.Sprintf("%s has no question %d.", rb.ID, id))
	}
	d := newDraft()
	title := fmt.Sprintf("Roll back %s to %s?", rb.App, targetName(rb.Plan))
	if q.Kind == runbook.AskFailed {
		title = questionTitle(rb, q)
	}
	if stage == runbook.StageReminded {
		title = "Reminder: " + title
	}
	d.header(title)
	if !q.Open() || rb.State == runbook.StateEnded {
		sayClosed(d, q)
		sayLink(d, address)
		d.note(rb.ID)
		return d.message()
	}
	sayWhyYou(d, rb, q, stage, v)
	d.field("From", words(fromName(rb.Plan)))
	d.field("To", words(targetText(rb.Plan, rb.Request.At)))
	d.field("Asked for by", person(rb.Request.By), words(" at "+instant(rb.Request.At)))
	d.field("Reason")
	d.quote(shownReason(rb))
	if q.Kind == runbook.AskFailed {
		d.field("What happened", named(sentence(runbook.Truncate(q.Text, maxSentence)), known(rb)...)...)
		d.field("What each button does")
		d.points(buttonPoints(rb, q))
	} else {
		sayMigration(d, rb)
		sayWarnings(d, rb.Plan)
	}
	sayHalves(d, q)
	sayLink(d, address)
	d.field("Plan", words("SHA-256 "), code(q.Plan))
	if q.Kind == runbook.AskFailed {
		d.buttons(questionButtons(rb, q.Question)...)
	} else {
		d.buttons(requestButtons(rb)...)
	}
	d.note(rb.ID + " · a click here counts as one in the channel does, once")
	return d.message()
}

// sayWhyYou says why this person is written to, and until when their answer counts.
func sayWhyYou(d *draft, rb runbook.Rollback, q runbook.Asking, stage runbook.Stage, v view) {
	as := "You are asked as an engineering lead"
	switch {
	case q.Kind == runbook.AskConfirm:
		as = "You asked for this rollback, and it waits for you to confirm it"
	case stage == runbook.StageDeputies:
		as = "You are asked as a deputy: no lead has answered since " + instant(q.AskedAt)
	case stage == runbook.StageReminded:
		as = "You are asked as an engineering lead, and nobody has answered since " + instant(q.AskedAt)
	}
	d.say(words(as+". "), bold("Your answer counts until "+until(q.Deadline, v.now)+"."))
	if q.Text != "" && q.Kind == runbook.AskSignoff {
		d.say(words("Why a lead: " + closed(runbook.Truncate(q.Text, maxSentence))))
	}
}

// brokenMessage tells a lead alone that two requesters have signed off, and how to stop it.
func brokenMessage(rb runbook.Rollback, id int64, address string) Message {
	d := newDraft()
	d.header("Break-glass: two requesters signed off a rollback of " + rb.App)
	q, _ := askingOf(rb, id)
	d.say(append(people(q.Together), words(" signed off together at "+instant(q.AnsweredAt)+", since nobody else had answered since "+instant(q.AskedAt)+": "+rb.App+" goes from "+fromName(rb.Plan)+" to "+targetName(rb.Plan)+"."))...)
	sayHalves(d, q)
	d.say(words("You can stop it, as a lead, in the channel or by "), code(slash+" abort "+rb.ID), words(". What runs then on the hosts is in its messages."))
	sayLink(d, address)
	d.note(rb.ID)
	return d.message()
}

// signers are who signed off, for a line of a message.
func signers(rb runbook.Rollback) []span { return people(rb.Signoff.People()) }

// whoAnswered is who answered a question.
func whoAnswered(q runbook.Asking) []span {
	if len(q.Together) > 0 {
		return people(q.Together)
	}
	return []span{person(q.By)}
}

// sinceWhen says who else is waited for by now, since when; empty where only leads are.
func sinceWhen(q runbook.Asking, v view) []span {
	var parts []string
	if !q.RemindedAt.IsZero() {
		parts = append(parts, "reminded at "+instant(q.RemindedAt))
	}
	asked := "Asked at " + instant(q.AskedAt)
	out := []span{words(strings.Join(append([]string{asked}, parts...), ", ") + ".")}
	if !q.DeputiesAt.IsZero() {
		out = append(append(append(out, words(" Since "+instant(q.DeputiesAt)+" also for a deputy: ")), people(v.deputies)...), words("."))
	}
	if !q.BreakGlassAt.IsZero() {
		out = append(out, words(" Since "+instant(q.BreakGlassAt)+" two requesters together may sign off, in the thread."))
	}
	return out
}
