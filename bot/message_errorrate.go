package bot

import (
	"slices"

	"rollbackbot/runbook"
)

// uploaded is a picture that Slack has; zero: there is none.
type uploaded struct {
	file string // its ID
	alt  string // what it shows, in words
}

var errorRateTitles = map[runbook.RateVerdict]string{
	runbook.RateBack:     "The error rate is back at its baseline",
	runbook.RateElevated: "The error rate is still elevated",
	runbook.RateNoData:   "The error rate could not be judged",
}

// sayRate says what the error rate came to in the last window; nothing where the bot didn't read it.
func sayRate(d *draft, rb runbook.Rollback) {
	for _, run := range slices.Backward(rb.Steps) {
		if run.Rate != nil {
			d.field("Error rate", words(run.Rate.Describe(rb.Baseline)))
			return
		}
	}
}

// errorRateMessage is what the error rate came to in a run of its step, for the thread.
func errorRateMessage(rb runbook.Rollback, run runbook.StepRun, picture uploaded) Message {
	d := newDraft()
	if run.Rate == nil {
		return TextMessage(rb.ID + " has no judgement of the error rate.")
	}
	d.header(errorRateTitles[run.Rate.Verdict])
	if run.Rate.Missing != "" {
		d.field("Missing", words(closed(runbook.Truncate(run.Rate.Missing, maxSentence))))
	}
	d.say(words(sentence(run.Rate.Describe(rb.Baseline))))
	if picture.file != "" {
		d.picture(picture.file, picture.alt)
	}
	d.note(rb.ID)
	return d.message()
}
