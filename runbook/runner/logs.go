package runner

import (
	"context"
	"time"

	"rollbackbot/runbook"
)

// logsTimeout bounds the reading on one host. Nothing waits for it.
const logsTimeout = 20 * time.Second

// readLogs keeps what the containers of every host of the plan printed last, before they are replaced: while people decide,
// and beside everything else. A failure costs a line of the postmortem and nothing else.
func (o *owner) readLogs(ctx context.Context) {
	rb := o.snapshot()
	for _, h := range rb.Plan.Hosts {
		o.runner.running.Go(func() { o.readLogsOn(ctx, h) })
	}
}

func (o *owner) readLogsOn(ctx context.Context, h runbook.HostPlan) {
	limited, cancel := context.WithTimeout(ctx, logsTimeout)
	defer cancel()
	fact := runbook.LogsRead{Host: h.Host}
	var err error
	if fact.Services, err = o.runner.Hosts.On(o.app, h.Host).Logs(limited, h.Project); err != nil {
		fact.Services, fact.Problem = nil, runbook.Truncate(runbook.Mask(err.Error()), 300)
	}
	if ctx.Err() != nil {
		return
	}
	_ = o.decide(ctx, "", "", func(now runbook.Rollback) ([]runbook.Fact, error) {
		switch {
		case now.State == runbook.StateEnded:
			return nil, nil
		case now.Hosts[h.Host].UpStarted: // whose lines these are, nobody can tell
			fact.Services, fact.Problem = nil, "the containers were being replaced before their logs were read"
		}
		return []runbook.Fact{fact}, nil
	})
}
