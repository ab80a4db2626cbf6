package bot

import (
	"context"
	"errors"
	"time"

	"rollbackbot/runbook"
)

// submitted does what the form asks for. The Handler has judged it already; what changed since is judged again.
func (d *Desk) submitted(ctx context.Context, e errand) error {
	if e.err != nil {
		return d.fail(ctx, e, e.err)
	}
	request, wrong := d.Form.read(ctx, e.view, e.by)
	if why := firstWrong(wrong); why != "" {
		return d.refuse(ctx, e, request.App, actionRequest, &runbook.RefusedError{Why: why})
	}
	request.At = e.delivery.At
	return d.request(ctx, e, request)
}

// refusedForm journals why a form was given back. Who sent it has read so at the field.
func (d *Desk) refusedForm(ctx context.Context, e errand) error {
	if e.err != nil {
		return e.err
	}
	request, wrong := d.Form.read(ctx, e.view, e.by)
	if _, unknown := d.Runner.App(request.App); unknown != nil || len(wrong) == 0 {
		return nil // the journal is kept per app
	}
	return d.Runner.Refuse(ctx, request.App, "", actionRequest, e.by, firstWrong(wrong), e.delivery.Key)
}

// actionRequest is what a request is called in the journal where it is refused.
const actionRequest = "request"

// request asks for a rollback, and tells who asked for it what came of it.
func (d *Desk) request(ctx context.Context, e errand, request runbook.Request) error {
	if _, err := d.Runner.App(request.App); err != nil {
		return d.fail(ctx, e, err)
	}
	if err := d.unshared(ctx); err != nil {
		return d.refuse(ctx, e, request.App, actionRequest, err)
	}
	d.lookingAt(ctx, e, request.App)
	rb, err := d.Runner.Request(ctx, request, e.delivery.Key)
	var busy *runbook.BusyError
	switch {
	case err == nil:
	case errors.As(err, &busy) && sameRequest(busy.Rollback.Request, request):
		rb = busy.Rollback // opened by this very delivery, before a crash or a lost answer of the database
	default:
		return d.refuse(ctx, e, request.App, actionRequest, err)
	}
	return d.tell(ctx, e, RequestedMessage(rb, d.link(ctx, rb.ID)))
}

// sameRequest reports whether a request was made from the same delivery: that is what its person and instant say.
func sameRequest(a, b runbook.Request) bool { return a.By == b.By && a.At.Equal(b.At) }

// unshared refuses while people of another organisation may be reading along.
func (d *Desk) unshared(ctx context.Context) error {
	err := d.Channel.Check(ctx)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		d.Log.Warn().Err(err).Msg("the team channel was refused")
	}
	return refuseShared(err)
}

// refuse tells a person what is in the way, and journals it; with that the delivery is done.
func (d *Desk) refuse(ctx context.Context, e errand, app, action string, cause error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(cause, runbook.ErrStaleEpoch), notNow(cause):
		return cause // as in fail
	}
	var busy *runbook.BusyError
	answer := TextMessage(Sentence(cause))
	if errors.As(cause, &busy) {
		answer = BusyMessage(busy.Rollback, d.link(ctx, busy.Rollback.ID))
	}
	err := errors.Join(cause, d.tell(ctx, e, answer))
	if _, unknown := d.Runner.App(app); unknown != nil {
		return err // the journal is kept per app
	}
	return errors.Join(err, d.Runner.Refuse(ctx, app, "", action, e.by, Sentence(cause), e.delivery.Key))
}

const (
	// linkPatience is how long an answer waits for the message that it links to: it is posted in the background, and
	// without Slack it isn't posted at all.
	linkPatience = 5 * time.Second
	linkInterval = 100 * time.Millisecond
)

// link leads to a rollback's message in the team channel; "" where it isn't posted in time.
func (d *Desk) link(ctx context.Context, id string) string {
	ctx, cancel := context.WithTimeout(ctx, linkPatience)
	defer cancel()
	for {
		rb, err := d.Runner.Status(ctx, id)
		if err != nil {
			return ""
		}
		if rb.Posts[string(runbook.NoticeRequest)].TS != "" {
			return d.permalink(ctx, rb)
		}
		if sleep(ctx, linkInterval) != nil {
			return ""
		}
	}
}

// permalink leads to a rollback's message as it stands; "" where none is posted or Slack doesn't say.
func (d *Desk) permalink(ctx context.Context, rb runbook.Rollback) string {
	post := rb.Posts[string(runbook.NoticeRequest)]
	if post.TS == "" {
		return ""
	}
	link, err := d.Speaker.Permalink(ctx, post)
	if err != nil {
		d.Log.Warn().Err(err).Str("rollback_id", rb.ID).Msg("no link to a rollback's message")
	}
	return link
}
