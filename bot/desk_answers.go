package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"rollbackbot/runbook"
)

// unknownButton is what any click gets that can't be read: a message of another version, or no message of the bot.
const unknownButton = "That button is not known to this version of the bot, so nothing was done."

// answer takes a click.
func (d *Desk) answer(ctx context.Context, e errand) error {
	if over, ok := e.handOver(); ok {
		return d.handOver(ctx, e, over)
	}
	if value, ok := e.suggestion(); ok {
		return d.suggested(ctx, e, value)
	}
	value, err := e.click()
	if err == nil && value.Answer == runbook.AcceptOwner {
		return d.accept(ctx, e, value)
	}
	if err == nil && e.channel != d.Channel.ID && !isDirect(e.channel) {
		err = fmt.Errorf("the button stands in %q, neither in the team channel nor in a private message", e.channel)
	}
	if err != nil {
		return errors.Join(err, d.tell(ctx, e, TextMessage(unknownButton)))
	}
	click := runbook.Click{Rollback: value.Rollback, Question: value.Question, Plan: value.Plan, Answer: value.Answer, By: e.by, Reason: e.reason, At: e.delivery.At, Cause: e.delivery.Key}
	if err := d.decide(ctx, click, value.Question); err != nil {
		return d.fail(ctx, e, err)
	}
	return nil // the message itself shows what came of it, to all
}

// isDirect reports whether a channel's ID is that of a conversation with one person: the bot's own, since Slack brings an
// app only what is pressed under its own messages.
func isDirect(channel string) bool { return strings.HasPrefix(channel, "D") }

// accept takes the owner's word that they have the follow-up, wherever the button stands: it decides about no host.
func (d *Desk) accept(ctx context.Context, e errand, value Value) error {
	click := runbook.Click{Rollback: value.Rollback, Question: value.Question, Plan: value.Plan, Answer: value.Answer, By: e.by, At: e.delivery.At, Cause: e.delivery.Key}
	if err := d.Runner.Answer(ctx, click); err != nil {
		return d.fail(ctx, e, err)
	}
	return nil
}

// handOver gives a follow-up to another person.
func (d *Desk) handOver(ctx context.Context, e errand, over runbook.HandOver) error {
	if err := d.Runner.HandOver(ctx, over); err != nil {
		return d.fail(ctx, e, err)
	}
	return d.tell(ctx, e, TextMessage(fmt.Sprintf("The follow-up of %s is handed over to %s, who is asked to accept it.", over.Rollback, runbook.Person(over.To))))
}

// abort stops a rollback by its ID.
func (d *Desk) abort(ctx context.Context, e errand) error {
	click := runbook.Click{Rollback: e.command.ID, Answer: runbook.Abort, By: e.by, At: e.delivery.At, Cause: e.delivery.Key}
	if err := d.decide(ctx, click, 0); err != nil {
		return d.fail(ctx, e, err)
	}
	return d.tell(ctx, e, TextMessage(fmt.Sprintf("%s is told to stop. It does at the next safe point, and its message says what state the hosts are in.", click.Rollback)))
}

// decide hands an answer to the runbook, unless the channel is shared or the question is another one by now. Stopping is
// always safe, so an abort counts there too: that somebody shared the channel must not keep a rollback running.
func (d *Desk) decide(ctx context.Context, click runbook.Click, question int64) error {
	if click.Answer != runbook.Abort {
		err := d.unshared(ctx)
		if err == nil {
			err = d.sameQuestion(ctx, click.Rollback, question)
		}
		var no *runbook.RefusedError
		if errors.As(err, &no) {
			return errors.Join(err, d.journalRefusal(ctx, click, no.Why))
		}
		if err != nil {
			return err
		}
	}
	return d.Runner.Answer(ctx, click)
}

// sameQuestion refuses a click on an old message that a client still shows: a step that failed twice is asked about
// twice, with the same plan, and the first answer is no word on the second failure.
func (d *Desk) sameQuestion(ctx context.Context, id string, question int64) error {
	rb, err := d.Runner.Status(ctx, id)
	if err != nil {
		return err
	}
	if open := rb.Question(); open != nil && open.ID != question {
		return &runbook.RefusedError{Why: "That question is not open any more: look at the rollback's newest messages, and use their buttons."}
	}
	return nil
}

func (d *Desk) journalRefusal(ctx context.Context, click runbook.Click, why string) error {
	rb, err := d.Runner.Status(ctx, click.Rollback)
	if err != nil {
		return err
	}
	return d.Runner.Refuse(ctx, rb.App, rb.ID, string(click.Answer), click.By, why, click.Cause)
}

// lift takes an image out of quarantine.
func (d *Desk) lift(ctx context.Context, e errand) error {
	c := e.command
	if err := d.Runner.Lift(ctx, c.Digest, c.Reason, e.by, e.delivery.Key); err != nil {
		return d.fail(ctx, e, err)
	}
	return d.tell(ctx, e, TextMessage(fmt.Sprintf("%s is not quarantined any more. It may be deployed again.", c.Digest)))
}
