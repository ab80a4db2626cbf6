package bot

import (
	"bytes"
	"encoding/json"

	"github.com/slack-go/slack"

	"rollbackbot/runbook"
)

// actionSuggested is the button under a suggestion.
const actionSuggested = "request_suggested"

// suggestionValue is what that button carries.
type suggestionValue struct {
	App     string `json:"app"`
	Release string `json:"release"` // the ID of the one to leave
}

func encodeSuggestion(v suggestionValue) string {
	text, _ := json.Marshal(v) // strings always encode
	return string(text)
}

// decodeSuggestion reads what encodeSuggestion wrote, byte for byte; ErrValue for everything else.
func decodeSuggestion(text string) (suggestionValue, error) {
	var v suggestionValue
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	if len(text) > maxButtonValue || decoder.Decode(&v) != nil || encodeSuggestion(v) != text || v.App == "" || v.Release == "" {
		return suggestionValue{}, ErrValue
	}
	return v, nil
}

// suggestion adds the button that asks for what is suggested.
func (d *draft) suggestion(b runbook.Bulletin) {
	const text = "Ask for this rollback"
	value := encodeSuggestion(suggestionValue{App: b.App, Release: b.Suggestion.Release})
	d.lines = append(d.lines, escape("Buttons: "+text))
	d.blocks = append(d.blocks, slack.NewActionBlock("", slack.NewButtonBlockElement(actionSuggested, value, plain(text, maxButtonText))))
}
