package bot

import (
	"context"
	"fmt"

	"rollbackbot/runbook"
)

// command does what a line asks for.
func (d *Desk) command(ctx context.Context, e errand) error {
	if e.err != nil {
		return d.fail(ctx, e, e.err)
	}
	c := e.command
	switch c.Verb {
	case VerbRollback:
		return d.request(ctx, e, c.Request(e.by, e.delivery.At))
	case VerbAbort:
		return d.abort(ctx, e)
	case VerbLift:
		return d.lift(ctx, e)
	case VerbHelp:
		return d.tell(ctx, e, HelpMessage())
	}
	if err := d.mayRead(ctx, e); err != nil {
		return d.fail(ctx, e, err)
	}
	answer, err := d.find(ctx, e)
	if err != nil {
		return d.fail(ctx, e, err)
	}
	return d.tell(ctx, e, answer)
}

// mayRead keeps guests, bots and people of other organisations away from what hosts run and how they are reached.
func (d *Desk) mayRead(ctx context.Context, e errand) error {
	roles, err := d.Directory.Roles(ctx, e.by)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		d.Log.Warn().Err(err).Str("actor", e.by).Msg("a person's roles could not be read")
		return &runbook.RefusedError{Why: "It could not be read from Slack who you are, so this isn't answered. Try again."}
	case roles.Barred != "":
		return &runbook.RefusedError{Why: fmt.Sprintf("This isn't answered: %s.", roles.Barred)}
	}
	return nil
}
