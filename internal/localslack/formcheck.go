package localslack

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// IncompleteError means that Slack itself would not send the form: what is wrong, by block_id.
type IncompleteError struct{ Fields map[string]string }

func (e *IncompleteError) Error() string {
	var parts []string
	for _, block := range slices.Sorted(maps.Keys(e.Fields)) {
		parts = append(parts, block+": "+e.Fields[block])
	}
	return "the form is not complete: " + strings.Join(parts, "; ")
}

// fill takes over what was chosen and typed. The view's own JSON doesn't change.
func (v *view) fill(values map[string]map[string]any) error {
	blocks := v.raw["blocks"].([]any)
	for block, actions := range values {
		for action, value := range actions {
			e := elementIn(blocks, block, action)
			if e == nil {
				return fmt.Errorf("%w: block %q, action %q", ErrNoElement, block, action)
			}
			state, err := chosenState(e, value)
			if err != nil {
				return err
			}
			put(v.values, block, action, state)
		}
	}
	return nil
}

func elementIn(blocks []any, block, action string) object {
	for _, b := range blocks {
		o := b.(map[string]any)
		if o["block_id"] != block {
			continue
		}
		for _, e := range elementsOf(o) {
			if e["action_id"] == action {
				return e
			}
		}
	}
	return nil
}

// incomplete is what a client finds wrong before it sends a form: required fields that are empty, texts too short or too
// long.
func (v *view) incomplete() map[string]string {
	wrong, state := map[string]string{}, v.state()
	for _, b := range v.raw["blocks"].([]any) {
		block := b.(map[string]any)
		if block["type"] != "input" {
			continue
		}
		e := block["element"].(map[string]any)
		id := textOf(block["block_id"])
		chosen, _ := state[id][textOf(e["action_id"])].(map[string]any)
		value := chosen[stateField[textOf(e["type"])]]
		if reason := fieldProblem(e, value, block["optional"] == true); reason != "" {
			wrong[id] = reason
		}
	}
	return wrong
}

func fieldProblem(e object, value any, optional bool) string {
	if isEmpty(value) {
		if optional {
			return ""
		}
		return "Please complete this required field."
	}
	text, _ := value.(string)
	n := utf8.RuneCountInString(text)
	limit := 3000 // the most that a plain_text_input takes
	if e["max_length"] != nil {
		limit = intOf(e["max_length"])
	}
	switch low := intOf(e["min_length"]); {
	case e["type"] != "plain_text_input":
		return ""
	case n < low:
		return fmt.Sprintf("Must be at least %d characters.", low)
	case n > limit:
		return fmt.Sprintf("Must be at most %d characters.", limit)
	}
	return ""
}

func isEmpty(value any) bool {
	switch x := value.(type) {
	case nil:
		return true
	case string:
		return x == ""
	case []any:
		return len(x) == 0
	case []string:
		return len(x) == 0
	}
	return false
}
