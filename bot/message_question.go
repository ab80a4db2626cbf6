package bot

import (
	"fmt"

	"rollbackbot/runbook"
)

// questionMessage is a question in the middle of things, for the thread. One that isn't among the rollback's says so.
func questionMessage(rb runbook.Rollback, id int64, v view) Message {
	for _, q := range rb.Questions {
		if q.ID == id {
			return askingMessage(rb, q, v)
		}
	}
	return TextMessage(fmt.Sprintf("%s has no question %d.", rb.ID, id))
}

func askingMessage(rb runbook.Rollback, q runbook.Asking, v view) Message {
	d := newDraft()
	d.header(questionTitle(rb, q))
	d.say(named(sentence(runbook.Truncate(q.Text, 2*maxSentence)), known(rb)...)...)
	if q.Kind == runbook.AskFailed {
		if run, ok := failedRun(rb, q); ok && run.Output != "" {
			d.field("The last lines it printed")
			d.output(lastRunes(run.Output, maxReason))
		}
	}
	if q.Kind == runbook.AskErrorRate {
		sayErrorRate(d, v.app)
	}
	if !q.Open() || rb.State == runbook.StateEnded {
		sayClosed(d, q)
		return d.message()
	}
	d.field("The hosts now")
	d.pointsWithin(roomHosts, hostPoints(rb))
	d.field("What each button does")
	d.points(buttonPoints(rb, q))
	d.say(bold("Until "+until(q.Deadline, v.now)), words(": "+afterDeadline(q)))
	d.buttons(questionButtons(rb, q.Question)...)
	d.note(rb.ID)
	return d.message()
}

// questionTitle is what a question is about, in a few words.
func questionTitle(rb runbook.Rollback, q runbook.Asking) string {
	if q.Kind == runbook.AskErrorRate {
		return "Is the error rate back at its baseline?"
	}
	run, ok := failedRun(rb, q)
	switch {
	case !ok:
		return "A step failed: what now?"
	case run.Verdict == runbook.Unknown:
		return run.Step.Title() + ": how it ended is not known"
	}
	return run.Step.Title() + ": it failed"
}

// failedRun is the run of a step that a question is about: the last that had ended when it was asked.
func failedRun(rb runbook.Rollback, q runbook.Asking) (runbook.StepRun, bool) {
	for i := len(rb.Steps) - 1; i >= 0; i-- {
		if run := rb.Steps[i]; !run.EndedAt.IsZero() && !run.EndedAt.After(q.AskedAt) {
			return run, true
		}
	}
	return runbook.StepRun{}, false
}

// lastRunes keeps a text's end, which is where a failure says why.
func lastRunes(text string, n int) string {
	runes := []rune(text)
	if len(runes) <= n {
		return text
	}
	return "…" + string(runes[len(runes)-n+1:])
}

func sayErrorRate(d *draft, app runbook.App) {
	d.say(words("The runbook: monitor the error rate dashboard for " + took(app.ErrorRate.Window) + " after the rollback, and confirm that the spike has resolved."))
	if app.ErrorRate.DashboardURL != "" {
		d.field("Look here", link(app.ErrorRate.DashboardURL, "the error rate dashboard"))
	}
}

func sayClosed(d *draft, q runbook.Asking) {
	switch {
	case q.Answer != "":
		d.say(append(append([]span{bold("Answered: ")}, whoAnswered(q)...), words(" "+answerWords[q.Answer]+", at "+instant(q.AnsweredAt)+"."))...)
	case q.Expired:
		d.say(bold("Nobody answered"), words(" by "+instant(q.Deadline)+"."))
	case q.Void:
		d.say(bold("Not open any more: "), words("the plan has changed, and is asked about anew."))
	default:
		d.say(bold("Not open any more."))
	}
}

func buttonPoints(rb runbook.Rollback, q runbook.Asking) [][]span {
	does := map[runbook.Answer]string{
		runbook.ErrorRateBaseline: "the rollback has succeeded, and its record is posted. For requesters and leads.",
		runbook.ErrorRateElevated: "the step has failed; you are asked what to do. For requesters and leads.",
		runbook.Retry:             "every host is looked at, and the step is done again with the same images on those that are not right yet: the others are left alone. For requesters and leads.",
		runbook.RollForward:       "every host goes back to " + fromName(rb.Plan) + ", from which it started. For leads, as a sign-off of its own. About the schema was signed: " + signedText(rb) + ".",
		runbook.Abort:             abortText(rb),
	}
	var points [][]span
	for _, answer := range q.Answers {
		points = append(points, []span{bold(buttonTexts[answer] + ": "), words(does[answer])})
	}
	return points
}

func abortText(rb runbook.Rollback) string {
	who := " For who asked, and for leads."
	if rb.Touched() {
		return "it ends here, and every host stays as it is now." + who
	}
	return "it ends here: no container was replaced, and pins that were written go back." + who
}

// afterDeadline is what no answer means.
func afterDeadline(q runbook.Asking) string {
	if q.Kind == runbook.AskErrorRate {
		return "without an answer the record says that nobody judged the error rate."
	}
	return "without an answer the rollback ends as failed, and every host stays as it is."
}
