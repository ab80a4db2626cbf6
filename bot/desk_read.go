package bot

import (
	"context"
	"fmt"

	"rollbackbot/runbook"
)

// find answers a question: what is, and what would be. It changes nothing.
func (d *Desk) find(ctx context.Context, e errand) (Message, error) {
	c := e.command
	switch c.Verb {
	case VerbStatus:
		return d.status(ctx, c)
	case VerbHistory:
		return d.history(ctx, c.App)
	case VerbPlan:
		return d.plan(ctx, e)
	case VerbDoctor:
		if d.Doctor == nil {
			return TextMessage("This process can't look from here. Type `rollbackbot doctor` in a terminal."), nil
		}
		return CheckupMessage(d.Doctor(ctx)), nil
	case VerbQuarantine:
		return d.quarantine(ctx, c.App)
	}
	return Message{}, &UsageError{Problem: "This version of the bot doesn't know that.", Try: slash + " " + string(VerbHelp)}
}

// status tells of one rollback, of an app's last one, or of every app's last one and those that nobody carries.
func (d *Desk) status(ctx context.Context, c Command) (Message, error) {
	if c.ID != "" {
		rb, err := d.Runner.Status(ctx, c.ID)
		if err != nil {
			return Message{}, err
		}
		_, unknown := d.Runner.App(rb.App)
		return marked(rb.ID, StatusMessage(rb, unknown != nil && rb.State != runbook.StateEnded, d.permalink(ctx, rb))), nil
	}
	apps, err := d.apps(c.App)
	if err != nil {
		return Message{}, err
	}
	last, err := d.last(ctx, apps)
	switch {
	case err != nil:
		return Message{}, err
	case c.App != "" && len(last) == 1:
		return StatusMessage(last[0], false, d.permalink(ctx, last[0])), nil
	case c.App != "":
		return OverviewMessage(apps, last, nil), nil
	}
	abandoned, err := d.Runner.Abandoned(ctx)
	return OverviewMessage(apps, last, abandoned), err
}

// last gives the last rollback of each app that had one.
func (d *Desk) last(ctx context.Context, apps []string) ([]runbook.Rollback, error) {
	var found []runbook.Rollback
	for _, app := range apps {
		history, err := d.Runner.History(ctx, app)
		if err != nil {
			return nil, err
		}
		all := history.Rollbacks()
		if len(all) == 0 {
			continue
		}
		rb, err := d.Runner.Status(ctx, all[len(all)-1].ID)
		if err != nil {
			return nil, err
		}
		found = append(found, rb)
	}
	return found, nil
}

// apps are the named app, or all.
func (d *Desk) apps(name string) ([]string, error) {
	if name == "" {
		return d.Form.Apps, nil
	}
	_, err := d.Runner.App(name)
	return []string{name}, err
}

func (d *Desk) history(ctx context.Context, app string) (Message, error) {
	if _, err := d.Runner.App(app); err != nil {
		return Message{}, err
	}
	history, err := d.Runner.History(ctx, app)
	if err != nil {
		return Message{}, err
	}
	return HistoryMessage(app, history.Apart(), history.Releases(), history.Rollbacks()), nil
}

func (d *Desk) quarantine(ctx context.Context, name string) (Message, error) {
	apps, err := d.apps(name)
	if err != nil {
		return Message{}, err
	}
	blocked := map[string]map[runbook.Digest]string{}
	for _, app := range apps {
		if blocked[app], err = d.Runner.Blocked(ctx, app); err != nil {
			return Message{}, err
		}
	}
	return QuarantineMessage(blocked), nil
}

// plan looks at the hosts, which takes a while, and says what a rollback would do.
func (d *Desk) plan(ctx context.Context, e errand) (Message, error) {
	if _, err := d.Runner.App(e.command.App); err != nil {
		return Message{}, err
	}
	d.lookingAt(ctx, e, e.command.App)
	request := e.command.Request(e.by, e.delivery.At)
	plan, needsLead, err := d.Runner.Plan(ctx, request)
	if err != nil {
		return Message{}, err
	}
	return PlanMessage(plan, needsLead, request), nil
}

// lookingAt says that the answer is being worked on. That it can't be said is no reason not to.
func (d *Desk) lookingAt(ctx context.Context, e errand, app string) {
	if err := d.tell(ctx, e, TextMessage(fmt.Sprintf("Looking at the hosts of %s …", app))); err != nil {
		d.Log.Warn().Err(err).Str("actor", e.by).Msg("a person could not be told that their answer is being worked on")
	}
}
