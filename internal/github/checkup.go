package github

import (
	"context"
	"errors"

	"github.com/google/go-github/v92/github"

	"rollbackbot/runbook"
)

// Check looks whether the token sees the repository and its issues. Whether it may write them can't be told without
// writing one: what GitHub answers of rights is what the person behind the token may do.
func (c *Client) Check(repository string) runbook.Check {
	about := "GitHub's " + repository
	return runbook.Check{About: about, Run: func(ctx context.Context) []runbook.Finding {
		owner, name := split(repository)
		repo, _, err := c.api.Repositories.Get(ctx, owner, name)
		if err != nil {
			return []runbook.Finding{wrong(about, problem(err, repository, "the permission to read metadata"))}
		}
		found := []runbook.Finding{runbook.FoundFine(about, "the token sees it")}
		about := "issues of " + repository
		switch {
		case repo.HasIssues != nil && !repo.GetHasIssues():
			return append(found, runbook.FoundWrong(about, "Switch them on in the repository's settings, under Features", "they are switched off, so no ticket could be opened"))
		case repo.GetArchived():
			return append(found, runbook.FoundWrong(about, "Unarchive the repository, or name another in REPOSITORY", "the repository is archived, so no ticket could be opened"))
		}
		if _, _, err := c.api.Issues.ListByRepo(ctx, owner, name, &github.IssueListByRepoOptions{ListOptions: github.ListOptions{PerPage: 1}}); err != nil {
			return append(found, wrong(about, problem(err, repository, needIssues)))
		}
		return append(found, runbook.FoundFine(about, "they can be read"),
			runbook.NotChecked("writing "+about, "that can't be told without opening one"))
	}}
}

func wrong(about string, err error) runbook.Finding {
	remedy := "Check ROLLBACK_GITHUB_TOKEN, ROLLBACK_GITHUB_URL and REPOSITORY"
	var denied *runbook.DeniedError
	if !errors.As(err, &denied) {
		remedy = "Check the way to GitHub from here, and ROLLBACK_GITHUB_URL"
	}
	return runbook.FoundWrong(about, remedy, "%v", err)
}
