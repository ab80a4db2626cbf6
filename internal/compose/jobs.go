package compose

import (
	"context"
	"strconv"
	"strings"

	"rollbackbot/runbook"
)

// Start begins a job by the lock script. An answer that got lost is asked for again by the caller: the same job is begun
// once.
func (h *appHost) Start(ctx context.Context, lease runbook.Lease, job runbook.Job) error {
	r, err := h.run(ctx, act(h.app.Name, lease, job.Name, job.Limit, job.Command))
	if err != nil {
		return err
	}
	return guardError(h.host, r)
}

// outputChunk is how much the lock script gives at once.
const outputChunk = 65536

// Follow reads what a job printed and how it stands.
func (h *appHost) Follow(ctx context.Context, lease runbook.Lease, job string, offset int64, end bool) (runbook.Progress, error) {
	if end {
		r, err := h.run(ctx, stop(h.app.Name, lease, job))
		if err == nil {
			err = guardError(h.host, r)
		}
		if err != nil {
			return runbook.Progress{}, err
		}
	}
	r, err := h.run(ctx, follow(h.app.Name, lease, job, offset))
	switch {
	case err != nil:
		return runbook.Progress{}, err
	case r.status == guardNoJob:
		return runbook.Progress{State: runbook.JobGone}, nil
	case r.status != 0:
		return runbook.Progress{}, guardError(h.host, r)
	}
	progress := runbook.Progress{Output: r.stdout}
	progress.State, progress.Status = jobState(r.stderr)
	if len(r.stdout) == outputChunk {
		progress.State = runbook.JobRunning // there may be more to read
	}
	return progress, nil
}

// jobState reads the lock script's last word on a job: how it stands, or the status with which it ended. One that left
// something else in place of its status was killed while it wrote that.
func jobState(stderr []byte) (runbook.JobState, int) {
	i := strings.LastIndex(string(stderr), "state=")
	if i < 0 {
		return runbook.JobRunning, 0
	}
	switch word := strings.TrimSpace(string(stderr[i+len("state="):])); word {
	case "running":
		return runbook.JobRunning, 0
	case "restarted":
		return runbook.JobRestarted, 0
	default:
		if status, err := strconv.Atoi(word); err == nil {
			return runbook.JobEnded, status
		}
		return runbook.JobKilled, 0
	}
}
