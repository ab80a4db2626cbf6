package runner

import (
	"context"
	"fmt"
	"sync"
	"time"

	"rollbackbot/internal/parallel"
	"rollbackbot/runbook"
	"rollbackbot/runbook/outbox"
)

// What comes after the end goes on beside everything else: the app is free, another rollback may be open. It needs no
// lock and no epoch; a process that has lost the journal's ownership has been stopped.

// after says what is left to be said of a rollback, and sees to its follow-up, until nothing is left or ctx ends.
func (o *owner) after(ctx context.Context, speaker *outbox.Publisher) {
	for ctx.Err() == nil && !o.retire() {
		var all sync.WaitGroup
		all.Go(func() { speaker.Publish(ctx) })
		all.Go(func() { o.awaitOwner(ctx) })
		all.Go(func() { o.keepTicket(ctx) })
		all.Wait()
	}
}

// retire reports whether nothing is left to be done or said. From then on nothing is decided here any more.
func (o *owner) retire() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.retired = o.rollback.State == runbook.StateEnded && o.rollback.Over()
	return o.retired
}

// until waits for a change of the rollback, but not longer than d; a negative d is for ever.
func (o *owner) until(ctx context.Context, changed <-chan struct{}, d time.Duration) {
	var timer <-chan time.Time
	if d >= 0 {
		timer = time.After(d)
	}
	select {
	case <-ctx.Done():
	case <-changed:
	case <-timer:
	}
}

// awaitOwner reminds the owner, and then tells who asked and the leads, at the instants that the journal has.
func (o *owner) awaitOwner(ctx context.Context) {
	for ctx.Err() == nil {
		rb, _, changed := o.state()
		if rb.State == runbook.StateEnded && rb.Over() {
			return
		}
		fact, at := rb.NextOfOwner()
		if wait := time.Until(at); fact == nil || wait > 0 {
			if fact == nil {
				wait = -1
			}
			o.until(ctx, changed, wait)
			continue
		}
		err := o.decide(ctx, "", "", func(now runbook.Rollback) ([]runbook.Fact, error) {
			if still, _ := now.NextOfOwner(); still != fact {
				return nil, nil // they accepted in the last moment
			}
			return []runbook.Fact{fact}, nil
		})
		if err != nil && ctx.Err() == nil {
			o.runner.reportProblem(rb, err)
			_ = parallel.Pause(ctx, outbox.LastRetry)
		}
	}
}

const (
	// recordPatience is how long the ticket waits for the record to stand in Slack: with Slack away it is opened without.
	recordPatience = 5 * time.Minute
	// ticketPatience is how long it is tried to open or change a ticket. After that people get the text in Slack: what is
	// still away after a quarter of an hour may be away for the night.
	ticketPatience = 15 * time.Minute
	// ticketTimeout bounds one go at it: a handful of calls.
	ticketTimeout = time.Minute
	// firstTicketRetry leaves GitHub's lists the time to show what was opened.
	firstTicketRetry = 5 * time.Second
)

// keepTicket sees to it that there is one ticket, and that it names who has the follow-up.
func (o *owner) keepTicket(ctx context.Context) {
	wait := firstTicketRetry
	for ctx.Err() == nil {
		rb, _, changed := o.state()
		if rb.State == runbook.StateEnded && rb.Over() {
			return
		}
		if later := ticketLater(rb); later != 0 {
			wait = firstTicketRetry
			o.until(ctx, changed, later)
			continue
		}
		err := o.moveTicket(ctx, rb)
		if err == nil {
			continue
		}
		pauseFor := wait
		wait = min(2*wait, outbox.LastRetry)
		if retry, ok := asRetry(err); ok {
			pauseFor = max(retry, time.Second)
		}
		if ctx.Err() == nil {
			o.runner.reportProblem(rb, fmt.Errorf("the postmortem's ticket: %w", err))
			_ = parallel.Pause(ctx, pauseFor)
		}
	}
}

// ticketLater is how long nothing is to be done about the ticket; negative: until something changes.
func ticketLater(rb runbook.Rollback) time.Duration {
	switch {
	case rb.TicketSettled():
		return -1
	case rb.Posts[string(runbook.NoticeRecord)].TS == "":
		return max(time.Until(rb.EndedAt.Add(recordPatience)), 0)
	}
	return 0
}
