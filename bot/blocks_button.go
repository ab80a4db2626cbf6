package bot

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"slices"

	"github.com/slack-go/slack"

	"rollbackbot/runbook"
)

// Value is what a button carries: the click counts for this question, on this plan, of this rollback, and for nothing
// else.
type Value struct {
	Rollback string         `json:"rollback"`
	Plan     string         `json:"plan"` // the hash that the answer counts for, 64 hex digits
	Answer   runbook.Answer `json:"answer"`
	Question int64          `json:"question"` // 0 for Abort, which belongs to no question; for AcceptOwner: which asking
}

// ErrValue says that a button's value is none of this bot's.
var ErrValue = errors.New("the button's value can't be read")

// EncodeValue is a button's value.
func EncodeValue(v Value) string {
	text, _ := json.Marshal(v) // strings and a number always encode
	return string(text)
}

var planPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

var buttonAnswers = []runbook.Answer{
	runbook.Confirm, runbook.SignoffInPlace, runbook.SignoffReverted, runbook.SignoffNone, runbook.SignoffReject,
	runbook.ErrorRateBaseline, runbook.ErrorRateElevated, runbook.Retry, runbook.RollForward, runbook.Abort,
	runbook.AcceptOwner,
}

// DecodeValue reads what EncodeValue wrote, byte for byte; ErrValue for everything else.
func DecodeValue(text string) (Value, error) {
	var v Value
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	switch {
	case len(text) > maxButtonValue, decoder.Decode(&v) != nil, EncodeValue(v) != text:
		return Value{}, ErrValue
	case !rollbackPattern.MatchString(v.Rollback), !planPattern.MatchString(v.Plan), !slices.Contains(buttonAnswers, v.Answer), v.Question < 0:
		return Value{}, ErrValue
	}
	return v, nil
}

// button is one answer as people see it.
type button struct {
	value   Value
	text    string
	style   slack.Style
	confirm *dialog // nil: the click counts at once
}

// dialog is what is asked before a click counts.
type dialog struct {
	title, text, yes string
	style            slack.Style
}

func (b button) element() *slack.ButtonBlockElement {
	e := slack.NewButtonBlockElement(string(b.value.Answer), EncodeValue(b.value), plain(b.text, maxButtonText))
	e.Style = b.style
	if b.confirm != nil {
		e.Confirm = slack.NewConfirmationBlockObject(
			plain(b.confirm.title, maxConfirmTitle), plain(b.confirm.text, maxConfirmText), plain(b.confirm.yes, 30), plain("Not yet", 30))
		e.Confirm.Style = b.confirm.style
	}
	return e
}

// buttons adds a row of them, and says in the text that there is something to press.
func (d *draft) buttons(row ...button) {
	if len(row) == 0 {
		return
	}
	line := "Buttons: "
	var shown []slack.BlockElement
	for i, b := range row {
		if i > 0 {
			line += " · "
		}
		line += b.text
		shown = append(shown, b.element())
	}
	d.lines = append(d.lines, escape(line))
	d.blocks = append(d.blocks, slack.NewActionBlock("", shown...))
}
