package runbook

import (
	"context"
	"time"
)

// hooked are hosts with whom something happens around each call.
type hooked struct {
	Hosts
	around func(host Host, method string, do func() error) error
}

func (h hooked) On(app App, host Host) AppHost {
	on := h.Hosts.On(app, host)
	return hookedHost{on, func(method string, do func() error) error { return h.around(host, method, do) }}
}

type hookedHost struct {
	host   AppHost
	around func(method string, do func() error) error
}

func asked[T any](h hookedHost, method string, do func() (T, error)) (answer T, err error) {
	err = h.around(method, func() (err error) {
		answer, err = do()
		return err
	})
	return answer, err
}

func (h hookedHost) Look(ctx context.Context, project string) (View, error) {
	return asked(h, "Look", func() (View, error) { return h.host.Look(ctx, project) })
}

func (h hookedHost) Preflight(ctx context.Context, again bool) (HostReport, error) {
	return asked(h, "Preflight", func() (HostReport, error) { return h.host.Preflight(ctx, again) })
}

func (h hookedHost) Prove(ctx context.Context, images map[string]Image, from PinSource) error {
	return h.around("Prove", func() error { return h.host.Prove(ctx, images, from) })
}

func (h hookedHost) Images(ctx context.Context, images []Image, ask bool) ([]ImageState, error) {
	return asked(h, "Images", func() ([]ImageState, error) { return h.host.Images(ctx, images, ask) })
}

func (h hookedHost) Logs(ctx context.Context, project string) ([]ServiceLogs, error) {
	return asked(h, "Logs", func() ([]ServiceLogs, error) { return h.host.Logs(ctx, project) })
}

func (h hookedHost) Fetch(ctx context.Context, image Image) error {
	return h.around("Fetch", func() error { return h.host.Fetch(ctx, image) })
}

func (h hookedHost) EditPins(ctx context.Context, lease Lease, file string, edit func([]Pin) ([]Pin, error)) error {
	return h.around("EditPins", func() error { return h.host.EditPins(ctx, lease, file, edit) })
}

func (h hookedHost) Start(ctx context.Context, lease Lease, job Job) error {
	return h.around("Start", func() error { return h.host.Start(ctx, lease, job) })
}

func (h hookedHost) Follow(ctx context.Context, lease Lease, job string, offset int64, end bool) (Progress, error) {
	return asked(h, "Follow", func() (Progress, error) { return h.host.Follow(ctx, lease, job, offset, end) })
}

func (h hookedHost) Lock(ctx context.Context) (LockState, error) {
	return asked(h, "Lock", func() (LockState, error) { return h.host.Lock(ctx) })
}

func (h hookedHost) Take(ctx context.Context, lease Lease, first bool, wait time.Duration) error {
	return h.around("Take", func() error { return h.host.Take(ctx, lease, first, wait) })
}

func (h hookedHost) Release(ctx context.Context, lease Lease, force bool) (Released, error) {
	return asked(h, "Release", func() (Released, error) { return h.host.Release(ctx, lease, force) })
}
