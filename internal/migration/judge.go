package migration

import (
	"context"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"rollbackbot/runbook"
)

// The limits on what is judged. Beyond them it could not be judged.
const (
	maxFile       = 1 << 20 // bytes of a file
	maxFiles      = 500     // of one call
	maxTotal      = 8 << 20 // bytes of the files of one call
	maxStatements = 1000    // of a file
)

// Judge judges files in this process. The first statement starts PostgreSQL's parser, which stays: Process is what the
// bot uses.
func Judge(ctx context.Context, files []runbook.MigrationFile) []runbook.Judgement {
	var judgements []runbook.Judgement
	for _, f := range files {
		if ctx.Err() != nil {
			judgements = append(judgements, whole(f.Name, "the judge ran out of time"))
			continue
		}
		judgements = append(judgements, judgeFile(f)...)
	}
	return judgements
}

// whole is the judgement on a file of which no statement could be judged.
func whole(file, why string) runbook.Judgement {
	return runbook.Judgement{File: file, Verdict: runbook.NotJudged, Why: why}
}

func judgeFile(f runbook.MigrationFile) []runbook.Judgement {
	text, why := readable(f)
	if why != "" {
		return []runbook.Judgement{whole(f.Name, why)}
	}
	var judgements []runbook.Judgement
	up, doubt := sections(f.Name, text)
	if doubt != "" {
		judgements = append(judgements, whole(f.Name, doubt))
	}
	made := newNames()
	for _, part := range up {
		for _, g := range groups(text, part) {
			if len(judgements) >= maxStatements {
				return append(judgements, whole(f.Name, "it has more statements than this judge reads"))
			}
			judged := judgeGroup(f.Name, text, g, made)
			if len(judged) > 0 && runbook.WorstVerdict(judged) != runbook.AddsOnly {
				made = newNames() // whatever it did, the names may mean something else now
			}
			judgements = append(judgements, judged...)
		}
	}
	return judgements
}

func newNames() []names {
	made := make([]names, len(dialects))
	for i := range made {
		made[i] = names{}
	}
	return made
}

// readable gives the text of a file, or why it can't be judged at all.
func readable(f runbook.MigrationFile) (text, why string) {
	text = strings.TrimPrefix(string(f.Content), "\ufeff")
	switch {
	case !strings.EqualFold(path.Ext(f.Name), ".sql"):
		return "", "it is not an SQL file"
	case len(f.Content) > maxFile:
		return "", "it is larger than what this judge reads"
	case strings.ContainsRune(text, 0):
		return "", "it has NUL bytes"
	case !utf8.ValidString(text):
		return "", "it is not UTF-8"
	}
	return text, ""
}

// reading is what came of having one dialect read a group.
type reading struct {
	opinions []opinion // by piece; the zero value for one that it could not read, or that is empty
	errs     []error   // by piece
}

// complete says that every piece was read.
func (r reading) complete() bool {
	return !slices.ContainsFunc(r.errs, func(err error) bool { return err != nil })
}

// judgeGroup has all dialects read a group. Each that reads a statement judges it, and the worst counts.
func judgeGroup(file, text string, g group, made []names) []runbook.Judgement {
	readings := make([]reading, len(dialects))
	readable, aligned := false, true
	before := make([]int, len(dialects))
	for i, d := range dialects {
		before[i] = len(made[i])
		for _, p := range g.pieces[i] {
			opinions, err := d.read(text, p, made[i])
			var o opinion
			if len(opinions) > 0 {
				o = worst(opinions)
			}
			readings[i].opinions, readings[i].errs = append(readings[i].opinions, o), append(readings[i].errs, err)
		}
		readable = readable || readings[i].complete()
		aligned = aligned && len(g.pieces[i]) == 1
	}
	if aligned {
		share(text[g.start:g.end], readings, made, before)
		return one(file, text, g, readings)
	}
	return apart(file, text, g, readings, readable)
}

// share tells a dialect that could not read a statement what others saw made by it: if the database is of that dialect,
// the file ends there. Names whose case one dialect folds and another keeps are not shared.
func share(text string, readings []reading, made []names, before []int) {
	for i := range dialects {
		if len(made[i]) == before[i] {
			continue
		}
		for k := range dialects {
			for key := range made[i] {
				object := key[strings.LastIndexByte(key, 0)+1:]
				if readings[k].errs[0] != nil && strings.Contains(text, object) {
					made[k][key] = true
				}
			}
		}
	}
}

// one judges a group that is the same single statement for all dialects.
func one(file, text string, g group, readings []reading) []runbook.Judgement {
	var o opinion
	read := false
	for _, r := range readings {
		if r.errs[0] != nil {
			continue
		}
		read = true
		if r.opinions[0] != (opinion{}) {
			o = pick(o, r.opinions[0])
		}
	}
	if hidden := hiddenFrom(text[g.start:g.end]); hidden != "" {
		o = pick(o, unjudged("%s", hidden))
	}
	switch {
	case !read:
		o = pick(o, unjudged("neither PostgreSQL's nor MySQL's parser reads it"))
	case o == opinion{}:
		return nil // white space and comments
	}
	return []runbook.Judgement{judgement(file, text, g.start, g.end, o)}
}

// pick is the worse of two opinions, of which the first may be missing.
func pick(o, another opinion) opinion {
	if o == (opinion{}) {
		return another
	}
	return o.worse(another)
}

// apart judges a group where the dialects do not agree about where statements end: in each reading, whatever is read
// counts, and somebody must have read all of it.
func apart(file, text string, g group, readings []reading, readable bool) []runbook.Judgement {
	var judgements []runbook.Judgement
	for i, r := range readings {
		for k, p := range g.pieces[i] {
			o := r.opinions[k]
			if o == (opinion{}) || o.verdict == runbook.AddsOnly && !r.complete() {
				continue
			}
			j := judgement(file, text, p.start, p.end, o)
			if !slices.Contains(judgements, j) {
				judgements = append(judgements, j)
			}
		}
	}
	if hidden := hiddenFrom(text[g.start:g.end]); hidden != "" {
		judgements = append(judgements, judgement(file, text, g.start, g.end, unjudged("%s", hidden)))
	}
	if !readable {
		judgements = append(judgements, judgement(file, text, g.start, g.end,
			unjudged("neither PostgreSQL's nor MySQL's parser reads all of it")))
	}
	slices.SortStableFunc(judgements, func(a, b runbook.Judgement) int { return a.Line - b.Line })
	return judgements
}

// hiddenFrom says what of a text a parser may take for a comment or a string, and a database or a tool executes or
// replaces: version comments of MySQL and MariaDB, placeholders of Flyway and goose.
func hiddenFrom(text string) string {
	for _, opening := range []string{"/*!", "/*M!", "/*T!"} {
		if strings.Contains(text, opening) {
			return "it has a " + opening + " comment, which some databases execute"
		}
	}
	if strings.Contains(text, "${") {
		return "it has a placeholder that its tool fills in"
	}
	return ""
}

func judgement(file, text string, start, end int, o opinion) runbook.Judgement {
	begins := start + leading(text[start:end])
	statement := show(strings.TrimSuffix(text[begins:end], ";"))
	if statement == "" {
		statement = "a comment"
	}
	return runbook.Judgement{
		File: file, Line: 1 + strings.Count(text[:begins], "\n"), Statement: statement, Verdict: o.verdict, Why: o.why,
	}
}
