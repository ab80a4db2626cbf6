package localslack

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// reference is what stands for a person, channel or group already, as a client writes it after completion.
var reference = regexp.MustCompile(`^<(?:@[UW][A-Z0-9]+|#C[A-Z0-9]+|!subteam\^S[A-Z0-9]+)(?:\|[^<>|]*)?>`)

// link is an address that a client turns into a link by itself.
var link = regexp.MustCompile(`^https?://[^\s<>|]+`)

// broadcasts are the names after @ that mean many.
var broadcasts = []string{"channel", "here", "everyone"}

// typed is what Slack makes of what a person typed: markup characters escaped; names after @ and #, and web
// addresses, as references. With names, references carry the name too, as commands with should_escape do:
// https://docs.slack.dev/interactivity/implementing-slash-commands
func (w *world) typed(text string, withNames bool) string {
	var b strings.Builder
	for text != "" {
		out, n := w.typedToken(text, withNames, b.String())
		b.WriteString(out)
		text = text[n:]
	}
	return b.String()
}

// typedToken reads what text begins with: what becomes of it, and how many bytes it took.
func (w *world) typedToken(text string, withNames bool, before string) (string, int) {
	if found := reference.FindString(text); found != "" {
		return found, len(found)
	}
	if startsWord(before) {
		if found := link.FindString(text); found != "" {
			return "<" + found + ">", len(found)
		}
		if out, n := w.mention(text, withNames); n > 0 {
			return out, n
		}
	}
	r, size := utf8.DecodeRuneInString(text)
	switch r {
	case '&':
		return "&amp;", 1
	case '<':
		return "&lt;", 1
	case '>':
		return "&gt;", 1
	}
	return text[:size], size
}

// startsWord reports whether a word may begin after before: an address such as api@sha256 mentions nobody.
func startsWord(before string) bool {
	r, _ := utf8.DecodeLastRuneInString(before)
	return before == "" || !(unicode.IsLetter(r) || unicode.IsDigit(r) || r == '/' || r == '.')
}

// mention reads @name or #name; n is 0 if text begins with neither.
func (w *world) mention(text string, withNames bool) (out string, n int) {
	type candidate struct{ name, id, label string }
	var names []candidate
	switch text[0] {
	case '@':
		for _, u := range w.users {
			if !u.Deleted {
				names = append(names, candidate{u.Name, "@" + u.ID, u.Name}, candidate{u.RealName, "@" + u.ID, u.Name})
			}
		}
		for _, g := range w.groups {
			if !g.Disabled {
				names = append(names, candidate{g.Handle, "!subteam^" + g.ID, "@" + g.Handle})
			}
		}
		for _, all := range broadcasts {
			names = append(names, candidate{all, "!" + all, ""})
		}
	case '#':
		for _, c := range w.channels {
			if c.With == "" {
				names = append(names, candidate{c.Name, "#" + c.ID, c.Name})
			}
		}
	}
	slices.SortStableFunc(names, func(a, b candidate) int { return len(b.name) - len(a.name) }) // the longest name that fits is meant
	for _, c := range names {
		end := 1 + len(c.name)
		if c.name == "" || len(text) < end || !strings.EqualFold(text[1:end], c.name) || !endsWord(text[end:]) {
			continue
		}
		if withNames && c.label != "" {
			return "<" + c.id + "|" + c.label + ">", end
		}
		return "<" + c.id + ">", end
	}
	return "", 0
}

func endsWord(after string) bool {
	r, _ := utf8.DecodeRuneInString(after)
	return after == "" || !(unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' || r == '-')
}
