package localslack

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
)

// decodeTree reads JSON with its numbers as they are written.
func decodeTree(raw json.RawMessage) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var tree any
	err := d.Decode(&tree)
	return tree, err
}

// checkedBlocks checks an array of blocks and fills in the IDs that Slack fills in. nil and an empty array are
// nil. code is the error that the surface's methods answer with.
func (s *Server) checkedBlocks(raw json.RawMessage, on surface, code string) (json.RawMessage, error) {
	if raw == nil {
		return nil, nil
	}
	tree, err := decodeTree(raw)
	if err != nil {
		return nil, fail("invalid_blocks_format")
	}
	v := &validator{}
	checkBlocks(v, "/blocks", tree, on)
	s.checkFiles(v, "/blocks", tree)
	if len(v.problems) > 0 {
		return nil, &apiError{code: code, messages: v.problems}
	}
	blocks := tree.([]any) // checkBlocks has seen that it is one
	if len(blocks) == 0 {
		return nil, nil
	}
	s.fillIDs(blocks)
	return encode(blocks), nil
}

// checkBlocks checks what each block may hold, and then what holds between them.
func checkBlocks(v *validator, at string, tree any, on surface) {
	list(0, on.most(), blockKinds(on).object)(v, at, tree)
	if len(v.problems) > 0 {
		return
	}
	seen := map[string]bool{}
	for i, b := range tree.([]any) {
		block, here := b.(map[string]any), at+"/"+strconv.Itoa(i)
		if id, _ := block["block_id"].(string); id != "" {
			if seen[id] {
				v.fail(here+"/block_id", "`block_id` %q already exists", id)
			}
			seen[id] = true
		}
		checkBlock(v, here, block)
	}
}

// checkBlock checks what the shapes can't say.
func checkBlock(v *validator, at string, block object) {
	switch block["type"] {
	case "section":
		if block["text"] == nil && block["fields"] == nil {
			v.fail(at, "missing required field: text or fields")
		}
	case "image":
		if (block["image_url"] == nil) == (block["slack_file"] == nil) {
			v.fail(at, "must define either `slack_file` or `image_url`")
		}
	}
	actions := map[string]bool{}
	for _, e := range elementsOf(block) {
		checkElement(v, at, e)
		id, _ := e["action_id"].(string)
		if id != "" && actions[id] {
			v.fail(at+"/elements", "`action_id` %q already exists", id)
		}
		actions[id] = true
	}
}

// checkFiles checks that the pictures that blocks name are there: uploaded, complete and pictures.
// https://docs.slack.dev/reference/block-kit/composition-objects/slack-file-object
func (s *Server) checkFiles(v *validator, at string, tree any) {
	blocks, _ := tree.([]any)
	for i, b := range blocks {
		block, _ := b.(map[string]any)
		named, _ := block["slack_file"].(map[string]any)
		if id, ok := named["id"].(string); ok {
			if f := s.world.files[id]; f == nil || !f.shared || !strings.HasPrefix(f.MIME, "image/") {
				v.fail(at+"/"+strconv.Itoa(i)+"/slack_file", "invalid slack file")
			}
		}
	}
}

// checkElement checks an interactive element's choices against each other.
func checkElement(v *validator, at string, e object) {
	switch e["type"] {
	case "static_select", "multi_static_select":
		if (e["options"] == nil) == (e["option_groups"] == nil) {
			v.fail(at, "must define either `options` or `option_groups`")
			return
		}
	case "plain_text_input":
		low, high := intOf(e["min_length"]), intOf(e["max_length"])
		if e["max_length"] != nil && low > high {
			v.fail(at, "`min_length` must not exceed `max_length`")
		}
	}
	initial, _ := e["initial_options"].([]any)
	if one := e["initial_option"]; one != nil {
		initial = append(initial, one)
	}
	choices := choicesOf(e)
	for _, want := range initial {
		if !containsEqual(choices, want) {
			v.fail(at, "initial option is not one of the options")
		}
	}
	values := map[any]bool{}
	for _, c := range choices {
		value := c.(map[string]any)["value"]
		if value != nil && values[value] {
			v.fail(at, "option values must be unique: %v", value)
		}
		values[value] = true
	}
}

// elementsOf are the interactive elements of a block.
func elementsOf(block object) []object {
	var out []object
	add := func(value any) {
		if e, ok := value.(map[string]any); ok && e["type"] != "image" {
			out = append(out, e)
		}
	}
	switch block["type"] {
	case "actions":
		elements, _ := block["elements"].([]any)
		for _, e := range elements {
			add(e)
		}
	case "section":
		add(block["accessory"])
	case "input":
		add(block["element"])
	}
	return out
}

// choicesOf are the options of an element, groups opened.
func choicesOf(e object) []any {
	options, _ := e["options"].([]any)
	groups, _ := e["option_groups"].([]any)
	for _, g := range groups {
		inner, _ := g.(map[string]any)["options"].([]any)
		options = append(options, inner...)
	}
	return options
}

func containsEqual(list []any, want any) bool {
	for _, x := range list {
		if reflect.DeepEqual(x, want) {
			return true
		}
	}
	return false
}

func intOf(value any) int {
	number, _ := value.(json.Number)
	n, _ := strconv.Atoi(number.String())
	return n
}

// fillIDs gives blocks and interactive elements the IDs that they came without.
func (s *Server) fillIDs(blocks []any) {
	for _, b := range blocks {
		block := b.(map[string]any)
		if id, _ := block["block_id"].(string); id == "" {
			block["block_id"] = s.world.newID("b")
		}
		for _, e := range elementsOf(block) {
			if id, _ := e["action_id"].(string); id == "" {
				e["action_id"] = s.world.newID("a")
			}
		}
	}
}
