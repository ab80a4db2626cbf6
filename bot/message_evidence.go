package bot

import "rollbackbot/runbook"

// roomEvidence is how many characters of a message the runbook's criteria may take.
const roomEvidence = 1200

// heldWords say how a criterion stands.
var heldWords = map[runbook.Held]string{
	runbook.HeldYes: "yes", runbook.HeldNo: "no", runbook.HeldNotMeasured: "not measured", runbook.HeldByPeople: "for people to say",
}

// sayEvidence shows the runbook's criteria for rolling back, with their values as they stood when the plan was made.
func sayEvidence(d *draft, evidence []runbook.Criterion) {
	if len(evidence) == 0 {
		return // a plan of an older version
	}
	var points [][]span
	for _, c := range evidence {
		held := orElse(heldWords[c.Held], string(c.Held))
		points = append(points, []span{words(c.Name.Text() + ": "), bold(held), words(", " + runbook.Truncate(c.Detail, 300))})
	}
	d.field("When to roll back, as the runbook has it")
	d.pointsWithin(roomEvidence, points)
}
