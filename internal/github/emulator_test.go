package github_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"rollbackbot/internal/githubtest"
	"rollbackbot/runbook"
	"rollbackbot/runbook/postmortem"
)

// The emulator, which nobody here wrote, takes a ticket, shows it to whoever looks for it, and takes the new owner.
func TestEmulator_TakesATicket(t *testing.T) {
	e := githubtest.Start(t)
	c := newClient(t, githubtest.Token, e.URL)
	for repository, want := range map[string]bool{githubtest.Private: false, githubtest.Public: true} {
		if public, err := c.Public(t.Context(), repository); err != nil || public != want {
			t.Errorf("%s is public: %t, %v; want %t", repository, public, err, want)
		}
	}
	since := time.Now()
	_, found, err := c.Find(t.Context(), githubtest.Private, "rb-1", since)
	if found || err != nil {
		t.Fatalf("before it was opened: %t, %v", found, err)
	}
	former := runbook.Ticket{Rollback: "rb-1", Title: "Postmortem", Email: githubtest.OwnersEmail,
		Body: postmortem.TicketMarker("rb-1") + "\n\n<!-- rollbackbot:owner -->old<!-- /rollbackbot:owner -->\n"}
	opened, err := c.Open(t.Context(), githubtest.Private, former)
	if err != nil || opened.Assignee != "acme" {
		t.Fatalf("opened %+v, %v", opened, err)
	}
	if got, found, err := c.Find(t.Context(), githubtest.Private, "rb-1", since); err != nil || !found || got != opened {
		t.Errorf("found %+v, %t, %v; want %+v", got, found, err, opened)
	}
	if got, found, err := c.Find(t.Context(), githubtest.Private, "rb-2", since); err != nil || found {
		t.Errorf("of another rollback: %+v, %t, %v", got, found, err)
	}
	now := former
	now.Body, now.Email, now.Former = strings.Replace(former.Body, "old", "new", 1), "nobody@acme.example", "acme"
	if account, err := c.Update(t.Context(), githubtest.Private, opened.Number, now); err != nil || account != "" {
		t.Errorf("update: %q, %v", account, err)
	}
	issues := e.Issues(t, githubtest.Private)
	if len(issues) != 1 || issues[0].Body != now.Body || issues[0].URL != opened.URL || len(issues[0].Assignees) != 0 {
		t.Fatalf("the issues are %+v", issues)
	}
	var labels []string
	for _, label := range issues[0].Labels {
		labels = append(labels, label.Name)
	}
	if slices.Sort(labels); !slices.Equal(labels, []string{"postmortem", "rollback"}) {
		t.Errorf("the labels are %q", labels)
	}
}

// An answer that is lost after the ticket was made leaves it open whether there is one, and it is found.
func TestEmulator_ALostAnswerIsFound(t *testing.T) {
	e := githubtest.Start(t)
	way := githubtest.Between(t, e, 1)
	c := newClient(t, githubtest.Token, way.URL)
	since := time.Now()
	_, err := c.Open(t.Context(), githubtest.Private, ticket)
	if kindOf(err) != "unknown" {
		t.Fatalf("open: %v, want that nobody knows", err)
	}
	got, found, err := c.Find(t.Context(), githubtest.Private, "rb-1", since)
	if err != nil || !found || got.Number != e.Issues(t, githubtest.Private)[0].Number {
		t.Errorf("found %+v, %t, %v", got, found, err)
	}
}

// The read side speaks the emulator's GitHub too.
func TestEmulator_IsRead(t *testing.T) {
	e := githubtest.Start(t)
	c := newClient(t, githubtest.Token, e.URL)
	text, err := c.File(t.Context(), githubtest.Private, "README.md", "main")
	if err != nil || !regexp.MustCompile(`(?i)shop`).Match(text) {
		t.Errorf("README.md is %q, %v", text, err)
	}
	if _, err := c.File(t.Context(), githubtest.Private, "gone.sql", "main"); kindOf(err) != "denied" {
		t.Errorf("of no file: %v", err)
	}
	same, err := c.Compare(t.Context(), githubtest.Private, "main", "main")
	if err != nil || same.Commits != 0 || same.Partial || len(same.Files) != 0 {
		t.Errorf("of a commit with itself: %+v, %v", same, err)
	}
	if _, err := c.Compare(t.Context(), githubtest.Private, "main", "nowhere"); kindOf(err) != "denied" {
		t.Errorf("of an unknown commit: %v", err)
	}
	// It has no deployments at all, and no runs yet.
	if list, err := c.Deployments(t.Context(), githubtest.Private); err != nil || len(list) != 0 {
		t.Errorf("deployments: %+v, %v", list, err)
	}
}
