package localslack

import (
	"context"
	"errors"
	"fmt"
)

// clickFailed is what Slack shows beside a button whose click the app didn't acknowledge.
const clickFailed = "This app didn't respond. Try again, or contact the app's owner."

// aim says which element of a message or view is meant and what is done to it.
type aim struct {
	block  string // "" for any
	action string
	value  *string                   // a button's value, where several have the same action
	chosen any                       // for selects, checkboxes and menus
	typed  map[string]map[string]any // what the person has in the message's fields, by block and action; "" for any block
}

// Click presses a button of a message, top-level or in a thread, as if any confirmation dialog were confirmed.
// actionID is the button's action_id; of several the first is meant.
func (s *Server) Click(ctx context.Context, user, channel, ts, actionID string) (Ack, error) {
	return s.act(ctx, user, channel, ts, false, aim{action: actionID})
}

// ClickValue is Click for one of several buttons with the same action_id: the one with this value.
func (s *Server) ClickValue(ctx context.Context, user, channel, ts, actionID, value string) (Ack, error) {
	return s.act(ctx, user, channel, ts, false, aim{action: actionID, value: &value})
}

// ClickTyped is Click by a person who has typed into the message's fields before: their values by action. What one person
// typed nobody else has.
func (s *Server) ClickTyped(ctx context.Context, user, channel, ts, actionID string, typed map[string]any) (Ack, error) {
	return s.act(ctx, user, channel, ts, false, aim{action: actionID, typed: map[string]map[string]any{"": typed}})
}

// ClickPrivate is Click for a message that only this person sees.
func (s *Server) ClickPrivate(ctx context.Context, user, channel, ts, actionID string) (Ack, error) {
	return s.act(ctx, user, channel, ts, true, aim{action: actionID})
}

// Choose picks something in a select, in checkboxes or radio buttons or in an overflow menu of a message: the value
// of an option, the ID of a user, or several of either. Private messages are found too.
func (s *Server) Choose(ctx context.Context, user, channel, ts, actionID string, value any) (Ack, error) {
	s.mu.Lock()
	private := s.world.private(user, ts) != nil
	s.mu.Unlock()
	return s.act(ctx, user, channel, ts, private, aim{action: actionID, chosen: value})
}

// ClickView presses a button, or with a value chooses something, in the modal or Home tab that the person has in
// front of them. Fields of a form are filled by Submit rather than here, unless they are to be dispatched.
func (s *Server) ClickView(ctx context.Context, user, viewID, actionID string, value any) (Ack, error) {
	return s.actInView(ctx, user, viewID, aim{action: actionID, chosen: value}, nil)
}

func (s *Server) act(ctx context.Context, user, channel, ts string, private bool, target aim) (Ack, error) {
	e, err := s.prepareAction(user, channel, ts, private, target)
	if err != nil {
		return Ack{}, err
	}
	return s.deliverAction(ctx, e)
}

func (s *Server) deliverAction(ctx context.Context, e Envelope) (Ack, error) {
	ack, err := s.deliver(ctx, e)
	if errors.Is(err, ErrNotAcked) {
		ack.Notice = clickFailed
	}
	return ack, err
}

func (s *Server) prepareAction(user, channel, ts string, private bool, target aim) (Envelope, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, c, err := s.who(user, channel)
	if err != nil {
		return Envelope{}, err
	}
	m := c.message(ts)
	if private {
		m = s.world.private(user, ts)
	}
	if m == nil || m.Channel != c.ID {
		return Envelope{}, fmt.Errorf("%w: %s in %s", ErrNoMessage, ts, channel)
	}
	block, e := target.find(messageBlocks(m))
	if e == nil {
		return Envelope{}, fmt.Errorf("%w: %q in %s", ErrNoElement, target.action, ts)
	}
	state, err := target.state(e)
	if err != nil {
		return Envelope{}, err
	}
	if stateField[textOf(e["type"])] != "" {
		if m.interactions == nil {
			m.interactions = map[string]map[string]any{}
		}
		put(m.interactions, block, target.action, state)
		s.touchLocked()
	}
	values, err := target.values(m)
	if err != nil {
		return Envelope{}, err
	}
	return s.newEnvelope("interactive", s.messageAction(u, c, m, values, s.action(block, e, state)), false), nil
}

// values are the message's state.values as this person has them.
func (t aim) values(m *Message) (map[string]map[string]any, error) {
	blocks := messageBlocks(m)
	values := stateOf(decodeBlocks(m.Blocks), m.interactions)
	for block, actions := range t.typed {
		for action, value := range actions {
			where, e := aim{block: block, action: action}.find(blocks)
			if e == nil && block != "" {
				continue // the message has changed under the page
			}
			if e == nil {
				return nil, fmt.Errorf("%w: field %q in %s", ErrNoElement, action, m.TS)
			}
			state, err := chosenState(e, value)
			if err != nil {
				return nil, err
			}
			put(values, where, action, state)
		}
	}
	return values, nil
}

func (s *Server) actInView(ctx context.Context, user, viewID string, target aim, values map[string]map[string]any) (Ack, error) {
	e, err := s.prepareViewAction(user, viewID, target, values)
	if err != nil {
		return Ack{}, err
	}
	return s.deliverAction(ctx, e)
}

func (s *Server) prepareViewAction(user, viewID string, target aim, values map[string]map[string]any) (Envelope, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, v, err := s.viewBefore(user, viewID)
	if err != nil {
		return Envelope{}, err
	}
	if err := v.fill(values); err != nil {
		return Envelope{}, err
	}
	block, e := target.find(v.raw["blocks"].([]any))
	if e == nil {
		return Envelope{}, fmt.Errorf("%w: %q in %s", ErrNoElement, target.action, viewID)
	}
	state, err := target.state(e)
	if err != nil {
		return Envelope{}, err
	}
	if stateField[textOf(e["type"])] != "" {
		put(v.values, block, target.action, state)
	}
	return s.newEnvelope("interactive", s.viewAction(u, v, s.action(block, e, state)), false), nil
}

// find is the element that is meant and the ID of its block; nil if there is none.
func (t aim) find(blocks []any) (block string, e object) {
	for _, b := range blocks {
		o := b.(map[string]any)
		for _, e := range elementsOf(o) {
			if e["action_id"] == t.action && (t.block == "" || o["block_id"] == t.block) && (t.value == nil || e["value"] == *t.value) {
				return textOf(o["block_id"]), e
			}
		}
	}
	return "", nil
}

// state is what is chosen in the element; nil for buttons.
func (t aim) state(e object) (object, error) {
	switch kind := textOf(e["type"]); {
	case kind == "button":
		return nil, nil
	case kind == "overflow":
		texts, err := textsOf(t.chosen)
		if err != nil {
			return nil, err
		}
		options, err := optionsByValue(e, texts)
		if err != nil || len(options) != 1 {
			return nil, errors.Join(err, fmt.Errorf("overflow %q takes one value", t.action))
		}
		return object{"selected_option": options[0]}, nil
	default:
		return chosenState(e, t.chosen)
	}
}

// messageBlocks are the blocks of a message and of its attachments.
func messageBlocks(m *Message) []any {
	blocks := decodeBlocks(m.Blocks)
	for _, attachment := range decodeBlocks(m.Attachments) {
		inner, _ := attachment.(map[string]any)["blocks"].([]any)
		blocks = append(blocks, inner...)
	}
	return blocks
}
