package compose

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rollbackbot/internal/parallel"
	"rollbackbot/runbook"
)

// What depends on a container that is replaced. What shares a network, a namespace or volumes with it has them by its ID,
// and keeps what is left of them when it goes: such a service has to be made again. Named to `up` beside the others it is:
// compose resolves service:NAME to the ID before it compares a container to its service, in all generations (2.2.3 to 2.40
// pkg/compose/convergence.go, 5.6 pkg/compose/reconcile.go; seen with 5.6 on Docker 20.10).
//
// With restart: true in depends_on a service is only to be started again. `up` of 2.40.3 does that by itself, that of 2.26.1 not, and
// only for those that it is given; `restart` does it in all of them.

// dependencies are what a service has of others, as `config` prints it. To depends_on compose-go has added by then what
// follows from links and from what is shared (loader/normalize.go).
type dependencies struct {
	Network     string   `json:"network_mode"`
	IPC         string   `json:"ipc"`
	PID         string   `json:"pid"`
	UTS         string   `json:"uts"`
	Cgroup      string   `json:"cgroup"`
	VolumesFrom []string `json:"volumes_from"`
	DependsOn   map[string]struct {
		Restart bool `json:"restart"`
	} `json:"depends_on"`
}

// share is one thing that a service or a container has of another.
type share struct{ what, mode string }

func (d dependencies) shares() []share {
	return []share{{"the network", d.Network}, {"the IPC namespace", d.IPC}, {"the PID namespace", d.PID}, {"the UTS namespace", d.UTS}, {"the cgroup", d.Cgroup}}
}

func (c container) shares() []share {
	return []share{{"the network", c.Network}, {"the IPC namespace", c.IPC}, {"the PID namespace", c.PID}}
}

// of says of which service it has something; "" where of none that is replaced.
func (d dependencies) of(replaced map[string]bool) (why string) {
	for _, s := range d.shares() {
		if name, is := strings.CutPrefix(s.mode, "service:"); is && replaced[name] {
			return fmt.Sprintf("it shares %s of %s", s.what, name)
		}
	}
	for _, from := range d.VolumesFrom {
		if name, _, _ := strings.Cut(from, ":"); replaced[name] {
			return "it has the volumes of " + name
		}
	}
	return ""
}

// byName says the same where the file names the container and not the service.
func (d dependencies) byName(names map[string]string) (why string) {
	for _, s := range d.shares() {
		name, is := strings.CutPrefix(s.mode, "container:")
		if service := names[name]; is && service != "" {
			return fmt.Sprintf("it shares %s of %s, by the name of its container", s.what, service)
		}
	}
	return ""
}

// restarts says with which service it has to be restarted; "" with none of these.
func (d dependencies) restarts(with map[string]bool) (why string) {
	for _, name := range runbook.SortedKeys(d.DependsOn) {
		if d.DependsOn[name].Restart && with[name] {
			return fmt.Sprintf("it depends on %s with restart: true", name)
		}
	}
	return ""
}

// dependents are the services that can't stay as they are while the app's are replaced, as far as they run.
func (h *appHost) dependents(stack rendered, s sight) (all []runbook.Dependent) {
	changed := map[string]bool{}
	for _, service := range h.app.Services {
		changed[service.Name] = true
	}
	// closes adds those that follow from what is changed already, and from each other.
	closes := func(restart bool, why func(renderedService, string) string) {
		for added := true; added; {
			added = false
			for _, name := range runbook.SortedKeys(stack.Services) {
				because := why(stack.Services[name], name)
				if changed[name] || because == "" || !s.runs(name) {
					continue
				}
				changed[name], added = true, true
				d := runbook.Dependent{Service: name, Why: because, Restart: restart}
				if n := s.count(name); !restart && n > stack.Services[name].Scale {
					d.Scale = n
				}
				all = append(all, d)
			}
		}
	}
	closes(false, func(service renderedService, _ string) string { return service.of(changed) })
	names := s.names(changed)
	closes(true, func(service renderedService, name string) string {
		switch because := service.byName(names); {
		case because != "":
			return because
		case slices.Contains(h.app.Restart, name):
			return "RESTART names it"
		}
		return service.restarts(changed)
	})
	return all
}

// names are the names of the containers of these services.
func (s sight) names(services map[string]bool) map[string]string {
	names := map[string]string{}
	for _, c := range slices.Concat(s.containers, s.others) {
		if services[c.Service] {
			names[c.name()] = c.Service
		}
	}
	return names
}

func (c container) name() string { return strings.TrimPrefix(c.Name, "/") }

// count is how many containers of a service that isn't planned run.
func (s sight) count(service string) (n int) {
	for _, c := range s.others {
		if c.Service == service && c.runs() {
			n++
		}
	}
	return n
}

// dependentWarnings name them for who signs, and what RESTART names in vain.
func (h *appHost) dependentWarnings(dependents []runbook.Dependent, stack rendered, s sight) (warnings []string) {
	for _, d := range dependents {
		if d.Restart {
			warnings = append(warnings, fmt.Sprintf("%s is restarted once the containers are replaced: %s", d.Service, d.Why))
		} else {
			warnings = append(warnings, fmt.Sprintf("the containers of %s are replaced too, on the image that they run and as the files have it now: %s", d.Service, d.Why))
		}
	}
	for _, name := range h.app.Restart {
		if _, known := stack.Services[name]; known && !s.runs(name) {
			warnings = append(warnings, fmt.Sprintf("RESTART names %s, of which no container runs: it is left as it is", name))
		}
	}
	return warnings
}

// checkDependents makes sure that they can follow: each is replaced on the image that it runs, and one that holds on to a
// container by its ID is named to compose by its service.
func (h *appHost) checkDependents(ctx context.Context, dependents []runbook.Dependent, stack rendered, s sight) error {
	var problems []runbook.Problem
	for _, name := range h.app.Restart {
		if _, known := stack.Services[name]; !known {
			problems = append(problems, runbook.Problem{Host: h.host, What: fmt.Sprintf("RESTART names %s, and the compose file has no such service", name), Remedy: "Check RESTART"})
		}
	}
	var looks []func(context.Context) error
	found := make([]*runbook.Problem, len(dependents))
	for i, d := range dependents {
		looks = append(looks, func(ctx context.Context) (err error) {
			found[i], err = h.cantFollow(ctx, d, stack.Services[d.Service], s)
			return err
		})
	}
	if err := parallel.Do(ctx, looks...); err != nil {
		return err
	}
	for _, problem := range found {
		if problem != nil {
			problems = append(problems, *problem)
		}
	}
	if len(problems) > 0 {
		return &runbook.PreflightError{Problems: problems}
	}
	return nil
}

// cantFollow says why a dependent can't follow; nil where it can.
func (h *appHost) cantFollow(ctx context.Context, d runbook.Dependent, service renderedService, s sight) (*runbook.Problem, error) {
	i := slices.IndexFunc(s.others, func(c container) bool { return c.Service == d.Service && c.runs() })
	c := s.others[i]
	if d.Restart {
		for _, share := range c.shares() {
			if id, is := strings.CutPrefix(share.mode, "container:"); is && slices.Contains(s.ids, id) && service.byName(s.names(s.services())) != "" {
				return &runbook.Problem{Host: h.host, What: fmt.Sprintf("%s holds on to a container that is replaced (%s), and a restart would not find the new one", d.Service, d.Why),
					Remedy: fmt.Sprintf("Write `network_mode: service:%s` for %s in the compose file, and deploy it once", s.names(s.services())[s.nameOf(id)], d.Service)}, nil
			}
		}
		return nil, nil
	}
	ref := service.Image
	if ref == "" {
		ref = c.Ref // built there: its name is compose's
	}
	views, err := h.images(ctx, []string{ref})
	if err != nil || len(views) == 1 && views[0].ID == c.ImageID {
		return nil, err
	}
	problem := runbook.Problem{Host: h.host, What: fmt.Sprintf("%s has to be replaced with it (%s), and %s is another image on this host by now than the one that it runs", d.Service, d.Why, ref)}
	if problem.Remedy = fmt.Sprintf("Give that its name back there: docker tag %s %s", c.ImageID, ref); strings.Contains(ref, "@") {
		problem.Remedy = "Fetch it there: docker pull " + ref
	}
	return &problem, nil
}

// services are those of which there are containers.
func (s sight) services() map[string]bool {
	services := map[string]bool{}
	for _, c := range slices.Concat(s.containers, s.others) {
		services[c.Service] = true
	}
	return services
}

// nameOf is the name of a container of the project.
func (s sight) nameOf(id string) string {
	for _, c := range slices.Concat(s.containers, s.others) {
		if c.ID == id {
			return c.name()
		}
	}
	return ""
}

// neighbours are the services beside the planned ones, as far as they run.
func (s sight) neighbours() (all []runbook.Neighbour) {
	for _, c := range s.others {
		if !c.runs() {
			continue
		}
		i := slices.IndexFunc(all, func(n runbook.Neighbour) bool { return n.Service == c.Service })
		if i < 0 {
			i = len(all)
			all = append(all, runbook.Neighbour{Service: c.Service, Since: c.Begun})
		}
		if c.Begun.Before(all[i].Since) {
			all[i].Since = c.Begun
		}
		all[i].Cut = all[i].Cut || slices.ContainsFunc(c.held(), func(id string) bool { return slices.Contains(s.gone, id) })
	}
	slices.SortFunc(all, func(a, b runbook.Neighbour) int { return strings.Compare(a.Service, b.Service) })
	return all
}

// held are the IDs of the containers of which it has something.
func (c container) held() (ids []string) {
	modes := []string{}
	for _, share := range c.shares() {
		if id, is := strings.CutPrefix(share.mode, "container:"); is {
			modes = append(modes, id)
		}
	}
	for _, from := range c.VolumesFrom {
		id, _, _ := strings.Cut(from, ":")
		modes = append(modes, id)
	}
	for _, id := range modes {
		if len(id) == idLength && strings.Trim(id, "0123456789abcdef") == "" {
			ids = appendOnce(ids, id)
		}
	}
	return ids
}

// idLength is that of a container's whole ID.
const idLength = 64

// findGone asks which of the containers that others hold on to are not there any more. Those of the project are known;
// only for others the engine is asked.
func (h *appHost) findGone(ctx context.Context, s *sight) error {
	var unknown []string
	for _, c := range s.others {
		for _, id := range c.held() {
			if c.runs() && !slices.Contains(s.ids, id) {
				unknown = appendOnce(unknown, id)
			}
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	words := []string{"ps", "--all", "--quiet", "--no-trunc"}
	for _, id := range unknown {
		words = append(words, "--filter", "id="+id)
	}
	there, err := h.listed(ctx, docker(h.app, words...))
	s.gone = slices.DeleteFunc(unknown, func(id string) bool { return slices.Contains(there, id) })
	return err
}
