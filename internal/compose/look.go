package compose

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"rollbackbot/internal/compose/dotenv"
	"rollbackbot/runbook"
)

// sight is what docker says of a project's containers.
type sight struct {
	project    string
	ids        []string    // of all its containers, one-off ones too
	containers []container // of the planned services, one-off ones left out
	others     []container // of all other services
	oneOffs    []container // those that were started to do one thing, of any service
	gone       []string    // the IDs of those to which others hold on, and that are not there any more
	images     map[string]imageView
}

// Look sees what runs by inspection: which image each container of the planned services was made from.
func (h *appHost) Look(ctx context.Context, project string) (runbook.View, error) {
	began := time.Now()
	if project == "" {
		l, err := h.launched(ctx)
		if err != nil {
			return runbook.View{}, err
		}
		_, s, err := h.stackAndSight(ctx, &l)
		if err != nil {
			return runbook.View{}, err
		}
		project = s.project
	}
	guess := h.launch()
	s, pins, err := h.sight(ctx, project, guess.pins)
	if err != nil {
		return runbook.View{}, err
	}
	if l := h.launchSeen(ctx, s); l.pins != guess.pins {
		if pins, err = h.pinLines(ctx, l.pins); err != nil {
			return runbook.View{}, err
		}
	}
	return h.view(s, pins, began), nil
}

func (h *appHost) view(s sight, pins []runbook.Pin, began time.Time) runbook.View {
	view := runbook.View{Host: h.host, At: began, Project: s.project, Pins: pins, Neighbours: s.neighbours()}
	for _, service := range h.app.Services {
		view.Services = append(view.Services, s.service(service.Name))
	}
	return view
}

// sight asks docker alone, and for the pins where a file is given. Of the images that are known, by their IDs, it doesn't ask
// what they are; the containers that the last look found are inspected while docker lists them.
func (h *appHost) sight(ctx context.Context, project, file string) (sight, []runbook.Pin, error) {
	known := h.memory.recall()
	var guess []string
	if known.project == project {
		guess = known.ids
	}
	all, ids, pins, err := h.see(ctx, project, guess, file)
	if err != nil {
		return sight{}, nil, err
	}
	s := sight{project: project, ids: ids, images: map[string]imageView{}}
	var unknown []string
	for _, c := range all {
		switch {
		case c.oneOff():
			s.oneOffs = append(s.oneOffs, c)
		case h.app.HasService(c.Service):
			s.containers = append(s.containers, c)
			if view, ok := known.images[c.ImageID]; ok && view.named(c.Ref) {
				s.images[c.ImageID] = view
			} else if !slices.Contains(unknown, c.ImageID) {
				unknown = append(unknown, c.ImageID)
			}
		default:
			s.others = append(s.others, c)
		}
	}
	views, err := h.images(ctx, unknown)
	if err == nil {
		err = h.findGone(ctx, &s)
	}
	if err != nil {
		return sight{}, nil, err
	}
	for _, view := range views {
		s.images[view.ID] = view
	}
	h.memory.saw(s, h.refs(s))
	return s, pins, nil
}

// refs are by what the containers of each planned service were started, as pins; a placeholder where there is none.
func (h *appHost) refs(s sight) []runbook.Pin {
	pins, known := h.placeholders(), h.memory.recall().forms
	for i, service := range h.app.Services {
		for _, c := range s.containers {
			if c.Service != service.Name {
				continue
			}
			if pins[i].Value = c.Ref; known.of != nil {
				if value, ok := known.of[service.Name].made(c.Ref); ok {
					pins[i].Value = value
				}
			}
		}
	}
	return pins
}

// see gives the containers of a project, the IDs of all that docker lists, and the pins where a file is given: nil where that
// can't be read. A container that went away in between costs a status, not the answer.
func (h *appHost) see(ctx context.Context, project string, guess []string, file string) (all []container, ids []string, pins []runbook.Pin, err error) {
	r, err := h.ask(ctx, seeProject(h.app, project, guess, file))
	if err != nil {
		return nil, nil, nil, err
	}
	seen := readSeen(r)
	switch {
	case seen.listed != 0:
		return nil, nil, nil, h.dockerProblem("list the containers", result{status: seen.listed, stderr: r.stderr})
	case seen.inspected != 0 && !onlyGone(r.stderr):
		return nil, nil, nil, h.dockerProblem("inspect the containers", result{status: seen.inspected, stderr: r.stderr})
	}
	if len(seen.ids) > 0 { // else what was inspected by a guess is gone
		if all, err = Lines[container](seen.containers); err != nil {
			return nil, nil, nil, h.problem("Check DOCKER_COMMAND", "%v", err)
		}
	}
	if file != "" && (r.status == 0 || r.status == fileAbsent) {
		pins = dotenv.ReadPins(seen.pins, h.app)
	}
	return all, seen.ids, pins, nil
}

// listed are the IDs that a command lists.
func (h *appHost) listed(ctx context.Context, list runbook.Command) ([]string, error) {
	r, err := h.ask(ctx, list)
	if err != nil {
		return nil, err
	}
	if r.status != 0 {
		return nil, h.dockerProblem("list the containers", r)
	}
	return strings.Fields(string(r.stdout)), nil
}

func (h *appHost) inspect(ctx context.Context, ids []string) ([]container, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	r, err := h.ask(ctx, inspectContainers(h.app, ids))
	if err != nil {
		return nil, err
	}
	// A container that went away in between costs the status, not the answer.
	if r.status != 0 && !onlyGone(r.stderr) {
		return nil, h.dockerProblem("inspect the containers", r)
	}
	containers, err := Lines[container](r.stdout)
	if err != nil {
		return nil, h.problem("Check DOCKER_COMMAND", "%v", err)
	}
	return containers, nil
}

// onlyGone reports whether docker complains, and of nothing but things that aren't there any more: one that was killed says
// nothing.
func onlyGone(stderr []byte) bool {
	if len(bytes.TrimSpace(stderr)) == 0 {
		return false
	}
	for line := range bytes.Lines(stderr) {
		if line = bytes.TrimSpace(line); len(line) > 0 && !bytes.Contains(bytes.ToLower(line), []byte("no such ")) {
			return false
		}
	}
	return true
}

// images gives the images among refs (IDs or references) that the host has.
func (h *appHost) images(ctx context.Context, refs []string) ([]imageView, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	r, err := h.ask(ctx, inspectImages(h.app, refs))
	if err != nil {
		return nil, err
	}
	// An image that isn't there costs the status, not the answer.
	if failed := h.dockerProblem("inspect the images", r); r.status != 0 && errors.Is(failed, runbook.ErrNoEngine) {
		return nil, failed
	}
	views, err := Lines[imageView](r.stdout)
	if err != nil {
		return nil, h.problem("Check DOCKER_COMMAND", "%v", err)
	}
	return views, nil
}

// service says what one service's containers run: what each container's image ID resolves to, never what its name says.
func (s sight) service(name string) runbook.ServiceView {
	out := runbook.ServiceView{Running: runbook.Running{Service: name}, Labels: map[runbook.Digest]runbook.Label{}}
	for _, c := range s.containers {
		if c.Service != name {
			continue
		}
		image, note := s.resolve(c)
		if out.Containers > 0 && out.Note == "" && image != out.Image {
			out.Image, out.Note = runbook.Image{}, "its containers run different images"
		} else if out.Containers == 0 {
			out.Image, out.Note = image, note
		}
		add(&out, c, image)
		s.images[c.ImageID].label(out.Labels)
	}
	if out.Containers == 0 {
		out.Note = "no container"
	}
	return out
}

// add counts a container in, all but what Image and Note say.
func add(v *runbook.ServiceView, c container, image runbook.Image) {
	if _, by := imageOf(c.Ref); !by && v.Tag == "" {
		v.Tag = c.Ref
	}
	v.Containers++
	v.Restarts += c.Restarts
	if c.Created.After(v.Made) {
		v.Made = c.Created
	}
	if c.State != "running" && v.State == "" {
		v.State = c.State
	}
	if c.Health != "" && c.Health != "healthy" {
		v.Health = c.Health
	}
	v.Images = appendOnce(v.Images, image)
	v.Repositories = appendOnce(v.Repositories, runbook.RepositoryOf(c.Ref))
	if c.ConfigHash != "" {
		v.ConfigHashes = appendOnce(v.ConfigHashes, c.ConfigHash)
	}
}

func appendOnce[T comparable](all []T, one T) []T {
	if slices.Contains(all, one) {
		return all
	}
	return append(all, one)
}

// resolve gives a container's image by digest. One that was started by a digest runs that: docker made it from that
// content, under whatever name of the repository, also where the image has lost its name since, or has several digests (of an
// index, and of the manifest in it for this host). Any other is what docker says that its image ID is.
func (s sight) resolve(c container) (runbook.Image, string) {
	if image, by := imageOf(c.Ref); by {
		return image, ""
	}
	images := s.images[c.ImageID].images()
	repository := runbook.RepositoryOf(c.Ref)
	for _, image := range images {
		if image.Name == repository {
			return image, ""
		}
	}
	if len(images) > 0 {
		return images[len(images)-1], ""
	}
	return runbook.Image{}, "unknown, built here"
}

// named reports whether docker says that the image is what a reference names by digest.
func (v imageView) named(ref string) bool {
	image, by := imageOf(ref)
	return by && v.is(image)
}

// label notes what an image's labels say, under each digest that it has.
func (v imageView) label(labels map[runbook.Digest]runbook.Label) {
	for _, image := range v.images() {
		labels[image.Digest] = runbook.Label{Revision: v.Revision, Version: v.Version}
	}
}
