package drill

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"rollbackbot/runbook"
)

// Hosts are hosts for a drill: looks are the real hosts', and what would change something is printed instead, and held
// for done from then on by a stand-in for the host.
type Hosts struct {
	Hosts runbook.Hosts
	// Print gets every command that would have changed something; nil: nobody does. It may be called by several goroutines.
	Print func(host runbook.Host, command string)

	mu    sync.Mutex
	hosts map[runbook.Host]*drillHost
}

var _ runbook.Hosts = (*Hosts)(nil)

// Commands are the real hosts'.
func (d *Hosts) Commands(app runbook.App, host runbook.Host, services []runbook.ServicePlan) runbook.Commands {
	return d.Hosts.Commands(app, host, services)
}

// On gives the stand-in for a host. A drill is about one app.
func (d *Hosts) On(app runbook.App, host runbook.Host) runbook.AppHost {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.hosts == nil {
		d.hosts = map[runbook.Host]*drillHost{}
	}
	if d.hosts[host] == nil {
		d.hosts[host] = &drillHost{
			AppHost: d.Hosts.On(app, host), app: app, host: host, commands: d.Hosts.Commands, print: d.Print,
			fetched: map[runbook.Image]bool{}, up: map[string]runbook.Image{},
		}
	}
	return d.hosts[host]
}

// drillHost stands in for one host. What it doesn't define itself only looks, and is the real host's.
type drillHost struct {
	runbook.AppHost
	app      runbook.App
	host     runbook.Host
	commands func(runbook.App, runbook.Host, []runbook.ServicePlan) runbook.Commands
	print    func(runbook.Host, string)

	mu      sync.Mutex
	pins    []runbook.Pin            // once they were "written"; nil: they weren't
	fetched map[runbook.Image]bool   // the images that were "fetched"
	up      map[string]runbook.Image // what each service "runs" since its containers were "replaced"
}

func (h *drillHost) say(command string) {
	if h.print != nil {
		h.print(h.host, command)
	}
}

// Look gives the services that were "replaced" their new images, and the pins that were "written".
func (h *drillHost) Look(ctx context.Context, project string) (runbook.View, error) {
	view, err := h.AppHost.Look(ctx, project)
	if err != nil {
		return view, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range view.Services {
		s := &view.Services[i]
		if image, replaced := h.up[s.Service]; replaced && s.Containers > 0 {
			s.Image, s.Note, s.Tag, s.Images = image, "", "", []runbook.Image{image}
		}
	}
	if h.pins != nil {
		view.Pins = slices.Clone(h.pins)
	}
	return view, nil
}

// Prove proves pins that were "written" from the plan, where nothing else can win over them.
func (h *drillHost) Prove(ctx context.Context, images map[string]runbook.Image, from runbook.PinSource) error {
	h.mu.Lock()
	if h.pins != nil {
		from = runbook.FromPlan
	}
	h.mu.Unlock()
	return h.AppHost.Prove(ctx, images, from)
}

// Images adds what was "fetched" to what the host has.
func (h *drillHost) Images(ctx context.Context, images []runbook.Image, ask bool) ([]runbook.ImageState, error) {
	states, err := h.AppHost.Images(ctx, images, ask)
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range states {
		if h.fetched[states[i].Image] {
			states[i].Here, states[i].Problem = true, runbook.Problem{}
		}
	}
	return states, err
}

// Fetch prints the command that would get an image.
func (h *drillHost) Fetch(_ context.Context, image runbook.Image) error {
	for _, command := range h.commands(h.app, h.host, []runbook.ServicePlan{{To: image}}).Pulls {
		h.say(command.String())
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fetched[image] = true
	return nil
}

// EditPins prints the pins that would be written.
func (h *drillHost) EditPins(ctx context.Context, _ runbook.Lease, file string, edit func(now []runbook.Pin) ([]runbook.Pin, error)) error {
	view, err := h.Look(ctx, "")
	if err != nil {
		return err
	}
	change, err := edit(view.Pins)
	if err != nil || len(change) == 0 {
		return err
	}
	pins := slices.Clone(view.Pins)
	lines := make([]string, len(change))
	for i, pin := range change {
		lines[i] = pin.Variable + "=" + pin.Value
		for j := range pins {
			if pins[j].Variable == pin.Variable {
				pins[j] = pin
			}
		}
	}
	h.say(fmt.Sprintf("write %s, with %s", file, strings.Join(lines, " ")))
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pins = pins
	return nil
}

// Start prints a job's command, and holds it for done.
func (h *drillHost) Start(_ context.Context, _ runbook.Lease, job runbook.Job) error {
	h.say(job.Command.String())
	h.mu.Lock()
	defer h.mu.Unlock()
	if !job.Fetch.IsZero() {
		h.fetched[job.Fetch] = true
	}
	for _, s := range job.Up {
		h.up[s.Service] = s.To
	}
	return nil
}

// Follow says that the job ended well.
func (*drillHost) Follow(context.Context, runbook.Lease, string, int64, bool) (runbook.Progress, error) {
	return runbook.Progress{State: runbook.JobEnded}, nil
}

// Take refuses where a rollback tonight would be refused, since somebody else holds the lock.
func (h *drillHost) Take(ctx context.Context, _ runbook.Lease, _ bool, _ time.Duration) error {
	held, err := h.Lock(ctx)
	if err == nil && !held.Free() {
		return &held.LockedError
	}
	return err
}

// Release has nothing to give back.
func (*drillHost) Release(context.Context, runbook.Lease, bool) (runbook.Released, error) {
	return runbook.Released{}, nil
}
