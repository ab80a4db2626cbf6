package migration

import (
	"regexp"
	"strings"

	"rollbackbot/runbook"
)

// maxShownRunes is how much of a statement people are shown: about two lines of a message.
const maxShownRunes = 160

// definition begins statements that define things: their strings are defaults and labels, which people need to see. In
// all others strings are data.
var definition = regexp.MustCompile(`(?i)^\s*(?:create|alter|comment|drop)\s+(?:on|table|index|unique|type|view|schema|domain|sequence)\b`)

// confidential marks statements whose strings are shown in no case.
var confidential = regexp.MustCompile(`(?i)passw|passwd|pwd|identified|secret|token|credential|api_?key|private|auth|connection|server|options`)

// maxString is how many bytes of a string are shown at most: longer ones are prose, or keys.
const maxString = 32

const elided = "'…'"

// showRules take for a comment what is one in any dialect.
var showRules = rules{backslash: true, hash: true, backtick: true}

// beforeName are the words after which a quoted word is a name, also where it could be a string.
var beforeName = map[string]bool{"into": true, "update": true, "from": true, "table": true, "join": true, "on": true, ".": true}

var plainName = regexp.MustCompile(`^"[A-Za-z0-9_]{1,63}"$`)

// leading is the length of the white space and comments that a statement begins with.
func leading(text string) int {
	for t := range tokens(text, showRules) {
		if t.kind != space {
			return t.start
		}
	}
	return 0
}

// show is a statement for people: on one line, without comments, shortened, and without what may be a secret.
func show(statement string) string {
	keep := definition.MatchString(statement) && !confidential.MatchString(statement)
	var line strings.Builder
	before := ""
	for t := range tokens(statement, showRules) {
		text := statement[t.start:t.end]
		switch {
		case t.kind == space:
			line.WriteString(" ")
			continue
		case t.kind == quoted && (t.unclosed || strings.Contains(text, `\`)), strings.HasPrefix(text, "$") && !keep:
			// Where that ends depends on the dialect: what follows may still be inside.
			return cut(line.String() + elided + " …")
		case t.kind == quoted && text[0] != '`' && !(beforeName[before] && plainName.MatchString(text)) && (!keep || len(text) > maxString):
			text = elided
		}
		before = strings.ToLower(text)
		line.WriteString(text)
		if line.Len() > 8*maxShownRunes {
			break
		}
	}
	return cut(line.String())
}

// cut masks a line and shortens it.
func cut(line string) string {
	line = strings.Join(strings.Fields(runbook.Mask(line)), " ")
	if runes := []rune(line); len(runes) > maxShownRunes {
		line = string(runes[:maxShownRunes-1]) + "…"
	}
	return line
}
