package github

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/google/go-github/v92/github"

	"rollbackbot/runbook"
)

const needContents = "the permission to read contents"

const (
	// maxCommitPages bounds how many commits are read for their authors; how many there are is known from the first page.
	maxCommitPages = 5
	// maxFiles is how many files GitHub tells of at most:
	// https://docs.github.com/en/rest/commits/commits#compare-two-commits
	maxFiles = 300
	// maxSourceFile bounds a file in bytes: GitHub gives the content of larger ones in another way.
	maxSourceFile = 1 << 20
	// maxDeployments is how many deployments, and how many runs, are read.
	maxDeployments = 50
)

// CompareURL is the page of what lies between two commits.
func (c *Client) CompareURL(repository, base, head string) string {
	return fmt.Sprintf("%s/%s/compare/%s...%s", c.page, repository, url.PathEscape(base), url.PathEscape(head))
}

// Compare reads what lies between two commits, page by page.
func (c *Client) Compare(ctx context.Context, repository, base, head string) (runbook.Comparison, error) {
	owner, name := split(repository)
	out := runbook.Comparison{URL: c.CompareURL(repository, base, head)}
	options := &github.ListOptions{PerPage: perPage}
	for page := 1; ; page++ {
		part, answer, err := c.api.Repositories.CompareCommits(ctx, owner, name, base, head, options)
		if err != nil {
			return runbook.Comparison{}, problem(err, repository, needContents)
		}
		if page == 1 {
			out.Commits, out.Behind = part.GetTotalCommits(), part.GetBehindBy()
			for _, f := range part.Files {
				out.Files = append(out.Files, runbook.ChangedFile{Path: f.GetFilename(), Status: f.GetStatus(), Former: f.GetPreviousFilename()})
			}
			out.Partial = len(out.Files) >= maxFiles
		}
		for _, commit := range part.Commits {
			if author := authorOf(commit); author != "" && !slices.Contains(out.Authors, author) {
				out.Authors = append(out.Authors, author)
			}
		}
		if answer.NextPage == 0 {
			return out, nil
		}
		if page == maxCommitPages {
			out.Partial = true
			return out, nil
		}
		options.Page = answer.NextPage
	}
}

// authorOf is a commit's author as people know them there, or else as the commit names them.
func authorOf(commit *github.RepositoryCommit) string {
	if login := commit.GetAuthor().GetLogin(); login != "" {
		return login
	}
	return commit.GetCommit().GetAuthor().GetName()
}

// File reads one file at a commit.
func (c *Client) File(ctx context.Context, repository, path, commit string) ([]byte, error) {
	owner, name := split(repository)
	file, _, _, err := c.api.Repositories.GetContents(ctx, owner, name, path, &github.RepositoryContentGetOptions{Ref: commit})
	switch {
	case err != nil:
		return nil, problem(err, repository, needContents)
	case file == nil:
		return nil, &runbook.DeniedError{Why: fmt.Sprintf("%s is a folder", path), Err: errors.New("a folder")}
	case file.GetSize() > maxSourceFile:
		return nil, &runbook.DeniedError{Why: fmt.Sprintf("%s is larger than %d bytes", path, maxSourceFile), Err: errors.New("too large")}
	}
	text, err := file.GetContent()
	if err != nil {
		return nil, errors.New("GitHub's answer can't be read")
	}
	return []byte(text), nil
}

// Deployments reads the latest deployments and the latest runs that went well. A repository without the one or the other
// has none of them.
func (c *Client) Deployments(ctx context.Context, repository string) ([]runbook.SourceDeployment, error) {
	owner, name := split(repository)
	page := github.ListOptions{PerPage: maxDeployments}
	deployments, _, err := c.api.Repositories.ListDeployments(ctx, owner, name, &github.DeploymentsListOptions{ListOptions: page})
	if err != nil && !refusedWith(err, 404) {
		return nil, problem(err, repository, "the permission to read deployments")
	}
	runs, _, failed := c.api.Actions.ListRepositoryWorkflowRuns(ctx, owner, name, &github.ListWorkflowRunsOptions{Status: "success", ListOptions: page})
	switch {
	case refusedWith(failed, 404) && err != nil:
		return nil, problem(err, repository, "the permission to read deployments and actions")
	case failed != nil && !refusedWith(failed, 404):
		return nil, problem(failed, repository, "the permission to read actions")
	}
	var out []runbook.SourceDeployment
	for _, d := range deployments {
		out = append(out, runbook.SourceDeployment{
			Commit: d.GetSHA(), Version: versionOf(d.GetRef(), d.GetSHA()), Author: d.GetCreator().GetLogin(),
			URL: fmt.Sprintf("%s/%s/commit/%s", c.page, repository, d.GetSHA()), At: d.GetCreatedAt().Time,
		})
	}
	if runs != nil {
		for _, r := range runs.WorkflowRuns {
			out = append(out, fromRun(r))
		}
	}
	slices.SortStableFunc(out, func(a, b runbook.SourceDeployment) int { return b.At.Compare(a.At) })
	return out, nil
}

func fromRun(r *github.WorkflowRun) runbook.SourceDeployment {
	d := runbook.SourceDeployment{Commit: r.GetHeadSHA(), Author: r.GetActor().GetLogin(), URL: r.GetHTMLURL(), At: r.GetUpdatedAt().Time, Run: true}
	if r.GetEvent() == "release" { // then the run's branch is the release's tag
		d.Version = r.GetHeadBranch()
	}
	return d
}

// versionOf is what a deployment's ref says beyond the commit: a tag, or a branch.
func versionOf(ref, commit string) string {
	if ref == commit {
		return ""
	}
	return ref
}
