package history

import (
	"time"

	"rollbackbot/runbook"
)

// Choices sorts the releases by whether a rollback may go to them.
func (h History) Choices(now time.Time) runbook.Choices {
	c := runbook.Choices{At: now}
	var running []map[string]runbook.Image
	for _, r := range h.Releases() {
		switch {
		case r.ID == h.observed:
			c.Running = &r
			running = []map[string]runbook.Image{r.Images}
		case r.Quarantine != "" || len(r.Gone) > 0:
			c.Barred = append(c.Barred, r)
		case r.KnownGood():
			c.KnownGood = append(c.KnownGood, r)
		default:
			c.Others = append(c.Others, r)
		}
	}
	if target, err := h.Previous(running); err == nil {
		c.Default = &target
	}
	return c
}
