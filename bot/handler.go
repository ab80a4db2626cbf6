package bot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"github.com/slack-go/slack"

	"rollbackbot/runbook"
)

const (
	// storeTimeout bounds storing a delivery. Slack waits 3 s for the acknowledgement, which comes after.
	storeTimeout = 2 * time.Second
	// ackTimeout bounds handing an acknowledgement to the connection, and is Slack's own patience:
	// https://docs.slack.dev/interactivity/handling-user-interaction
	ackTimeout = 3 * time.Second
	// disownTimeout bounds taking a delivery back that may have been stored after all.
	disownTimeout = 30 * time.Second
)

// Handler takes envelopes: it stores what a person said, and only then acknowledges it. All that is slow is left to the
// Desk, but for the form, whose trigger is good for 3 s. Its method may be called from any goroutine.
type Handler struct {
	Team      string // the ID of the bot's own workspace
	Inbox     runbook.Inbox
	Form      *Form
	Directory runbook.Directory // says whether the Home tab's button opens the form for whoever pressed it
	Private   Speaker
	Stored    func() // is told that the inbox has something new: the Desk's Wake
	Drills    bool   // nobody works off anything but what is about drills, so nothing else is accepted
	Log       zerolog.Logger
}

// Handle takes one envelope. What can't be read, or is another app's or workspace's, is skipped: it isn't
// acknowledged, because it wasn't accepted.
func (h *Handler) Handle(ctx context.Context, e Envelope, ack Ack) {
	in, err := readEnvelope(e)
	log := h.Log.With().Str("envelope", e.ID).Str("kind", in.delivery.Kind).Str("actor", in.reply.User).Logger()
	if err == nil {
		err = h.ours(in, e)
	}
	if err != nil {
		log.Warn().Err(err).Msg("an envelope was skipped")
		return
	}
	if h.Drills && drillOf(in.delivery) == "" {
		log.Warn().Msg("an envelope was skipped: this process is there for a drill, and no bot runs")
		return
	}
	if wrong := h.judge(ctx, in); len(wrong) > 0 {
		h.giveBack(ctx, log, in, ack, wrong)
		return
	}
	fresh, err := h.store(ctx, in.delivery)
	if err != nil {
		log.Error().Err(err).Msg("a delivery could not be stored; it was not accepted")
		h.refuse(ctx, log, in, ack)
		return
	}
	h.ack(ctx, log, ack, nil)
	switch {
	case !fresh:
		log.Info().Msg("a delivery came again; it counts once")
	case in.delivery.Kind == kindForm:
		h.openForm(ctx, log, in)
	case in.delivery.Kind == kindHomeForm:
		h.openHomeForm(ctx, log, in)
	case in.delivery.Kind == kindChoice:
		h.refill(ctx, log, in)
	default:
		h.Stored()
	}
}

// ours says why an envelope is not for this bot, or nil.
func (h *Handler) ours(in incoming, e Envelope) error {
	switch {
	case in.team != h.Team:
		return fmt.Errorf("it is of the workspace %q, and this bot is that of %q", in.team, h.Team)
	case e.App != "" && in.app != "" && in.app != e.App:
		return fmt.Errorf("it is of the app %q, and this bot is %q", in.app, e.App)
	}
	return nil
}

// judge says what is wrong in a form, as far as that can be told at once; the form stays open with it.
func (h *Handler) judge(ctx context.Context, in incoming) map[string]string {
	if in.delivery.Kind != kindSubmission {
		return nil
	}
	_, wrong := h.Form.read(ctx, in.view, in.reply.User)
	return wrong
}

// giveBack leaves a form open with what is wrong in it. The refusal is kept to be journalled, and where it is about the
// release, the form is brought up to date: the situation may have changed since it was filled.
func (h *Handler) giveBack(ctx context.Context, log zerolog.Logger, in incoming, ack Ack, wrong map[string]string) {
	if in.trigger != "" {
		refused := runbook.Delivery{Key: in.trigger, Kind: kindRefused, Body: in.delivery.Body, At: in.delivery.At}
		if _, err := h.store(ctx, refused); err != nil {
			log.Error().Err(err).Msg("a refused form could not be kept for the journal")
		}
	}
	h.ack(ctx, log, ack, slack.NewErrorsViewSubmissionResponse(wrong))
	h.Stored()
	if wrong[fieldRelease] != "" {
		if err := h.Form.renew(ctx, in.view, in.reply.User); err != nil {
			log.Warn().Err(err).Msg("a form could not be brought up to date")
		}
	}
}

func (h *Handler) store(ctx context.Context, d runbook.Delivery) (fresh bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return h.Inbox.Put(ctx, d)
}

func (h *Handler) ack(ctx context.Context, log zerolog.Logger, ack Ack, payload any) {
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	if err := ack(ctx, payload); err != nil {
		log.Warn().Err(err).Msg("an envelope could not be acknowledged; the person may be told that it failed")
	}
}

// notAccepted says so, and how a person goes on when the bot can't store what they say.
const notAccepted = "This was NOT accepted, because the bot can't write to its database. Nothing was done. Try again. " +
	"If it stays so, go on in a terminal on the bot's machine: `rollbackbot plan APP` prints the exact commands, host by host."

// formNotAccepted is notAccepted for a form, which stays open.
const formNotAccepted = "As far as the bot can tell this was NOT accepted, because it can't write to its database. Press the button again: it counts once. " +
	"If it stays so, go on in a terminal on the bot's machine: `rollbackbot plan APP` prints the exact commands, host by host."

// refuse tells the person that what they said is not stored. A click that is not acknowledged shows as failed, which
// is what it is.
func (h *Handler) refuse(ctx context.Context, log zerolog.Logger, in incoming, ack Ack) {
	switch in.delivery.Kind {
	case kindCommand, kindForm:
		h.ack(ctx, log, ack, map[string]string{"response_type": "ephemeral", "text": notAccepted})
	case kindSubmission:
		h.ack(ctx, log, ack, slack.NewErrorsViewSubmissionResponse(map[string]string{fieldRelease: formNotAccepted}))
		// It is not taken back: it comes again under the same key, and must not be taken back then. Should it be in the
		// inbox after all, both are one.
		return
	case kindClick, kindHomeForm:
		if err := h.Private.Private(ctx, in.reply, TextMessage(notAccepted)); err != nil {
			log.Warn().Err(err).Msg("a person could not be told that their click was not accepted")
		}
	case kindEvent, kindChoice:
		return // Slack sends events again
	}
	h.disown(ctx, in.delivery.Key)
}

// disown takes back a delivery that may be in the inbox after all, where only the answer to Put came too late: the
// person was told that it isn't. That it is not there is the usual case, and no error worth telling.
func (h *Handler) disown(ctx context.Context, key string) {
	ctx, cancel := context.WithTimeout(ctx, disownTimeout)
	defer cancel()
	_ = h.Inbox.Done(ctx, key)
}

// openForm opens the form at once, and is done with the command by that. What has to be read for it fills it after.
func (h *Handler) openForm(ctx context.Context, log zerolog.Logger, in incoming) {
	opened, err := h.Form.open(ctx, in.command)
	if err != nil {
		log.Warn().Err(err).Msg("a form could not be opened")
		if err := h.Private.Private(ctx, in.reply, TextMessage(formTrouble(err))); err != nil {
			log.Warn().Err(err).Msg("a person could not be told that their form did not open")
		}
	}
	h.formDone(ctx, log, in)
	if err == nil {
		if err := h.Form.fill(ctx, opened, in.reply.User, ""); err != nil {
			log.Warn().Err(err).Msg("a form could not be filled; it can be sent as it is")
		}
	}
}

// refill shows the releases of the app that was chosen.
func (h *Handler) refill(ctx context.Context, log zerolog.Logger, in incoming) {
	if in.chosen != "" {
		if err := h.Form.fill(ctx, in.view, in.reply.User, in.chosen); err != nil {
			log.Warn().Err(err).Msg("a form could not be filled; it can be sent as it is")
		}
	}
	h.formDone(ctx, log, in)
}

func (h *Handler) formDone(ctx context.Context, log zerolog.Logger, in incoming) {
	if err := h.Inbox.Done(ctx, in.delivery.Key); err != nil {
		log.Warn().Err(err).Msg("what was done with a form could not be marked as done; the desk will")
	}
}

// formTrouble says what an error means: where Slack's answer was lost, the form may be open all the same.
func formTrouble(err error) string {
	var refusal *SlackError
	var limited *runbook.RetryError
	if errors.As(err, &refusal) || errors.As(err, &limited) {
		return formNotOpened
	}
	return formOverdue
}

// The way on without a form.
const (
	formNotOpened = "The form could not be opened. " + withoutForm
	formOverdue   = "Did no form open? " + withoutForm
	withoutForm   = "Type the command again, or all in one line: `" + slash +
		" APP [to RELEASE] [migration none|yes|unknown] [owner @person] [because REASON…]`"
)
