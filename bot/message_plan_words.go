package bot

import (
	"fmt"
	"slices"
	"time"

	"rollbackbot/runbook"
)

// How many characters of a message its lists may take, so that with a reason of full length all of it fits.
const (
	roomMoves      = 2200
	roomWarnings   = 1100
	roomFacts      = 700
	roomMigrations = 1500
	roomFetched    = 400
	roomAnswers    = 500
	roomSteps      = 1200
	roomHosts      = 2400
	roomImages     = 2300
)

// maxNamed is how many hosts a list names before it counts the rest: the thread has them all.
const maxNamed = 6

// moves says service by service where it goes and from what. Hosts that differ are named.
func moves(p runbook.Plan) [][]span {
	var points [][]span
	for _, service := range servicesOf(p) {
		points = append(points, moveOf(p, service))
	}
	return points
}

func servicesOf(p runbook.Plan) []string {
	var names []string
	for _, h := range p.Hosts {
		for _, s := range h.Services {
			if !slices.Contains(names, s.Service) {
				names = append(names, s.Service)
			}
		}
	}
	return names
}

// start is what some hosts run of one service.
type start struct {
	image runbook.Image // zero: not known
	text  string
	hosts []string
}

func moveOf(p runbook.Plan, service string) []span {
	to, starts := startsOf(p, service)
	out := []span{bold(service), words(": " + to.Name + ", from ")}
	for i, s := range starts {
		if i > 0 {
			out = append(out, words(", "))
		}
		out = append(out, code(s.text))
		if len(starts) > 1 {
			out = append(out, words(" on "+some(s.hosts, maxNamed)))
		}
	}
	out = append(out, words(" to "), code(to.Digest.Short()))
	if len(starts) == 1 && starts[0].image == to {
		out = append(out, words(" (unchanged)"))
	}
	return out
}

func startsOf(p runbook.Plan, service string) (to runbook.Image, starts []start) {
	for _, h := range p.Hosts {
		for _, s := range h.Services {
			if s.Service != service {
				continue
			}
			to = s.To
			this := start{image: s.From, text: startText(s)}
			i := slices.IndexFunc(starts, func(other start) bool { return other.image == this.image && other.text == this.text })
			if i < 0 {
				i = len(starts)
				starts = append(starts, this)
			}
			starts[i].hosts = append(starts[i].hosts, string(h.Host))
		}
	}
	return to, starts
}

func startText(s runbook.ServicePlan) string {
	switch {
	case !s.From.IsZero() && s.From.Name != s.To.Name:
		return s.From.Name + "@" + s.From.Digest.Short()
	case !s.From.IsZero():
		return s.From.Digest.Short()
	case s.FromNote != "":
		return "an image that is not known (" + runbook.Truncate(s.FromNote, 200) + ")"
	}
	return "an image that is not known"
}

// hostNames are all hosts that a plan acts on.
func hostNames(p runbook.Plan) []string {
	names := make([]string, len(p.Hosts))
	for i, h := range p.Hosts {
		names[i] = string(h.Host)
	}
	return names
}

// targetText says what people need to recognise the target by: its name, and its age at the time of the request.
func targetText(p runbook.Plan, asked time.Time) string {
	text := shownName(p.Target.Name())
	if p.Target.Version != "" {
		text += " (" + p.Target.ID + ")"
	}
	if last := p.Target.LastLiveAt; !last.IsZero() {
		text += ", went live " + instant(last) + ", " + took(asked.Sub(last)) + " before this request"
	}
	if p.Target.KnownGood() {
		return text + ", known-good"
	}
	return text + ", never seen healthy long enough to be known-good"
}

// guidance is the runbook's, word for word, for whoever has to decide.
const guidance = "Forward-compatible migrations (adding columns with defaults, adding tables) are usually safe to leave in place. " +
	"Destructive or breaking schema changes require an additional migration to restore the previous state."

// maxFacts is how many releases between target and present a message lists.
const maxFacts = 10

// sayMigration says what is stated and what is proven about migrations, and, while that is to be decided, what the
// runbook says of them.
func sayMigration(d *draft, rb runbook.Rollback) {
	stated := map[string]string{
		"yes":  "who asked says that the failed release had one",
		"none": "who asked says that the failed release had none; their word proves nothing",
	}
	d.field("Migration", words(orElse(stated[rb.Request.Migration], "who asked does not know whether the failed release had one")))
	facts := rb.Plan.Migration
	switch {
	case facts.None:
		d.say(words("Proven: no release after the target had a migration."))
	case !tellsOfOne(facts):
		d.say(words("Not proven that there was none: " + closed(runbook.Truncate(orElse(facts.Why, "nothing is known"), 500))))
	}
	d.pointsWithin(roomFacts, factPoints(facts))
	sayChanges(d, rb.Plan, words("in the thread."))
	if !facts.None && rb.State == runbook.StateRequested {
		d.say(words("The runbook: “" + guidance + "”"))
	}
}

// tellsOfOne reports whether a listed release is known to have had a migration: then the list says it all.
func tellsOfOne(facts runbook.MigrationFacts) bool {
	listed := facts.Releases[:min(len(facts.Releases), maxFacts)]
	return slices.ContainsFunc(listed, func(f runbook.ReleaseFact) bool { return f.Migration == runbook.MigrationYes })
}

func factPoints(facts runbook.MigrationFacts) [][]span {
	var points [][]span
	for i, f := range facts.Releases {
		if i == maxFacts {
			return append(points, []span{words(fmt.Sprintf("… %d more releases", len(facts.Releases)-maxFacts))})
		}
		points = append(points, []span{bold(runbook.Truncate(f.Release, 100)), words(": migration " + string(f.Migration) + " (" + runbook.Truncate(f.Source, 200) + ")")})
	}
	return points
}

// maxWarnings is how many warnings a message lists.
const maxWarnings = 10

// sayWarnings says what a person should know before signing.
func sayWarnings(d *draft, p runbook.Plan) {
	var points [][]span
	for i, e := range p.Excluded {
		if i == maxWarnings {
			points = append(points, []span{words(fmt.Sprintf("… and %d more hosts are left out", len(p.Excluded)-maxWarnings))})
			break
		}
		points = append(points, []span{bold(string(e.Host)), words(" is left out, as it is: " + runbook.Truncate(e.Why, 200))})
	}
	for i, w := range p.Warnings {
		if i == maxWarnings {
			points = append(points, []span{words(fmt.Sprintf("… and %d more warnings", len(p.Warnings)-maxWarnings))})
			break
		}
		points = append(points, []span{words(runbook.Truncate(w, 200))})
	}
	for _, text := range drifted(p) {
		points = append(points, []span{words(text)})
	}
	if len(points) > 0 {
		d.field("Before you decide")
		d.pointsWithin(roomWarnings, points)
	}
}

// drifted names services of which more than the image will change.
func drifted(p runbook.Plan) []string {
	hosts := map[string][]string{}
	for _, h := range p.Hosts {
		for _, s := range h.Services {
			if s.Drifted {
				hosts[s.Service] = append(hosts[s.Service], string(h.Host))
			}
		}
	}
	var out []string
	for _, service := range servicesOf(p) {
		if on := hosts[service]; len(on) > 0 {
			out = append(out, fmt.Sprintf("%s: more than the image will change, since the compose file or its variables were edited after it was started (%s)", service, some(on, maxNamed)))
		}
	}
	return out
}
