package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
)

// suggestion reads a press of the button under a suggestion; false where it is another button, or none.
func (e *errand) suggestion() (suggestionValue, bool) {
	if e.by == "" || len(e.actions) != 1 || e.actions[0].Action != actionSuggested || e.actions[0].Type != "button" {
		return suggestionValue{}, false
	}
	value, err := decodeSuggestion(e.actions[0].Value)
	return value, err == nil
}

// suggested asks for what was suggested, as the person who pressed the button would by typing it, under their rights.
func (d *Desk) suggested(ctx context.Context, e errand, value suggestionValue) error {
	if e.channel != d.Channel.ID {
		err := fmt.Errorf("the button stands in %q, not in the team channel", e.channel)
		return errors.Join(err, d.tell(ctx, e, TextMessage(unknownButton)))
	}
	if _, err := d.Runner.App(value.App); err != nil {
		return d.fail(ctx, e, err)
	}
	history, err := d.Runner.History(ctx, value.App)
	if err != nil {
		return d.fail(ctx, e, err)
	}
	bulletin, there := history.Suggestion(value.Release)
	request := suggestedCommand(value.App).Request(e.by, e.delivery.At)
	switch {
	case !there:
		return d.refuse(ctx, e, value.App, actionRequest, &runbook.RefusedError{Why: "Nothing of the kind is suggested."})
	case bulletin.Withdrawn != "" && !opened(history, request):
		return d.refuse(ctx, e, value.App, actionRequest, &runbook.RefusedError{Why: "That suggestion doesn't stand any more: " + closed(bulletin.Withdrawn)})
	}
	return d.request(ctx, e, request)
}

// opened reports whether this very press has opened a rollback already, before a crash: that withdraws the suggestion.
func opened(history history.History, request runbook.Request) bool {
	return slices.ContainsFunc(history.Rollbacks(), func(rb runbook.Past) bool { return rb.By == request.By && rb.At.Equal(request.At) })
}
