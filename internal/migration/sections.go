package migration

import (
	"path"
	"regexp"
	"strings"
)

// section is a part of a file that runs on the way up.
type section struct {
	start, end int
	// whole says that its tool hands it to the database as one statement, whatever semicolons are in it.
	whole bool
}

// The conventions that name whole files. Flyway's are case-sensitive:
// https://documentation.red-gate.com/fd/migrations-271585107.html; golang-migrate's:
// https://github.com/golang-migrate/migrate/blob/master/MIGRATIONS.md
var (
	upFile      = regexp.MustCompile(`\.up\.sql$`)
	downFile    = regexp.MustCompile(`\.down\.sql$`)
	flywayFile  = regexp.MustCompile(`^(?:[VB][0-9][0-9._]*|R)__.+\.sql$`)
	flywayUndo  = regexp.MustCompile(`^U[0-9][0-9._]*__.+\.sql$`)
	gooseMarker = regexp.MustCompile(`^--\s*\+goose\s+(Up|Down|StatementBegin|StatementEnd|NO TRANSACTION)\s*$`)
	// dbmate's own pattern: https://github.com/amacneil/dbmate/blob/main/pkg/dbmate/migration.go
	dbmateMarker = regexp.MustCompile(`^--\s*migrate:(up|down)(?:\s*$|\s+\S+)`)
	anyMarker    = regexp.MustCompile(`(?i)^\s*--\s*(?:\+goose|migrate:)`)
	migrateWords = regexp.MustCompile(`(?i)^--\s*migrate:(?:up|down)\b|^--\s*\+goose`)
)

// marker is a line that a tool reads as an instruction.
type marker struct {
	tool, word string
	start, end int // of its line, the line's end included
}

// sections finds what of a file runs on the way up; none, without a doubt, is a file that only takes things back. A doubt
// says why the file can't be told apart with certainty: then all of it is taken to run.
func sections(name, text string) (up []section, doubt string) {
	base := path.Base(name)
	all := []section{{0, len(text), false}}
	// Those tools run the whole file, whatever another tool's markers in it say.
	if upFile.MatchString(base) || flywayFile.MatchString(base) {
		return all, ""
	}
	markers, doubt := findMarkers(text)
	switch {
	case doubt != "":
		return all, doubt
	case len(markers) > 0:
		return between(text, markers)
	case downFile.MatchString(base), flywayUndo.MatchString(base):
		return nil, ""
	}
	return all, ""
}

// findMarkers gives the markers of a text in their order.
func findMarkers(text string) (markers []marker, doubt string) {
	at := 0
	for line := range strings.Lines(text) {
		start := at
		at += len(line)
		if !anyMarker.MatchString(line) {
			continue
		}
		bare := strings.TrimRight(line, "\r\n")
		m := marker{start: start, end: at}
		if found := gooseMarker.FindStringSubmatch(bare); found != nil {
			m.tool, m.word = "goose", found[1]
		} else if found := dbmateMarker.FindStringSubmatch(bare); found != nil {
			m.tool, m.word = "dbmate", found[1]
		} else if migrateWords.MatchString(bare) {
			return nil, "it has a line that looks like a marker of goose or dbmate and is none that this judge knows"
		} else {
			continue // indented, or another word: no tool takes it for a marker
		}
		if len(markers) > 0 && markers[0].tool != m.tool {
			return nil, "it has markers of two migration tools"
		}
		markers = append(markers, m)
	}
	for _, d := range dialects {
		if inside(d.rules, text, markers) {
			return nil, "a marker of its migration tool stands inside a string or a comment"
		}
	}
	return markers, ""
}

// inside reports whether a marker stands in the middle of something that a dialect reads as one token.
func inside(rules rules, text string, markers []marker) bool {
	next := 0
	for t := range tokens(text, rules) {
		for next < len(markers) && markers[next].start <= t.start {
			next++
		}
		if next < len(markers) && markers[next].start < t.end {
			return true
		}
	}
	return false
}

// between gives what the markers leave to run. What stands before the first one runs nowhere or there: it is judged.
func between(text string, markers []marker) (up []section, doubt string) {
	all := []section{{0, len(text), false}}
	from, sawUp, open := 0, false, false
	add := func(to int, whole bool) {
		if to > from {
			up = append(up, section{from, to, whole})
		}
	}
	for _, m := range markers {
		switch m.word {
		case "NO TRANSACTION":
			continue
		case "Up", "up":
			if sawUp || open {
				return all, "its markers for the way up and down are not in their order"
			}
			sawUp = true
			add(m.start, false)
		case "StatementBegin":
			if open {
				return all, "a StatementBegin stands inside another one"
			}
			add(m.start, false)
			open = true
		case "StatementEnd":
			if !open {
				return all, "a StatementEnd has no StatementBegin"
			}
			add(m.start, true)
			open = false
		case "Down", "down":
			if !sawUp || open {
				return all, "its markers for the way up and down are not in their order"
			}
			if doubt := restDoubt(markers, m); doubt != "" {
				return all, doubt
			}
			add(m.start, false)
			return up, ""
		}
		from = m.end
	}
	if open || !sawUp {
		return all, "its markers for the way up and down are not in their order"
	}
	add(len(text), false)
	return up, ""
}

// restDoubt says what is wrong with the markers after the one for the way down.
func restDoubt(markers []marker, down marker) string {
	for _, m := range markers {
		if m.start > down.start && (strings.EqualFold(m.word, "up") || strings.EqualFold(m.word, "down")) {
			return "its markers for the way up and down are not in their order"
		}
	}
	return ""
}
