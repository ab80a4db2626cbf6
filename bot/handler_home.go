package bot

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"rollbackbot/runbook"
)

// rightsTimeout bounds finding out who pressed the Home tab's button before its form opens: Slack waits 3 s in all, of
// which storing may take 2.
const rightsTimeout = 800 * time.Millisecond

// openHomeForm opens the form for the app whose button was pressed. Who may not ask for a rollback is told so privately.
// Where that can't be read in time, the form opens as it is: what is sent with it is judged anew, but nothing is shown.
func (h *Handler) openHomeForm(ctx context.Context, log zerolog.Logger, in incoming) {
	defer h.formDone(ctx, log, in)
	why, unread := h.mayAsk(ctx, in.reply.User)
	if why == nil && !slices.Contains(h.Form.Apps, in.chosen) {
		why = &runbook.UnknownAppError{Name: in.chosen, Apps: h.Form.Apps} // a tab of another day
	}
	if why != nil {
		h.whisper(ctx, log, in, Sentence(why))
		return
	}
	opened, err := h.Form.openFor(ctx, in.chosen, in.trigger, in.reply.User)
	switch {
	case err != nil:
		log.Warn().Err(err).Msg("a form could not be opened")
		h.whisper(ctx, log, in, formTrouble(err))
	case unread != nil:
		log.Warn().Err(unread).Msg("it could not be read who opened a form; it stays as it is")
	default:
		if err := h.Form.fill(ctx, opened, in.reply.User, in.chosen); err != nil {
			log.Warn().Err(err).Msg("a form could not be filled; it can be sent as it is")
		}
	}
}

// mayAsk says why a person can't ask for a rollback, or that it could not be read who they are.
func (h *Handler) mayAsk(ctx context.Context, person string) (why, unread error) {
	if h.Directory == nil {
		return nil, errors.New("nobody knows people here")
	}
	ctx, cancel := context.WithTimeout(ctx, rightsTimeout)
	defer cancel()
	roles, err := h.Directory.Roles(ctx, person)
	if err != nil {
		return nil, err
	}
	return runbook.MayRequest(roles), nil
}

func (h *Handler) whisper(ctx context.Context, log zerolog.Logger, in incoming, text string) {
	if err := h.Private.Private(ctx, in.reply, TextMessage(text)); err != nil {
		log.Warn().Err(err).Msg("a person could not be told what came of their button")
	}
}
