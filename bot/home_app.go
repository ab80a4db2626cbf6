package bot

import (
	"fmt"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"rollbackbot/runbook"
)

// state is how an app stands, in few words.
func (a homeApp) state() string {
	s := a.standing
	switch {
	case a.trouble != "":
		return "not known"
	case s.Open != nil && s.Open.Question() != nil:
		return "a rollback waits for somebody"
	case s.Open != nil:
		return "a rollback is under way"
	case a.unseen:
		return "not seen since its last rollback"
	case s.Apart != "":
		return "its hosts differ"
	case s.Running == nil:
		return "not seen yet"
	case !s.Running.FailingSince.IsZero():
		return shownName(s.Running.Name()) + " is FAILING"
	case a.sight.Late:
		return "out of sight"
	}
	return shownName(s.Running.Name()) + " is healthy"
}

func sayApp(d *draft, a homeApp, now time.Time) {
	d.header(shownName(a.name) + ": " + a.state())
	if a.trouble != "" {
		d.say(words(a.trouble))
	} else {
		sayRuns(d, a, now)
		sayOpenRollback(d, a)
		sayGoodReleases(d, a, now)
		sayQuarantines(d, a)
		sayLast(d, a)
	}
	if a.standing.Open == nil {
		plan := slack.NewButtonBlockElement(actionHomePlan, a.name, plain("Plan a rollback", maxButtonText))
		plan.AccessibilityLabel = runbook.Truncate("Plan a rollback of "+a.name, maxButtonText)
		d.blocks = append(d.blocks, slack.NewActionBlock("", plan))
	}
}

// sayRuns says what runs, since when, and how it does.
func sayRuns(d *draft, a homeApp, now time.Time) {
	s := a.standing
	switch r := s.Running; {
	case s.Apart != "":
		d.field("The hosts don't all run one known release", words(runbook.Truncate(s.Apart, 500)))
	case r == nil:
		d.say(words("Its hosts were not seen to run anything yet."))
	default:
		name, good := "Runs", ", known-good"
		if a.unseen {
			name = "Last seen to run"
		}
		if !r.KnownGood() {
			good = ", not yet seen healthy for long enough to be known-good"
		}
		d.field(name, bold(shownName(r.Name())), words(" since "+since(r.UpAt, now)+good+"; "+runbook.Truncate(shortImages(r.Images), 200)))
		if !r.FailingSince.IsZero() {
			d.field("Failing since "+since(r.FailingSince, now), words(closed(runbook.Truncate(r.Failure, 300))))
		}
	}
	saySight(d, a)
}

// saySight says how far what is known of the hosts can be relied on.
func saySight(d *draft, a homeApp) {
	r := a.standing.Running
	seen := ""
	if !a.sight.At.IsZero() {
		seen = "All hosts were last seen at " + instant(a.sight.At) + "."
	}
	switch {
	case a.standing.Open != nil:
		d.say(words("While a rollback is open, only that one looks at the hosts. " + seen))
	case a.sight.Late:
		d.say(bold("Its hosts are out of sight. "), words(orElse(seen, "They could not all be seen since this process began to act: what stands here is older.")))
	case a.unseen:
		d.say(words("The hosts are looked at again shortly. " + seen))
	case r != nil && r.FailingSince.IsZero() && a.standing.Apart == "":
		d.say(bold("Healthy"), words(": no health check is failing. "+seen))
	case seen != "":
		d.say(words(seen))
	}
}

// since is an instant, and how long ago it is.
func since(t, now time.Time) string {
	if t.IsZero() || now.IsZero() {
		return instant(t)
	}
	return instant(t) + " (" + took(now.Sub(t)) + " ago)"
}

func sayOpenRollback(d *draft, a homeApp) {
	rb := a.standing.Open
	if rb == nil {
		return
	}
	d.field("Open rollback", code(rb.ID), words(": from "+fromName(rb.Plan)+" to "+targetName(rb.Plan)+", asked for by "), person(rb.Request.By), words(" at "+instant(rb.Request.At)+"."))
	spans := named(runbook.Truncate(stateText(*rb), maxSentence), known(*rb)...)
	if address := a.links[rb.ID]; address != "" {
		spans = append(spans, words(" "), link(address, "Its message"))
	}
	d.say(spans...)
}

// sayGoodReleases says where a rollback would go, and could. Where what runs is not known just now, it says only what is good.
func sayGoodReleases(d *draft, a homeApp, now time.Time) {
	c := a.standing.Choices
	target := c.Default
	if a.unseen {
		target = nil
	}
	var names []string
	for _, r := range c.KnownGood {
		if target == nil || r.ID != target.ID {
			names = append(names, shownName(r.Name())+releaseFacts(r, now))
		}
	}
	switch {
	case target != nil && len(names) > 0:
		d.field("Known-good", words("a rollback goes to "), bold(shownName(target.Name())), words(releaseFacts(*target, now)+"; others: "+someFacts(names, maxHomeReleases-1)+"."))
	case target != nil:
		d.field("Known-good", words("a rollback goes to "), bold(shownName(target.Name())), words(releaseFacts(*target, now)+"."))
	case len(names) > 0:
		d.field("Known-good", words(someFacts(names, maxHomeReleases)+"."))
	default:
		d.field("Known-good", words("no other release: a rollback would have to name one."))
	}
}

// someFacts is some for names that have commas in them.
func someFacts(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(names[:most], "; "), len(names)-most)
}

func sayQuarantines(d *draft, a homeApp) {
	all := a.standing.Quarantines
	if len(all) == 0 {
		return
	}
	var points [][]span
	room := roomHomeQuarantines
	for i, q := range all {
		point := a.quarantinePoint(q)
		if room -= sizeOf(point); i == maxHomeQuarantines || i > 0 && room < 0 {
			images := 0
			for _, more := range all[i:] {
				images += len(more.Images)
			}
			points = append(points, []span{words(fmt.Sprintf("… and %s of %s more: ", count(images, "image"), count(len(all)-i, "rollback"))), code(slash + " quarantine " + shownName(a.name))})
			break
		}
		points = append(points, point)
	}
	d.field("Quarantined, not to be deployed again")
	d.points(points)
}

func (a homeApp) quarantinePoint(q runbook.Quarantine) []span {
	var names []string
	for _, image := range q.Images {
		// The last part of its name is the service's, mostly; a phone's line holds no more.
		name := image.Name[strings.LastIndex(image.Name, "/")+1:]
		names = append(names, runbook.Truncate(orElse(name, "an image"), 80)+"@"+image.Digest.Short())
	}
	point := []span{code(q.Rollback)}
	if !q.At.IsZero() {
		point = append(point, words(" of "+instant(q.At)))
	}
	point = append(point, words(": "+some(names, maxHomeImages)+"; "))
	switch address := a.links[q.Rollback]; {
	case q.Ticket.Number != 0:
		return append(point, words("postmortem: "), link(q.Ticket.URL, fmt.Sprintf("ticket #%d", q.Ticket.Number)))
	case address != "":
		return append(point, words("postmortem: in the thread of "), link(address, "its record"))
	}
	return append(point, words("postmortem: not there yet"))
}

func sayLast(d *draft, a homeApp) {
	rb := a.standing.Last
	if rb == nil {
		d.field("Last rollback", words("none yet."))
		return
	}
	spans := []span{code(rb.ID), words(" from " + fromName(rb.Plan) + " to " + targetName(rb.Plan) + ", asked for by "), person(rb.Request.By),
		words(" at " + instant(rb.Request.At) + ": "), bold(outcomeText(rb.Outcome)), words("; " + durations(*rb) + ".")}
	if address := a.links[rb.ID]; address != "" {
		spans = append(spans, words(" "), link(address, "Its record"))
	}
	d.field("Last rollback", spans...)
}
