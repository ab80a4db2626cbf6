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

// Hosts are hosts for one drill. Set its fields before the first call; the zero value of the others is ready.
type Hosts struct {
	Hosts runbook.Hosts // the real ones, which are only looked at
	// Print gets every command that would have changed something; nil: nobody does. Several goroutines may call it at once.
	Print func(host runbook.Host, command string)

	mu    sync.Mutex
	hosts map[place]*appHost
}

var _ runbook.Hosts = (*Hosts)(nil)

// place is one app on one host.
type place struct {
	app  string
	host runbook.Host
}

// Commands are the real hosts'.
func (d *Hosts) Commands(app runbook.App, plan runbook.HostPlan) runbook.Commands {
	return d.Hosts.Commands(app, plan)
}

// On gives the stand-in for an app on a host.
func (d *Hosts) On(app runbook.App, host runbook.Host) runbook.AppHost {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := place{app.Name, host}
	if d.hosts == nil {
		d.hosts = map[place]*appHost{}
	}
	if d.hosts[at] == nil {
		real := d.Hosts.On(app, host)
		d.hosts[at] = &appHost{
			Looker: real, lock: real.Lock, app: app, host: host, commands: d.Hosts.Commands, print: d.Print,
			fetched: map[runbook.Image]bool{}, up: map[string]runbook.Image{}, restarted: map[string]time.Time{},
		}
	}
	return d.hosts[at]
}

// appHost stands in for an app on a host. Of the real one it has what only looks, so that it can't change anything there: what
// the port has besides is defined below, or this doesn't compile.
type appHost struct {
	runbook.Looker
	lock     func(context.Context) (runbook.LockState, error)
	app      runbook.App
	host     runbook.Host
	commands func(runbook.App, runbook.HostPlan) runbook.Commands
	print    func(runbook.Host, string)

	mu      sync.Mutex
	pins    []runbook.Pin            // once they were "written"; nil: they weren't
	fetched map[runbook.Image]bool   // the images that were "fetched"
	up      map[string]runbook.Image // what each service "runs" since its containers were "replaced"
	made    time.Time                // when they were "replaced" last
	// restarted are the dependents that were "replaced" or "restarted", and when.
	restarted map[string]time.Time
}

var _ runbook.AppHost = (*appHost)(nil)

func (h *appHost) say(command string) {
	if h.print != nil {
		h.print(h.host, command)
	}
}

// Look gives the services that were "replaced" their new images, and the pins that were "written".
func (h *appHost) Look(ctx context.Context, project string) (runbook.View, error) {
	view, err := h.Looker.Look(ctx, project)
	if err != nil {
		return view, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range view.Services {
		s := &view.Services[i]
		if image, replaced := h.up[s.Service]; replaced && s.Containers > 0 {
			s.Image, s.Note, s.Tag, s.Images, s.Made = image, "", "", []runbook.Image{image}, h.made
		}
	}
	for i := range view.Neighbours {
		n := &view.Neighbours[i]
		if at, followed := h.restarted[n.Service]; followed {
			n.Since, n.Cut = at, false
		}
	}
	if h.pins != nil {
		view.Pins = slices.Clone(h.pins)
	}
	return view, nil
}

// Prove proves pins that were "written" from the plan, where nothing else can win over them: the file doesn't have them.
func (h *appHost) Prove(ctx context.Context, images map[string]runbook.Image, from runbook.PinSource) error {
	wanted, err := h.Pins(ctx, images)
	if err != nil {
		return err
	}
	if h.wrote(wanted) {
		from = runbook.FromPlan
	}
	return h.Looker.Prove(ctx, images, from)
}

// wrote reports whether these pins were "written".
func (h *appHost) wrote(pins []runbook.Pin) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !slices.ContainsFunc(pins, func(pin runbook.Pin) bool { return !slices.Contains(h.pins, pin) })
}

// Images adds what was "fetched" to what the host has.
func (h *appHost) Images(ctx context.Context, images []runbook.Image, ask bool) ([]runbook.ImageState, error) {
	states, err := h.Looker.Images(ctx, images, ask)
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
func (h *appHost) Fetch(_ context.Context, image runbook.Image) error {
	for _, command := range h.commands(h.app, runbook.HostPlan{Host: h.host, Services: []runbook.ServicePlan{{To: image}}}).Pulls {
		h.say(command.String())
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fetched[image] = true
	return nil
}

// EditPins prints the pins that would be written.
func (h *appHost) EditPins(ctx context.Context, _ runbook.Lease, file string, edit func(now []runbook.Pin) ([]runbook.Pin, error)) error {
	view, err := h.Look(ctx, "")
	if err != nil {
		return err
	}
	if view.Pins == nil {
		return fmt.Errorf("read the pins on %s: %s can't be read", h.host, file)
	}
	change, err := edit(slices.Clone(view.Pins))
	if err != nil || len(change) == 0 {
		return err
	}
	h.say("write " + file + wording(change))
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pins = edited(view.Pins, change)
	return nil
}

// wording says what is written into a pins file.
func wording(change []runbook.Pin) (text string) {
	var with, without []string
	for _, pin := range change {
		if pin.Absent {
			without = append(without, pin.Variable)
		} else {
			with = append(with, pin.Variable+"="+pin.Value)
		}
	}
	if len(with) > 0 {
		text += ", with " + strings.Join(with, " ")
	}
	if len(without) > 0 {
		text += ", without " + strings.Join(without, " ")
	}
	return text
}

// edited are the pins after a change.
func edited(pins, change []runbook.Pin) []runbook.Pin {
	after := slices.Clone(pins)
	for _, pin := range change {
		for i := range after {
			if after[i].Variable == pin.Variable {
				after[i] = pin
			}
		}
	}
	return after
}

// Start prints a job's command, and holds it for done.
func (h *appHost) Start(_ context.Context, _ runbook.Lease, job runbook.Job) error {
	h.say(job.Command.String())
	h.mu.Lock()
	defer h.mu.Unlock()
	if !job.Fetch.IsZero() {
		h.fetched[job.Fetch] = true
	}
	for _, s := range job.Up {
		h.up[s.Service], h.made = s.To, time.Now()
	}
	for _, d := range job.Beside {
		h.restarted[d.Service] = time.Now()
	}
	return nil
}

// Follow says that the job ended well.
func (*appHost) Follow(context.Context, runbook.Lease, string, int64, bool) (runbook.Progress, error) {
	return runbook.Progress{State: runbook.JobEnded}, nil
}

// Lock is the real host's.
func (h *appHost) Lock(ctx context.Context) (runbook.LockState, error) { return h.lock(ctx) }

// Take refuses where a rollback would be refused now, since somebody else holds the lock. Nothing is taken.
func (h *appHost) Take(ctx context.Context, _ runbook.Lease, _ bool, _ time.Duration) error {
	held, err := h.lock(ctx)
	if err == nil && !held.Free() {
		return &held.LockedError
	}
	return err
}

// Release has nothing to give back.
func (*appHost) Release(context.Context, runbook.Lease, bool) (runbook.Released, error) {
	return runbook.Released{}, nil
}
