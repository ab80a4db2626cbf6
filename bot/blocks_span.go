package bot

import (
	"regexp"
	"slices"

	"github.com/slack-go/slack"
)

// span is a piece of a paragraph: text, or somebody's name.
type span struct {
	text   string
	bold   bool
	code   bool
	silent bool   // said in the plain text alone: what the blocks show by their form
	seen   bool   // shown in the blocks alone: what has no meaning read aloud
	user   string // Slack ID; then text is empty
	group  string // Slack ID of a user group; likewise
	link   string // an address; text is what is shown of it
}

func words(text string) span { return span{text: text} }
func bold(text string) span  { return span{text: text, bold: true} }
func code(text string) span  { return span{text: text, code: true} }

// person is somebody's name as Slack shows it. What is no Slack ID stays text.
func person(id string) span {
	if !isPerson(id) {
		return words(orElse(id, "nobody"))
	}
	return span{user: id}
}

var groupPattern = regexp.MustCompile(`^S[A-Z0-9]+$`)

// lead is a person or a user group.
func lead(id string) span {
	if groupPattern.MatchString(id) {
		return span{group: id}
	}
	return person(id)
}

// webLink is the beginning of what Slack takes as a link; other addresses stay text.
var webLink = regexp.MustCompile(`^https?://[^\s<>|]+$`)

// link shows a configured address; one that is no web address, such as a path in the repository, stays text.
func link(address, text string) span {
	if !webLink.MatchString(address) || len(address) > maxSection {
		return words(text + " (" + address + ")")
	}
	return span{link: address, text: text}
}

// plain is the span as it counts against limits.
func (s span) plain() string {
	switch {
	case s.user != "":
		return "<@" + s.user + ">"
	case s.group != "":
		return "<!subteam^" + s.group + ">"
	case s.link != "":
		return s.text + " (" + s.link + ")"
	}
	return s.text
}

// escaped is the span in the message's text: names are names there too, and nothing else has a meaning.
func (s span) escaped() string {
	if s.user != "" || s.group != "" {
		return s.plain()
	}
	return escape(s.plain())
}

func (s span) element() slack.RichTextSectionElement {
	switch {
	case s.user != "":
		return slack.NewRichTextSectionUserElement(s.user, nil)
	case s.group != "":
		return slack.NewRichTextSectionUserGroupElement(s.group)
	case s.link != "":
		return slack.NewRichTextSectionLinkElement(s.link, s.text, nil)
	}
	var style *slack.RichTextSectionTextStyle
	if s.bold || s.code {
		style = &slack.RichTextSectionTextStyle{Bold: s.bold, Code: s.code}
	}
	return slack.NewRichTextSectionTextElement(s.text, style)
}

func elements(spans []span) []slack.RichTextSectionElement {
	out := make([]slack.RichTextSectionElement, len(spans))
	for i, s := range spans {
		out[i] = s.element()
	}
	return out
}

func section(spans []span) *slack.RichTextSection {
	return slack.NewRichTextSection(elements(spans)...)
}

// join puts a separator between lists of spans.
func join(lists [][]span, separator string) []span {
	var out []span
	for i, spans := range lists {
		if i > 0 {
			out = append(out, words(separator))
		}
		out = append(out, spans...)
	}
	return out
}

// people lists persons and groups.
func people(ids []string) []span {
	var lists [][]span
	for _, id := range ids {
		lists = append(lists, []span{lead(id)})
	}
	return join(lists, ", ")
}

var mention = regexp.MustCompile(`<@([UW][A-Z0-9]+)>`)

// named turns a sentence of the runbook, which names people as <@U1>, into spans. Only those whom the caller knows to
// belong there become names: output of a host may be quoted in the sentence, and must not call anybody.
func named(sentence string, known ...string) []span {
	var out []span
	rest := sentence
	for {
		at := mention.FindStringSubmatchIndex(rest)
		if at == nil {
			break
		}
		before, id := rest[:at[0]], rest[at[2]:at[3]]
		if !slices.Contains(known, id) {
			out = append(out, words(rest[:at[1]]))
		} else {
			out = append(out, words(before), person(id))
		}
		rest = rest[at[1]:]
	}
	return append(out, words(rest))
}
