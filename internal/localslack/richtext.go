package localslack

// Rich text: https://docs.slack.dev/reference/block-kit/blocks/rich-text-block. Its texts are never parsed for
// markup; Slack publishes no limit for their length.

var richStyle = shape{
	"bold": flag, "italic": flag, "strike": flag, "code": flag, "underline": flag, "highlight": flag,
	"client_highlight": flag, "unlink": flag,
}.object

// unlimited is a length that no request reaches.
const unlimited = maxBody

var richInline = kinds{
	"text":      {"text*": chars(1, unlimited), "style": richStyle},
	"link":      {"url*": chars(1, unlimited), "text": chars(0, unlimited), "unsafe": flag, "style": richStyle},
	"user":      {"user_id*": chars(1, 255), "style": richStyle},
	"usergroup": {"usergroup_id*": chars(1, 255), "style": richStyle},
	"channel":   {"channel_id*": chars(1, 255), "style": richStyle},
	"emoji":     {"name*": chars(1, 255), "unicode": chars(1, 255), "skin_tone": whole(1, 6), "style": richStyle},
	"broadcast": {"range*": oneOf("here", "channel", "everyone"), "style": richStyle},
	"color":     {"value*": chars(1, 255), "style": richStyle},
	"date": {
		"timestamp*": whole(0, 1<<40), "format*": chars(1, unlimited), "url": chars(1, unlimited),
		"fallback": chars(1, unlimited), "style": richStyle,
	},
}

var richSection = kinds{"rich_text_section": {"elements*": list(0, unlimited, richInline.object)}}

var richBlocks = kinds{
	"rich_text_section": richSection["rich_text_section"],
	"rich_text_list": {
		"style*": oneOf("bullet", "ordered"), "elements*": list(1, unlimited, richSection.object),
		"indent": whole(0, 8), "offset": whole(0, 1<<30), "border": whole(0, 1),
	},
	"rich_text_preformatted": {
		"elements*": list(0, unlimited, richInline.only("text", "link").object), "border": whole(0, 1), "language": chars(1, 255),
	},
	"rich_text_quote": {"elements*": list(0, unlimited, richInline.object), "border": whole(0, 1)},
}
