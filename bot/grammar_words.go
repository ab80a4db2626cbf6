package bot

import (
	"regexp"
	"strings"
	"unicode"
)

// word is one word of a line.
type word struct {
	text     string // as it was meant
	from, to int    // where it stands in the line
}

// key is the word as a keyword is read: on a phone the first letter comes out as a capital.
func (w word) key() string { return strings.ToLower(w.text) }

// construct is what Slack puts into angle brackets: a person, a channel, a group, a link. What a person types as < and
// > comes as &lt; and &gt;. https://docs.slack.dev/messaging/formatting-message-text
var construct = regexp.MustCompile(`<(?:[@#!][^<>\n]+|(?:https?|ftp|mailto|tel):[^<>\n]+)>`)

// splitWords splits a line at white space of any kind. What stands in angle brackets is one word, spaces and all.
// Words of nothing but marks and dashes are left out.
func splitWords(line string) []word {
	var words []word
	whole := construct.FindAllStringIndex(line, -1)
	start := -1
	end := func(at int) {
		if start >= 0 {
			if text := meant(line[start:at]); strings.Trim(text, "-") != "" {
				words = append(words, word{text: text, from: start, to: at})
			}
		}
		start = -1
	}
	for i, r := range line {
		for len(whole) > 0 && i >= whole[0][1] {
			whole = whole[1:]
		}
		inside := len(whole) > 0 && i >= whole[0][0]
		switch {
		case unicode.IsSpace(r) && !inside:
			end(i)
		case start < 0:
			start = i
		}
	}
	end(len(line))
	return words
}

// marks are what Slack's editor and keyboards put around words: bold, italic, strike, code, quotes; and what a sentence
// puts behind them.
const (
	marks       = "*_~`\"'“”„‟‘’‚‛«»‹›′″"
	punctuation = ",;:"
)

// dashes are all that look like a hyphen: keyboards turn - into – and -- into —.
var dashes = strings.NewReplacer("‐", "-", "‑", "-", "‒", "-", "–", "-", "—", "-", "―", "-", "−", "-", "﹣", "-", "－", "-")

// meant is a word of the grammar without what Slack, the editor and the keyboard made of it.
func meant(raw string) string {
	text := unescape(construct.ReplaceAllStringFunc(raw, func(c string) string {
		if person, _, ok := personOf(c); ok {
			return "<@" + person + ">"
		}
		return constructText(c, false)
	}))
	text = dashes.Replace(strings.Map(visible, text))
	before := ""
	for text != before {
		before = text
		text = strings.TrimRight(strings.Trim(strings.TrimSpace(text), marks), punctuation)
	}
	return text
}

// visible takes out characters that take no room: they come along with copied text.
func visible(r rune) rune {
	switch {
	case r == '\u00ad', r == '\ufeff', r >= '\u200b' && r <= '\u200f', r >= '\u2060' && r <= '\u2064', r >= '\ufe00' && r <= '\ufe0f':
		return -1
	}
	return r
}

// cleanText takes out what no person types: broken bytes, control characters, and those that turn the direction of
// what follows, which make a text look like another one.
func cleanText(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t':
			return r
		case r == '\r', r == '\u2028', r == '\u2029':
			return '\n'
		case unicode.IsControl(r), r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
			return -1
		}
		return r
	}, text)
}

// prose is a reason as text: what stands in angle brackets becomes what people saw. urls keeps every link's address,
// for where the link is the point.
func prose(raw string, urls bool) string {
	text := unescape(construct.ReplaceAllStringFunc(raw, func(c string) string { return constructText(c, urls) }))
	return strings.TrimFunc(text, func(r rune) bool { return unicode.IsSpace(r) || visible(r) < 0 })
}

// personOf reads <@U1> and <@U1|name>.
func personOf(c string) (id, name string, ok bool) {
	id, name, _ = strings.Cut(strings.TrimSuffix(strings.TrimPrefix(c, "<@"), ">"), "|")
	return id, name, strings.HasPrefix(c, "<@") && isPerson(id)
}

// constructText is what people saw of a construct.
func constructText(c string, urls bool) string {
	target, label, _ := strings.Cut(c[1:len(c)-1], "|")
	switch target[0] {
	case '@':
		return "@" + orElse(strings.TrimPrefix(label, "@"), target[1:])
	case '#':
		return "#" + orElse(strings.TrimPrefix(label, "#"), target[1:])
	case '!':
		if label != "" {
			return label
		}
		_, group, isGroup := strings.Cut(target, "^")
		if isGroup {
			return "@" + group
		}
		return "@" + target[1:]
	}
	_, address, _ := strings.Cut(target, ":")
	address = strings.TrimPrefix(address, "//")
	switch {
	case label == "", label == target:
		return strings.TrimPrefix(target, "mailto:")
	case label == address, label+"/" == address:
		if urls {
			return target
		}
		return label
	}
	return label + " (" + target + ")"
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// Slack escapes these three characters and no others: https://docs.slack.dev/messaging/formatting-message-text#escaping
var (
	unescaper = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")
	escaper   = strings.NewReplacer("<", "&lt;", ">", "&gt;", "&", "&amp;")
)

func unescape(text string) string { return unescaper.Replace(text) }

func escape(text string) string { return escaper.Replace(text) }

var personPattern = regexp.MustCompile(`^[UW][A-Z0-9]+$`)

// isPerson reports whether a text is a Slack ID of a user.
func isPerson(id string) bool { return personPattern.MatchString(id) }
