package bot

import (
	"fmt"

	"rollbackbot/runbook"
)

// maxExamination is how many characters of a message the troubles may take.
const maxExamination = 6000

// examinationMessage tells the channel what the daily checkup found wrong, or that all is well again.
func examinationMessage(e runbook.Examination) Message {
	d := newDraft()
	if len(e.Wrong) == 0 {
		d.header("A rollback would work again")
		d.say(words("The daily checkup finds nothing wrong any more."))
		d.note("Seen at " + instant(e.At))
		return d.message()
	}
	d.header("A rollback tonight would not work as it should")
	d.say(words("This is all that the daily checkup finds wrong. It is said again only when it changes."))
	var points [][]span
	for _, t := range e.Wrong {
		point := []span{bold(t.About), words(": " + closed(t.Seen))}
		if t.Remedy != "" {
			point = append(point, words(" "+closed(t.Remedy)))
		}
		points = append(points, point)
	}
	d.pointsWithin(maxExamination, points)
	if e.More > 0 {
		d.say(words(fmt.Sprintf("And more: %d.", e.More)))
	}
	d.say(words("Look again: "), code(slash+" doctor"), words(", or "), code("rollbackbot doctor"), words(" in a terminal, which shows every line."))
	d.note("Seen at " + instant(e.At))
	return d.message()
}
