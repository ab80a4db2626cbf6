package bot

import (
	"slices"
	"strings"

	"rollbackbot/runbook"
)

// TextMessage is a text as a message: parts in `backquotes` are code, <@U1> is that person's name, and nothing else has
// a meaning, whoever typed it.
func TextMessage(text string) Message {
	d := newDraft()
	var spans []span
	parts := strings.Split(text, "`")
	if len(parts)%2 == 0 {
		parts = []string{text} // a backquote without its pair stays what it is
	}
	for i, part := range parts {
		if i%2 == 1 {
			spans = append(spans, code(part))
			continue
		}
		spans = append(spans, anyNamed(part)...)
	}
	d.say(spans...)
	return d.message()
}

// anyNamed names everybody whom a text mentions: only where one person alone reads it, so that nobody is called.
func anyNamed(text string) []span {
	var ids []string
	for _, at := range mention.FindAllStringSubmatch(text, -1) {
		ids = append(ids, at[1])
	}
	return named(text, ids...)
}

// RequestedMessage tells who asked for a rollback that it was taken. link leads to its message; empty while there is none.
func RequestedMessage(rb runbook.Rollback, address string) Message {
	d := newDraft()
	next := " A lead has to sign it off."
	if open := rb.Question(); open != nil && open.Kind == runbook.AskConfirm {
		next = " Confirm it there with the button: nothing runs before that."
	}
	d.say(words("The rollback of "), bold(rb.App), words(" to "+targetName(rb.Plan)+" is "), code(rb.ID), words("."+next))
	sayLink(d, address)
	return d.message()
}

func sayLink(d *draft, address string) {
	if address != "" {
		d.say(link(address, "Its message"))
	}
}

// BusyMessage tells that an app has a rollback open: who has it, since when, and how it stands. link leads to its message.
func BusyMessage(rb runbook.Rollback, address string) Message {
	d := newDraft()
	d.say(bold(rb.App), words(" has the rollback "), code(rb.ID), words(" open, asked for by "), person(rb.Request.By),
		words(" at "+instant(rb.Request.At)+". "+stateText(rb)+" One runs at a time: wait for its end, or abort it."))
	sayLink(d, address)
	return d.message()
}

// stateText is how a rollback stands, in a sentence or two.
func stateText(rb runbook.Rollback) string {
	open := rb.Question()
	switch {
	case rb.State == runbook.StateEnded:
		return outcomeText(rb.Outcome) + ", at " + instant(rb.EndedAt) + ". " + sentence(runbook.Truncate(rb.Why, maxSentence))
	case rb.AbortedBy != "":
		return "It stops at the next safe point: somebody asked to abort."
	case open != nil && open.Kind == runbook.AskSignoff:
		return "It waits for a lead's sign-off until " + instant(open.Deadline) + "."
	case open != nil && open.Kind == runbook.AskConfirm:
		return "It waits for who asked to confirm, until " + instant(open.Deadline) + "."
	case open != nil:
		return closed(questionTitle(rb, *open)) + " It waits for an answer in its thread until " + instant(open.Deadline) + "."
	case len(rb.Steps) > 0:
		return "Under way: " + rb.Steps[len(rb.Steps)-1].Step.Title() + "."
	}
	return "It is signed off and about to begin."
}

// StatusMessage says how one rollback stands. address leads to its message; empty while there is none.
func StatusMessage(rb runbook.Rollback, abandoned bool, address string) Message {
	d := newDraft()
	sayStatus(d, rb)
	sayTimes(d, rb)
	if abandoned {
		sayAbandoned(d, rb)
	}
	if len(rb.Hosts) > 0 {
		d.field("The hosts, when last looked at")
		d.pointsWithin(2*roomHosts, hostPoints(rb))
	}
	sayLink(d, address)
	return d.message()
}

func sayStatus(d *draft, rb runbook.Rollback) {
	d.say(bold(rb.App+" "), code(rb.ID), words(": from "+fromName(rb.Plan)+" to "+targetName(rb.Plan)+", asked for by "), person(rb.Request.By), words(" at "+instant(rb.Request.At)))
	d.say(named(stateText(rb), known(rb)...)...)
}

// sayAbandoned says why a rollback stands still, and what to do.
func sayAbandoned(d *draft, rb runbook.Rollback) {
	d.say(bold("Nobody carries this rollback: "), code(rb.App), words(" is not in "), code("ROLLBACK_APPS"),
		words(" any more. Put it back there and start the bot again: the rollback then goes on, and can be stopped."))
}

// OverviewMessage says how the last rollback of each app stands; apps without one are named too. abandoned are the open
// ones of apps that are not configured.
func OverviewMessage(apps []string, last, abandoned []runbook.Rollback) Message {
	d := newDraft()
	for _, rb := range abandoned {
		sayStatus(d, rb)
		sayAbandoned(d, rb)
	}
	for _, app := range apps {
		i := slices.IndexFunc(last, func(rb runbook.Rollback) bool { return rb.App == app })
		if i < 0 {
			d.say(bold(app), words(": no rollback yet."))
			continue
		}
		sayStatus(d, last[i])
	}
	if len(apps) == 0 {
		d.say(words("No app is configured."))
	}
	return d.message()
}
