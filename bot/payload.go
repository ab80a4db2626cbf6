package bot

import (
	"encoding/json"
	"errors"
	"fmt"

	"rollbackbot/runbook"
)

// What Slack sends, as far as the bot reads it. Everything else in the payloads stays unread, so that what Slack adds or
// changes there breaks nothing: https://docs.slack.dev/reference/interaction-payloads and
// https://docs.slack.dev/interactivity/implementing-slash-commands.

// The kinds of deliveries in the inbox: how a body reads. They are kept in a database, so they are never renamed.
const (
	kindCommand    = "command"      // a slash command
	kindForm       = "form"         // a slash command that opens the form, and nothing else
	kindClick      = "click"        // a button or choice
	kindSubmission = "submission"   // the form, sent
	kindEvent      = "event"        // something of the Events API
	kindChoice     = "form_choice"  // another app, chosen in the form
	kindRefused    = "form_refused" // the form, sent and given back with what is wrong
	kindHomeForm   = "home_form"    // the button of the Home tab that opens the form
)

type commandPayload struct {
	Team        string `json:"team_id"`
	App         string `json:"api_app_id"`
	Channel     string `json:"channel_id"`
	User        string `json:"user_id"`
	Command     string `json:"command"`
	Text        string `json:"text"`
	ResponseURL string `json:"response_url"`
	Trigger     string `json:"trigger_id"`
}

func (p commandPayload) reply() Reply {
	return Reply{Channel: p.Channel, User: p.User, ResponseURL: p.ResponseURL}
}

type idPayload struct {
	ID string `json:"id"`
}

type interactionPayload struct {
	Type        string          `json:"type"`
	Team        idPayload       `json:"team"`
	App         string          `json:"api_app_id"`
	User        idPayload       `json:"user"`
	Channel     idPayload       `json:"channel"`
	Message     messagePayload  `json:"message"`
	Trigger     string          `json:"trigger_id"`
	ResponseURL string          `json:"response_url"`
	Actions     []actionPayload `json:"actions"`
	View        viewPayload     `json:"view"`
	State       statePayload    `json:"state"` // what stands in the fields of the message
}

func (p interactionPayload) reply() Reply {
	return Reply{Channel: p.Channel.ID, User: p.User.ID, ResponseURL: p.ResponseURL, ThreadTS: p.Message.ThreadTS}
}

type messagePayload struct {
	TS       string `json:"ts"`
	ThreadTS string `json:"thread_ts"`
}

type actionPayload struct {
	Type   string `json:"type"`
	Block  string `json:"block_id"`
	Action string `json:"action_id"`
	Value  string `json:"value"`
	User   string `json:"selected_user"`
	// Selected is what was chosen in a select.
	Selected *struct {
		Value string `json:"value"`
	} `json:"selected_option"`
}

type viewPayload struct {
	ID       string       `json:"id"`
	Hash     string       `json:"hash"`
	Callback string       `json:"callback_id"`
	Metadata string       `json:"private_metadata"`
	State    statePayload `json:"state"`
}

// statePayload is what stands in fields: by the IDs of block and action.
type statePayload struct {
	Values map[string]map[string]fieldPayload `json:"values"`
}

// typed is what stands in a message's field; "" when it is empty or not there. The block's ID changes with the message.
func (s statePayload) typed(action string) string {
	for _, block := range s.Values {
		if field, ok := block[action]; ok {
			return field.Value
		}
	}
	return ""
}

// fieldPayload is one field of a form: what was typed or chosen in it.
type fieldPayload struct {
	Value    string `json:"value"`
	User     string `json:"selected_user"`
	Selected *struct {
		Value string `json:"value"`
	} `json:"selected_option"`
	Checked []struct {
		Value string `json:"value"`
	} `json:"selected_options"`
}

// checked are the boxes that are ticked in a field.
func (v viewPayload) checked(id string) []string {
	var values []string
	for _, option := range v.State.Values[id][id].Checked {
		values = append(values, option.Value)
	}
	return values
}

// field is what a field holds, whatever kind it is; "" when it is empty or not there.
func (v viewPayload) field(id string) string {
	field := v.State.Values[id][id]
	switch {
	case field.Selected != nil:
		return field.Selected.Value
	case field.User != "":
		return field.User
	}
	return field.Value
}

type eventPayload struct {
	Team  string       `json:"team_id"`
	App   string       `json:"api_app_id"`
	Event string       `json:"event_id"`
	Inner innerPayload `json:"event"`
}

// innerPayload is what happened: https://docs.slack.dev/reference/events/app_home_opened
type innerPayload struct {
	Type string `json:"type"`
	User string `json:"user"`
	Tab  string `json:"tab"`
}

// opensHome reports whether a person has opened their Home tab, and who.
func (p innerPayload) opensHome() (person string, ok bool) {
	return p.User, p.Type == "app_home_opened" && p.Tab == "home" && isPerson(p.User)
}

// incoming is an envelope as far as the Handler needs it: whose it is, what makes it one, and whom to answer.
type incoming struct {
	team, app string
	delivery  runbook.Delivery
	reply     Reply
	command   commandPayload
	view      viewPayload
	trigger   string
	chosen    string // the app that was chosen in the form, or for which it is to be opened
}

var errNothingToDo = errors.New("nothing in this app sends such a thing")

// readEnvelope reads an envelope, or says why it can't be taken.
func readEnvelope(e Envelope) (incoming, error) {
	in := incoming{delivery: runbook.Delivery{Body: e.Payload, At: e.At}}
	var err error
	switch e.Kind {
	case "slash_commands":
		err = in.readCommand()
	case "interactive":
		err = in.readInteraction()
	case "events_api":
		var p eventPayload
		err = json.Unmarshal(e.Payload, &p)
		in.team, in.app, in.delivery.Key, in.delivery.Kind = p.Team, p.App, p.Event, kindEvent
	default:
		err = errNothingToDo
	}
	switch {
	case err != nil:
		return in, fmt.Errorf("read an envelope of the type %q: %w", e.Kind, err)
	case in.delivery.Key == "":
		return in, fmt.Errorf("an envelope of the type %q has nothing that makes it one", e.Kind)
	}
	return in, nil
}

func (in *incoming) readCommand() error {
	p := &in.command
	if err := json.Unmarshal(in.delivery.Body, p); err != nil {
		return err
	}
	in.team, in.app, in.reply = p.Team, p.App, p.reply()
	in.delivery.Key, in.delivery.Kind = p.Trigger, kindCommand
	if opensForm(p.Text) {
		in.delivery.Kind = kindForm
	}
	return nil
}

func (in *incoming) readInteraction() error {
	var p interactionPayload
	if err := json.Unmarshal(in.delivery.Body, &p); err != nil {
		return err
	}
	in.team, in.app, in.reply, in.view, in.trigger = p.Team.ID, p.App, p.reply(), p.View, p.Trigger
	switch {
	case p.Type == "block_actions" && p.View.Callback == formCallback:
		in.delivery.Key, in.delivery.Kind = p.Trigger, kindChoice
		in.reply = p.View.reply(p.User.ID)
		for _, action := range p.Actions {
			if action.Action == fieldApp && action.Selected != nil {
				in.chosen = action.Selected.Value
			}
		}
	case p.Type == "block_actions" && p.View.Callback == homeCallback && len(p.Actions) == 1 && p.Actions[0].Action == actionHomePlan:
		in.delivery.Key, in.delivery.Kind, in.chosen = p.Trigger, kindHomeForm, p.Actions[0].Value
	case p.Type == "block_actions":
		in.delivery.Key, in.delivery.Kind = p.Trigger, kindClick
	case p.Type == "view_submission" && p.View.Callback == formCallback:
		// The view, not the trigger: a form that was sent back with errors comes again, and counts once.
		in.delivery.Key, in.delivery.Kind = p.View.ID, kindSubmission
		in.reply = p.View.reply(p.User.ID)
	default:
		return fmt.Errorf("%w: %q %q", errNothingToDo, p.Type, p.View.Callback)
	}
	return nil
}
