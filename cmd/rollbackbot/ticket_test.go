package main_test

import (
	"slices"
	"strings"
	"testing"

	"rollbackbot/internal/githubtest"
	"rollbackbot/internal/localslack"
)

// rollsBack plays a rollback by the real binary to its record.
func (w *world) rollsBack(t *testing.T) localslack.Message {
	t.Helper()
	w.connected(t)
	w.types(t, onCall, "/rollback "+w.app+" to v1 owner <@"+lead+"> because checkout answers 503")
	request, _ := w.request(t, 1)
	w.clicks(t, lead, request.TS, "signoff_in_place")
	w.clicks(t, onCall, w.question(t, request.TS, "error_rate_baseline"), "error_rate_baseline")
	return w.record(t, 1)
}

// recordSays waits until the record's message says something.
func (w *world) recordSays(t *testing.T, record localslack.Message, words string) {
	t.Helper()
	w.await(t, "the record with "+words, func(now *localslack.Snapshot) bool {
		m, _ := now.Message(channel, record.TS)
		return strings.Contains(m.Text, words)
	})
}

// sections are the runbook's headings.
var sections = []string{
	"## Timeline of events", "## What broke", "## What was deployed", "## How it was detected", "## Immediate remediation", "## Preventative actions",
}

// TestTicket_ALostAnswerMakesNoSecondOne: an emulator of GitHub that nobody here wrote takes the ticket of a rollback on real
// parts; its answer is lost on the way. There is one ticket, with the runbook's six sections, the record links it, and the
// owner accepts the follow-up.
func TestTicket_ALostAnswerMakesNoSecondOne(t *testing.T) {
	t.Parallel()
	hub := githubtest.Start(t)
	w := newWorld(t)
	way := githubtest.Between(t, hub, 1)
	w.env["ROLLBACK_GITHUB_TOKEN"], w.env["ROLLBACK_GITHUB_URL"] = githubtest.Token, way.URL
	w.env[appVariable(w.app, "REPOSITORY")] = githubtest.Private
	w.brokenRelease(t)
	bot := w.serve(t, nil)
	record := w.rollsBack(t)
	w.recordSays(t, record, "Postmortem: ticket #1 (")

	var asked localslack.Message
	w.await(t, "the owner's private message", func(now *localslack.Snapshot) bool {
		for _, m := range now.Direct(lead) {
			if strings.Contains(string(m.Blocks), `"accept_owner"`) {
				asked = m
				return true
			}
		}
		return false
	})
	if _, err := w.slack.Click(t.Context(), lead, asked.Channel, asked.TS, "accept_owner"); err != nil {
		t.Fatal(err)
	}
	w.recordSays(t, record, "; accepted at ")
	// Who has it now, gives it on: the new owner is asked in the same way.
	if _, err := w.slack.Choose(t.Context(), lead, asked.Channel, asked.TS, "hand_over_owner", onCall); err != nil {
		t.Fatal(err)
	}
	w.recordSays(t, record, "<@"+onCall+">, to whom <@"+lead+"> handed it over; not accepted yet")
	w.await(t, "the new owner's private message", func(now *localslack.Snapshot) bool {
		return slices.ContainsFunc(now.Direct(onCall), func(m localslack.Message) bool { return strings.Contains(string(m.Blocks), `"accept_owner"`) })
	})
	w.await(t, "the ticket with its new owner", func(*localslack.Snapshot) bool {
		return strings.Contains(hub.Issues(t, githubtest.Private)[0].Body, "**Ana** (has not accepted yet)")
	})

	issues := hub.Issues(t, githubtest.Private)
	if len(issues) != 1 || way.Opened.Load() != 1 {
		t.Fatalf("%d tickets, opened %d times; want one", len(issues), way.Opened.Load())
	}
	var headings []string
	for line := range strings.Lines(issues[0].Body) {
		if strings.HasPrefix(line, "#") {
			headings = append(headings, strings.TrimSpace(line))
		}
	}
	if !slices.Equal(headings, sections) {
		t.Errorf("the ticket's headings are %q", headings)
	}
	bot.stop(t)
	printed := w.mustRun(t, "postmortem", requestOf(t, record))
	for _, section := range sections {
		if !strings.Contains(printed, section+"\n") {
			t.Errorf("`rollbackbot postmortem` lacks %q", section)
		}
	}
	w.keepsItsSecrets(t, bot)
	if strings.Contains(bot.text()+printed, githubtest.Token) {
		t.Error("GitHub's token shows")
	}
}

func requestOf(t *testing.T, record localslack.Message) string {
	t.Helper()
	return parseRecord(t, record).Rollback
}

// TestTicket_WithoutGitHubItIsAFile: the postmortem is in the record's thread.
func TestTicket_WithoutGitHubItIsAFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.brokenRelease(t)
	w.serve(t, nil)
	record := w.rollsBack(t)
	w.recordSays(t, record, "Postmortem: its text is a file in the record's thread")
	var files []localslack.File
	w.await(t, "the file", func(now *localslack.Snapshot) bool {
		files = nil
		for _, m := range now.Replies(channel, record.TS) {
			files = append(files, m.Files...)
		}
		return len(files) > 0
	})
	text := string(files[0].Content)
	if len(files) != 1 || files[0].Name != "postmortem-"+requestOf(t, record)+".md" || !strings.Contains(text, sections[0]) || !strings.Contains(text, "Ana: asked for the rollback") {
		t.Errorf("%d files; %s:\n%s", len(files), files[0].Name, text)
	}
}
