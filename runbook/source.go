package runbook

import (
	"context"
	"time"
)

// Source reads where the code of an app is kept: a repository "owner/name". Its errors are as those of Tickets; whoever
// gets one goes on without that fact, and says which is missing.
type Source interface {
	// Compare tells what lies between two commits. An unknown commit or repository is a *DeniedError.
	Compare(ctx context.Context, repository, base, head string) (Comparison, error)
	// File gives a file as it was at a commit, up to maxSourceFile bytes; a larger one is a *DeniedError.
	File(ctx context.Context, repository, path, commit string) ([]byte, error)
	// Deployments gives what was deployed lately, as far as the repository tells, the latest first: its deployments, and
	// the runs of its workflows that went well.
	Deployments(ctx context.Context, repository string) ([]SourceDeployment, error)
}

// Comparison is what lies between two commits.
type Comparison struct {
	Commits int      // how many head has that base has not
	Behind  int      // how many base has that head has not; above 0, head does not build on base
	Authors []string // each once, as the source names them
	URL     string   // the page that shows it
	Files   []ChangedFile
	Partial bool // there is more than was read: of files, or of authors
}

// ChangedFile is one file of a Comparison.
type ChangedFile struct {
	Path   string
	Status string // added, modified, removed, renamed, …
	Former string // what it was called, where it was renamed
}

// SourceDeployment is one deployment, or one run of a workflow, as the source has it.
type SourceDeployment struct {
	Commit  string // 40 hex digits
	Version string // a tag or what else it is called; empty: not told
	Author  string
	URL     string
	At      time.Time
	Run     bool // a workflow's run, which may have deployed nothing
}
