package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/go-github/v92/github"

	"rollbackbot/runbook"
	"rollbackbot/runbook/postmortem"
)

// labels are on every ticket. GitHub makes those that it lacks.
var labels = []string{"postmortem", "rollback"}

const needIssues = "the permission to write issues"

// Public reports whether anybody may read the repository. Who can't be told that it is private may not be told secrets.
func (c *Client) Public(ctx context.Context, repository string) (bool, error) {
	owner, name := split(repository)
	repo, _, err := c.api.Repositories.Get(ctx, owner, name)
	if err != nil {
		return true, problem(err, repository, "the permission to read metadata")
	}
	return !repo.GetPrivate(), nil
}

// Open opens a ticket with the labels, and with the owner's account as its assignee where that is known.
func (c *Client) Open(ctx context.Context, repository string, t runbook.Ticket) (runbook.OpenedTicket, error) {
	owner, name := split(repository)
	request := github.CreateIssueRequest{Title: t.Title, Body: &t.Body, Labels: labels}
	if account := c.account(ctx, repository, t.Email); account != "" {
		request.Assignees = []string{account}
	}
	issue, _, err := c.api.Issues.Create(ctx, owner, name, request)
	if refusedWith(err, http.StatusUnprocessableEntity) && request.Assignees != nil {
		request.Assignees = nil // they may not be assigned here
		issue, _, err = c.api.Issues.Create(ctx, owner, name, request)
	}
	if err != nil {
		return runbook.OpenedTicket{}, problem(err, repository, needIssues)
	}
	return c.opened(issue)
}

func refusedWith(err error, status int) bool {
	var refused *github.ErrorResponse
	return errors.As(err, &refused) && refused.Response != nil && refused.Response.StatusCode == status
}

// opened is an issue as a ticket. An answer that names no issue says nothing.
func (c *Client) opened(issue *github.Issue) (runbook.OpenedTicket, error) {
	if issue.GetNumber() <= 0 || !strings.HasPrefix(issue.GetHTMLURL(), "http") {
		return runbook.OpenedTicket{}, errors.New("GitHub's answer names no issue")
	}
	t := runbook.OpenedTicket{Number: issue.GetNumber(), URL: issue.GetHTMLURL()}
	if len(issue.Assignees) > 0 {
		t.Assignee = issue.Assignees[0].GetLogin()
	}
	return t, nil
}

const (
	perPage  = 100 // the most that GitHub gives at once
	maxPages = 10  // so many issues are not opened in the quarter of an hour for which one is looked for
	// findMargin is how much GitHub's clock may differ from ours.
	findMargin = 2 * time.Minute
)

// Find reads the list of issues, which shows at once what was opened. Only where that is too long to be read to its end
// the search is asked, which knows all issues and learns of new ones late.
func (c *Client) Find(ctx context.Context, repository, rollback string, since time.Time) (runbook.OpenedTicket, bool, error) {
	owner, name := split(repository)
	marker := postmortem.TicketMarker(rollback)
	options := &github.IssueListByRepoOptions{State: "all", Sort: "created", Direction: "desc", Since: since.Add(-findMargin)}
	options.ListOptions.PerPage = perPage
	for range maxPages {
		issues, answer, err := c.api.Issues.ListByRepo(ctx, owner, name, options)
		if err != nil {
			return runbook.OpenedTicket{}, false, problem(err, repository, needIssues)
		}
		if issue := marked(issues, marker); issue != nil {
			t, err := c.opened(issue)
			return t, err == nil, err
		}
		if answer.NextPage == 0 {
			return runbook.OpenedTicket{}, false, nil
		}
		options.ListOptions.Page = answer.NextPage
	}
	return c.search(ctx, repository, rollback)
}

func (c *Client) search(ctx context.Context, repository, rollback string) (runbook.OpenedTicket, bool, error) {
	query := fmt.Sprintf("repo:%s is:issue in:body %q", repository, "rollbackbot:"+rollback)
	result, _, err := c.api.Search.Issues(ctx, query, &github.SearchOptions{ListOptions: github.ListOptions{PerPage: perPage}})
	switch {
	case err != nil:
		return runbook.OpenedTicket{}, false, problem(err, repository, needIssues)
	case result.GetIncompleteResults():
		return runbook.OpenedTicket{}, false, errors.New("GitHub's search gave up before its end")
	}
	if issue := marked(result.Issues, postmortem.TicketMarker(rollback)); issue != nil {
		t, err := c.opened(issue)
		return t, err == nil, err
	}
	return runbook.OpenedTicket{}, false, nil
}

// marked is the first issue with the marker in its body: a pull request is none.
func marked(issues []*github.Issue, marker string) *github.Issue {
	for _, issue := range slices.Backward(issues) { // the oldest of a page: should there be two, it is the one that is linked
		if !issue.IsPullRequest() && strings.Contains(issue.GetBody(), marker) {
			return issue
		}
	}
	return nil
}

// Update changes the line about the owner in the ticket's body, and who of the two it is assigned to. What people wrote
// there stays, and so does whom they assigned.
func (c *Client) Update(ctx context.Context, repository string, number int, t runbook.Ticket) (string, error) {
	owner, name := split(repository)
	issue, _, err := c.api.Issues.Get(ctx, owner, name, number)
	if err != nil {
		return "", problem(err, repository, needIssues)
	}
	before := issue
	account := c.account(ctx, repository, t.Email)
	change := github.UpdateIssueRequest{}
	body, renewed := postmortem.RenewOwner(issue.GetBody(), t.Body)
	if renewed {
		change.Body = &body
	}
	now, reassigned := assignees(issue, t.Former, account)
	if reassigned {
		change.Assignees = now
	}
	if renewed || reassigned {
		issue, _, err = c.api.Issues.Update(ctx, owner, name, number, change)
	}
	if refusedWith(err, http.StatusUnprocessableEntity) && account != "" {
		change.Assignees, _ = assignees(before, t.Former, "") // they may not be assigned here
		issue, _, err = c.api.Issues.Update(ctx, owner, name, number, change)
	}
	if err != nil {
		return "", problem(err, repository, needIssues)
	}
	if !slices.ContainsFunc(issue.Assignees, func(u *github.User) bool { return account != "" && u.GetLogin() == account }) {
		return "", nil
	}
	return account, nil
}

// assignees are those of the issue with the new account instead of the former one.
func assignees(issue *github.Issue, former, account string) (now []string, changed bool) {
	now = []string{}
	for _, user := range issue.Assignees {
		if login := user.GetLogin(); login == former && former != account {
			changed = true
		} else {
			now = append(now, login)
		}
	}
	if account != "" && !slices.Contains(now, account) {
		now, changed = append(now, account), true
	}
	return now, changed
}

// account finds the account of an e-mail address: by the repository's commits, whose authors GitHub knows by the addresses
// that they gave it, or else by those that show theirs to all. Empty where there is none, and where that can't be told: a
// ticket waits for nobody's account.
func (c *Client) account(ctx context.Context, repository, email string) string {
	if email == "" {
		return ""
	}
	owner, name := split(repository)
	login := c.byCommits(ctx, owner, name, email)
	if login == "" {
		login = c.bySearch(ctx, email)
	}
	return login
}

func (c *Client) byCommits(ctx context.Context, owner, name, email string) string {
	commits, _, err := c.api.Repositories.ListCommits(ctx, owner, name, &github.CommitsListOptions{Author: email, ListOptions: github.ListOptions{PerPage: 1}})
	if err != nil || len(commits) == 0 || !strings.EqualFold(commits[0].GetCommit().GetAuthor().GetEmail(), email) {
		return ""
	}
	return commits[0].GetAuthor().GetLogin()
}

func (c *Client) bySearch(ctx context.Context, email string) string {
	found, _, err := c.api.Search.Users(ctx, fmt.Sprintf("%q in:email", email), &github.SearchOptions{ListOptions: github.ListOptions{PerPage: 2}})
	if err != nil || len(found.Users) != 1 {
		return ""
	}
	return found.Users[0].GetLogin()
}
