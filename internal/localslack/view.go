package localslack

import (
	"encoding/json"
	"strings"
)

// maxStack is how many modals lie on each other at most: https://docs.slack.dev/surfaces/modals
const maxStack = 3

// View is a form (modal) or a Home tab as a person sees it.
type View struct {
	ID, Hash, CallbackID, PrivateMetadata, ExternalID string
	Type                                              string // "modal" or "home"
	Title, Submit, Close                              string // their texts; "" if there is none
	Blocks                                            json.RawMessage
	// Errors are what the form shows to be wrong since the last submit, by block_id: found by the app, or by Slack itself.
	Errors map[string]string
}

// view is a View with what only the server needs.
type view struct {
	View
	raw           object // the view as the app gave it, IDs filled in
	user          string
	root          string
	previous      string
	notifyOnClose bool
	clearOnClose  bool
	values        map[string]map[string]any // what was chosen or typed so far, by block and action
}

// viewShape is a modal; homeShape a Home tab. https://docs.slack.dev/reference/views
var (
	homeShape = shape{
		"blocks*": anyValue, "private_metadata": chars(0, 3000), "callback_id": identifier, "external_id": identifier,
	}
	viewShape = homeShape.with(shape{
		"title*": plainText(24), "submit": plainText(24), "close": plainText(24),
		"clear_on_close": flag, "notify_on_close": flag, "submit_disabled": flag,
	})
)

// maxView is how large a view's JSON is at most, in bytes: "250kb", says https://docs.slack.dev/reference/methods/views.publish.
const maxView = 250_000

// readView checks a view that the app gave and makes it one of the user's.
func (s *Server) readView(raw json.RawMessage, kind, user string) (*view, error) {
	if len(raw) > maxView {
		return nil, fail("view_too_large")
	}
	tree, err := decodeTree(raw)
	o, ok := tree.(map[string]any)
	if err != nil || !ok {
		return nil, fail("invalid_arguments")
	}
	v := &validator{}
	s.checkView(v, o, kind)
	if len(v.problems) > 0 {
		return nil, &apiError{code: "invalid_arguments", messages: v.problems}
	}
	s.fillIDs(o["blocks"].([]any))
	return s.newView(o, kind, user), nil
}

func (s *Server) checkView(v *validator, o object, kind string) {
	kindsOf := kinds{"modal": viewShape, "home": homeShape}
	kindsOf.only(kind).object(v, "/view", o)
	if len(v.problems) > 0 {
		return
	}
	on := surfaceModal
	if kind == "home" {
		on = surfaceHome
	}
	checkBlocks(v, "/view/blocks", o["blocks"], on)
	if len(v.problems) == 0 && kind == "modal" && o["submit"] == nil && hasInput(o["blocks"].([]any)) {
		v.fail("/view", "missing required field: submit")
	}
}

func hasInput(blocks []any) bool {
	for _, b := range blocks {
		if b.(map[string]any)["type"] == "input" {
			return true
		}
	}
	return false
}

func (s *Server) newView(o object, kind, user string) *view {
	id := s.world.newID("V")
	return &view{
		View: View{
			ID: id, Hash: s.newHash(), Type: kind,
			CallbackID: textOf(o["callback_id"]), PrivateMetadata: textOf(o["private_metadata"]), ExternalID: textOf(o["external_id"]),
			Title: innerText(o["title"]), Submit: innerText(o["submit"]), Close: innerText(o["close"]),
			Blocks: encode(o["blocks"]),
		},
		raw: o, user: user, root: id,
		notifyOnClose: o["notify_on_close"] == true, clearOnClose: o["clear_on_close"] == true,
		values: map[string]map[string]any{},
	}
}

// newHash marks a state of a view, as Slack's do: a time and something random.
func (s *Server) newHash() string {
	return strings.Split(s.world.newTS(s.opts.now()), ".")[0] + "." + randomHex(4)
}

// replace puts what the app gave into v, which keeps its ID, its place in the stack, and what was typed in
// blocks that are still there: https://docs.slack.dev/surfaces/modals#preserving_input
func (v *view) replace(next *view) {
	id, root, previous, user, values := v.ID, v.root, v.previous, v.user, v.values
	*v = *next
	v.ID, v.root, v.previous, v.user = id, root, previous, user
	v.values = map[string]map[string]any{}
	for _, b := range v.raw["blocks"].([]any) {
		block := textOf(b.(map[string]any)["block_id"])
		if kept, ok := values[block]; ok {
			v.values[block] = kept
		}
	}
}

// json is the view in Slack's JSON.
func (v *view) json(w *world, values map[string]map[string]any) object {
	o := object{
		"id": v.ID, "team_id": w.ws.TeamID, "type": v.Type, "blocks": v.Blocks,
		"private_metadata": v.PrivateMetadata, "callback_id": v.CallbackID, "external_id": v.ExternalID,
		"state": object{"values": values}, "hash": v.Hash, "root_view_id": v.root, "previous_view_id": nil,
		"title": v.raw["title"], "submit": v.raw["submit"], "close": v.raw["close"],
		"clear_on_close": v.clearOnClose, "notify_on_close": v.notifyOnClose, "submit_disabled": false,
		"app_id": w.appID, "app_installed_team_id": w.ws.TeamID, "bot_id": w.botID,
	}
	if v.previous != "" {
		o["previous_view_id"] = v.previous
	}
	return o
}

// openView is the modal that the person has in front of them; nil if there is none.
func (w *world) openView(user string) *view {
	stack := w.stacks[user]
	if len(stack) == 0 {
		return nil
	}
	return w.views[stack[len(stack)-1]]
}

// push lays v on top of the person's modals.
func (w *world) push(v *view) {
	if top := w.openView(v.user); top != nil {
		v.previous, v.root = top.ID, top.root
	}
	w.views[v.ID] = v
	w.stacks[v.user] = append(w.stacks[v.user], v.ID)
}

// pop takes the person's top modal away.
func (w *world) pop(user string) {
	if top := w.openView(user); top != nil {
		delete(w.views, top.ID)
		w.stacks[user] = w.stacks[user][:len(w.stacks[user])-1]
	}
}

// clear takes all of the person's modals away.
func (w *world) clear(user string) {
	for w.openView(user) != nil {
		w.pop(user)
	}
}

// textOf is a decoded string; "" for all else.
func textOf(value any) string {
	text, _ := value.(string)
	return text
}

// innerText is the text of a text object; "" if there is none.
func innerText(value any) string {
	o, _ := value.(map[string]any)
	return textOf(o["text"])
}
