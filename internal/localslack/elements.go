package localslack

// clickable and choosable are what interactive elements have in common.
var (
	clickable = shape{"action_id": identifier, "confirm": confirmDialog}
	choosable = clickable.with(shape{"placeholder": plainText(150), "focus_on_load": flag})
	writable  = shape{
		"action_id": identifier, "placeholder": plainText(150), "focus_on_load": flag, "dispatch_action_config": anyValue,
	}
	many = shape{"max_selected_items": whole(1, 1000)}
)

// elementKinds are all elements: https://docs.slack.dev/reference/block-kit/block-elements
var elementKinds = kinds{
	"button": clickable.with(shape{
		"text*": plainText(75), "url": chars(1, 3000), "value": chars(0, 2000),
		"style": oneOf("primary", "danger"), "accessibility_label": chars(1, 75),
	}),
	"image": {"image_url": chars(1, 3000), "slack_file": anyValue, "alt_text*": chars(1, 2000)},
	"overflow": clickable.with(shape{
		"options*": list(1, 5, option(plainText(75))),
	}),
	"checkboxes": clickable.with(shape{
		"options*": list(1, 10, option(anyText(75))), "initial_options": list(1, 10, option(anyText(75))), "focus_on_load": flag,
	}),
	"radio_buttons": clickable.with(shape{
		"options*": list(1, 10, option(anyText(75))), "initial_option": option(anyText(75)), "focus_on_load": flag,
	}),
	"static_select":       choosable.with(staticOptions).with(shape{"initial_option": option(plainText(75))}),
	"multi_static_select": choosable.with(staticOptions).with(many).with(shape{"initial_options": list(1, 100, option(plainText(75)))}),
	"users_select":        choosable.with(shape{"initial_user": chars(1, 255)}),
	"multi_users_select":  choosable.with(many).with(shape{"initial_users": list(1, 1000, chars(1, 255))}),
	"channels_select": choosable.with(shape{
		"initial_channel": chars(1, 255), "response_url_enabled": flag,
	}),
	"conversations_select": choosable.with(shape{
		"initial_conversation": chars(1, 255), "default_to_current_conversation": flag, "response_url_enabled": flag, "filter": anyValue,
	}),
	"datepicker": choosable.with(shape{"initial_date": chars(10, 10)}),
	"timepicker": choosable.with(shape{"initial_time": chars(5, 5), "timezone": chars(1, 255)}),
	"plain_text_input": writable.with(shape{
		"initial_value": chars(0, 3000), "multiline": flag, "min_length": whole(0, 3000), "max_length": whole(1, 3000),
	}),
	"number_input": writable.with(shape{
		"is_decimal_allowed*": flag, "initial_value": chars(1, 255), "min_value": chars(1, 255), "max_value": chars(1, 255),
	}),
	"email_text_input": writable.with(shape{"initial_value": chars(0, 255)}),
	"url_text_input":   writable.with(shape{"initial_value": chars(0, 3000)}),
}

// staticOptions are the choices of a static select, in groups or not.
var staticOptions = shape{
	"options":       list(1, 100, option(plainText(75))),
	"option_groups": list(1, 100, shape{"label*": plainText(75), "options*": list(1, 100, option(plainText(75)))}.object),
}

// option is one choice with the given kind of text.
func option(text check) check {
	return shape{"text*": text, "value": chars(1, 75), "description": anyText(75), "url": chars(1, 3000)}.object
}

// Which elements stand where.
var (
	selects = []string{
		"static_select", "multi_static_select", "users_select", "multi_users_select",
		"channels_select", "conversations_select", "datepicker", "timepicker", "checkboxes", "radio_buttons",
	}
	accessories    = elementKinds.only(append([]string{"button", "image", "overflow"}, selects...)...)
	actionElements = elementKinds.only(append([]string{"button", "overflow"}, selects...)...)
	inputElements  = elementKinds.only(append([]string{
		"plain_text_input", "number_input", "email_text_input", "url_text_input",
	}, selects...)...)
)
