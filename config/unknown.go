package config

import (
	"os"
	"slices"
	"strings"
)

// unknown finds variables that look like ours and are not: a typo in a name otherwise shows at the worst moment.
func (r *reader) unknown() {
	for _, name := range ourNames() {
		if slices.ContainsFunc(r.settings, func(s *setting) bool { return s.Name == name }) {
			continue
		}
		need := Remote
		if strings.HasPrefix(name, "ROLLBACK_APP_") {
			if r.appsUnsure {
				continue
			}
			need = Apps
		}
		r.problem(setting{Variable: Variable{Name: name}, need: need}, "unknown variable", r.meant(name))
	}
}

// ourNames are the names in the environment that begin as ours do, sorted.
func ourNames() []string {
	var names []string
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "ROLLBACK_") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// maxTypos is how many letters may be wrong for a guess: more would guess at random.
const maxTypos = 3

// meant guesses which variable was meant.
func (r *reader) meant(name string) string {
	best, least := "", maxTypos+1
	for _, s := range r.settings {
		if n := distance(name, s.Name); n < least {
			best, least = s.Name, n
		}
	}
	if best == "" {
		return "remove it; the README lists all variables, and those of an app begin with ROLLBACK_APP_ and a name from ROLLBACK_APPS"
	}
	return "did you mean " + best + "?"
}

// distance is the least number of bytes to insert, remove or replace that makes a into b (Levenshtein's).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
