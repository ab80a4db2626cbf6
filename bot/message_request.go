package bot

import (
	"fmt"
	"time"

	"github.com/slack-go/slack"

	"rollbackbot/runbook"
)

// view is what a message needs besides the rollback.
type view struct {
	leads    []string    // IDs of users and user groups who may sign off
	deputies []string    // likewise, once they are asked
	app      runbook.App // as configured
	now      time.Time
}

// requestMessage is the one message per rollback, as it stands now. What a person needs who was woken up comes first: how
// it stands and who is waited for, from what to what, why, what to mind, and the buttons; then what can be looked up.
func requestMessage(rb runbook.Rollback, live runbook.Live, v view) Message {
	d := newDraft()
	d.header(fmt.Sprintf("Roll back %s to %s", rb.App, targetName(rb.Plan)))
	sayDrill(d, rb)
	sayState(d, rb, v)
	sayProgress(d, rb, live, v)
	sayAnswers(d, rb)
	sayTimes(d, rb)
	sayRequest(d, rb)
	sayWarnings(d, rb.Plan)
	sayMigration(d, rb)
	d.buttons(requestButtons(rb)...)
	rule(d)
	sayEvidence(d, rb.Plan.Evidence)
	sayDetails(d, rb)
	sayQuarantine(d, rb)
	sayFetched(d, rb)
	d.field("Plan", words("SHA-256 "), code(rb.Plan.Hash()))
	d.note(rb.ID + " · the exact commands are in the thread, and so is every question")
	m := d.message()
	m.Metadata = slack.SlackMetadata{EventType: eventRequest, EventPayload: map[string]any{"rollback": rb.ID, "app": rb.App, "plan": rb.Plan.Hash()}}
	return m
}

// maxHosts is how many hosts the request names before it counts the rest.
const maxHosts = 12

// sayRequest says who wants what, and why.
func sayRequest(d *draft, rb runbook.Rollback) {
	d.field("From", words(fromName(rb.Plan)))
	d.field("To", words(targetText(rb.Plan, rb.Request.At)))
	d.field("Asked for by", person(rb.Request.By), words(" at "+instant(rb.Request.At)))
	d.field("Reason")
	d.quote(shownReason(rb))
}

// sayDetails says image by image and host by host what that comes to.
func sayDetails(d *draft, rb runbook.Rollback) {
	d.field("Image by image")
	d.pointsWithin(roomMoves, moves(rb.Plan))
	d.field(count(len(rb.Plan.Hosts), "host"), words(some(hostNames(rb.Plan), maxHosts)))
	d.field("Owner of the follow-up", person(rb.Request.Owner))
}

// sayTimes says at the end how long it took.
func sayTimes(d *draft, rb runbook.Rollback) {
	if rb.State == runbook.StateEnded {
		d.field("How long it took", words(durations(rb)))
	}
}

// rule is a line across: what comes below it can be looked up, and need not be read.
func rule(d *draft) { d.blocks = append(d.blocks, slack.NewDividerBlock()) }

// sayState says how it stands and who is waited for.
func sayState(d *draft, rb runbook.Rollback, v view) {
	open := rb.Question()
	switch {
	case rb.State == runbook.StateEnded:
		d.say(append([]span{bold(outcomeText(rb.Outcome) + ". ")}, named(sentence(runbook.Truncate(rb.Why, maxSentence)), known(rb)...)...)...)
	case rb.AbortedBy != "":
		d.say(bold("Stopping at the next safe point: "), person(rb.AbortedBy), words(" asked to abort."))
	case open == nil && rb.State == runbook.StateSignedOff:
		d.say(bold("Signed off. "), words("It begins now."))
	case open == nil:
		d.say(bold(goingText(rb)), words("."))
	default:
		sayOpen(d, rb, *open, v)
	}
}

func goingText(rb runbook.Rollback) string {
	if rb.Direction == runbook.Forward {
		return "Going back to what ran before"
	}
	return "Rolling back"
}

func sayOpen(d *draft, rb runbook.Rollback, open runbook.Asking, v view) {
	limit := " until " + until(open.Deadline, v.now)
	switch open.Kind {
	case runbook.AskSignoff:
		d.say(append([]span{bold("Waiting" + limit + " for an engineering lead: ")}, append(people(v.leads), words("."))...)...)
		d.say(sinceWhen(open, v)...)
		d.say(words("Why a lead: " + closed(runbook.Truncate(open.Text, maxSentence))))
		sayHalves(d, open)
	case runbook.AskConfirm:
		d.say(bold("Waiting"+limit+" for "), person(rb.Request.By), bold(" to confirm."))
		d.say(sinceWhen(open, v)...)
	default:
		d.say(bold("Waiting"+limit+" for an answer in the thread: "), words(questionTitle(rb, open)))
		d.say(sinceWhen(open, v)...)
	}
	if revised(rb) {
		d.say(words("This is the plan as it is now; a sign-off of an earlier one does not count. " + sentence(runbook.Truncate(orElse(rb.Replanned, "it has changed since it was first shown"), maxSentence))))
	}
}

// revised reports whether the plan replaced an earlier one.
func revised(rb runbook.Rollback) bool {
	for _, q := range rb.Questions {
		if q.Void || q.Plan != rb.Plan.Hash() && q.Kind == runbook.AskSignoff {
			return true
		}
	}
	return false
}

// sayQuarantine says what becomes of the images that are replaced.
func sayQuarantine(d *draft, rb runbook.Rollback) {
	switch {
	case rb.Drill():
	case rb.Touched():
		d.field("Quarantine", words("the images that are replaced may not be deployed again before the cause is found, unless another known-good release has them too."))
	case rb.State != runbook.StateEnded:
		d.field("Quarantine", words("from the first replaced container on, the replaced images may not be deployed again before the cause is found."))
	}
}

// sayFetched says how far the images are that some host lacks.
func sayFetched(d *draft, rb runbook.Rollback) {
	if rb.State != runbook.StateRequested || len(rb.Plan.Missing) == 0 {
		return
	}
	var points [][]span
	for _, h := range rb.Plan.Hosts {
		missing := rb.Plan.Missing[h.Host]
		if len(missing) == 0 {
			continue
		}
		state := "is fetching " + count(len(missing), "image") + " already, while this is decided"
		if fetched, ok := rb.Fetched[h.Host]; ok {
			state = "has fetched " + count(len(missing), "image") + ": all are there"
			if fetched.Problem != "" {
				state = "could not fetch its missing images; it is tried again after the sign-off: " + runbook.Truncate(fetched.Problem, 300)
			}
		}
		points = append(points, []span{bold(string(h.Host)), words(" " + state)})
	}
	d.field("Missing images")
	d.pointsWithin(roomFetched, points)
}

// sayAnswers says who answered what, and when.
func sayAnswers(d *draft, rb runbook.Rollback) {
	var points [][]span
	for _, q := range rb.Questions {
		switch {
		case q.Answer != "":
			points = append(points, append(whoAnswered(q), words(" "+answerWords[q.Answer]+", at "+instant(q.AnsweredAt))))
			for _, h := range q.Halves {
				if len(q.Together) > 0 {
					points = append(points, []span{words("The reason of "), person(h.By), words(": " + h.Reason)})
				}
			}
		case q.Expired:
			points = append(points, []span{words("Nobody answered by " + instant(q.Deadline))})
		}
	}
	if len(points) > 0 {
		d.field("Decided")
		d.pointsWithin(roomAnswers, points)
	}
}

func sayProgress(d *draft, rb runbook.Rollback, live runbook.Live, v view) {
	if len(rb.Steps) == 0 && rb.State != runbook.StateSignedOff {
		return
	}
	title := "Steps"
	if rb.Direction == runbook.Forward {
		title = "Steps back to what ran before"
	}
	d.field(title)
	d.pointsWithin(roomSteps, stepPoints(rb, live, v))
}
