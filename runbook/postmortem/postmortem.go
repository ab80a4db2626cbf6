package postmortem

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
)

// Reader is for whom a postmortem is written.
type Reader struct {
	// Public is true where anybody may read it: then nothing of what hosts and containers printed is in it, and hosts are
	// numbered, not named.
	Public bool
	// Names are people's names by their Slack IDs; who is not in it is named by the ID.
	Names map[string]string
	// Compare leads to what changed between two commits; nil, or an empty text: nowhere.
	Compare func(base, head string) string
}

// maxPostmortem bounds the text in bytes. GitHub takes 65,536 characters in the body of an issue.
const maxPostmortem = 60_000

// Postmortem is the ticket that the runbook asks for, in Markdown, as far as the journal knows: its six sections, in its
// words. all are the app's events, oldest first; what they tell of other rollbacks is left out. What only people can know
// is asked for where it belongs. It is a pure function: the same events give the same text.
func Postmortem(all []runbook.Event, rollback string, r Reader) (string, error) {
	p := postmortem{reader: r, history: history.New(all)}
	for _, e := range all {
		if e.Rollback == rollback {
			p.events = append(p.events, e)
		}
	}
	if len(p.events) == 0 {
		return "", &runbook.UnknownRollbackError{ID: rollback}
	}
	var err error
	if p.rb, err = runbook.Fold(p.events); err != nil {
		return "", &runbook.UnreadableError{App: p.events[0].App, Err: err}
	}
	p.before = eventsBefore(all, p.rb)
	text := ""
	for _, size := range sizes {
		p.mostLines, p.mostLogs = size.lines, size.logs
		if text = p.text(); len(text) <= maxPostmortem {
			break
		}
	}
	return text, nil
}

// eventsBefore are those of the app that tell how the failed release came up.
func eventsBefore(all []runbook.Event, rb runbook.Rollback) (before []runbook.Event) {
	from := runbook.ReleaseID(rb.Plan.From())
	for _, e := range all {
		if e.Rollback != "" || e.At.After(rb.Request.At) {
			continue
		}
		switch fact := e.Fact.(type) {
		case runbook.Deployed:
			if runbook.ReleaseID(fact.Images) == from {
				before = append(before, e)
			}
		case runbook.Observed:
			if runbook.ReleaseID(fact.Images) == from {
				before = append(before, e)
			}
		}
	}
	return before[max(0, len(before)-maxBefore):]
}

// maxBefore is how much of what came before the rollback the timeline tells: a release is noted and seen, maybe twice.
const maxBefore = 4

type postmortem struct {
	rb      runbook.Rollback
	events  []runbook.Event // the rollback's own
	before  []runbook.Event
	history history.History
	reader  Reader

	mostLines int // of the timeline
	mostLogs  int // of all log lines together, in bytes
}

// sizes are how long the parts of a postmortem may be that have no natural bound: the first that fits is taken.
var sizes = []struct{ lines, logs int }{{100, 24_000}, {40, 8_000}, {20, 0}}

// TicketMarker is how a rollback's ticket is found again: it stands in the ticket's body, where people don't see it.
func TicketMarker(rollback string) string { return "<!-- rollbackbot:" + rollback + " -->" }

// PostmortemTitle is the title of a rollback's ticket.
func PostmortemTitle(rb runbook.Rollback) string {
	return fmt.Sprintf("Postmortem: rollback of %s on %s (%s)", rb.App, rb.EndedAt.UTC().Format(time.DateOnly), rb.ID)
}

func (p postmortem) text() string {
	sections := []string{
		TicketMarker(p.rb.ID),
		p.summary(),
		"## Timeline of events\n\n" + p.timeline(),
		"## What broke\n\n" + p.broke(),
		"## What was deployed\n\n" + p.deployed(),
		"## How it was detected\n\n" + p.detected(),
		"## Immediate remediation\n\n" + p.remediation(),
		"## Preventative actions\n\n" + preventative,
	}
	return p.hidden(strings.Join(sections, "\n\n") + "\n")
}

// hidden takes out what not everybody may read.
func (p postmortem) hidden(text string) string {
	if !p.reader.Public {
		return text
	}
	var pairs []string
	for i, h := range p.hosts() {
		number := fmt.Sprintf("host %d", i+1)
		pairs = append(pairs, markdown(string(h)), number, string(h), number)
		if name := h.Name(); len(name) > 3 { // a shorter one would be found in other words
			pairs = append(pairs, name, number)
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

func (p postmortem) hosts() []runbook.Host {
	var hosts []runbook.Host
	for _, h := range p.rb.Plan.Hosts {
		hosts = append(hosts, h.Host)
	}
	for _, h := range p.rb.Plan.Excluded {
		hosts = append(hosts, h.Host)
	}
	return hosts
}

// detail is a sentence that may quote a host, after what parts it from the words before: not everybody may read it, and
// there is not always one.
func (p postmortem) detail(parting, text string, limit int) string {
	if p.reader.Public || text == "" {
		return ""
	}
	return parting + p.said(text, limit)
}

// person is how somebody is named: never so that they are called.
func (p postmortem) person(id string) string {
	switch name := p.reader.Names[id]; {
	case id == "":
		return "nobody"
	case name != "":
		return markdown(runbook.Truncate(name, 80))
	}
	return inCode(id)
}

// said is a sentence of ours, in which people are named as <@U1>, and which may quote anybody.
func (p postmortem) said(text string, limit int) string {
	text = markdown(runbook.Truncate(runbook.Mask(text), limit))
	for _, id := range p.people() {
		text = strings.ReplaceAll(text, markdown(runbook.Person(id)), p.person(id))
	}
	return text
}

// people are all whom the rollback's own sentences may name.
func (p postmortem) people() []string {
	ids := []string{p.rb.Request.By, p.rb.Request.Owner, p.rb.Owner(), p.rb.AbortedBy, p.rb.Signoff.By}
	for _, q := range p.rb.Questions {
		ids = append(ids, q.By)
		for _, h := range q.Halves {
			ids = append(ids, h.By)
		}
	}
	for _, a := range p.rb.FollowUp.Askings {
		ids = append(ids, a.Owner, a.By)
	}
	return slices.DeleteFunc(runbook.Unique(ids), func(id string) bool { return id == "" })
}

// signers are who signed off.
func (p postmortem) signers() string {
	var names []string
	for _, id := range p.rb.Signoff.People() {
		names = append(names, p.person(id))
	}
	return strings.Join(names, " and ")
}

// PostmortemPeople are the Slack IDs of all whom a rollback's postmortem names, for whoever knows their names.
func PostmortemPeople(rb runbook.Rollback) []string { return postmortem{rb: rb}.people() }

// Where the owner stands in a ticket, so that it can be brought up to date.
const (
	ownerBegins = "<!-- rollbackbot:owner -->"
	ownerEnds   = "<!-- /rollbackbot:owner -->"
)

// ownerLine is the line about the owner as a ticket has it.
func ownerLine(owner, state string) string {
	return ownerBegins + "Owner of the follow-up investigation: **" + owner + "** (" + state + ")" + ownerEnds
}

// RenewOwner gives a ticket's body with the owner that the postmortem names now; false where the line is not there any
// more, since somebody has rewritten it, or nothing changes.
func RenewOwner(body, postmortem string) (string, bool) {
	cut := func(text string) (before, line, after string, found bool) {
		before, rest, begins := strings.Cut(text, ownerBegins)
		line, after, ends := strings.Cut(rest, ownerEnds)
		return before, line, after, begins && ends
	}
	_, now, _, _ := cut(postmortem)
	before, former, after, found := cut(body)
	if !found || now == "" || former == now {
		return body, false
	}
	return before + ownerBegins + now + ownerEnds + after, true
}

func (p postmortem) summary() string {
	rb := p.rb
	lines := []string{fmt.Sprintf("Rollback %s of **%s**: %s.", inCode(rb.ID), markdown(rb.App), p.outcome())}
	state := "not asked"
	if a := rb.Asking(); a != nil {
		state = "has not accepted yet"
		if !a.AcceptedAt.IsZero() {
			state = "accepted at " + moment(a.AcceptedAt)
		}
	}
	lines = append(lines, ownerLine(p.person(rb.Owner()), state))
	if rb.Touched() {
		lines = append(lines, "The failed release must be investigated before re-deployment. Do not re-deploy the same image without identifying and fixing the cause of the failure: what was replaced is quarantined until a lead lifts that with the link of this postmortem.")
	}
	lines = append(lines, "Written by the bot from its journal; all times are UTC. What only people can know is asked for in each section.")
	return strings.Join(lines, "\n\n")
}

func (p postmortem) outcome() string {
	if p.rb.State != runbook.StateEnded {
		return "it has not ended yet"
	}
	return fmt.Sprintf("ended as **%s** at %s%s", p.rb.Outcome, moment(p.rb.EndedAt), strings.TrimRight(p.detail(". ", runbook.UpperFirst(p.rb.Why), 1000), "."))
}

// failed is what is known about the release that was left; false when nobody noted or saw it.
func (p postmortem) failed() (runbook.Release, bool) { return p.history.Of(p.rb.Plan.From()) }

func (p postmortem) detected() string {
	rb := p.rb
	parts := []string{fmt.Sprintf("%s asked for the rollback at %s.", runbook.UpperFirst(p.person(rb.Request.By)), moment(rb.Request.At))}
	if failed, ok := p.failed(); ok && !failed.LastLiveAt.IsZero() && !failed.LastLiveAt.After(rb.Request.At) {
		parts[0] += fmt.Sprintf(" The failed release, %s, had gone live at %s, %s before.", markdown(failed.Name()), moment(failed.LastLiveAt), elapsed(rb.Request.At.Sub(failed.LastLiveAt)))
	} else {
		parts[0] += " When the failed release went live is not known to the bot."
	}
	parts = append(parts, "Their reason:\n\n"+quoted(runbook.Truncate(runbook.Mask(cmp.Or(rb.Request.Reason, runbook.NotGiven)), 3000)),
		"To be answered: What showed it first: an alert, a dashboard, a person, a customer? What should have shown it earlier?")
	return strings.Join(parts, "\n\n")
}

func (p postmortem) remediation() string {
	rb := p.rb
	var points []string
	switch {
	case !rb.Touched():
		points = append(points, "No container was replaced.")
	case rb.Outcome == runbook.RolledForward:
		points = append(points, "The containers were taken to "+markdown(rb.Plan.Target.Name())+", and back to what ran before.")
	default:
		points = append(points, fmt.Sprintf("The containers were replaced by those of %s, from %s on.", markdown(rb.Plan.Target.Name()), moment(p.firstReplaced())))
	}
	if rb.Signoff.By != "" {
		points = append(points, fmt.Sprintf("Signed off by %s at %s. Migration state: %s.", p.signers(), moment(rb.Signoff.At), rb.MigrationState()))
	} else {
		points = append(points, "Nobody signed off. Migration state: "+string(rb.MigrationState())+".")
	}
	if !rb.HealthyAt.IsZero() {
		points = append(points, fmt.Sprintf("Seen healthy at %s, %s after the request.", moment(rb.HealthyAt), elapsed(rb.HealthyAt.Sub(rb.Request.At))))
	}
	if run, ok := lastRun(rb, runbook.StepErrorRate); ok && !run.EndedAt.IsZero() {
		points = append(points, "Error rate: "+p.said(cmp.Or(run.Detail, string(run.Verdict)), 1000)+".")
	}
	for _, h := range p.rb.Plan.Excluded {
		points = append(points, fmt.Sprintf("%s was left out%s.", inCode(string(h.Host)), p.detail(": ", h.Why, 500)))
	}
	for _, e := range p.events {
		if q, ok := e.Fact.(runbook.Quarantined); ok {
			for _, image := range q.Images {
				points = append(points, "Quarantined: "+inCode(image.String()))
			}
		}
	}
	points = append(points, fmt.Sprintf("Outcome: %s, %s after the request.", cmp.Or(string(rb.Outcome), "open"), elapsed(p.last().Sub(rb.Request.At))))
	return bullets(points) + "\n\nTo be answered: Was anything else done by hand meanwhile? Is anything left in a state that it must not stay in?"
}

func (p postmortem) last() time.Time {
	if p.rb.State == runbook.StateEnded {
		return p.rb.EndedAt
	}
	return p.rb.LastAt
}

func lastRun(rb runbook.Rollback, name runbook.StepName) (runbook.StepRun, bool) {
	for _, run := range slices.Backward(rb.Steps) {
		if run.Step == name {
			return run, true
		}
	}
	return runbook.StepRun{}, false
}

// firstReplaced is when the first container may have been replaced; zero: never.
func (p postmortem) firstReplaced() time.Time {
	for _, e := range p.events {
		if started, ok := e.Fact.(runbook.CommandStarted); ok && started.Step == runbook.StepDeploy {
			return e.At
		}
	}
	return time.Time{}
}

// preventative is left to people: the journal knows what happened, not why it could.
const preventative = `To be filled in by people. Each action has an owner and a date.

- [ ] What is the cause, and what proves it?
- [ ] Why did review, tests and staging not show it?
- [ ] What would have shown it before customers did?
- [ ] What would have made the way back shorter or safer?
- [ ] If there was a migration: could it have been made so that the former version can live with it?
- [ ] What is changed so that it can't happen again?

Only then may the quarantine be lifted, by a lead, with the link of this postmortem as the cause.`

// moment is a point in time as a postmortem gives it.
func moment(t time.Time) string {
	if t.IsZero() {
		return "a time that is not known"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// elapsed is a length of time as people say it.
func elapsed(d time.Duration) string { return max(d, 0).Round(time.Second).String() }
