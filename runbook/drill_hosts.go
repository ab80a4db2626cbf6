package runbook

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// DrillHosts are hosts for a drill: looks are the real hosts', and what would change something is printed instead, and held
// for done from then on by a stand-in for the host.
type DrillHosts struct {
	Hosts Hosts
	// Print gets every command that would have changed something; nil: nobody does. It may be called by several goroutines.
	Print func(host Host, command string)

	mu    sync.Mutex
	hosts map[Host]*drillHost
}

var _ Hosts = (*DrillHosts)(nil)

// Commands are the real hosts'.
func (d *DrillHosts) Commands(app App, host Host, services []ServicePlan) Commands {
	return d.Hosts.Commands(app, host, services)
}

// On gives the stand-in for a host. A drill is about one app.
func (d *DrillHosts) On(app App, host Host) AppHost {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.hosts == nil {
		d.hosts = map[Host]*drillHost{}
	}
	if d.hosts[host] == nil {
		d.hosts[host] = &drillHost{
			AppHost: d.Hosts.On(app, host), app: app, host: host, commands: d.Hosts.Commands, print: d.Print,
			fetched: map[Image]bool{}, up: map[string]Image{},
		}
	}
	return d.hosts[host]
}

// drillHost stands in for one host. What it doesn't define itself only looks, and is the real host's.
type drillHost struct {
	AppHost
	app      App
	host     Host
	commands func(App, Host, []ServicePlan) Commands
	print    func(Host, string)

	mu      sync.Mutex
	pins    []Pin            // once they were "written"; nil: they weren't
	fetched map[Image]bool   // the images that were "fetched"
	up      map[string]Image // what each service "runs" since its containers were "replaced"
}

func (h *drillHost) say(command string) {
	if h.print != nil {
		h.print(h.host, command)
	}
}

// Look gives the services that were "replaced" their new images, and the pins that were "written".
func (h *drillHost) Look(ctx context.Context, project string) (View, error) {
	view, err := h.AppHost.Look(ctx, project)
	if err != nil {
		return view, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range view.Services {
		s := &view.Services[i]
		if image, replaced := h.up[s.Service]; replaced && s.Containers > 0 {
			s.Image, s.Note, s.Tag, s.Images = image, "", "", []Image{image}
		}
	}
	if h.pins != nil {
		view.Pins = slices.Clone(h.pins)
	}
	return view, nil
}

// Prove proves pins that were "written" from the plan, where nothing else can win over them.
func (h *drillHost) Prove(ctx context.Context, images map[string]Image, from PinSource) error {
	h.mu.Lock()
	if h.pins != nil {
		from = FromPlan
	}
	h.mu.Unlock()
	return h.AppHost.Prove(ctx, images, from)
}

// Images adds what was "fetched" to what the host has.
func (h *drillHost) Images(ctx context.Context, images []Image, ask bool) ([]ImageState, error) {
	states, err := h.AppHost.Images(ctx, images, ask)
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range states {
		if h.fetched[states[i].Image] {
			states[i].Here, states[i].Problem = true, Problem{}
		}
	}
	return states, err
}

// Fetch prints the command that would get an image.
func (h *drillHost) Fetch(_ context.Context, image Image) error {
	for _, command := range h.commands(h.app, h.host, []ServicePlan{{To: image}}).Pulls {
		h.say(command.String())
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fetched[image] = true
	return nil
}

// EditPins prints the pins that would be written.
func (h *drillHost) EditPins(ctx context.Context, _ Lease, file string, edit func(now []Pin) ([]Pin, error)) error {
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
func (h *drillHost) Start(_ context.Context, _ Lease, job Job) error {
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
func (*drillHost) Follow(context.Context, Lease, string, int64, bool) (Progress, error) {
	return Progress{State: JobEnded}, nil
}

// Take refuses where a rollback tonight would be refused, since somebody else holds the lock.
func (h *drillHost) Take(ctx context.Context, _ Lease, _ bool, _ time.Duration) error {
	held, err := h.Lock(ctx)
	if err == nil && !held.Free() {
		return &held.LockedError
	}
	return err
}

// Release has nothing to give back.
func (*drillHost) Release(context.Context, Lease, bool) (Released, error) { return Released{}, nil }
