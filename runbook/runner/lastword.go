package runner

import (
	"context"
	"slices"
	"time"

	"rollbackbot/runbook"
)

const (
	// storingTime is how long an answer that came in time may be on its way into the inbox: Slack waits 3 s for its
	// acknowledgement, which follows that.
	storingTime = 3 * time.Second
	// hearingInterval is how often the inbox is asked whether it still has something from before a deadline.
	hearingInterval = 500 * time.Millisecond
)

// heardOut waits until whatever people said by a question's deadline was dealt with: an answer that was acknowledged
// counts, though the process that took it died before anybody read it. It reports false where something changed
// meanwhile, or ctx ended. Since nothing stays open for ever, it waits no longer than questions stay open.
func (o *owner) heardOut(ctx context.Context, deadline time.Time, changed <-chan struct{}) bool {
	if o.runner.Inbox == nil {
		return true
	}
	limit := deadline
	if o.began.After(limit) {
		limit = o.began
	}
	limit = limit.Add(o.runner.SignoffTimeout)
	for wait := time.Until(deadline.Add(storingTime)); wait > 0 || time.Now().Before(limit) && o.unheard(ctx, deadline); wait = 0 {
		timer := time.NewTimer(max(wait, hearingInterval))
		select {
		case <-timer.C:
			continue
		case <-changed:
		case <-ctx.Done():
		}
		timer.Stop()
		return false
	}
	return true
}

// unheard reports whether the inbox may have something from before the deadline.
func (o *owner) unheard(ctx context.Context, deadline time.Time) bool {
	pending, err := o.runner.Inbox.Pending(ctx)
	return err != nil || slices.ContainsFunc(pending, func(d runbook.Delivery) bool { return !d.At.After(deadline) })
}
