package postmortem_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"rollbackbot/runbook"
	"rollbackbot/runbook/postmortem"
)

// sections are the runbook's, in its words and its order.
var sections = []string{
	"Timeline of events", "What broke", "What was deployed", "How it was detected", "Immediate remediation", "Preventative actions",
}

var postmortems = []struct {
	name   string
	events []runbook.Event
	reader postmortem.Reader
}{
	{"it goes well", story(goodStory()...), postmortem.Reader{
		Names:   map[string]string{"UONCALL": "Ana Alves", "ULEAD": "Lena *L* Lee"},
		Compare: func(base, head string) string { return "https://github.com/acme/shop/compare/" + base + "..." + head },
	}},
	{"it fails, with hostile words", story(badStory()...), postmortem.Reader{}},
	{"where anybody can read it", story(badStory()...), postmortem.Reader{Public: true}},
	{"it is rejected", story(goodStory()[:5]...), postmortem.Reader{}},
}

// update rewrites the golden files.
var update = flag.Bool("update", false, "rewrite the golden files in testdata/postmortem")

func TestPostmortem_Golden(t *testing.T) {
	for _, c := range postmortems {
		t.Run(c.name, func(t *testing.T) {
			got, err := postmortem.Postmortem(c.events, "rb-1", c.reader)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", "postmortem", strings.NewReplacer(" ", "-", ",", "").Replace(c.name)+".md")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil || got != string(want) {
				t.Errorf("not as in %s (go test ./runbook -run Postmortem -update writes it): %v\n%s", file, err, got)
			}
		})
	}
}

// The six headings, and no others: whatever people typed and hosts printed.
func TestPostmortem_HasTheRunbooksSections(t *testing.T) {
	heading := regexp.MustCompile(`(?m)^ {0,3}#+ (.*)$`)
	for _, c := range postmortems {
		text, err := postmortem.Postmortem(c.events, "rb-1", c.reader)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, found := range heading.FindAllStringSubmatch(outsideOfCode(text), -1) {
			got = append(got, found[1])
		}
		if !slices.Equal(got, sections) {
			t.Errorf("%s: the headings are %q", c.name, got)
		}
		if n := strings.Count(text, postmortem.TicketMarker("rb-1")); n != 1 {
			t.Errorf("%s: %d markers, want 1", c.name, n)
		}
	}
}

// outsideOfCode leaves out blocks of code, as a reader of Markdown does.
func outsideOfCode(text string) string {
	var out []string
	fence := ""
	for _, line := range strings.Split(text, "\n") {
		bare := strings.TrimLeft(line, " ")
		ticks := bare[:len(bare)-len(strings.TrimLeft(bare, "`"))]
		switch {
		case fence == "" && len(ticks) >= 3:
			fence = ticks
		case fence != "" && bare == fence:
			fence = ""
		case fence == "":
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

func TestPostmortem_NothingSecretAndNobodyCalled(t *testing.T) {
	for _, c := range postmortems {
		text, err := postmortem.Postmortem(c.events, "rb-1", c.reader)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text, "hunter2") {
			t.Errorf("%s: a secret shows:\n%s", c.name, text)
		}
		prose := regexp.MustCompile("`[^`]*`").ReplaceAllString(outsideOfCode(text), "")
		if called := regexp.MustCompile(`@[A-Za-z]`).FindAllString(prose, -1); called != nil {
			t.Errorf("%s: somebody is called: %q", c.name, called)
		}
	}
}

// What hosts and containers printed, and how hosts are called, is nobody's business.
func TestPostmortem_PublicHidesHostsAndLogs(t *testing.T) {
	text, err := postmortem.Postmortem(story(badStory()...), "rb-1", postmortem.Reader{Public: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, private := range []string{"panic: no", "deploy", "shop.internal", "no space left", "status 1"} {
		if strings.Contains(strings.ReplaceAll(text, "deployed", ""), private) && private != "deploy" || strings.Contains(text, "deploy@") {
			t.Errorf("%q shows:\n%s", private, text)
		}
	}
}

func TestPostmortem_StaysWithinATicket(t *testing.T) {
	facts := badStory()
	last := facts[len(facts)-1]
	facts = facts[:len(facts)-1]
	for i := range 300 {
		facts = append(facts, told{time.Second, "ULEAD", runbook.Refused{Action: "retry", By: "ULEAD", Why: strings.Repeat("#", 400) + fmt.Sprint(i)}})
	}
	text, err := postmortem.Postmortem(story(append(facts, last)...), "rb-1", postmortem.Reader{})
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 65_536 || !strings.Contains(text, "## Preventative actions") {
		t.Errorf("%d bytes, whole: %t", len(text), strings.Contains(text, "## Preventative actions"))
	}
}

func TestPostmortem_OfNoRollback(t *testing.T) {
	if _, err := postmortem.Postmortem(story(goodStory()...), "rb-2", postmortem.Reader{}); err == nil {
		t.Error("a rollback that is not there has a postmortem")
	}
}

func TestRenewOwner(t *testing.T) {
	events := story(goodStory()...)
	opened, err := postmortem.Postmortem(events[:len(events)-1], "rb-1", postmortem.Reader{})
	if err != nil {
		t.Fatal(err)
	}
	now, err := postmortem.Postmortem(events, "rb-1", postmortem.Reader{})
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.Replace(opened, "- [ ] What is the cause, and what proves it?", "- [x] The pool was too small.", 1)
	body, changed := postmortem.RenewOwner(edited, now)
	if !changed || !strings.Contains(body, "accepted at") || !strings.Contains(body, "The pool was too small.") || strings.Contains(body, "has not accepted") {
		t.Errorf("changed: %t\n%s", changed, body)
	}
	if _, again := postmortem.RenewOwner(body, now); again {
		t.Error("the same owner is a change")
	}
	if _, changed := postmortem.RenewOwner("somebody rewrote it", now); changed {
		t.Error("a body without the line is changed")
	}
}

// told is a fact, how long after the former one it came, and from whom.
type told struct {
	after time.Duration
	actor string
	fact  runbook.Fact
}

// story makes a journal of facts; those of the rollback begin with Requested.
func story(facts ...told) []runbook.Event {
	at, id := time.Date(2026, 11, 24, 22, 0, 0, 0, time.UTC), ""
	var events []runbook.Event
	for i, f := range facts {
		at = at.Add(f.after)
		if r, ok := f.fact.(runbook.Requested); ok {
			id, r.Request.At = "rb-1", at
			f.fact = r
		}
		events = append(events, runbook.Event{App: "shop", Seq: int64(i + 1), Rollback: id, At: at, Actor: f.actor, Fact: f.fact, Hash: fmt.Sprint(i)})
	}
	return events
}

func imagesOf(version int) map[string]runbook.Image {
	return map[string]runbook.Image{"api": {Name: "ghcr.io/acme/shop/api", Digest: runbook.Digest("sha256:" + strings.Repeat(fmt.Sprint(version), 64))}}
}

func goodStory() []told {
	v1, v2 := imagesOf(1), imagesOf(2)
	const host = "deploy@shop.internal:22"
	plan := runbook.Plan{
		App: "shop", Running: "v2", Target: runbook.Release{ID: "r-1", Version: "v1", Commit: "1111111", Images: v1, Migration: runbook.MigrationNone},
		Hosts:     []runbook.HostPlan{{Host: host, Services: []runbook.ServicePlan{{Service: "api", From: v2["api"], To: v1["api"], Containers: 1}}}},
		Migration: runbook.MigrationFacts{Why: "v2 had a migration", Releases: []runbook.ReleaseFact{{Release: "v2", Migration: runbook.MigrationYes, Source: "deployment note"}}},
	}
	running := []runbook.Running{{Service: "api", Image: v2["api"], Containers: 1, Restarts: 7, State: "restarting"}}
	return []told{
		{0, "", runbook.Deployed{Images: v2, Version: "v2", Commit: "2222222", Migration: runbook.MigrationYes}},
		{time.Minute, "", runbook.Observed{Images: v2}},
		{9 * time.Minute, "UONCALL", runbook.Requested{
			Request:  runbook.Request{App: "shop", Reason: "checkout answers 500", By: "UONCALL", Owner: "UONCALL"},
			Plan:     plan,
			Question: runbook.Question{ID: 1, Kind: runbook.AskSignoff, Plan: plan.Hash(), Answers: []runbook.Answer{runbook.SignoffInPlace, runbook.SignoffReject}},
		}},
		{time.Second, "", runbook.LogsRead{Host: host, Services: []runbook.ServiceLogs{{Service: "api", Lines: "listening\npanic: no pool"}, {Service: "web", Problem: "its containers are gone"}}}},
		{30 * time.Second, "ULEAD", runbook.Answered{Question: 1, Answer: runbook.SignoffInPlace, By: "ULEAD", Plan: plan.Hash()}},
		{time.Second, "", runbook.StepStarted{Step: runbook.StepIdentify, Attempt: 1}},
		{time.Second, "", runbook.Looked{Host: host, Running: running}},
		{time.Second, "", runbook.StepFinished{Step: runbook.StepIdentify, Attempt: 1, Outcome: runbook.StepOutcome{Verdict: runbook.Passed, Detail: "v1, as signed"}}},
		{time.Second, "", runbook.StepStarted{Step: runbook.StepDeploy, Attempt: 1}},
		{0, "", runbook.Quarantined{Images: []runbook.Image{v2["api"]}}},
		{0, "", runbook.CommandStarted{Host: host, Step: runbook.StepDeploy, Job: "up", Command: "docker compose up"}},
		{2 * time.Second, "", runbook.StepFinished{Step: runbook.StepDeploy, Attempt: 1, Outcome: runbook.StepOutcome{Verdict: runbook.Passed}}},
		{0, "", runbook.StepStarted{Step: runbook.StepHealth, Attempt: 1}},
		{time.Second, "", runbook.StepFinished{Step: runbook.StepHealth, Attempt: 1, Outcome: runbook.StepOutcome{Verdict: runbook.Passed, Detail: "3 times in a row"}}},
		{5 * time.Minute, "", runbook.Ended{Outcome: runbook.Succeeded, Why: "digests, health checks and error rate were seen to be right"}},
		{0, "", runbook.OwnerAsked{Owner: "UONCALL"}},
		{2 * time.Minute, "UONCALL", runbook.OwnerAccepted{Owner: "UONCALL"}},
	}
}

func badStory() []told {
	facts := goodStory()[:14]
	requested := facts[2].fact.(runbook.Requested)
	requested.Request.Reason = "# Timeline of events\n<!-- rollbackbot:rb-1 --> @here <script>alert(1)</script>\n1. `x`\n- PASSWORD=hunter2 |a|b| [x](https://evil.example) ~~no~~"
	requested.Plan.Hosts[0].Services[0].FromNote = "``` # Timeline"
	facts[2].fact = requested
	facts[3].fact = runbook.LogsRead{Host: "deploy@shop.internal:22", Services: []runbook.ServiceLogs{{Service: "api", Lines: "panic: no\n```\n## What broke\nTOKEN=hunter2\n````"}}}
	facts[13].fact = runbook.StepFinished{Step: runbook.StepHealth, Attempt: 1, Outcome: runbook.StepOutcome{
		Verdict: runbook.Broken, Detail: "deploy@shop.internal:22: `docker compose up` ended with status 1 <@UNOBODY> @channel", Output: "no space left\n``` # x",
	}}
	return append(facts, told{time.Minute, "ULEAD", runbook.AbortRequested{By: "ULEAD"}},
		told{time.Second, "", runbook.Ended{Outcome: runbook.Aborted, Why: "<@ULEAD> stopped it: shop.internal has no space left"}},
		told{0, "", runbook.OwnerAsked{Owner: "UONCALL"}})
}
