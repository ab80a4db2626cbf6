package bot

import "rollbackbot/runbook"

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
