package bot

import "context"

// event deals with what Slack tells of its own accord: that somebody has opened their Home tab. Nobody is answered
// otherwise, and all other events are let go.
func (d *Desk) event(ctx context.Context, e errand) error {
	if e.err != nil || e.opener == "" || d.Home == nil {
		return e.err
	}
	return d.Home.open(ctx, e.opener)
}
