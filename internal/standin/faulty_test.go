package standin_test

import (
	"context"
	"errors"
	"time"

	"rollbackbot/runbook"
)

// faulty is an AppHost some of whose methods are others.
type faulty struct {
	runbook.AppHost
	look      func(ctx context.Context, project string) (runbook.View, error)
	preflight func(ctx context.Context, again bool) (runbook.HostReport, error)
	pins      func(ctx context.Context, images map[string]runbook.Image) ([]runbook.Pin, error)
	prove     func(ctx context.Context, images map[string]runbook.Image, from runbook.PinSource) error
	images    func(ctx context.Context, images []runbook.Image, ask bool) ([]runbook.ImageState, error)
	logs      func(ctx context.Context, project string) ([]runbook.ServiceLogs, error)
	fetch     func(ctx context.Context, image runbook.Image) error
	editPins  func(ctx context.Context, l runbook.Lease, file string, edit editor) error
	start     func(ctx context.Context, l runbook.Lease, job runbook.Job) error
	follow    func(ctx context.Context, l runbook.Lease, job string, offset int64, end bool) (runbook.Progress, error)
	lock      func(ctx context.Context) (runbook.LockState, error)
	take      func(ctx context.Context, l runbook.Lease, first bool, wait time.Duration) error
	release   func(ctx context.Context, l runbook.Lease, force bool) (runbook.Released, error)
}

type editor = func(now []runbook.Pin) ([]runbook.Pin, error)

// sound is one whose methods are those of the host.
func sound(h runbook.AppHost) *faulty {
	return &faulty{
		AppHost: h, look: h.Look, preflight: h.Preflight, pins: h.Pins, prove: h.Prove, images: h.Images, logs: h.Logs, fetch: h.Fetch,
		editPins: h.EditPins, start: h.Start, follow: h.Follow, lock: h.Lock, take: h.Take, release: h.Release,
	}
}

func (f *faulty) Look(ctx context.Context, project string) (runbook.View, error) {
	return f.look(ctx, project)
}

func (f *faulty) Preflight(ctx context.Context, again bool) (runbook.HostReport, error) {
	return f.preflight(ctx, again)
}

func (f *faulty) Pins(ctx context.Context, images map[string]runbook.Image) ([]runbook.Pin, error) {
	return f.pins(ctx, images)
}

func (f *faulty) Prove(ctx context.Context, images map[string]runbook.Image, from runbook.PinSource) error {
	return f.prove(ctx, images, from)
}

func (f *faulty) Images(ctx context.Context, images []runbook.Image, ask bool) ([]runbook.ImageState, error) {
	return f.images(ctx, images, ask)
}

func (f *faulty) Logs(ctx context.Context, project string) ([]runbook.ServiceLogs, error) {
	return f.logs(ctx, project)
}

func (f *faulty) Fetch(ctx context.Context, image runbook.Image) error { return f.fetch(ctx, image) }

func (f *faulty) EditPins(ctx context.Context, l runbook.Lease, file string, edit editor) error {
	return f.editPins(ctx, l, file, edit)
}

func (f *faulty) Start(ctx context.Context, l runbook.Lease, job runbook.Job) error {
	return f.start(ctx, l, job)
}

func (f *faulty) Follow(ctx context.Context, l runbook.Lease, job string, offset int64, end bool) (runbook.Progress, error) {
	return f.follow(ctx, l, job, offset, end)
}

func (f *faulty) Lock(ctx context.Context) (runbook.LockState, error) { return f.lock(ctx) }

func (f *faulty) Take(ctx context.Context, l runbook.Lease, first bool, wait time.Duration) error {
	return f.take(ctx, l, first, wait)
}

func (f *faulty) Release(ctx context.Context, l runbook.Lease, force bool) (runbook.Released, error) {
	return f.release(ctx, l, force)
}

// brokenHosts gives one host that is broken.
type brokenHosts struct {
	runbook.Hosts
	on       func() runbook.AppHost
	commands func(runbook.App, runbook.HostPlan) runbook.Commands
}

func (b brokenHosts) On(runbook.App, runbook.Host) runbook.AppHost { return b.on() }

func (b brokenHosts) Commands(app runbook.App, plan runbook.HostPlan) runbook.Commands {
	return b.commands(app, plan)
}

// views breaks what Look sees.
func views(spoil func(v *runbook.View)) func(*bench, *faulty) {
	return func(_ *bench, f *faulty) {
		f.look = func(ctx context.Context, project string) (runbook.View, error) {
			view, err := f.AppHost.Look(ctx, project)
			if err == nil {
				spoil(&view)
			}
			return view, err
		}
	}
}

// services breaks what Look sees of each service.
func services(spoil func(v *runbook.ServiceView)) func(*bench, *faulty) {
	return views(func(v *runbook.View) {
		for i := range v.Services {
			spoil(&v.Services[i])
		}
	})
}

// reports breaks what a preflight reports.
func reports(spoil func(r *runbook.HostReport)) func(*bench, *faulty) {
	return func(_ *bench, f *faulty) {
		f.preflight = func(ctx context.Context, again bool) (runbook.HostReport, error) {
			report, err := f.AppHost.Preflight(ctx, again)
			spoil(&report)
			return report, err
		}
	}
}

// stacks breaks what it reports of each service.
func stacks(spoil func(s *runbook.ServiceReport)) func(*bench, *faulty) {
	return reports(func(r *runbook.HostReport) {
		for i := range r.Stack {
			spoil(&r.Stack[i])
		}
	})
}

// started breaks what a job means.
func started(spoil func(job *runbook.Job)) func(*bench, *faulty) {
	return func(_ *bench, f *faulty) {
		f.start = func(ctx context.Context, l runbook.Lease, job runbook.Job) error {
			spoil(&job)
			return f.AppHost.Start(ctx, l, job)
		}
	}
}

// progress breaks what Follow says.
func progress(spoil func(p *runbook.Progress)) func(*bench, *faulty) {
	return func(_ *bench, f *faulty) {
		f.follow = func(ctx context.Context, l runbook.Lease, job string, offset int64, end bool) (runbook.Progress, error) {
			p, err := f.AppHost.Follow(ctx, l, job, offset, end)
			spoil(&p)
			return p, err
		}
	}
}

// states breaks what Images says of each image.
func states(spoil func(s *runbook.ImageState)) func(*bench, *faulty) {
	return func(_ *bench, f *faulty) {
		f.images = func(ctx context.Context, images []runbook.Image, ask bool) ([]runbook.ImageState, error) {
			all, err := f.AppHost.Images(ctx, images, ask)
			for i := range all {
				spoil(&all[i])
			}
			return all, err
		}
	}
}

// jobs breaks what is begun.
func jobs(spoil func(job *runbook.Job)) func(*bench, *faulty) {
	return func(_ *bench, f *faulty) {
		f.start = func(ctx context.Context, l runbook.Lease, job runbook.Job) error {
			spoil(&job)
			return f.AppHost.Start(ctx, l, job)
		}
	}
}

// takes breaks Take's answer.
func takes(spoil func(err error) error) func(*bench, *faulty) {
	return func(_ *bench, f *faulty) {
		f.take = func(ctx context.Context, l runbook.Lease, first bool, wait time.Duration) error {
			return spoil(f.AppHost.Take(ctx, l, first, wait))
		}
	}
}

// edits breaks EditPins by another edit.
func edits(spoil func(edit editor) editor) func(*bench, *faulty) {
	return func(_ *bench, f *faulty) {
		f.editPins = func(ctx context.Context, l runbook.Lease, file string, edit editor) error {
			return f.AppHost.EditPins(ctx, l, file, spoil(edit))
		}
	}
}

// written breaks EditPins' answer.
func written(spoil func(err error) error) func(*bench, *faulty) {
	return func(_ *bench, f *faulty) {
		f.editPins = func(ctx context.Context, l runbook.Lease, file string, edit editor) error {
			return spoil(f.AppHost.EditPins(ctx, l, file, edit))
		}
	}
}

// unless gives nil in place of errors that are like a target.
func unless[E error](err error) error {
	var is E
	if errors.As(err, &is) {
		return nil
	}
	return err
}

// passing has a lease be whoever's turn it is.
func passing(ctx context.Context, h runbook.AppHost, l runbook.Lease) runbook.Lease {
	if state, err := h.Lock(ctx); err == nil && state.Epoch > 0 {
		l.Rollback, l.Epoch = state.Rollback, state.Epoch
	}
	return l
}
