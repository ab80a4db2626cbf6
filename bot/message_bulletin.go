package bot

import (
	"fmt"

	"github.com/slack-go/slack"

	"rollbackbot/runbook"
)

// bulletinMessage is a message about an app that belongs to no rollback.
func bulletinMessage(b runbook.Bulletin) Message {
	d := newDraft()
	switch {
	case b.Suggestion != nil:
		saySuggestion(d, b)
	case b.Drift != nil:
		sayDrift(d, b)
	}
	m := d.message()
	m.Metadata = slack.SlackMetadata{EventType: eventNotice, EventPayload: map[string]any{"app": b.App, "key": b.Key}}
	return m
}

func saySuggestion(d *draft, b runbook.Bulletin) {
	d.header(fmt.Sprintf("Roll back %s?", b.App))
	if b.Withdrawn != "" {
		d.say(bold("Not suggested any more: "), words(closed(b.Withdrawn)))
	} else {
		d.say(words(fmt.Sprintf("%s meets a criterion of the runbook for rolling back. The bot only suggests it: nothing happens unless somebody asks for it.", shownName(b.Running.Name()))))
	}
	d.field("Runs since", words(instant(b.Running.UpAt)))
	sayEvidence(d, b.Suggestion.Evidence)
	d.field("A rollback would go to", words(runbook.Truncate(runbook.Describe(b.Target), 250)))
	if b.Withdrawn == "" {
		d.suggestion(b)
		d.field("The button asks for the same, in your name, as", code(suggestedCommand(b.App).Line()))
	}
	d.note("Seen at " + instant(b.At))
}

// suggestedReason stands for the person's words where they pressed the button: what holds joins it in the record.
const suggestedReason = "the bot suggested it"

// suggestedCommand is what pressing the button asks for.
func suggestedCommand(app string) Command {
	return Command{Verb: VerbRollback, App: app, Reason: suggestedReason}
}

// maxDrift is how many characters of a message the points of drift may take.
const maxDrift = 5000

func sayDrift(d *draft, b runbook.Bulletin) {
	d.header(b.App + ": the hosts are not as they should be")
	d.say(words("Nobody is rolling back, and nothing has changed for a while. This is said once."))
	var points [][]span
	for _, p := range b.Drift.Points {
		points = append(points, []span{bold(string(p.Host)), words(": " + runbook.Truncate(p.Text, 400))})
	}
	d.pointsWithin(maxDrift, points)
	d.note("Seen at " + instant(b.At))
}
