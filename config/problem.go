package config

import (
	"fmt"
	"regexp"
	"strings"
)

// Problem is one variable that a command can't work with.
type Problem struct {
	Variable string
	Wrong    string // what is wrong with it; no secret is quoted
	Remedy   string // what to do
}

func (p Problem) String() string { return p.Variable + ": " + p.Wrong + ": " + p.Remedy }

// Problems are all of them, at least one.
type Problems []Problem

// Error has one line for each problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

// confidential are texts that are secrets, or hold one, wherever they stand: people paste tokens into the variable
// beside the right one. Slack's tokens, GitHub's, private keys, the userinfo of a URL.
var confidential = regexp.MustCompile(`(?i)xox[a-z]?-|xapp-|xwfp-|gh[a-z]_|github_pat_|-----BEGIN|//[^/\s]*@`)

// maxShown bounds a quoted value, in runes: one line of a terminal has to hold the problem around it as well.
const maxShown = 60

// show quotes a value for a person.
func show(value string) string {
	if confidential.MatchString(value) {
		return "<secret>"
	}
	if runes := []rune(value); len(runes) > maxShown {
		value = string(runes[:maxShown]) + "…"
	}
	return fmt.Sprintf("%q", value)
}
