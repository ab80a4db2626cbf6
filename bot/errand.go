package bot

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"rollbackbot/runbook"
)

// errand is one delivery as the desk works it off: who wants what, and whom to answer.
type errand struct {
	delivery runbook.Delivery
	by       string // Slack ID; empty where a payload can't be read
	reply    Reply
	command  Command
	view     viewPayload // of a form
	channel  string      // where a button stands
	actions  []actionPayload
	reason   string // what was stated beside a button
	opener   string // who opened their Home tab; empty: it isn't that. Nobody has asked for anything, so nobody is answered
	err      error  // why it can't be understood
}

func readErrand(d runbook.Delivery) errand {
	e := errand{delivery: d}
	switch d.Kind {
	case kindCommand, kindForm:
		e.readCommand()
	case kindClick, kindSubmission, kindRefused, kindHomeForm:
		e.readInteraction()
	case kindEvent:
		e.readEvent()
	}
	return e
}

func (e *errand) readCommand() {
	var p commandPayload
	if e.err = json.Unmarshal(e.delivery.Body, &p); e.err != nil {
		return
	}
	e.by, e.reply = p.User, p.reply()
	e.command, e.err = Parse(p.Text)
}

func (e *errand) readInteraction() {
	var p interactionPayload
	if e.err = json.Unmarshal(e.delivery.Body, &p); e.err != nil {
		return
	}
	e.by, e.reply, e.view, e.channel, e.actions, e.reason = p.User.ID, p.reply(), p.View, p.Channel.ID, p.Actions, p.State.typed(fieldGlass)
	if e.delivery.Kind != kindClick && e.delivery.Kind != kindHomeForm {
		e.reply = p.View.reply(p.User.ID)
	}
}

// readEvent reads who opened their Home tab; of any other event nothing.
func (e *errand) readEvent() {
	var p eventPayload
	if e.err = json.Unmarshal(e.delivery.Body, &p); e.err != nil {
		return
	}
	if person, ok := p.Inner.opensHome(); ok {
		e.opener = person
	}
}

// opensForm reports whether a command opens the form.
func opensForm(text string) bool {
	command, err := Parse(text)
	return err == nil && command.Verb == VerbForm
}

// lane is what an errand must not overtake: requests for an app come one after the other, and so do the answers to a
// rollback. Everything else stands for itself, so that a question is not stuck behind somebody's preflight.
func (e *errand) lane() string {
	switch {
	case e.err != nil:
	case e.delivery.Kind == kindSubmission:
		return "app " + orElse(e.view.field(fieldApp), e.view.origin().App)
	case e.delivery.Kind == kindClick:
		if over, ok := e.handOver(); ok {
			return "rollback " + over.Rollback
		}
		if value, ok := e.suggestion(); ok {
			return "app " + value.App
		}
		if value, err := e.click(); err == nil {
			return "rollback " + value.Rollback
		}
	case e.command.Verb == VerbRollback:
		return "app " + e.command.App
	case e.command.Verb == VerbAbort:
		return "rollback " + e.command.ID
	}
	return e.ownLane()
}

// drill is the drill that an errand is about; empty: it is about none.
func (e *errand) drill() string {
	id := ""
	switch {
	case e.err != nil:
	case e.delivery.Kind == kindClick:
		if value, err := e.click(); err == nil {
			id = value.Rollback
		}
	case e.delivery.Kind == kindCommand:
		id = e.command.ID
	}
	if !runbook.IsDrill(id) {
		return ""
	}
	return id
}

func (e *errand) ownLane() string { return "delivery " + e.delivery.Key }

// isQuestion tells what stands for itself: it asks for an answer, and no rollback waits for it.
func (e *errand) isQuestion() bool { return e.lane() == e.ownLane() }

// click reads a click strictly: one button, that is known, with a value that the bot itself wrote for that very
// button. The error is for the log; to the person any of these is a button that means nothing.
func (e *errand) click() (Value, error) {
	if e.by == "" {
		return Value{}, errors.New("nobody clicked")
	}
	if len(e.actions) != 1 {
		return Value{}, fmt.Errorf("%d actions at once", len(e.actions))
	}
	action := e.actions[0]
	answer := runbook.Answer(action.Action)
	if action.Type != "button" || action.Block == "" {
		return Value{}, fmt.Errorf("the action %q is a %q in the block %q, no button", action.Action, action.Type, action.Block)
	}
	value, err := DecodeValue(action.Value)
	switch {
	case err != nil:
		return Value{}, fmt.Errorf("the value of the button %q: %w", action.Action, err)
	case value.Answer != answer:
		return Value{}, fmt.Errorf("the button %q has the value of %q", action.Action, value.Answer)
	}
	return value, nil
}

// handOver reads the choice of another owner of the follow-up; false where the click is something else.
func (e *errand) handOver() (runbook.HandOver, bool) {
	if e.by == "" || len(e.actions) != 1 {
		return runbook.HandOver{}, false
	}
	action := e.actions[0]
	id := handOverOf(action.Block)
	if action.Type != slack.OptTypeUser || action.Action != handOverAction || id == "" || !isPerson(action.User) {
		return runbook.HandOver{}, false
	}
	return runbook.HandOver{Rollback: id, To: action.User, By: e.by, Cause: e.delivery.Key}, true
}

// releaseOf reads the form's release as the one-line form reads what comes after "to".
func releaseOf(text string) (release string, images map[string]runbook.Image, err error) {
	if strings.TrimSpace(text) == "" {
		return runbook.Previous, nil, nil
	}
	command, err := Parse("app to " + escape(text))
	if err != nil {
		return "", nil, err
	}
	if command.Migration != "" || command.Owner != "" || command.Reason != "" {
		return "", nil, &UsageError{Problem: "Give the release alone here; the rest has fields of its own."}
	}
	return command.Release, command.Images, nil
}
