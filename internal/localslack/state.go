package localslack

import (
	"encoding/json"
	"fmt"
	"slices"
)

// stateField is where an element's value stands in Slack's state.values, by the element's type. Buttons and
// overflow menus have no state: https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
var stateField = map[string]string{
	"plain_text_input": "value", "number_input": "value", "email_text_input": "value", "url_text_input": "value",
	"static_select": "selected_option", "radio_buttons": "selected_option",
	"multi_static_select": "selected_options", "checkboxes": "selected_options",
	"users_select": "selected_user", "multi_users_select": "selected_users",
	"channels_select": "selected_channel", "conversations_select": "selected_conversation",
	"datepicker": "selected_date", "timepicker": "selected_time",
}

// initialField is where an element says what it begins with.
var initialField = map[string]string{
	"value": "initial_value", "selected_option": "initial_option", "selected_options": "initial_options",
	"selected_user": "initial_user", "selected_users": "initial_users", "selected_channel": "initial_channel",
	"selected_conversation": "initial_conversation", "selected_date": "initial_date", "selected_time": "initial_time",
}

// initialState is an element's state before anybody touched it.
func initialState(e object) object {
	kind := textOf(e["type"])
	field := stateField[kind]
	value := e[initialField[field]]
	if value == "" { // an input that begins empty has no value, rather than an empty one
		value = nil
	}
	if value == nil && (field == "selected_options" || field == "selected_users") {
		value = []any{}
	}
	return object{"type": kind, field: value}
}

// chosenState is an element's state after somebody chose or typed value: text, the value of an option, the ID of
// a user or channel, several of these, nil for nothing, or a whole state object as Slack would send it.
func chosenState(e object, value any) (object, error) {
	kind := textOf(e["type"])
	field, ok := stateField[kind]
	if !ok {
		return nil, fmt.Errorf("a %s has no value to choose", kind)
	}
	switch x := value.(type) {
	case nil:
		return initialState(object{"type": kind}), nil
	case map[string]any:
		if x["type"] != nil && x["type"] != kind {
			return nil, fmt.Errorf("the element is a %s, not a %v", kind, x["type"])
		}
		return object{"type": kind, field: x[field]}, nil
	}
	chosen, err := chosenValue(e, field, value)
	if err != nil {
		return nil, fmt.Errorf("%s %q: %w", kind, e["action_id"], err)
	}
	return object{"type": kind, field: chosen}, nil
}

// chosenValue is what stands in the field of a state.
func chosenValue(e object, field string, value any) (any, error) {
	texts, err := textsOf(value)
	if err != nil {
		return nil, err
	}
	switch field {
	case "selected_options":
		return optionsByValue(e, texts)
	case "selected_users":
		return texts, nil
	}
	if len(texts) != 1 {
		return nil, fmt.Errorf("takes one value, not %d", len(texts))
	}
	if field == "selected_option" {
		options, err := optionsByValue(e, texts)
		if err != nil {
			return nil, err
		}
		return options[0], nil
	}
	if texts[0] == "" {
		return nil, nil
	}
	return texts[0], nil
}

// textsOf is one text or several as several.
func textsOf(value any) ([]string, error) {
	switch x := value.(type) {
	case string:
		return []string{x}, nil
	case []string:
		return x, nil
	case []any:
		out := make([]string, 0, len(x))
		for _, e := range x {
			text, ok := e.(string)
			if !ok {
				return nil, fmt.Errorf("takes text, not %T", e)
			}
			out = append(out, text)
		}
		return out, nil
	}
	return nil, fmt.Errorf("takes text, not %T", value)
}

func optionsByValue(e object, values []string) ([]any, error) {
	choices, out := choicesOf(e), []any{}
	for _, want := range values {
		i := slices.IndexFunc(choices, func(c any) bool { return c.(map[string]any)["value"] == want })
		if i < 0 {
			return nil, fmt.Errorf("has no option %q", want)
		}
		out = append(out, choices[i])
	}
	return out, nil
}

// stateOf is state.values of some blocks: what was chosen so far, and what the rest begins with.
func stateOf(blocks []any, chosen map[string]map[string]any) map[string]map[string]any {
	out := map[string]map[string]any{}
	for _, b := range blocks {
		block := b.(map[string]any)
		id := textOf(block["block_id"])
		for _, e := range elementsOf(block) {
			if _, ok := stateField[textOf(e["type"])]; !ok {
				continue
			}
			action := textOf(e["action_id"])
			value, ok := chosen[id][action]
			if !ok {
				value = initialState(e)
			}
			put(out, id, action, value)
		}
	}
	return out
}

func put(values map[string]map[string]any, block, action string, value any) {
	if values[block] == nil {
		values[block] = map[string]any{}
	}
	values[block][action] = value
}

// state is the view's state.values.
func (v *view) state() map[string]map[string]any {
	return stateOf(v.raw["blocks"].([]any), v.values)
}

// decodeBlocks is an array of blocks that this server has checked before.
func decodeBlocks(raw json.RawMessage) []any {
	if raw == nil {
		return nil
	}
	tree, err := decodeTree(raw)
	if err != nil {
		panic("blocks that were checked don't decode: " + err.Error())
	}
	return tree.([]any)
}
