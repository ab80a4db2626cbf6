package standin

import (
	"context"
	"net/url"
	"slices"
	"sync"

	"rollbackbot/runbook"
)

// Lab is a set of hosts in memory. The zero Lab is ready, and has none.
type Lab struct {
	mu    sync.Mutex
	hosts map[place]*Host
	sick  map[runbook.Image]bool
}

var _ runbook.Hosts = (*Lab)(nil)

// place is one app on one host.
type place struct {
	app  string
	host runbook.Host
}

// Add makes a host on which the app runs one release, by image for each service. The images of running and of here are
// on the host and in its registry.
func (l *Lab) Add(app runbook.App, name runbook.Host, running map[string]runbook.Image, here ...map[string]runbook.Image) *Host {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.add(newHost(app, name, running, here...))
}

func (l *Lab) add(h *Host) *Host {
	if l.hosts == nil {
		l.hosts = map[place]*Host{}
	}
	l.hosts[place{h.app.Name, h.name}] = h
	return h
}

// On gives the *Host that was added, with the app as it is configured now. One that was not is there all the same, and can't be used.
func (l *Lab) On(app runbook.App, host runbook.Host) runbook.AppHost {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.hosts[place{app.Name, host}]; h != nil {
		h.Set(func(s *State) { s.app = app })
		return h
	}
	h := newHost(app, host, nil)
	h.state.Refuses = "the lab has no such host"
	return l.add(h)
}

// Commands are lines that nothing runs: what they say is what a Job has to mean.
func (l *Lab) Commands(app runbook.App, plan runbook.HostPlan) runbook.Commands {
	command := func(words ...string) runbook.Command {
		return runbook.Command{Args: append([]string{"standin"}, words...), Dir: app.Dir}
	}
	made := runbook.Commands{Prove: command("prove"), Up: command("up")}
	for _, s := range plan.Services {
		made.Up.Args = append(made.Up.Args, upWord(s))
	}
	for _, d := range plan.Replaced() {
		made.Up.Args = append(made.Up.Args, d.Service)
	}
	for _, image := range plan.Images() {
		made.Pulls = append(made.Pulls, command("fetch", image.String()))
	}
	if restarted := plan.Restarted(); len(restarted) > 0 {
		made.Restart = command("restart")
		for _, d := range restarted {
			made.Restart.Args = append(made.Restart.Args, d.Service)
		}
	}
	return made
}

// SetSick says whether an image is one that answers 503.
func (l *Lab) SetSick(image runbook.Image, sick bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sick == nil {
		l.sick = map[runbook.Image]bool{}
	}
	l.sick[image] = sick
}

// Health is the health endpoint of every app of the lab.
func (l *Lab) Health() Health { return Health{l} }

// Health answers by what the first service of the apps runs.
type Health struct{ lab *Lab }

var _ runbook.HealthChecker = Health{}

// Check gives 503 where a host that is up runs a sick image, or nothing, and 200 else. A URL that names a host of the lab
// is about that one, any other about all.
func (c Health) Check(_ context.Context, address, _ string) (int, error) {
	c.lab.mu.Lock()
	defer c.lab.mu.Unlock()
	var all, named []*Host
	parsed, err := url.Parse(address)
	for place, h := range c.lab.hosts {
		all = append(all, h)
		if err == nil && parsed.Hostname() == place.host.Name() {
			named = append(named, h)
		}
	}
	if len(named) > 0 {
		all = named
	}
	if slices.ContainsFunc(all, func(h *Host) bool { return !h.healthy(c.lab.sick) }) {
		return 503, nil
	}
	return 200, nil
}

// healthy reports whether a container of the first service runs, and none runs a sick image. A host that is down is left
// out, as by a balancer.
func (h *Host) healthy(sick map[runbook.Image]bool) (well bool) {
	h.Set(func(s *State) {
		runs := slices.DeleteFunc(slices.Clone(s.Containers[h.app.Services[0].Name]), func(c Container) bool { return c.OneOff || c.State != "" })
		ill := slices.ContainsFunc(runs, func(c Container) bool { return sick[c.Image] })
		well = s.away(h.name) != nil || len(runs) > 0 && !ill
	})
	return well
}
