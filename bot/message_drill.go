package bot

import (
	"github.com/slack-go/slack"

	"rollbackbot/runbook"
)

// The event types of a drill's messages: programs that read records must not take one for a rollback that was.
const (
	eventDrillRequest = "rollback_drill_request"
	eventDrillRecord  = "rollback_drill_record"
)

// eventOf is the event type of a rollback's request or record.
func eventOf(rollback, event string) string {
	switch {
	case !runbook.IsDrill(rollback):
	case event == eventRequest:
		return eventDrillRequest
	case event == eventRecord:
		return eventDrillRecord
	}
	return event
}

// drillWords stand before everything that a drill says.
const drillWords = "DRILL: "

// marked gives a message about a drill its mark: before its title, before its text for notifications, and in every dialog
// that asks before a click counts.
func marked(rollback string, m Message) Message {
	if !runbook.IsDrill(rollback) {
		return m
	}
	m.Text = cutText(drillWords + "nothing is changed on any host. " + m.Text)
	m.Metadata.EventType = eventOf(rollback, m.Metadata.EventType)
	header := false
	for _, block := range m.Blocks {
		switch b := block.(type) {
		case *slack.HeaderBlock:
			if !header {
				header, b.Text = true, plain(drillWords+b.Text.Text, maxHeader)
			}
		case *slack.ActionBlock:
			for _, e := range b.Elements.ElementSet {
				if button, ok := e.(*slack.ButtonBlockElement); ok && button.Confirm != nil {
					button.Confirm.Title = plain(drillWords+button.Confirm.Title.Text, maxConfirmTitle)
				}
			}
		}
	}
	if !header && len(m.Blocks) > 0 {
		title := slack.NewHeaderBlock(plain(drillWords+"nothing is changed on any host", maxHeader))
		title.BlockID = "drill-" + m.Blocks[0].ID()
		m.Blocks = append([]slack.Block{title}, m.Blocks[:min(len(m.Blocks), maxBlocks-1)]...)
	}
	return m
}

// sayDrill says what a drill is, and at its end what it leaves unproven; nothing of a real rollback.
func sayDrill(d *draft, rb runbook.Rollback) {
	if !rb.Drill() {
		return
	}
	d.say(bold("This is a drill. "), words("Every command that would change something on a host is printed in the terminal that began it, and taken as done. What stands here of hosts and containers is as it would be."))
	if rb.State != runbook.StateEnded {
		return
	}
	d.field("What the drill did not prove")
	var points [][]span
	for _, text := range rb.NotProven() {
		points = append(points, []span{words(closed(text))})
	}
	d.points(points)
}
