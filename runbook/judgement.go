package runbook

import (
	"context"
	"fmt"
)

// MigrationVerdict is what a migration's statement does to the release from before it, as far as its syntax tells.
type MigrationVerdict string

// The verdicts on a migration, from the mildest to the worst. They are never more than the sum of what the syntax says:
// BySyntax stands beside each that is shown, and the lead decides.
const (
	// AddsOnly is for what is positively known to only add: a new table, a new column that is nullable or has a
	// default, a new plain index. The runbook: "usually safe to leave in place".
	AddsOnly MigrationVerdict = "adds only"
	// NotJudged is for what no parser of a known dialect reads, and for a judge that did not answer.
	NotJudged MigrationVerdict = "could not be judged"
	// MayBreak is for everything else.
	MayBreak MigrationVerdict = "breaks or may break the former version"
)

// BySyntax is what a judgement rests on; whoever shows one says so.
const BySyntax = "by its syntax, not tried against the former code"

// Judgement is what was found out about one statement of a migration file.
type Judgement struct {
	File      string           `json:"file"`
	Line      int              `json:"line,omitempty"`      // where the statement begins, from 1; 0 is the file as a whole
	Statement string           `json:"statement,omitempty"` // on one line, shortened, masked; empty for a file as a whole
	Verdict   MigrationVerdict `json:"verdict"`
	Why       string           `json:"why"` // one clause for people
}

// Text is the judgement on one line, for people.
func (j Judgement) Text() string {
	where := j.File
	if j.Line > 0 {
		where = fmt.Sprintf("%s:%d", j.File, j.Line)
	}
	if j.Statement != "" {
		where += ": " + j.Statement
	}
	return Mask(fmt.Sprintf("%s: %s (%s): %s", where, j.Verdict, BySyntax, j.Why))
}

// gravity orders the verdicts. One that this version does not know, and the zero value, are not judged.
func (v MigrationVerdict) gravity() int {
	switch v {
	case AddsOnly:
		return 0
	case MayBreak:
		return 2
	}
	return 1
}

// Known reports whether it is one of the three verdicts.
func (v MigrationVerdict) Known() bool {
	return v == AddsOnly || v == NotJudged || v == MayBreak
}

// Worse gives the worse of two verdicts.
func (v MigrationVerdict) Worse(other MigrationVerdict) MigrationVerdict {
	if other.gravity() > v.gravity() {
		v = other
	}
	if !v.Known() {
		return NotJudged
	}
	return v
}

// WorstVerdict is the one that counts for all of them together. Of none at all it is NotJudged: that nothing was found
// is no finding.
func WorstVerdict(judgements []Judgement) MigrationVerdict {
	if len(judgements) == 0 {
		return NotJudged
	}
	worst := AddsOnly
	for _, j := range judgements {
		worst = worst.Worse(j.Verdict)
	}
	return worst
}

// MigrationFile is a file under the app's migrations path, as the failed release has it.
type MigrationFile struct {
	Name    string `json:"name"` // its path in the repository: the conventions of the migration tools are in its last part
	Content []byte `json:"content"`
}

// MigrationJudge judges migration files statement by statement. All that belong together go in one call: starting the
// parsers is what costs. What goes wrong is a judgement as well, NotJudged with why, so there is no error. What only
// takes a migration back (a down section, a down file) is not judged: a file that has nothing else gives no judgement.
// The judgements come in the order of the files, and of the lines in each.
type MigrationJudge interface {
	Judge(ctx context.Context, files []MigrationFile) []Judgement
}
