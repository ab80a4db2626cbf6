package bot

import (
	"time"

	"rollbackbot/runbook"
)

// A drill is carried by the process of its own that began it, with a journal of its own. Slack brings what people say to
// any process that listens, so that it all goes into the one inbox; there each desk takes what it is for.

// drillPatience is how long what is about a drill is left to the drill's process, which looks every deskInterval.
const drillPatience = 20 * time.Second

// drillOver is for whoever presses a button of a drill whose process is gone.
const drillOver = "That belongs to a drill, and the program that began it has ended. Nothing was done. `rollbackbot drill APP` begins another."

// leaves reports whether an errand is left in the inbox for another process.
func (d *Desk) leaves(e errand) bool {
	drill := e.drill()
	if d.Drill != "" {
		return drill != d.Drill
	}
	return drill != "" && time.Since(e.delivery.At) < drillPatience
}

// drillOf is the drill that a delivery is about; empty: it is about none.
func drillOf(d runbook.Delivery) string {
	e := readErrand(d)
	return e.drill()
}
