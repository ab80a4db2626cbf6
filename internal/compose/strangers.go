package compose

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rollbackbot/runbook"
)

// reveal adds to a stack those services that run, or are planned, and that `config` leaves out: it prints only what active
// profiles have (docs.docker.com/compose/how-tos/profiles). A planned one is taken by its profile from then on, in all
// commands; since --profile takes the place of COMPOSE_PROFILES, those of the other planned services stand beside it.
// What is in no file at all stays out.
func (h *appHost) reveal(ctx context.Context, l *launch, stack rendered, s sight) error {
	var names []string
	missing := func(name string) {
		if _, known := stack.Services[name]; !known && name != "" {
			names = appendOnce(names, name)
		}
	}
	for _, service := range h.app.Services {
		missing(service.Name)
	}
	for _, name := range h.app.Restart {
		missing(name)
	}
	for _, c := range s.others {
		if c.runs() {
			missing(c.Service)
		}
	}
	if len(names) == 0 {
		return nil
	}
	hidden, err := h.renderNamed(ctx, *l, names)
	if err != nil {
		return err
	}
	maps.Copy(stack.Strict, hidden.Strict)
	for name, service := range hidden.Services {
		if _, known := stack.Services[name]; !known {
			service.Hidden = len(service.Profiles) > 0
			stack.Services[name] = service
		}
	}
	l.words = append(l.words, h.profiles(stack)...)
	return nil
}

// renderNamed renders services by their names. One that isn't there fails the whole answer; then each is asked for by itself.
func (h *appHost) renderNamed(ctx context.Context, l launch, names []string) (rendered, error) {
	r, err := h.askExporting(ctx, render(h.app, l.words, h.placeholders(), names...))
	if err != nil {
		return rendered{}, err
	}
	if r.status == 0 {
		return parseRendered(r)
	}
	found := rendered{Services: map[string]renderedService{}, Strict: map[string]string{}}
	for _, name := range names {
		if len(names) == 1 {
			break
		}
		one, err := h.renderNamed(ctx, l, []string{name})
		if err != nil {
			return rendered{}, err
		}
		maps.Copy(found.Services, one.Services)
		maps.Copy(found.Strict, one.Strict)
	}
	return found, nil
}

// profiles are the flags by which every planned service is active; none where all of them are without.
func (h *appHost) profiles(stack rendered) []string {
	var names []string
	hidden := false
	for _, service := range h.app.Services {
		of := stack.Services[service.Name]
		hidden = hidden || of.Hidden
		if len(of.Profiles) > 0 && !slices.ContainsFunc(names, func(name string) bool { return slices.Contains(of.Profiles, name) }) {
			names = append(names, of.Profiles[0])
		}
	}
	if !hidden {
		return nil
	}
	return flags("--profile", names)
}

// undefined are the services that run and are in no file.
func (s sight) undefined(stack rendered) (warnings []string) {
	for _, c := range s.others {
		if _, known := stack.Services[c.Service]; !known && c.runs() {
			warnings = append(warnings, fmt.Sprintf("%s runs as the container %s, and is in none of the files that compose reads: it stays as it is", c.Service, c.name()))
		}
	}
	return warnings
}

// strangers are the containers that run an image of the app's and that no plan replaces, and those that share something with
// a container of the app's and can't follow it. What runs on the host beside the project is looked at for that.
func (h *appHost) strangers(ctx context.Context, stack rendered, s sight, dependents []runbook.Dependent) (found []runbook.Stranger, warnings []string, err error) {
	running, err := h.listed(ctx, docker(h.app, "ps", "--quiet", "--no-trunc"))
	if err != nil {
		return nil, nil, err
	}
	beside, err := h.inspect(ctx, slices.DeleteFunc(running, func(id string) bool { return slices.Contains(s.ids, id) }))
	if err != nil {
		return nil, nil, err
	}
	known := h.formsOf(stack)
	images := map[string]string{} // of which service of the app
	for _, c := range s.containers {
		images[c.ImageID] = c.Service
	}
	say := func(service, fix, format string, args ...any) {
		found = append(found, runbook.Stranger{Service: service, Problem: runbook.Problem{Host: h.host, What: fmt.Sprintf(format, args...), Remedy: fix}})
	}
	for _, c := range slices.Concat(s.others, s.oneOffs, beside) {
		service, runsIt := images[c.ImageID]
		rendered, defined := stack.Services[c.Service]
		_, fed := h.fed(stack, c.Service)
		stop := "End it there: docker stop " + runbook.Quote(c.name())
		ours := c.Project == s.project || c.Project == "" && slices.Contains(s.ids, c.ID)
		switch {
		case !runsIt || !c.runs() || ours && !c.oneOff() && fed:
		case !ours && c.Project != "" && h.app.HasService(c.Service):
			// Another deployment of the same app, as a staging beside the production, has services of the same names.
			warnings = appendOnce(warnings, fmt.Sprintf("the project %s on this host runs some of these images too, and stays on them", c.Project))
		case c.oneOff():
			say(service, stop, "%s, which was started by `compose run`, runs the image of %s and would stay on it", c.name(), service)
		case ours && !defined:
			say(service, stop, "%s runs the image of %s and would stay on it: its service %s is in none of the files that compose reads", c.name(), service, c.Service)
		case ours:
			variable := h.variable(service)
			say(service, fmt.Sprintf("Write %s for %s in the compose file, and add %s=%s to IMAGES", known.of[service].text(variable), c.Service, c.Service, variable),
				"%s%s runs the image of %s and would stay on it", c.Service, behind(rendered), service)
		case c.Project == "":
			say(service, stop, "%s, which was started by hand, runs the image of %s and would stay on it", c.name(), service)
		default:
			say(service, stop, "%s of the project %s (%s) runs the image of %s and would stay on it", c.name(), c.Project, listed(c.started().files), service)
		}
	}
	changed := s.services()
	for name := range changed {
		changed[name] = h.app.HasService(name) || slices.ContainsFunc(dependents, func(d runbook.Dependent) bool { return d.Service == name && !d.Restart })
	}
	names := s.names(changed)
	for _, c := range slices.Concat(s.oneOffs, beside) {
		for _, share := range c.shares() {
			name, is := strings.CutPrefix(share.mode, "container:")
			if of := s.nameOf(name); of != "" {
				name = of
			}
			if service := names[name]; is && service != "" && c.runs() {
				say("", "End it there: docker stop "+runbook.Quote(c.name()), "%s shares %s of %s, and would be cut off when that is replaced", c.name(), share.what, service)
			}
		}
	}
	return found, warnings, nil
}

// behind names the profile of a service that isn't active.
func behind(service renderedService) string {
	if !service.Hidden {
		return ""
	}
	return fmt.Sprintf(", behind the profile %s,", service.Profiles[0])
}

// variable is the one of a service of the app.
func (h *appHost) variable(service string) string {
	i := slices.IndexFunc(h.app.Services, func(s runbook.Service) bool { return s.Name == service })
	return h.app.Services[i].Variable
}
