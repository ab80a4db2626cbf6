package bot

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"rollbackbot/runbook"
)

// TextMessage is a text as a message: parts in `backquotes` are code, <@U1> is that person's name, and nothing else has
// a meaning, whoever typed it.
func TextMessage(text string) Message {
	d := newDraft()
	var spans []span
	for i, part := range strings.Split(text, "`") {
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
	d.say(words("The rollback of "), bold(rb.App), words(" to "+rb.Plan.Target.Name()+" is "), code(rb.ID), words("."+next))
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
		return outcomeWords[rb.Outcome] + ", at " + instant(rb.EndedAt) + ". " + sentence(rb.Why)
	case rb.AbortedBy != "":
		return "It stops at the next safe point: somebody asked to abort."
	case open != nil && open.Kind == runbook.AskSignoff:
		return "It waits for a lead's sign-off until " + instant(open.Deadline) + "."
	case open != nil && open.Kind == runbook.AskConfirm:
		return "It waits for who asked to confirm, until " + instant(open.Deadline) + "."
	case open != nil:
		return questionTitle(rb, *open) + " It waits for an answer in its thread until " + instant(open.Deadline) + "."
	case len(rb.Steps) > 0:
		return "Under way: " + rb.Steps[len(rb.Steps)-1].Step.Title() + "."
	}
	return "It is signed off and about to begin."
}

// StatusMessage says how rollbacks stand. links lead to their messages, by ID; a missing one is left out.
func StatusMessage(rollbacks []runbook.Rollback, links map[string]string) Message {
	d := newDraft()
	if len(rollbacks) == 0 {
		d.say(words("No rollback is open."))
	}
	for _, rb := range rollbacks {
		if d.full() {
			break
		}
		d.say(bold(rb.App+" "), code(rb.ID), words(": from "+fromName(rb.Plan)+" to "+rb.Plan.Target.Name()+", asked for by "), person(rb.Request.By), words(" at "+instant(rb.Request.At)))
		d.say(named(stateText(rb), known(rb)...)...)
		if len(rb.Hosts) > 0 {
			d.points(hostPoints(rb))
		}
		sayLink(d, links[rb.ID])
	}
	return d.message()
}

// maxListed is how many releases or rollbacks a private answer lists.
const maxListed = 20

// HistoryMessage lists an app's releases, the one that went live last first, and its rollbacks, given oldest first.
func HistoryMessage(app string, releases []runbook.Release, rollbacks []runbook.Rollback) Message {
	d := newDraft()
	d.header("History of " + app)
	d.field("Releases, the latest first")
	if len(releases) == 0 {
		d.say(words("None is known yet. The bot notes what it sees running; `rollbackbot deployed` notes more."))
	}
	var points [][]span
	for i, r := range releases {
		if i == maxListed {
			points = append(points, []span{words(fmt.Sprintf("… %d more: ", len(releases)-maxListed)), code("rollbackbot history " + app)})
			break
		}
		points = append(points, []span{words(runbook.Describe(r) + ", migration " + string(r.Migration))})
	}
	d.points(points)
	d.field("Rollbacks, the latest first")
	d.points(rollbackPoints(rollbacks))
	if len(rollbacks) == 0 {
		d.say(words("None yet."))
	}
	return d.message()
}

func rollbackPoints(rollbacks []runbook.Rollback) [][]span {
	var points [][]span
	for i, rb := range slices.Backward(rollbacks) {
		if len(points) == maxListed {
			return append(points, []span{words(fmt.Sprintf("… %d more", i+1))})
		}
		state := string(rb.State)
		if rb.State == runbook.StateEnded {
			state = outcomeWords[rb.Outcome]
		}
		points = append(points, []span{code(rb.ID), words(" " + instant(rb.Request.At) + ", " + fromName(rb.Plan) + " to " + rb.Plan.Target.Name() + ": " + state)})
	}
	return points
}

// QuarantineMessage lists the blocked images of each app, by digest, with the rollback that blocked them.
func QuarantineMessage(blocked map[string]map[runbook.Digest]string) Message {
	d := newDraft()
	d.header("Quarantine")
	empty := true
	for _, app := range sortedApps(blocked) {
		if len(blocked[app]) == 0 {
			continue
		}
		empty = false
		d.field(app)
		var points [][]span
		for _, digest := range slices.Sorted(maps.Keys(blocked[app])) {
			points = append(points, []span{code(string(digest)), words(", blocked by " + blocked[app][digest])})
		}
		d.points(points)
	}
	if empty {
		d.say(words("Nothing is quarantined."))
	} else {
		d.say(words("A lead lifts it when the cause is found: "), code(slash+" lift sha256:… because https://…"))
	}
	return d.message()
}

// helpLines are every command with what it does.
var helpLines = [][2]string{
	{slash, "opens the form"},
	{slash + " shop because checkout answers 500", "asks for a rollback of shop to the last known-good release"},
	{slash + " shop to v41 migration yes owner @ana because checkout answers 500", "the same with all clauses; they come in any order, “because” takes the rest"},
	{slash + " shop to sha256:0123456789ab", "a release by 12 or more digits of one of its digests; “to” also takes an ID from the history"},
	{slash + " shop to api=NAME@sha256:… worker=NAME@sha256:… web=NAME@sha256:…", "image by image; every service is named"},
	{slash + " plan shop to v41", "what a rollback would do, commands included; changes nothing"},
	{slash + " status", "what is open; “status shop” and “status rb-…” tell more"},
	{slash + " history shop", "the releases to go to, and former rollbacks"},
	{slash + " abort rb-…", "stops a rollback at the next safe point; for who asked, and for leads"},
	{slash + " quarantine shop", "images that may not be deployed again yet"},
	{slash + " lift sha256:… because https://…", "a lead lets an image be deployed again, with the postmortem's link"},
	{slash + " doctor", "everything that a rollback tonight would need"},
	{slash + " help", "this list"},
}

// HelpMessage lists every command with an example.
func HelpMessage() Message {
	d := newDraft()
	d.header("What you can type")
	var points [][]span
	for _, line := range helpLines {
		points = append(points, []span{code(line[0]), words(": " + line[1])})
	}
	d.points(points)
	d.say(words("Nothing runs on the mere command: a lead signs off, or, where no migration is possible, you confirm with a button. Without a reason it is “" + runbook.NotGiven + "”, without an owner it is you."))
	return d.message()
}
