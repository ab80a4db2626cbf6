package bot

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"rollbackbot/runbook"
)

// recordMessage is step 6 of the runbook: its six fields in its words, and what else is known at the end.
func recordMessage(rb runbook.Rollback, v view) Message {
	d := newDraft()
	d.header("Rollback of " + rb.App + ": " + outcomeText(rb.Outcome))
	d.say(named(sentence(runbook.Truncate(rb.Why, maxSentence)), known(rb)...)...)
	sayDrill(d, rb)
	d.field("Date and time of rollback", words(instant(rb.EndedAt)))
	sayImages(d, rb)
	d.field("Reason for rollback")
	d.quote(runbook.Truncate(rb.FullReason(), maxReason))
	d.field("Migration state (left in place or reverted)", words(migrationText(rb)))
	d.field("Owner of the follow-up investigation", append([]span{person(rb.Owner())}, ownerState(rb)...)...)
	sayTicket(d, rb)
	rule(d)
	d.field("What runs on each host now")
	d.pointsWithin(roomHosts, hostPoints(rb))
	d.field("Outcome", words(string(rb.Outcome)))
	sayRate(d, rb)
	d.field("Asked for by", person(rb.Request.By), words(" at "+instant(rb.Request.At)))
	if rb.Signoff.By != "" {
		d.field("Signed off by", append(signers(rb), words(" at "+instant(rb.Signoff.At)+": "+signedText(rb)))...)
		sayTogether(d, rb)
	} else {
		d.field("Signed off by", words("nobody"))
	}
	d.field("How long it took", words(durations(rb)))
	d.field("Plan", words("SHA-256 "), code(rb.Plan.Hash()))
	if !rb.Drill() { // a drill's own is thrown away
		d.field("Journal", words("head of its hash chain "), code(orElse(rb.Head, "none")))
	}
	sayNext(d, rb, v.app)
	d.note(rb.ID)
	m := d.message()
	m.Metadata = slack.SlackMetadata{EventType: eventRecord, EventPayload: recordPayload(rb)}
	return m
}

// sayTogether says why two requesters signed off, where no lead did.
func sayTogether(d *draft, rb runbook.Rollback) {
	for _, q := range rb.Questions {
		if len(q.Together) > 0 && q.AnsweredAt.Equal(rb.Signoff.At) {
			d.say(words("No lead: the two signed off together (break-glass), since nobody else had answered from " + instant(q.AskedAt) + " on."))
			sayHalves(d, q)
		}
	}
}

// sayImages gives the references in full: people copy them from here.
func sayImages(d *draft, rb runbook.Rollback) {
	not := ""
	switch {
	case rb.Drill():
		not = " (in a drill: no container was replaced)"
	case !rb.Touched():
		not = " (as planned; no container was replaced)"
	}
	d.field("Image rolled back to", words(targetName(rb.Plan)+not))
	var to, from [][]span
	for _, service := range servicesOf(rb.Plan) {
		image, starts := startsOf(rb.Plan, service)
		to = append(to, []span{words(service + " "), code(image.String())})
		for _, s := range starts {
			from = append(from, fromPoint(service, s, len(starts) > 1))
		}
	}
	d.pointsWithin(roomImages, to)
	d.field("Image rolled back from", words(fromName(rb.Plan)+not))
	d.pointsWithin(roomImages, from)
}

func fromPoint(service string, s start, differ bool) []span {
	out := []span{words(service + " "), code(orElse(s.image.String(), s.text))}
	if differ {
		out = append(out, words(" on "+some(s.hosts, maxNamed)))
	}
	return out
}

func migrationText(rb runbook.Rollback) string {
	switch rb.MigrationState() {
	case runbook.StateNone:
		if rb.Signoff.Answer == runbook.Confirm {
			return "none: it was proven that there was no migration"
		}
		return "none: who signed off says that there was no migration"
	case runbook.StateUnknown:
		return "unknown: nobody signed off"
	}
	return string(rb.MigrationState())
}

// durations says how long it took from the request to the sign-off, to healthy and so on, as far as it came.
func durations(rb runbook.Rollback) string {
	var parts []string
	last := rb.Request.At
	add := func(name string, at time.Time) {
		if at.IsZero() || at.Before(last) {
			return
		}
		parts, last = append(parts, name+" after "+took(at.Sub(rb.Request.At))), at
	}
	add("signed off", rb.SignedAt)
	add("healthy", rb.HealthyAt)
	if run, begun := rb.Step(runbook.StepErrorRate); begun && run.Verdict == runbook.Passed {
		add("the error rate back at its baseline", run.EndedAt)
	}
	add("ended", rb.EndedAt)
	return strings.Join(parts, ", ")
}

// sayNext is what the runbook asks for after a rollback.
func sayNext(d *draft, rb runbook.Rollback, app runbook.App) {
	if rb.Drill() {
		return
	}
	if !rb.Touched() {
		d.field("Next", words("nothing was replaced, so nothing is blocked. If the problem is still there, ask again."))
		return
	}
	d.field("Next", words("investigate before re-deployment. Do not re-deploy the same image without identifying and fixing the cause of the failure: the failed images are quarantined until a lead lifts that with the postmortem's link."))
	if rb.MigrationState() == runbook.StateReverted && app.RestoreRunbookURL != "" {
		d.field("The runbook for restoring the database", link(app.RestoreRunbookURL, "restore the database"))
	}
}

// recordPayload is the record as programs read it. The reason is cut as in the message: the journal has it whole.
func recordPayload(rb runbook.Rollback) map[string]any {
	record := rb.Record()
	record.Reason = runbook.Truncate(record.Reason, maxReason)
	if record.To == nil {
		record.To = map[string]runbook.Image{}
	}
	if record.From == nil {
		record.From = map[string]runbook.Image{}
	}
	var payload map[string]any
	text, _ := json.Marshal(record) // texts, and maps of them, always encode
	_ = json.Unmarshal(text, &payload)
	return payload
}
