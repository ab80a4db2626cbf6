package runbook

import (
	"fmt"
	"strings"
)

// Changes is what the source says lies between the release that a plan goes to and the one that runs. It joins the
// sign-off: whoever signs a plan signs what it says of migrations.
type Changes struct {
	Repository string `json:"repository"`     // "owner/name"
	Base       string `json:"base,omitempty"` // the commit of the release to go to; empty: not known
	Head       string `json:"head,omitempty"` // the commit of the release that runs; empty: not known
	Commits    int    `json:"commits,omitempty"`
	Behind     int    `json:"behind,omitempty"` // how many commits Base has that Head has not
	URL        string `json:"url,omitempty"`    // the page that shows them; empty: there is none
	// Migrations are the files under the app's migrations paths that changed in between, the worst first.
	Migrations []MigrationChange `json:"migrations,omitempty"`
	// Ranges are what was found on the releases in between, where their commits are known.
	Ranges []ReleaseRange `json:"ranges,omitempty"`
	// Missing says what is not known of them, a sentence without a full stop each; none: it is all there.
	Missing []string `json:"missing,omitempty"`
	// Late says that the source has not answered yet. It is asked on while the sign-off is awaited; then there is a new plan.
	Late bool `json:"late,omitempty"`
}

// ReleaseRange is what lies between a release and the one that ran before it.
type ReleaseRange struct {
	Release string `json:"release"` // its ID
	Commits int    `json:"commits"`
	Files   int    `json:"files"` // how many of the changed files are under the app's migrations paths
	// Complete says that all changed files are known and that the release builds on the one before: then no Files prove
	// that it had no migration.
	Complete bool `json:"complete"`
}

// MigrationChange is a migration file that changed between two releases, with what its statements do.
type MigrationChange struct {
	Release string           `json:"release"`           // the name of the release that brought it
	Path    string           `json:"path"`              // in the repository
	Status  string           `json:"status"`            // added, modified, removed, renamed, …
	Verdict MigrationVerdict `json:"verdict,omitempty"` // the worst of its statements; empty: it only takes a migration back
	// Statements is how many were judged; Worst is the first of those with the Verdict.
	Statements int       `json:"statements,omitempty"`
	Worst      Judgement `json:"worst,omitzero"`
}

// Text is the file with its verdict, the statement that it rests on, and what the verdict is worth; one line.
func (m MigrationChange) Text() string {
	if m.Verdict == "" {
		return Mask(fmt.Sprintf("%s (%s by %s): only takes a migration back, so it is not judged", m.Path, m.Status, m.Release))
	}
	where := fmt.Sprintf("%s (%s by %s)", m.Path, m.Status, m.Release)
	if m.Worst.Line > 0 {
		where += fmt.Sprintf(", line %d", m.Worst.Line)
	}
	text := fmt.Sprintf("%s: %s, %s: %s", where, m.Verdict, BySyntax, m.Worst.Why)
	if m.Worst.Statement != "" {
		text += ": " + m.Worst.Statement
	}
	return Mask(text)
}

// Verdict is the worst of all migrations in between; empty where none is known.
func (c Changes) Verdict() MigrationVerdict {
	var verdict MigrationVerdict
	for _, m := range c.Migrations {
		switch {
		case m.Verdict == "":
		case verdict == "":
			verdict = m.Verdict
		default:
			verdict = verdict.Worse(m.Verdict)
		}
	}
	return verdict
}

// Summary is what lies in between in one sentence, without the statements. Nil: nobody is asked, and it says nothing.
func (c *Changes) Summary() string {
	if c == nil {
		return ""
	}
	var parts []string
	if c.URL != "" || c.Commits > 0 {
		parts = append(parts, Count(c.Commits, "commit"))
	}
	if c.Behind > 0 {
		parts = append(parts, fmt.Sprintf("it lacks %s that the other release has", Count(c.Behind, "commit")))
	}
	if n := len(c.Migrations); n > 0 {
		text := Count(n, "migration file")
		if v := c.Verdict(); v != "" {
			text += fmt.Sprintf(", the worst %s (%s)", v, BySyntax)
		}
		parts = append(parts, text)
	}
	return strings.Join(append(parts, c.Missing...), "; ")
}

// canonical is what a signature covers of them: what the source said, and not what it failed to say, nor how statements
// are put into words.
func (c *Changes) canonical() any {
	migrations := []any{}
	for _, m := range c.Migrations {
		migrations = append(migrations, map[string]any{"release": m.Release, "path": m.Path, "status": m.Status, "verdict": string(m.Verdict)})
	}
	return map[string]any{"base": c.Base, "head": c.Head, "commits": c.Commits, "behind": c.Behind, "migrations": migrations}
}

// Told reports whether the source has said anything that a person would sign.
func (c *Changes) Told() bool {
	return c != nil && (c.URL != "" || c.Commits > 0 || len(c.Migrations) > 0)
}

// Weigh is a release's fact with what its commits say beside its note. They never take back that there was a migration.
func (c *Changes) Weigh(id string, fact ReleaseFact) ReleaseFact {
	if c == nil {
		return fact
	}
	for _, r := range c.Ranges {
		if r.Release != id {
			continue
		}
		switch {
		case r.Files > 0 && fact.Migration == MigrationNone:
			fact.Migration, fact.Source = MigrationYes, fmt.Sprintf("its commits have %s, although its %s", Count(r.Files, "migration file"), fact.Source)
		case r.Files > 0:
			fact.Migration, fact.Source = MigrationYes, fmt.Sprintf("its commits have %s", Count(r.Files, "migration file"))
		case r.Complete && fact.Migration == MigrationUnknown:
			fact.Migration, fact.Source = MigrationNone, fmt.Sprintf("no migration file changed in its %s", Count(r.Commits, "commit"))
		}
	}
	return fact
}

// Awaited reports whether there may be more to learn.
func (c *Changes) Awaited() bool { return c != nil && c.Late }

// ShownMigrations is how many migration files the request names, the worst first; where there are more, all of them
// stand in its thread.
const ShownMigrations = 5

// Many reports whether there are more migrations than a message shows.
func (c *Changes) Many() bool { return c != nil && len(c.Migrations) > ShownMigrations }

// FromEverywhere is what all hosts run when the plan was made; nil where they differ or that isn't known.
func (p Plan) FromEverywhere() map[string]Image {
	var running []map[string]Image
	for _, host := range p.Hosts {
		running = append(running, host.From())
	}
	images := SameEverywhere(running)
	if len(p.Excluded) > 0 || images == nil || !complete(images, p) {
		return nil
	}
	return images
}
