package bot

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"rollbackbot/runbook"
)

// instant is a point in time as messages give it. All times are UTC: the team may sit in several zones, and the journal,
// the logs and the hosts are in UTC too.
func instant(t time.Time) string {
	if t.IsZero() {
		return "not known"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// until is a deadline: the date only where it isn't today's.
func until(t, now time.Time) string {
	if t.UTC().Format(time.DateOnly) == now.UTC().Format(time.DateOnly) {
		return t.UTC().Format("15:04 UTC")
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// took is a length of time in its two largest units.
func took(d time.Duration) string {
	d = max(d, 0).Round(time.Second)
	days, hours, minutes, seconds := int(d.Hours())/24, int(d.Hours())%24, int(d.Minutes())%60, int(d.Seconds())%60
	switch {
	case days > 0:
		return twoUnits(days, "d", hours, "h")
	case hours > 0:
		return twoUnits(hours, "h", minutes, "min")
	case minutes > 0:
		return twoUnits(minutes, "min", seconds, "s")
	}
	return fmt.Sprintf("%d s", seconds)
}

func twoUnits(large int, unit string, small int, smallUnit string) string {
	if small == 0 {
		return fmt.Sprintf("%d %s", large, unit)
	}
	return fmt.Sprintf("%d %s %d %s", large, unit, small, smallUnit)
}

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// some joins the first names of a list and counts the rest.
func some(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// plainWord is a first word that may be written with a capital: no host, version or app's name with a colon behind it.
var plainWord = regexp.MustCompile(`^[a-z]+[ ,.]`)

// sentence makes a text stand for itself: a capital, and a full stop.
func sentence(text string) string {
	if text = strings.TrimSpace(text); plainWord.MatchString(text) {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	return closed(text)
}

// closed gives a text its full stop.
func closed(text string) string {
	if text == "" || strings.ContainsAny(text[len(text)-1:], ".!?:") {
		return text
	}
	return text + "."
}

// answerWords are what people pressed, as the record says it.
var answerWords = map[runbook.Answer]string{
	runbook.Confirm:           "confirmed the rollback",
	runbook.SignoffInPlace:    "signed off: the migration is left in place",
	runbook.SignoffReverted:   "signed off: the schema has been reverted",
	runbook.SignoffNone:       "signed off: there was no migration",
	runbook.SignoffReject:     "decided not to roll back",
	runbook.ErrorRateBaseline: "saw the error rate back at its baseline",
	runbook.ErrorRateElevated: "saw the error rate still elevated",
	runbook.Retry:             "had the step tried again",
	runbook.RollForward:       "signed off going back to what ran before",
	runbook.Abort:             "aborted",
}

// outcomeWords are the outcomes as people say them.
var outcomeWords = map[runbook.Outcome]string{
	runbook.Succeeded:     "Rolled back",
	runbook.Unconfirmed:   "Rolled back and healthy, error rate not confirmed",
	runbook.Failed:        "The rollback failed",
	runbook.RolledForward: "The rollback failed, what ran before runs again",
	runbook.Rejected:      "Not rolled back: rejected",
	runbook.Expired:       "Not rolled back: nobody answered in time",
	runbook.Aborted:       "The rollback was aborted",
}

// outcomeText is an outcome as people say it; one that this version doesn't know is given as it is.
func outcomeText(o runbook.Outcome) string {
	if text, ok := outcomeWords[o]; ok {
		return text
	}
	return orElse(string(o), "Not ended")
}

// known are the people whom a rollback's own sentences may name.
func known(rb runbook.Rollback) []string {
	ids := []string{rb.Request.By, rb.Request.Owner, rb.AbortedBy, rb.Signoff.By}
	for _, q := range rb.Questions {
		ids = append(append(ids, q.By), q.Together...)
	}
	for _, a := range rb.FollowUp.Askings {
		ids = append(ids, a.Owner, a.By)
	}
	return ids
}

// shownReason is a reason within what a message shows.
func shownReason(rb runbook.Rollback) string {
	return runbook.Truncate(orElse(rb.Request.Reason, runbook.NotGiven), maxReason)
}

// fromName is the release that a plan starts from.
func fromName(p runbook.Plan) string { return shownName(orElse(p.Running, whatRuns)) }

const whatRuns = "what runs now"

// targetName is the release that a plan goes to.
func targetName(p runbook.Plan) string { return shownName(p.Target.Name()) }

// shownName is a release's name within what a line can hold: CI makes it, of any length.
func shownName(name string) string { return runbook.Truncate(name, 80) }

// maxSentence bounds what the runbook says of a failure: hosts print any length.
const maxSentence = 700
