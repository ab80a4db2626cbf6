package localslack_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"rollbackbot/internal/localslack"
)

// many is n copies of an element, each with a number in place of %d.
func many(n int, element string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = strings.ReplaceAll(element, "%d", fmt.Sprint(i))
	}
	return strings.Join(parts, ",")
}

func long(n int) string { return strings.Repeat("ä", n) } // two bytes each: limits count characters

func button(fields string) string {
	return `{"type":"actions","elements":[{"type":"button","text":{"type":"plain_text","text":"Go"}` + fields + `}]}`
}

func mrkdwn(n int) string {
	return `{"type":"section","text":{"type":"mrkdwn","text":"` + long(n) + `"}}`
}

func selects(fields string) string {
	return `{"type":"actions","elements":[{"type":"static_select","action_id":"a"` + fields + `}]}`
}

const opt = `{"text":{"type":"plain_text","text":"o%d"},"value":"%d"}`

func confirm(title, text, yes int) string {
	return fmt.Sprintf(`,"confirm":{"title":{"type":"plain_text","text":%q},"text":{"type":"mrkdwn","text":%q},"confirm":{"type":"plain_text","text":%q},"deny":{"type":"plain_text","text":"No"}}`,
		long(title), long(text), long(yes))
}

// TestBlocks_Limits takes every limit from both sides: what just fits is taken, one more is invalid_blocks with the place.
func TestBlocks_Limits(t *testing.T) {
	s := start(t)
	for name, c := range map[string]struct{ fits, exceeds, at string }{
		"blocks in a message": {many(50, `{"type":"divider"}`), many(51, `{"type":"divider"}`), "/blocks]"},
		"section text":        {mrkdwn(3000), mrkdwn(3001), "/blocks/0/text/text"},
		"section text, empty": {mrkdwn(1), mrkdwn(0), "/blocks/0/text/text"},
		"section fields": {
			`{"type":"section","fields":[` + many(10, `{"type":"plain_text","text":"f"}`) + `]}`,
			`{"type":"section","fields":[` + many(11, `{"type":"plain_text","text":"f"}`) + `]}`, "/blocks/0/fields",
		},
		"field text": {
			`{"type":"section","fields":[{"type":"mrkdwn","text":"` + long(2000) + `"}]}`,
			`{"type":"section","fields":[{"type":"mrkdwn","text":"` + long(2001) + `"}]}`, "/blocks/0/fields/0/text",
		},
		"section with nothing": {mrkdwn(1), `{"type":"section"}`, "/blocks/0"},
		"header": {
			`{"type":"header","text":{"type":"plain_text","text":"` + long(150) + `"}}`,
			`{"type":"header","text":{"type":"plain_text","text":"` + long(151) + `"}}`, "/blocks/0/text/text",
		},
		"markup in a header": {
			`{"type":"header","text":{"type":"plain_text","text":"x"}}`,
			`{"type":"header","text":{"type":"mrkdwn","text":"x"}}`, "/blocks/0/text/type",
		},
		"context elements": {
			`{"type":"context","elements":[` + many(10, `{"type":"mrkdwn","text":"c"}`) + `]}`,
			`{"type":"context","elements":[` + many(11, `{"type":"mrkdwn","text":"c"}`) + `]}`, "/blocks/0/elements",
		},
		"actions": {
			`{"type":"actions","elements":[` + many(25, `{"type":"button","action_id":"a%d","text":{"type":"plain_text","text":"b"}}`) + `]}`,
			`{"type":"actions","elements":[` + many(26, `{"type":"button","action_id":"a%d","text":{"type":"plain_text","text":"b"}}`) + `]}`, "/blocks/0/elements",
		},
		"button text": {
			`{"type":"actions","elements":[{"type":"button","text":{"type":"plain_text","text":"` + long(75) + `"}}]}`,
			`{"type":"actions","elements":[{"type":"button","text":{"type":"plain_text","text":"` + long(76) + `"}}]}`, "/elements/0/text/text",
		},
		"markup in a button": {
			button(""), `{"type":"actions","elements":[{"type":"button","text":{"type":"mrkdwn","text":"x"}}]}`, "/elements/0/text/type",
		},
		"button value":     {button(`,"value":"` + long(2000) + `"`), button(`,"value":"` + long(2001) + `"`), "/elements/0/value"},
		"button url":       {button(`,"url":"` + long(3000) + `"`), button(`,"url":"` + long(3001) + `"`), "/elements/0/url"},
		"button style":     {button(`,"style":"danger"`), button(`,"style":"green"`), "/elements/0/style"},
		"action_id":        {button(`,"action_id":"` + long(255) + `"`), button(`,"action_id":"` + long(256) + `"`), "/elements/0/action_id"},
		"unknown property": {button(""), button(`,"colour":"red"`), "/elements/0"},
		"confirm title":    {button(confirm(100, 300, 30)), button(confirm(101, 300, 30)), "/confirm/title/text"},
		"confirm text":     {button(confirm(1, 300, 30)), button(confirm(1, 301, 30)), "/confirm/text/text"},
		"confirm button":   {button(confirm(1, 1, 30)), button(confirm(1, 1, 31)), "/confirm/confirm/text"},
		"action_id twice": {
			`{"type":"actions","elements":[` + many(2, `{"type":"button","action_id":"a%d","text":{"type":"plain_text","text":"b"}}`) + `]}`,
			`{"type":"actions","elements":[` + many(2, `{"type":"button","action_id":"a","text":{"type":"plain_text","text":"b"}}`) + `]}`, "already exists",
		},
		"block_id twice": {
			`{"type":"divider","block_id":"a"},{"type":"divider","block_id":"b"}`,
			`{"type":"divider","block_id":"a"},{"type":"divider","block_id":"a"}`, "already exists",
		},
		"options":       {selects(`,"options":[` + many(100, opt) + `]`), selects(`,"options":[` + many(101, opt) + `]`), "/options"},
		"option value":  {selects(`,"options":[` + many(2, opt) + `]`), selects(`,"options":[` + many(2, `{"text":{"type":"plain_text","text":"o"},"value":"same"}`) + `]`), "unique"},
		"initial value": {selects(`,"options":[` + many(2, opt) + `],"initial_option":` + many(1, opt)), selects(`,"options":[` + many(2, opt) + `],"initial_option":{"text":{"type":"plain_text","text":"z"},"value":"z"}`), "initial option"},
		"no options":    {selects(`,"options":[` + many(1, opt) + `]`), selects(``), "options"},
		"placeholder": {
			selects(`,"options":[` + many(1, opt) + `],"placeholder":{"type":"plain_text","text":"` + long(150) + `"}`),
			selects(`,"options":[` + many(1, opt) + `],"placeholder":{"type":"plain_text","text":"` + long(151) + `"}`), "/placeholder/text",
		},
		"overflow": {
			`{"type":"actions","elements":[{"type":"overflow","options":[` + many(5, opt) + `]}]}`,
			`{"type":"actions","elements":[{"type":"overflow","options":[` + many(6, opt) + `]}]}`, "/options",
		},
		"checkboxes": {
			`{"type":"actions","elements":[{"type":"checkboxes","options":[` + many(10, opt) + `]}]}`,
			`{"type":"actions","elements":[{"type":"checkboxes","options":[` + many(11, opt) + `]}]}`, "/options",
		},
		"markdown": {
			`{"type":"markdown","text":"` + long(12_000) + `"}`, `{"type":"markdown","text":"` + long(12_001) + `"}`, "/text",
		},
		"rich text, empty text": {
			`{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"x"}]}]}`,
			`{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":""}]}]}`, "/elements/0/elements/0/text",
		},
		"a mention inside preformatted": {
			`{"type":"rich_text","elements":[{"type":"rich_text_preformatted","elements":[{"type":"text","text":"x"}]}]}`,
			`{"type":"rich_text","elements":[{"type":"rich_text_preformatted","elements":[{"type":"user","user_id":"U1"}]}]}`, "unsupported type: user",
		},
		"a block for streams":  {`{"type":"divider"}`, `{"type":"plan","title":"x"}`, "unsupported type: plan"},
		"a table's width":      {table(20), table(21), "/rows/0"},
		"an image without alt": {`{"type":"image","image_url":"https://example.com/x.png","alt_text":"x"}`, `{"type":"image","image_url":"https://example.com/x.png"}`, "alt_text"},
	} {
		if got := postBlocks(t, s, c.fits); got["ok"] != true {
			t.Errorf("%s: what fits is refused: %v", name, got)
		}
		got := postBlocks(t, s, c.exceeds)
		if got["error"] != "invalid_blocks" || !strings.Contains(fmt.Sprint(got["response_metadata"]), c.at) {
			t.Errorf("%s: answer %v, want invalid_blocks at %s", name, got, c.at)
		}
	}
	for _, m := range s.Messages(team) {
		var blocks []struct {
			ID string `json:"block_id"`
		}
		if err := json.Unmarshal(m.Blocks, &blocks); err != nil || blocks[0].ID == "" {
			t.Fatalf("a message's blocks have no IDs: %s (%v)", m.Blocks, err)
		}
	}
}

func table(columns int) string {
	return `{"type":"table","rows":[[` + many(columns, `{"type":"raw_text","text":"x"}`) + `]]}`
}

func postBlocks(t *testing.T, s *localslack.Server, blocks string) map[string]any {
	t.Helper()
	return call(t, s, "chat.postMessage", "application/json", "Bearer xoxb-test",
		fmt.Sprintf(`{"channel":%q,"text":"x","blocks":[%s]}`, team, blocks))
}
