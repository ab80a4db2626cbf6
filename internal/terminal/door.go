package terminal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"rollbackbot/runbook"
)

// Door lets in what people say in terminals: it takes it from the inbox, checks the signature, and has the Runner do it, as
// the desk does with what came from Slack. It belongs to the process that acts, and needs no Slack.
type Door struct {
	Runner Runner
	Inbox  runbook.Inbox
	// Signers reads whose signatures count, each time anew: a key that was taken out a minute ago counts no more.
	Signers func() (Signers, error)
	// Roles says what a person may do. A *runbook.RefusedError is told to them.
	Roles func(ctx context.Context, person string) (runbook.Roles, error)
	// Problem is told what could not be dealt with, and is tried again.
	Problem func(error)

	mu   sync.Mutex
	busy map[string]bool // the keys that are in hand
}

// Runner is what a Door needs of runbook.Runner.
type Runner interface {
	App(name string) (runbook.App, error)
	Status(ctx context.Context, id string) (runbook.Rollback, error)
	RequestAs(ctx context.Context, roles runbook.Roles, request runbook.Request, cause string) (runbook.Rollback, error)
	AnswerAs(ctx context.Context, roles runbook.Roles, click runbook.Click) error
	Refuse(ctx context.Context, app, rollback, action, by, why, cause string) error
}

// interval is how often the inbox is looked through, as often as the desk does.
const interval = 2 * time.Second

// Run works off what terminals leave in the inbox until ctx ends; then it waits for what is in hand to be put down.
func (d *Door) Run(ctx context.Context) {
	d.busy = map[string]bool{}
	var work sync.WaitGroup
	defer work.Wait()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		pending, err := d.Inbox.Pending(ctx)
		if err != nil && ctx.Err() == nil {
			d.Problem(fmt.Errorf("read the inbox: %w", err))
		}
		for _, delivery := range pending {
			if IsKind(delivery.Kind) && d.take(delivery.Key) {
				work.Go(func() {
					defer d.give(delivery.Key)
					if err := d.deal(ctx, delivery); err != nil && ctx.Err() == nil {
						d.Problem(fmt.Errorf("%s: %w", delivery.Key, err))
					}
				})
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (d *Door) take(key string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	taken := d.busy[key]
	d.busy[key] = true
	return !taken
}

func (d *Door) give(key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.busy, key)
}

// deal does what one delivery says. An error is one that another attempt may mend; the delivery stays then.
func (d *Door) deal(ctx context.Context, delivery runbook.Delivery) error {
	var said Said
	if err := json.Unmarshal(delivery.Body, &said); err != nil {
		return d.Inbox.Done(ctx, delivery.Key) // whoever put it there was no rollbackbot
	}
	err := d.do(ctx, delivery, said)
	var noted *notedError
	switch {
	case err == nil, errors.As(err, &noted):
	case ctx.Err() != nil, errors.Is(err, runbook.ErrStaleEpoch), errors.Is(err, runbook.ErrAway), errors.Is(err, runbook.ErrUncertain):
		return err // another process deals with it, or this one later
	default:
		if err := d.refuse(ctx, delivery, said, err); err != nil {
			return err
		}
	}
	return d.Inbox.Done(ctx, delivery.Key)
}

// notedError is a refusal that the Runner has journalled.
type notedError struct{ *runbook.RefusedError }

func (d *Door) do(ctx context.Context, delivery runbook.Delivery, said Said) error {
	signers, err := d.Signers()
	if err != nil {
		return &runbook.RefusedError{Why: "ROLLBACK_SIGNERS can't be read where the bot acts: " + err.Error() + "."}
	}
	if err := signers.Verify(said.By, said.Statement(), said.Signature, delivery.At); err != nil {
		return err
	}
	roles, err := d.Roles(ctx, said.By)
	if err != nil {
		return err
	}
	if said.Request != nil {
		return d.request(ctx, delivery, said, roles)
	}
	if said.Question == 0 && said.Answer != runbook.Abort {
		return &runbook.RefusedError{Why: "The signature doesn't say which question it answers."}
	}
	err = d.Runner.AnswerAs(ctx, roles, runbook.Click{
		Rollback: said.Rollback, Question: said.Question, Plan: said.Plan, Answer: said.Answer, By: said.By, Reason: said.Reason, At: delivery.At, Cause: delivery.Key,
	})
	var no *runbook.RefusedError
	if errors.As(err, &no) {
		return &notedError{no}
	}
	return err
}

// request opens a rollback. Who asked has seen the plan and signed it: where no lead is needed that is the confirmation.
func (d *Door) request(ctx context.Context, delivery runbook.Delivery, said Said, roles runbook.Roles) error {
	request := *said.Request
	request.By, request.At, request.Signed = said.By, delivery.At, said.Plan
	rb, err := d.Runner.RequestAs(ctx, roles, request, delivery.Key)
	var busy *runbook.BusyError
	if errors.As(err, &busy) && busy.Rollback.ID == request.ID {
		rb, err = busy.Rollback, nil // opened by this very delivery, before a crash
	}
	if err != nil {
		return err
	}
	open := rb.Question()
	if open == nil || open.Kind != runbook.AskConfirm || rb.Plan.Hash() != said.Plan {
		return nil
	}
	return d.Runner.AnswerAs(ctx, roles, runbook.Click{Rollback: rb.ID, Question: open.ID, Plan: said.Plan, Answer: runbook.Confirm, By: said.By, At: delivery.At})
}

// refuse journals why something didn't count: that is where the terminal reads it.
func (d *Door) refuse(ctx context.Context, delivery runbook.Delivery, said Said, why error) error {
	app, rollback, action := "", said.Rollback, string(said.Answer)
	if said.Request != nil {
		app, rollback, action = said.Request.App, "", "request"
	} else if rb, err := d.Runner.Status(ctx, said.Rollback); err == nil {
		app = rb.App
	}
	if _, err := d.Runner.App(app); err != nil {
		return nil // the journal is kept per app
	}
	return d.Runner.Refuse(ctx, app, rollback, action, said.By, why.Error(), delivery.Key)
}
