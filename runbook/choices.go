package runbook

import (
	"context"
	"time"
)

// Choices are what somebody who is about to ask for a rollback can choose from, by what is known without asking a host.
// The plan looks at the hosts, and has the last word.
type Choices struct {
	At        time.Time
	Running   *Release    // what every host was last seen to run; nil: not one known release
	Default   *Release    // what "previous" means by that; nil: nothing
	KnownGood []Release   // that can be gone to, the last one first
	Others    []Release   // not known-good, but nothing is known against them
	Barred    []Release   // quarantined, or gone
	Evidence  []Criterion // the runbook's criteria on Running
}

// Choices sorts the releases by whether a rollback may go to them.
func (h History) Choices(now time.Time) Choices {
	c := Choices{At: now}
	var running []map[string]Image
	for _, r := range h.Releases() {
		switch {
		case r.ID == h.observed:
			c.Running = &r
			running = []map[string]Image{r.Images}
		case r.Quarantine != "" || len(r.Gone) > 0:
			c.Barred = append(c.Barred, r)
		case r.KnownGood():
			c.KnownGood = append(c.KnownGood, r)
		default:
			c.Others = append(c.Others, r)
		}
	}
	if target, err := h.previous(running); err == nil {
		c.Default = &target
	}
	return c
}

// Choices are those of an app, with the runbook's criteria as they stand.
func (r *Runner) Choices(ctx context.Context, app string) (Choices, error) {
	a, err := r.App(app)
	if err != nil {
		return Choices{}, err
	}
	history, err := r.History(ctx, app)
	if err != nil {
		return Choices{}, err
	}
	c := history.Choices(time.Now().UTC())
	c.Evidence = Evidence(c.Running, rateOf(ctx, MeasureRate(r.ErrorRate), a, history, c.Running), c.At)
	return c, nil
}
