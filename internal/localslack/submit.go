package localslack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// formFailed is what Slack shows in a form whose submission came to nothing.
const formFailed = "We had some trouble connecting. Try again?"

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
