package bot

import (
	"fmt"
	"slices"
	"strings"

	"rollbackbot/runbook"
)

// planMessage has the exact commands, for the thread of the request.
func planMessage(rb runbook.Rollback) Message {
	d := newDraft()
	d.field("What will run", words("exactly these commands, host by host, each under the app's lock"))
	sayCommands(d, rb.Plan, rb.Request, maxCommands)
	if !rb.Drill() { // typed, it would ask for a rollback that is none
		d.field("The line that asks for the same", code(CommandOf(rb.Request).shortLine()))
	}
	d.field("Plan", words("SHA-256 "), code(rb.Plan.Hash()))
	return d.message()
}

// maxCommands is how much of a message commands may fill: what follows them has to fit too.
const maxCommands = 9000

// maxDryCommands is the same where a plan is explained before them.
const maxDryCommands = 2500

// sayCommands lists every command word for word. Hosts with the same commands share one list. Lines that don't fit are
// counted, with the command that prints them all.
func sayCommands(d *draft, p runbook.Plan, request runbook.Request, left int) {
	hidden := 0
	for _, g := range commandGroups(p) {
		fits := linesWithin(g.lines, left)
		if hidden > 0 || fits == 0 {
			hidden += len(g.lines)
			continue
		}
		hidden += len(g.lines) - fits
		d.say(bold("On "), words(runbook.Truncate(strings.Join(g.hosts, ", "), 1000)))
		for _, part := range chunks(g.lines[:fits]) {
			left -= len([]rune(part))
			d.output(part)
		}
	}
	if hidden > 0 {
		d.say(words(fmt.Sprintf("… %d more lines: ", hidden)), code(planCommand(request)))
	}
}

// planCommand prints the whole plan in a terminal.
func planCommand(request runbook.Request) string {
	text := "rollbackbot plan " + request.App
	if len(request.Images) == 0 && request.Release != "" && request.Release != runbook.Previous {
		text += " --to " + runbook.Quote(request.Release)
	}
	return text
}

// group is hosts on which the same is done.
type group struct {
	hosts []string
	lines []string
}

func commandGroups(p runbook.Plan) []group {
	var groups []group
	for _, h := range p.Hosts {
		lines := commandLines(h)
		i := slices.IndexFunc(groups, func(g group) bool { return slices.Equal(g.lines, lines) })
		if i < 0 {
			i = len(groups)
			groups = append(groups, group{lines: lines})
		}
		groups[i].hosts = append(groups[i].hosts, string(h.Host))
	}
	return groups
}

func commandLines(h runbook.HostPlan) []string {
	lines := []string{"# fetch, each unless the host has it"}
	for _, c := range h.Pulls {
		lines = append(lines, c.String())
	}
	lines = append(lines, "# write these lines into "+h.EnvFile)
	for _, pin := range h.Pins() {
		lines = append(lines, pin.Variable+"="+pin.Value)
	}
	lines = append(lines, "# prove that compose takes the images from there", h.Prove.String(), "# replace the containers", h.Up.String())
	if len(h.Restart.Args) > 0 {
		lines = append(lines, "# restart what depends on them", h.Restart.String())
	}
	return lines
}

// linesWithin is how many of the lines fit into so many characters.
func linesWithin(lines []string, room int) int {
	for i, line := range lines {
		if room -= len([]rune(line)) + 1; room < 0 {
			return i
		}
	}
	return len(lines)
}

// chunks joins lines into texts that one block takes; a line that is longer alone is cut with a mark.
func chunks(lines []string) []string {
	var out []string
	text := ""
	for _, line := range lines {
		line = runbook.Truncate(line, maxReason)
		if text != "" && len([]rune(text))+1+len([]rune(line)) > maxReason {
			out, text = append(out, text), ""
		}
		if text != "" {
			text += "\n"
		}
		text += line
	}
	if text != "" {
		out = append(out, text)
	}
	return out
}

// shortLine is the line with a reason that is cut where it is long: the message has the reason elsewhere.
func (c Command) shortLine() string {
	c.Reason = runbook.Truncate(c.Reason, 300)
	return unescape(c.Line())
}

// PlanMessage is a plan that nobody asked to carry out: a dry run. needsLead says why a lead would have to sign it off;
// empty where the requester's own confirmation would do.
func PlanMessage(p runbook.Plan, needsLead string, request runbook.Request) Message {
	d := newDraft()
	d.header(fmt.Sprintf("%s to %s: what a rollback would do", p.App, targetName(p)))
	d.say(words("Nothing was changed, and nobody was asked."))
	d.field("From", words(fromName(p)))
	d.field("To", words(targetText(p, request.At)))
	d.pointsWithin(roomMoves, moves(p))
	sayEvidence(d, p.Evidence)
	sayWarnings(d, p)
	if len(p.Migration.Releases) > 0 {
		d.field("Migration")
		d.pointsWithin(roomFacts, factPoints(p.Migration))
	}
	sayChanges(d, p, words("in "), code(planCommand(request)))
	if needsLead != "" {
		d.field("Sign-off", words("an engineering lead has to sign it off: "+closed(runbook.Truncate(needsLead, 500))))
	} else {
		d.field("Sign-off", words("who asks for it confirms it; no lead is needed."))
	}
	d.field("Plan", words("SHA-256 "), code(p.Hash()))
	d.field("The line that asks for it", code(CommandOf(request).shortLine()))
	sayCommands(d, p, request, maxDryCommands)
	return d.message()
}
