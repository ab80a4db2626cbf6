package localslack

// Block Kit as Slack's reference has it, as far as it goes here: https://docs.slack.dev/reference/block-kit.
// The limits are those of the reference and of Slack's own types (@slack/types 3.2.0). The blocks for agents (plan,
// task_card, card, carousel, alert, …) travel in streams only, are not part of this Slack, and are refused.

// surface is where blocks are shown.
type surface int

const (
	surfaceMessage surface = iota
	surfaceModal
	surfaceHome
)

// most is how many blocks a surface takes.
func (s surface) most() int {
	if s == surfaceMessage {
		return 50
	}
	return 100
}

// identifier is the length of action_id, block_id and callback_id.
var identifier = chars(0, 255)

// blockKinds are the blocks that a surface takes.
func blockKinds(on surface) kinds {
	k := kinds{
		"section": {
			"text": anyText(3000), "fields": list(1, 10, anyText(2000)), "accessory": accessories.object, "expand": flag,
		},
		"header":  {"text*": plainText(150)},
		"divider": {},
		"context": {"elements*": list(1, 10, contextElement)},
		"actions": {"elements*": list(1, 25, actionElements.object)},
		"image": {
			"image_url": chars(1, 3000), "slack_file": anyValue, "alt_text*": chars(1, 2000), "title": plainText(2000),
		},
		"input": {
			"label*": plainText(2000), "element*": inputElements.object, "hint": plainText(2000),
			"optional": flag, "dispatch_action": flag,
		},
		"rich_text": {"elements*": list(0, 1000, richBlocks.object)},
	}
	if on == surfaceMessage {
		k["markdown"] = shape{"text*": chars(1, 12_000)}
		k["table"] = shape{
			"rows*":           list(1, 100, list(1, 20, tableCells.object)),
			"column_settings": list(0, 20, anyValue),
		}
	}
	for name, s := range k {
		k[name] = s.with(shape{"block_id": identifier})
	}
	return k
}

var tableCells = kinds{
	"raw_text":  {"text*": chars(0, 3000)},
	"rich_text": {"elements*": list(0, 1000, richBlocks.object), "block_id": identifier},
}

// plainText is a text object where no markup is possible: buttons, titles, labels, placeholders.
func plainText(max int) check {
	return kinds{"plain_text": {"text*": chars(1, max), "emoji": flag}}.object
}

// anyText is a text object with or without markup.
func anyText(max int) check {
	return kinds{
		"plain_text": {"text*": chars(1, max), "emoji": flag},
		"mrkdwn":     {"text*": chars(1, max), "verbatim": flag},
	}.object
}

// contextElement is an image or a text; Slack gives no limit for these texts, so a section's holds.
func contextElement(v *validator, at string, value any) {
	if o, ok := value.(map[string]any); ok && o["type"] == "image" {
		elementKinds.only("image").object(v, at, value)
		return
	}
	anyText(3000)(v, at, value)
}

// confirmDialog is what asks "are you sure" before an action goes out.
var confirmDialog = shape{
	"title*": plainText(100), "text*": anyText(300), "confirm*": plainText(30), "deny*": plainText(30),
	"style": oneOf("primary", "danger"),
}.object
