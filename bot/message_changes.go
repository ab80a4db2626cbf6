package bot

import "rollbackbot/runbook"

// sayChanges says what lies between the release to go to and the one that runs: the commits, and what the migrations in
// between do by their syntax. rest is where all of them are.
func sayChanges(d *draft, p runbook.Plan, rest ...span) {
	c := p.Changes
	text := c.Summary()
	if text == "" {
		return
	}
	spans := []span{words(closed(runbook.Truncate(text, 700)) + " ")}
	if c.URL != "" {
		spans = append(spans, link(c.URL, "Compare"))
	}
	d.field("Between "+runbook.Truncate(p.Target.Name(), 60)+" and "+runbook.Truncate(orElse(p.Running, "what runs"), 60), spans...)
	if c.Late {
		d.say(words("The repository has not told everything yet. It is asked on; what it tells makes a new plan, with new buttons."))
	}
	d.pointsWithin(roomMigrations, migrationPoints(c.Migrations[:min(len(c.Migrations), runbook.ShownMigrations)]))
	if n := len(c.Migrations) - runbook.ShownMigrations; n > 0 {
		d.say(append([]span{words("… and " + count(n, "migration file") + " more, none of them worse: all are ")}, rest...)...)
	}
}

func migrationPoints(migrations []runbook.MigrationChange) [][]span {
	var points [][]span
	for _, m := range migrations {
		points = append(points, []span{words(runbook.Truncate(m.Text(), 420))})
	}
	return points
}

// roomAllMigrations leaves room for what stands around the list of all migrations.
const roomAllMigrations = 10_500

// changesMessage is every migration file between the two releases, for the thread of the request.
func changesMessage(rb runbook.Rollback) Message {
	d := newDraft()
	migrations := rb.Plan.Changes.Migrations
	d.field("All "+count(len(migrations), "migration file")+" between the two releases", words("the worst first, each with the first of its worst statements"))
	limit := max(roomAllMigrations/len(migrations)-8, 100)
	var points [][]span
	for _, m := range migrations {
		points = append(points, []span{words(runbook.Truncate(m.Text(), limit))})
	}
	d.pointsWithin(roomAllMigrations, points)
	d.field("The same in a terminal", code(planCommand(rb.Request)))
	d.field("Plan", words("SHA-256 "), code(rb.Plan.Hash()))
	return d.message()
}
