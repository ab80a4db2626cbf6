package localslack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// formFailed is what Slack shows in a form whose submission came to nothing.
const formFailed = "We had some trouble connecting. Try again?"

// IncompleteError means that Slack itself would not send the form: what is wrong, by block_id.
type IncompleteError struct{ Fields map[string]string }

func (e *IncompleteError) Error() string {
	var parts []string
	for _, block := range slices.Sorted(maps.Keys(e.Fields)) {
		parts = append(parts, block+": "+e.Fields[block])
	}
	return "the form is not complete: " + strings.Join(parts, "; ")
}

// Submit fills in and sends the form that the person has in front of them. values are by block_id and action_id: the
// text of an input, the value of an option, the ID of a user, several of these as []string, nil for nothing; fields
// that are not named keep what they began with. An app that finds something wrong has it in Ack.Errors, and the
// form stays open. Without an acknowledgement the error is [ErrNotAcked].
func (s *Server) Submit(ctx context.Context, user, viewID string, values map[string]map[string]any) (Ack, error) {
	e, err := s.prepareSubmit(user, viewID, values)
	if err != nil {
		return Ack{}, err
	}
	ack, err := s.deliver(ctx, e)
	if errors.Is(err, ErrNotAcked) {
		ack.Notice = formFailed
	}
	if err != nil {
		return ack, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.touchLocked()
	if v := s.world.views[viewID]; v != nil {
		s.afterSubmit(v, &ack)
	}
	return ack, nil
}

func (s *Server) prepareSubmit(user, viewID string, values map[string]map[string]any) (Envelope, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, v, err := s.viewBefore(user, viewID)
	if err != nil {
		return Envelope{}, err
	}
	if v.Type != "modal" || v.Submit == "" {
		return Envelope{}, fmt.Errorf("%w: view %s can't be submitted", ErrNoElement, viewID)
	}
	if err := v.fill(values); err != nil {
		return Envelope{}, err
	}
	defer s.touchLocked()
	v.Errors = nil
	if missing := v.incomplete(); len(missing) > 0 {
		v.Errors = missing
		return Envelope{}, &IncompleteError{Fields: missing}
	}
	return s.newEnvelope("interactive", s.viewSubmission(u, v), true), nil
}

// viewBefore finds the view if it is the top modal or the Home tab of this person.
func (s *Server) viewBefore(user, viewID string) (*User, *view, error) {
	u := s.world.user(user)
	if u == nil {
		return nil, nil, fmt.Errorf("%w: %q", ErrNoUser, user)
	}
	v := s.world.views[viewID]
	if v == nil || (v != s.world.openView(user) && v != s.world.homes[user]) {
		return nil, nil, fmt.Errorf("%w: %q", ErrNoView, viewID)
	}
	return u, v, nil
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

// afterSubmit does what the acknowledgement of a form says: https://docs.slack.dev/surfaces/modals#response_actions.
// What makes no sense leaves the form open with Slack's own complaint.
func (s *Server) afterSubmit(v *view, ack *Ack) {
	var answer struct {
		Action string            `json:"response_action"`
		View   json.RawMessage   `json:"view"`
		Errors map[string]string `json:"errors"`
	}
	if len(ack.Payload) > 0 && json.Unmarshal(ack.Payload, &answer) != nil {
		ack.Notice = formFailed
		return
	}
	switch answer.Action {
	case "":
		s.closeView(v)
	case "clear":
		s.world.clear(v.user)
	case "errors":
		if len(answer.Errors) == 0 || !v.areInputs(answer.Errors) {
			ack.Notice = formFailed
			return
		}
		v.Errors, ack.Errors = answer.Errors, answer.Errors
	case "update", "push":
		next, err := s.readView(answer.View, "modal", v.user)
		if err != nil || (answer.Action == "push" && len(s.world.stacks[v.user]) >= maxStack) {
			ack.Notice = formFailed
			return
		}
		if answer.Action == "push" {
			s.world.push(next)
			return
		}
		v.replace(next)
	default:
		ack.Notice = formFailed
	}
}

// areInputs reports whether all keys are blocks that can show an error.
func (v *view) areInputs(errs map[string]string) bool {
	inputs := map[string]bool{}
	for _, b := range v.raw["blocks"].([]any) {
		if block := b.(map[string]any); block["type"] == "input" {
			inputs[textOf(block["block_id"])] = true
		}
	}
	for block := range errs {
		if !inputs[block] {
			return false
		}
	}
	return true
}

// closeView takes a modal away, wherever in the stack it lies.
func (s *Server) closeView(v *view) {
	delete(s.world.views, v.ID)
	s.world.stacks[v.user] = slices.DeleteFunc(s.world.stacks[v.user], func(id string) bool { return id == v.ID })
}

// Cancel closes the form that the person has in front of them; the app learns of it if the form says so, and then the
// acknowledgement is waited for.
func (s *Server) Cancel(ctx context.Context, user, viewID string) (Ack, error) {
	e, notify, err := s.prepareCancel(user, viewID)
	if err != nil || !notify {
		return Ack{}, err
	}
	return s.deliver(ctx, e)
}

func (s *Server) prepareCancel(user, viewID string) (e Envelope, notify bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, v, err := s.viewBefore(user, viewID)
	if err != nil {
		return Envelope{}, false, err
	}
	if v.Type != "modal" {
		return Envelope{}, false, fmt.Errorf("%w: %q is no modal", ErrNoView, viewID)
	}
	e = s.newEnvelope("interactive", s.viewClosed(u, v, v.clearOnClose), false)
	if v.clearOnClose {
		s.world.clear(user)
	} else {
		s.world.pop(user)
	}
	s.touchLocked()
	return e, v.notifyOnClose, nil
}
