package preflight

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
)

const (
	// changesPatience is how long a person who asked waits for what the source says. GitHub answers within a second, and
	// the judge of migrations starts in 2 s on an idle core.
	changesPatience = 6 * time.Second
	// changesTimeout bounds one attempt while the sign-off is awaited: a judge on a busy machine, and many files.
	changesTimeout = 90 * time.Second
	// maxRanges is how many releases between the two are compared one by one; each costs a call.
	maxRanges = 8
	// maxMigrations is how many migration files are read.
	maxMigrations = 100
	// filesAtOnce is how many files are asked for at once; GitHub wants few:
	// https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
	filesAtOnce = 6
)

// changesReader asks the source what lies between two releases, and the judge what the migrations in between do.
type changesReader struct {
	source runbook.Source
	judge  runbook.MigrationJudge // nil: no migration file is judged
	app    runbook.App
}

// step is the way from one commit to the next.
type commitStep struct {
	release    runbook.Release // which came with it
	base, head string
}

// read asks. What doesn't answer is Missing, and Late where it may yet: there is no error.
func (r changesReader) read(ctx context.Context, b history.Between) *runbook.Changes {
	c := &runbook.Changes{Repository: r.app.Repository, Base: b.Target.Commit}
	if b.Running == nil {
		c.Missing = []string{"which commits lie in between is not known, since the hosts don't all run one known release"}
		return c
	}
	c.Head = b.Running.Commit
	if c.Base == "" || c.Head == "" {
		c.Missing = []string{withoutCommit(b)}
		return c
	}
	whole, err := r.compare(ctx, c.Base, c.Head)
	if err != nil {
		r.missing(c, err, "which commits lie in between is not known")
		return c
	}
	c.Commits, c.Behind, c.URL = whole.Commits, whole.Behind, whole.URL
	if len(r.app.MigrationsPaths) == 0 {
		return c
	}
	files := r.ranges(ctx, c, b, whole)
	r.judged(ctx, c, files)
	return c
}

func withoutCommit(b history.Between) string {
	var names []string
	for _, release := range []runbook.Release{b.Target, *b.Running} {
		if release.Commit == "" {
			names = append(names, release.Name())
		}
	}
	return fmt.Sprintf("which commits lie in between is not known, since the commit of %s is neither noted (`deployed --commit`) nor in its images' labels", strings.Join(names, " and of "))
}

// compare spares the call for a commit with itself.
func (r changesReader) compare(ctx context.Context, base, head string) (runbook.Comparison, error) {
	if base == head {
		return runbook.Comparison{}, nil
	}
	return r.source.Compare(ctx, r.app.Repository, base, head)
}

// missing notes what could not be had. What is denied stays so until somebody mends it; all else may yet come.
func (r changesReader) missing(c *runbook.Changes, err error, what string) {
	var denied *runbook.DeniedError
	c.Late = c.Late || !errors.As(err, &denied)
	text := what + ": " + runbook.Mask(err.Error())
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		text = what + ": the repository's host didn't answer in time"
	}
	if !slices.Contains(c.Missing, text) {
		c.Missing = append(c.Missing, text)
	}
}

// changedMigration is a migration file that came with a release.
type changedMigration struct {
	runbook.ChangedFile
	release string // its name
	commit  string
}

// ranges compares release by release, and gives the migration files that came with them. A release on a branch of its own
// may have brought one that the whole comparison doesn't show.
func (r changesReader) ranges(ctx context.Context, c *runbook.Changes, b history.Between, whole runbook.Comparison) (files []changedMigration) {
	steps, gap := stepsOf(b)
	if len(steps) == 0 || gap {
		// What can't be told release by release is shown as a whole, and proves nothing.
		files = r.migrationsOf(whole, commitStep{release: *b.Running, base: c.Base, head: c.Head})
		if whole.Partial {
			c.Missing = append(c.Missing, "there are more changed files than the comparison shows, so there may be more migrations")
		}
	}
	if n := len(steps) - maxRanges; n > 0 {
		c.Missing = append(c.Missing, fmt.Sprintf("the migration files of the first %s after the target were not looked for one by one", runbook.Count(n, "release")))
		steps = steps[n:]
	}
	for _, step := range steps {
		compared := whole
		if step.base != c.Base || step.head != c.Head {
			var err error
			if compared, err = r.compare(ctx, step.base, step.head); err != nil {
				r.missing(c, err, fmt.Sprintf("which migration files %s brought is not known", step.release.Name()))
				continue
			}
		}
		brought := r.migrationsOf(compared, step)
		c.Ranges = append(c.Ranges, runbook.ReleaseRange{
			Release: step.release.ID, Commits: compared.Commits, Files: len(brought), Complete: !compared.Partial && compared.Behind == 0,
		})
		if compared.Partial {
			c.Missing = append(c.Missing, fmt.Sprintf("%s changed more files than the comparison shows, so it may have more migrations", step.release.Name()))
		}
		for _, file := range brought {
			if !slices.ContainsFunc(files, func(f changedMigration) bool { return f.Path == file.Path && f.commit == file.commit }) {
				files = append(files, file)
			}
		}
	}
	return files
}

// stepsOf are the ways from each release to the next; gap is true where one of them can't be gone.
func stepsOf(b history.Between) (steps []commitStep, gap bool) {
	base := b.Target.Commit
	for _, release := range b.After {
		if base != "" && release.Commit != "" {
			steps = append(steps, commitStep{release: release, base: base, head: release.Commit})
		} else {
			gap = true
		}
		base = release.Commit
	}
	return steps, gap
}

// migrationsOf are the changed files under the app's migrations paths.
func (r changesReader) migrationsOf(c runbook.Comparison, step commitStep) (files []changedMigration) {
	for _, file := range c.Files {
		if r.isMigration(file.Path) || file.Former != "" && r.isMigration(file.Former) {
			files = append(files, changedMigration{ChangedFile: file, release: step.release.Name(), commit: step.head})
		}
	}
	return files
}

func (r changesReader) isMigration(file string) bool {
	return slices.ContainsFunc(r.app.MigrationsPaths, func(folder string) bool {
		folder = path.Clean(folder)
		return folder == "." || file == folder || strings.HasPrefix(file, folder+"/")
	})
}

// judged reads the files as their releases have them, and has them judged.
func (r changesReader) judged(ctx context.Context, c *runbook.Changes, files []changedMigration) {
	contents, failures := r.contents(ctx, files)
	var sent []runbook.MigrationFile
	for i, file := range files {
		if failures[i] == nil {
			sent = append(sent, runbook.MigrationFile{Name: judgedName(i, file), Content: contents[i]})
		}
	}
	var judgements []runbook.Judgement
	if len(sent) > 0 && r.judge != nil {
		judgements = r.judge.Judge(ctx, sent)
	}
	for i, file := range files {
		m := runbook.MigrationChange{Release: file.release, Path: file.Path, Status: file.Status}
		if failures[i] != nil {
			judgement := runbook.Judgement{Verdict: runbook.NotJudged, Why: runbook.Mask(failures[i].Error())}
			weigh(&m, []runbook.Judgement{judgement})
			var denied *runbook.DeniedError
			c.Late = c.Late || !errors.As(failures[i], &denied)
		} else {
			name := judgedName(i, file)
			weigh(&m, slices.DeleteFunc(slices.Clone(judgements), func(j runbook.Judgement) bool { return j.File != name }))
		}
		c.Migrations = append(c.Migrations, m)
	}
	if ctx.Err() != nil {
		c.Late = true
	}
	byWeight(c.Migrations)
}

// judgedName is a file's name for the judge, which tells files apart by it: two releases may bring the same one. What the
// conventions of migration tools go by is its last part.
func judgedName(i int, file changedMigration) string { return fmt.Sprintf("%d/%s", i, file.Path) }

// contents reads the files, several at once.
func (r changesReader) contents(ctx context.Context, files []changedMigration) ([][]byte, []error) {
	contents, failures := make([][]byte, len(files)), make([]error, len(files))
	places := make(chan struct{}, filesAtOnce)
	var reading sync.WaitGroup
	for i, file := range files {
		switch {
		case file.Status == "removed":
			failures[i] = &runbook.DeniedError{Why: "the file was removed; what it did to the schema is still there"}
			continue
		case i >= maxMigrations:
			failures[i] = &runbook.DeniedError{Why: fmt.Sprintf("it is one of more than %d files, and was not read", maxMigrations)}
			continue
		case r.judge == nil:
			failures[i] = &runbook.DeniedError{Why: "nothing here judges migrations"}
			continue
		}
		reading.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			contents[i], failures[i] = r.source.File(ctx, r.app.Repository, file.Path, file.commit)
		})
	}
	reading.Wait()
	return contents, failures
}

// byWeight orders migrations by how bad they are, then by where they are.
func byWeight(migrations []runbook.MigrationChange) {
	order := []runbook.MigrationVerdict{runbook.MayBreak, runbook.NotJudged, runbook.AddsOnly}
	weight := func(m runbook.MigrationChange) int {
		if m.Verdict == "" {
			return len(order)
		}
		return slices.Index(order, m.Verdict.Worse(runbook.AddsOnly))
	}
	slices.SortStableFunc(migrations, func(a, b runbook.MigrationChange) int {
		return cmp.Or(weight(a)-weight(b), strings.Compare(a.Path, b.Path))
	})
}

// weigh takes in what was judged of the file. Of none at all it only takes a migration back.
func weigh(m *runbook.MigrationChange, judgements []runbook.Judgement) {
	m.Statements = len(judgements)
	if len(judgements) == 0 {
		return
	}
	m.Verdict = runbook.WorstVerdict(judgements)
	for _, j := range judgements {
		if j.Verdict.Worse(runbook.AddsOnly) == m.Verdict {
			m.Worst = j
			m.Worst.File = m.Path
			return
		}
	}
}
