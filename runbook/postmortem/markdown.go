package postmortem

import (
	"fmt"
	"strings"
)

// markup are the characters that mean something to Markdown or HTML, and are to be read as they are.
const markup = "\\`*_{}[]<>#|~&!$"

// markdown makes foreign words plain text on one line of Markdown: nothing in them is markup, a comment or a call to
// somebody. A call (@name) is taken after the text was rendered, so that escaping doesn't help: a character of no width
// stands in it.
func markdown(text string) string {
	var b strings.Builder
	for _, r := range strings.Join(strings.Fields(text), " ") {
		switch {
		case r == '@':
			b.WriteString("@\u200b")
			continue
		case strings.ContainsRune(markup, r):
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// quoted is markdown as a quotation, line by line.
func quoted(text string) string {
	var lines []string
	for line := range strings.Lines(strings.TrimSpace(text)) {
		lines = append(lines, strings.TrimSpace("> "+lineStart(markdown(line))))
	}
	return strings.Join(lines, "\n")
}

// lineStart keeps a line from beginning a list or a rule: what does so elsewhere in a line means nothing.
func lineStart(text string) string {
	trimmed := strings.TrimLeft(text, "0123456789")
	if i := len(text) - len(trimmed); trimmed != "" && strings.ContainsRune("-+=.)", rune(trimmed[0])) {
		return text[:i] + "\\" + trimmed
	}
	return text
}

// inCode is a text on one line, word for word in a fixed width.
func inCode(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	fence := backquotes(text, 1)
	if strings.HasPrefix(text, "`") || strings.HasSuffix(text, "`") {
		text = " " + text + " "
	}
	return fence + text + fence
}

// codeBlock is a text word for word.
func codeBlock(text string) string {
	fence := backquotes(text, 3)
	return fence + "text\n" + strings.TrimRight(text, "\n") + "\n" + fence
}

// backquotes are more of them than stand together anywhere in the text, and at least so many.
func backquotes(text string, least int) string {
	longest, run := least-1, 0
	for _, r := range text {
		if r != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return strings.Repeat("`", longest+1)
}

// bullets is a list; the empty text where there are none.
func bullets(items []string) string {
	var b strings.Builder
	for _, item := range items {
		fmt.Fprintf(&b, "- %s\n", item)
	}
	return strings.TrimRight(b.String(), "\n")
}
