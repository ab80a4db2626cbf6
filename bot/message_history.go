package bot

import (
	"fmt"
	"maps"
	"slices"

	"rollbackbot/runbook"
)

// maxListed is how many releases or rollbacks a private answer lists.
const maxListed = 20

// HistoryMessage lists an app's releases, the one that went live last first, and its rollbacks, given oldest first. apart
// says what the hosts run where that isn't one known release; empty where it is.
func HistoryMessage(app, apart string, releases []runbook.Release, rollbacks []runbook.Past) Message {
	d := newDraft()
	d.header("History of " + app)
	if apart != "" {
		d.field("The hosts don't all run one known release", words(runbook.Truncate(apart, 1000)))
	}
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
		point := []span{words(runbook.Truncate(runbook.Describe(r), 350) + ", migration " + string(r.Migration))}
		if r.URL != "" {
			point = append(point, words(", "), link(r.URL, "its deployment"))
		}
		points = append(points, point)
	}
	d.points(points)
	d.field("Rollbacks, the latest first")
	d.points(rollbackPoints(rollbacks))
	if len(rollbacks) == 0 {
		d.say(words("None yet."))
	}
	return d.message()
}

func rollbackPoints(rollbacks []runbook.Past) [][]span {
	var points [][]span
	for i, rb := range slices.Backward(rollbacks) {
		if len(points) == maxListed {
			return append(points, []span{words(fmt.Sprintf("… %d more", i+1))})
		}
		state := "under way"
		if rb.Outcome != "" {
			state = outcomeText(rb.Outcome)
		}
		from, to := shownName(orElse(rb.From, whatRuns)), shownName(rb.To)
		points = append(points, []span{code(rb.ID), words(" " + instant(rb.At) + ", " + from + " to " + to + ": " + state)})
	}
	return points
}

// QuarantineMessage lists the blocked images of each app, by digest, with the rollback that blocked them.
func QuarantineMessage(blocked map[string]map[runbook.Digest]string) Message {
	d := newDraft()
	d.header("Quarantine")
	empty := true
	for _, app := range slices.Sorted(maps.Keys(blocked)) {
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

// liftMessage tells the channel that an image may be deployed again.
func liftMessage(l runbook.Lift) Message {
	d := newDraft()
	d.header("Quarantine lifted: " + l.App)
	d.say(code(string(l.Digest)), words(" is not quarantined any more: it may be deployed again."))
	d.field("Lifted by", person(l.By), words(", "+instant(l.At)))
	d.field("Because", words(runbook.Truncate(l.Cause, maxReason)))
	return d.message()
}
