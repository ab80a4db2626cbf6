package bot

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"rollbackbot/runbook"
)

// Message is what one message of Slack says: in blocks, and the same in plain text for notifications and screen readers.
type Message struct {
	Text     string // escaped as Slack wants it
	Blocks   []slack.Block
	Metadata slack.SlackMetadata // zero for private ones
}

// Limits of Block Kit: https://docs.slack.dev/reference/block-kit/blocks. Rich text has no published limit; it is kept
// within that of a section. A message's text is refused by chat.update above 4,000 characters.
const (
	maxBlocks       = 50
	maxHeader       = 150
	maxSection      = 3000
	maxButtonText   = 75
	maxButtonValue  = 2000
	maxConfirmTitle = 100
	maxConfirmText  = 300
	maxText         = 3800
	maxAlt          = 2000
)

// maxReason is how much of a reason a message shows; the journal has it whole.
const maxReason = 2900

// draft is a message in the making. Everything is said once, and comes out both as blocks and as text. Words that people
// typed, or that a host printed, only ever become text elements of rich text or plain text: neither is read for markup,
// so that a <!channel>, a link or a *_~ in them stays what it is.
type draft struct {
	blocks []slack.Block
	lines  []string
	room   int // characters left for rich text in the whole message
	cut    bool
	last   *slack.ActionBlock // a row that comes last; its ID has a meaning, which the usual addition follows
}

// full reports whether the message can't take more; the first time it says so in the message.
func (d *draft) full() bool {
	if d.room > 0 || d.cut {
		return d.cut
	}
	d.cut = true
	d.note("… The rest is cut: Slack takes no more in one message.")
	return true
}

// maxMessage bounds what all rich text of one message holds. Slack publishes no limit for that; 12,000 is the one for
// its markdown blocks: https://docs.slack.dev/reference/block-kit/blocks/markdown-block
const maxMessage = 12_000

func newDraft() *draft { return &draft{room: maxMessage} }

func plain(text string, limit int) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, runbook.Truncate(orElse(text, "–"), limit), false, false)
}

// header is the title, in plain text.
func (d *draft) header(text string) {
	d.lines = append(d.lines, text)
	d.blocks = append(d.blocks, slack.NewHeaderBlock(plain(text, maxHeader)))
}

// note is small print, in plain text.
func (d *draft) note(text string) {
	d.lines = append(d.lines, text)
	d.blocks = append(d.blocks, slack.NewContextBlock("", plain(text, maxSection)))
}

// say adds one paragraph.
func (d *draft) say(spans ...span) {
	if !d.full() {
		d.rich(section(append(d.fit(spans, maxSection), words("\n"))))
	}
}

// field adds one paragraph that begins with its name.
func (d *draft) field(name string, spans ...span) {
	d.say(append([]span{bold(name + ": ")}, spans...)...)
}

// points adds a list; nothing where there are none.
func (d *draft) points(points [][]span) { d.pointsWithin(maxMessage, points) }

// pointsWithin adds as much of a list as so many characters hold, and counts the rest: a long list must not take the
// room of what comes after it.
func (d *draft) pointsWithin(budget int, points [][]span) {
	var items []slack.RichTextElement
	for i, spans := range points {
		if d.full() {
			break
		}
		item := append([]span{{silent: true, text: "• "}}, spans...)
		if i > 0 && sizeOf(item) > budget {
			item = []span{{silent: true, text: "• "}, words(fmt.Sprintf("… and %d more", len(points)-i))}
			items = append(items, section(d.fit(item, maxSection)))
			break
		}
		before := d.room
		items = append(items, section(d.fit(item, min(budget, maxSection))))
		budget -= before - d.room
	}
	if len(items) > 0 {
		d.rich(bullets{Type: slack.RTEList, Style: slack.RTEListBullet, Elements: items})
	}
}

// bullets is a list as Slack's own types have it: slack-go's says an offset, too, which those don't know.
type bullets struct {
	Type     slack.RichTextElementType     `json:"type"`
	Style    slack.RichTextListElementType `json:"style"`
	Elements []slack.RichTextElement       `json:"elements"`
}

// RichTextElementType is slack.RichTextElement's.
func (b bullets) RichTextElementType() slack.RichTextElementType { return b.Type }

func sizeOf(spans []span) int {
	sum := 0
	for _, s := range spans {
		sum += len([]rune(s.plain()))
	}
	return sum
}

// output adds text word for word in a fixed width.
func (d *draft) output(text string) {
	if text == "" || d.full() {
		return
	}
	spans := d.fit([]span{words(text)}, maxSection)
	d.rich(&slack.RichTextPreformatted{Type: slack.RTEPreformatted, Elements: elements(spans)})
}

// picture adds an uploaded file, with what it shows in words.
func (d *draft) picture(file, alt string) {
	d.blocks = append(d.blocks, slack.NewImageBlockSlackFile(&slack.SlackFileObject{ID: file}, runbook.Truncate(orElse(alt, "a picture"), maxAlt), "", nil))
}

// quote adds somebody's words.
func (d *draft) quote(text string) {
	if d.full() {
		return
	}
	spans := d.fit([]span{words(text)}, maxSection)
	d.rich(&slack.RichTextQuote{Type: slack.RTEQuote, Elements: elements(spans)})
}

// rich adds a part to the last block where that is rich text, so that a message needs few of its fifty blocks.
func (d *draft) rich(part slack.RichTextElement) {
	if len(d.blocks) > 0 {
		if last, ok := d.blocks[len(d.blocks)-1].(*slack.RichTextBlock); ok && len(last.Elements) < maxParts {
			last.Elements = append(last.Elements, part)
			return
		}
	}
	d.blocks = append(d.blocks, slack.NewRichTextBlock("", part))
}

// maxParts keeps single blocks small: clients fold a long one away as a whole.
const maxParts = 12

// fit cuts spans to a length and to what is left of the message, and says them in the text too.
func (d *draft) fit(spans []span, limit int) []span {
	room := min(limit, d.room)
	var kept []span
	line := ""
	for _, s := range spans {
		text := s.plain()
		if text == "" {
			continue
		}
		if room <= 0 {
			break
		}
		if len([]rune(text)) > room {
			s = words(runbook.Truncate(text, room))
		}
		cut := s.plain()
		room -= len([]rune(cut))
		d.room -= len([]rune(cut))
		if !s.seen {
			line += s.escaped()
		}
		if !s.silent {
			kept = append(kept, s)
		}
	}
	d.lines = append(d.lines, line)
	if len(kept) == 0 {
		kept = append(kept, words("–"))
	}
	return kept
}

// messageWith finishes the draft with a row whose ID has a meaning.
func (d *draft) messageWith(last *slack.ActionBlock) Message {
	d.last = last
	var texts []string
	for _, e := range last.Elements.ElementSet {
		switch e := e.(type) {
		case *slack.ButtonBlockElement:
			texts = append(texts, e.Text.Text)
		case *slack.SelectBlockElement:
			texts = append(texts, e.Placeholder.Text)
		}
	}
	d.lines = append(d.lines, escape("Buttons: "+strings.Join(texts, " · ")))
	return d.message()
}

// message finishes the draft. The block IDs are made from what the blocks say: new ones whenever that changes, which is
// what Slack asks for when a message is updated.
func (d *draft) message() Message {
	if len(d.blocks) > maxBlocks {
		d.blocks = d.blocks[:maxBlocks]
	}
	prefix := identify(d.blocks)
	if d.last != nil {
		d.last.BlockID += "/" + prefix
		d.blocks = append(d.blocks, d.last)
	}
	return Message{Text: cutText(strings.Join(d.lines, "\n")), Blocks: d.blocks}
}

// identify gives blocks IDs that are made from what all of them say, and gives the part that they have in common.
func identify(blocks []slack.Block) (prefix string) {
	content, _ := json.Marshal(blocks) // blocks always encode
	sum := sha256.Sum256(content)
	prefix = hex.EncodeToString(sum[:6])
	for i, block := range blocks {
		setID(block, fmt.Sprintf("%s-%d", prefix, i))
	}
	return prefix
}

func setID(block slack.Block, id string) {
	switch b := block.(type) {
	case *slack.HeaderBlock:
		b.BlockID = id
	case *slack.ContextBlock:
		b.BlockID = id
	case *slack.RichTextBlock:
		b.BlockID = id
	case *slack.ActionBlock:
		b.BlockID = id
	case *slack.DividerBlock:
		b.BlockID = id
	case *slack.InputBlock:
		b.BlockID = id
	case *slack.ImageBlock:
		b.BlockID = id
	}
}

// cutText cuts the escaped text, but never through an escape or a mention.
func cutText(text string) string {
	runes := []rune(text)
	if len(runes) <= maxText {
		return text
	}
	cut := string(runes[:maxText-1])
	if i := strings.LastIndexAny(cut, "&<"); i >= 0 && !strings.ContainsAny(cut[i:], ";>") {
		cut = cut[:i]
	}
	return cut + "…"
}
