package runner

import (
	"context"
	"time"

	"rollbackbot/runbook"
)

// hooked are hosts with whom something happens around each call.
type hooked struct {
	runbook.Hosts
	around func(host runbook.Host, method string, do func() error) error
}

func (h hooked) On(app runbook.App, host runbook.Host) runbook.AppHost {
	on := h.Hosts.On(app, host)
	return hookedHost{on, func(method string, do func() error) error { return h.around(host, method, do) }}
}

type hookedHost struct {
	host   runbook.AppHost
	around func(method string, do func() error) error
}

func asked[T any](h hookedHost, method string, do func() (T, error)) (answer T, err error) {
	err = h.around(method, func() (err error) {
		answer, err = do()
		return err
	})
	return answer, err
}

func (h hookedHost) Look(ctx context.Context, project string) (runbook.View, error) {
	return asked(h, "Look", func() (runbook.View, error) { return h.host.Look(ctx, project) })
}

func (h hookedHost) Preflight(ctx context.Context, again bool) (runbook.HostReport, error) {
	return asked(h, "Preflight", func() (runbook.HostReport, error) { return h.host.Preflight(ctx, again) })
}

func (h hookedHost) Pins(ctx context.Context, images map[string]runbook.Image) ([]runbook.Pin, error) {
	return asked(h, "Pins", func() ([]runbook.Pin, error) { return h.host.Pins(ctx, images) })
}

func (h hookedHost) Prove(ctx context.Context, images map[string]runbook.Image, from runbook.PinSource) error {
	return h.around("Prove", func() error { return h.host.Prove(ctx, images, from) })
}

func (h hookedHost) Images(ctx context.Context, images []runbook.Image, ask bool) ([]runbook.ImageState, error) {
	return asked(h, "Images", func() ([]runbook.ImageState, error) { return h.host.Images(ctx, images, ask) })
}

func (h hookedHost) Logs(ctx context.Context, project string) ([]runbook.ServiceLogs, error) {
	return asked(h, "Logs", func() ([]runbook.ServiceLogs, error) { return h.host.Logs(ctx, project) })
}

func (h hookedHost) Fetch(ctx context.Context, image runbook.Image) error {
	return h.around("Fetch", func() error { return h.host.Fetch(ctx, image) })
}

func (h hookedHost) EditPins(ctx context.Context, lease runbook.Lease, file string, edit func([]runbook.Pin) ([]runbook.Pin, error)) error {
	return h.around("EditPins", func() error { return h.host.EditPins(ctx, lease, file, edit) })
}

func (h hookedHost) Start(ctx context.Context, lease runbook.Lease, job runbook.Job) error {
	return h.around("Start", func() error { return h.host.Start(ctx, lease, job) })
}

func (h hookedHost) Follow(ctx context.Context, lease runbook.Lease, job string, offset int64, end bool) (runbook.Progress, error) {
	return asked(h, "Follow", func() (runbook.Progress, error) { return h.host.Follow(ctx, lease, job, offset, end) })
}

func (h hookedHost) Lock(ctx context.Context) (runbook.LockState, error) {
	return asked(h, "Lock", func() (runbook.LockState, error) { return h.host.Lock(ctx) })
}

func (h hookedHost) Take(ctx context.Context, lease runbook.Lease, first bool, wait time.Duration) error {
	return h.around("Take", func() error { return h.host.Take(ctx, lease, first, wait) })
}

func (h hookedHost) Release(ctx context.Context, lease runbook.Lease, force bool) (runbook.Released, error) {
	return asked(h, "Release", func() (runbook.Released, error) { return h.host.Release(ctx, lease, force) })
}
