package runbook

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
)

// Sight is what one host was seen to run.
type Sight struct {
	Host       Host
	ids        []string    // of all containers of the project, one-off ones too
	Project    string      // the compose project
	Containers []container // of the planned services, one-off ones left out
	Others     []container // of all other services of the project
	Stack      rendered    // the compose file, with a placeholder for each planned image
	Images     map[string]imageView
	Running    []Running // one for each planned service, in the app's order
	Pins       []Pin     // one for each planned service, in the app's order; nil: the file was not read
}

// placeholder is a reference that no compose file holds by itself: a service that renders it takes that variable.
func placeholder(s Service) string {
	return "rollbackbot.invalid/" + strings.ToLower(s.Variable) + "@sha256:" + strings.Repeat("0", 64)
}

func placeholders(a App) []Pin {
	pins := make([]Pin, len(a.Services))
	for i, s := range a.Services {
		pins[i] = Pin{Variable: s.Variable, Value: placeholder(s)}
	}
	return pins
}

// look reads what a host runs, by inspection: which image each container of the planned services was made from.
// A *HostError or ErrLost when the host can't be asked, a *PreflightError when its answer isn't usable.
func look(ctx context.Context, target Target, host Host, a App) (Sight, error) {
	stack, err := renderStack(ctx, target, host, a, placeholders(a))
	if err != nil {
		return Sight{}, err
	}
	return lookAt(ctx, target, host, a, stack, recollection{})
}

// lookTogether is look where the project's name is known from before: compose and docker are asked at the same time. It
// is look where project is empty, or the name is another one by now.
func lookTogether(ctx context.Context, target Target, host Host, a App, project string) (Sight, error) {
	if project == "" {
		return look(ctx, target, host, a)
	}
	var stack rendered
	var sight Sight
	err := together(ctx,
		func(ctx context.Context) (err error) {
			stack, err = renderStack(ctx, target, host, a, placeholders(a))
			return err
		},
		func(ctx context.Context) (err error) {
			sight, err = lookAt(ctx, target, host, a, rendered{Project: project}, recollection{})
			return err
		})
	if err == nil && stack.Project != project {
		return lookAt(ctx, target, host, a, stack, recollection{})
	}
	sight.Stack = stack
	return sight, err
}

// lookAt is look for a project whose stack is known already: it asks docker alone. Of the images that are known, by
// their IDs, it doesn't ask what they are; the containers that the last look found are inspected while docker lists them.
func lookAt(ctx context.Context, target Target, host Host, a App, stack rendered, known recollection) (Sight, error) {
	all, ids, err := containersOf(ctx, target, host, a, stack.Project, known.sight.ids)
	if err != nil {
		return Sight{}, err
	}
	sight := Sight{Host: host, Project: stack.Project, Stack: stack, Images: map[string]imageView{}, ids: ids}
	var unknown []string
	for _, c := range all {
		switch {
		case strings.EqualFold(c.OneOff, "true"):
		case a.HasService(c.Service):
			sight.Containers = append(sight.Containers, c)
			if view, ok := known.images[c.ImageID]; ok && slices.Contains(view.Digests, c.Ref) {
				sight.Images[c.ImageID] = view
			} else if !slices.Contains(unknown, c.ImageID) {
				unknown = append(unknown, c.ImageID)
			}
		default:
			sight.Others = append(sight.Others, c)
		}
	}
	views, err := imagesOf(ctx, target, host, a, unknown)
	if err != nil {
		return Sight{}, err
	}
	for _, view := range views {
		sight.Images[view.ID] = view
	}
	for _, service := range a.Services {
		sight.Running = append(sight.Running, sight.running(service.Name))
	}
	return sight, nil
}

func renderStack(ctx context.Context, target Target, host Host, a App, pins []Pin) (rendered, error) {
	result, err := target.Run(ctx, render(a, pins))
	if err != nil {
		return rendered{}, err
	}
	if result.Status != 0 {
		return rendered{}, dockerProblem(host, a, "read the compose file", result)
	}
	stack, err := parseRendered(result)
	if err != nil {
		return rendered{}, problem(host, "Check COMPOSE_COMMAND; Docker Compose 2 or newer is needed", "%v", err)
	}
	return stack, nil
}

// containersOf gives the containers of a project, and the IDs of all that docker lists. The guessed ones are inspected
// at the same time; where the list is another one, what it says is inspected after it.
func containersOf(ctx context.Context, target Target, host Host, a App, project string, guess []string) ([]container, []string, error) {
	var ids []string
	var guessed []container
	err := together(ctx,
		func(ctx context.Context) (err error) { ids, err = listed(ctx, target, host, a, project); return err },
		func(ctx context.Context) (err error) {
			guessed, err = inspected(ctx, target, host, a, guess)
			return err
		})
	if err != nil || slices.Equal(ids, guess) && len(guessed) == len(ids) {
		return guessed, ids, err
	}
	containers, err := inspected(ctx, target, host, a, ids)
	return containers, ids, err
}

func listed(ctx context.Context, target Target, host Host, a App, project string) ([]string, error) {
	result, err := target.Run(ctx, listContainers(a, project))
	if err != nil {
		return nil, err
	}
	if result.Status != 0 {
		return nil, dockerProblem(host, a, "list the containers", result)
	}
	return strings.Fields(string(result.Stdout)), nil
}

func inspected(ctx context.Context, target Target, host Host, a App, ids []string) ([]container, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	result, err := target.Run(ctx, inspectContainers(a, ids))
	if err != nil {
		return nil, err
	}
	// A container that went away in between costs the status, not the answer.
	if result.Status != 0 && !onlyGone(result.Stderr) {
		return nil, dockerProblem(host, a, "inspect the containers", result)
	}
	containers, err := parseLines[container](result.Stdout)
	if err != nil {
		return nil, problem(host, "Check DOCKER_COMMAND", "%v", err)
	}
	return containers, nil
}

// onlyGone reports whether all that docker complains of are things that aren't there any more.
func onlyGone(stderr []byte) bool {
	for line := range bytes.Lines(stderr) {
		if line = bytes.TrimSpace(line); len(line) > 0 && !bytes.Contains(bytes.ToLower(line), []byte("no such ")) {
			return false
		}
	}
	return true
}

// imagesOf gives the images among refs (IDs or references) that the host has.
func imagesOf(ctx context.Context, target Target, host Host, a App, refs []string) ([]imageView, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	result, err := target.Run(ctx, inspectImages(a, refs))
	if err != nil {
		return nil, err
	}
	// An image that isn't there costs the status, not the answer.
	if failed := dockerProblem(host, a, "inspect the images", result); result.Status != 0 && errors.Is(failed, errNoEngine) {
		return nil, failed
	}
	views, err := parseLines[imageView](result.Stdout)
	if err != nil {
		return nil, problem(host, "Check DOCKER_COMMAND", "%v", err)
	}
	return views, nil
}

// running says what one service's containers run: what each container's image ID resolves to, never what its name says.
func (s Sight) running(service string) Running {
	out := Running{Service: service}
	for _, c := range s.Containers {
		if c.Service != service {
			continue
		}
		image, note := s.resolve(c)
		if out.Containers > 0 && out.Note == "" && image != out.Image {
			out.Image, out.Note = Image{}, "its containers run different images"
		} else if out.Containers == 0 {
			out.Image, out.Note = image, note
		}
		if _, err := ParseImage(c.Ref); err != nil && out.Tag == "" {
			out.Tag = c.Ref
		}
		out.Containers++
		out.Restarts += c.Restarts
		if c.State != "running" && out.State == "" {
			out.State = c.State
		}
		if c.Health != "" && c.Health != "healthy" {
			out.Health = c.Health
		}
	}
	if out.Containers == 0 {
		out.Note = "no container"
	}
	return out
}

// mix is what a service's containers run where that is not one image, as far as it is known; nil where it is one.
func (s Sight) mix(service string) []Image {
	var images []Image
	var first Image
	mixed := false
	for i, c := range slices.DeleteFunc(slices.Clone(s.Containers), func(c container) bool { return c.Service != service }) {
		image, _ := s.resolve(c)
		if i == 0 {
			first = image
		}
		mixed = mixed || image != first
		if !image.IsZero() && !slices.Contains(images, image) {
			images = append(images, image)
		}
	}
	if !mixed {
		return nil
	}
	slices.SortFunc(images, func(a, b Image) int { return strings.Compare(a.String(), b.String()) })
	return images
}

// resolve gives a container's image by digest, from what the host's engine says its image ID is.
func (s Sight) resolve(c container) (Image, string) {
	view := s.Images[c.ImageID]
	if slices.Contains(view.Digests, c.Ref) {
		if image, err := ParseImage(c.Ref); err == nil {
			return image, ""
		}
	}
	repository := repositoryOf(c.Ref)
	var found Image
	for _, ref := range view.Digests {
		image, err := ParseImage(ref)
		if err != nil {
			continue
		}
		if image.Name == repository {
			return image, ""
		}
		found = image
	}
	if !found.IsZero() {
		return found, ""
	}
	return Image{}, "unknown, built here"
}

// repositoryOf takes tag and digest off a reference.
func repositoryOf(ref string) string {
	name, _, _ := strings.Cut(ref, "@")
	return taggedName.ReplaceAllString(name, "")
}

// set is what the host runs as a release's images; false where any of it is not known or not one image.
func (s Sight) set() (map[string]Image, bool) {
	images := map[string]Image{}
	for _, r := range s.Running {
		if r.Image.IsZero() {
			return nil, false
		}
		images[r.Service] = r.Image
	}
	return images, true
}

// runs reports whether every container of the planned services is made from the wanted image, and of each service
// there is one at least.
func (s Sight) runs(want map[string]Image) bool {
	got, known := s.set()
	if !known {
		return false
	}
	for service, image := range want {
		if got[service].Digest != image.Digest {
			return false
		}
	}
	return true
}

// errNoEngine says that docker doesn't answer on a host, as while that boots: what runs there is not known.
var errNoEngine = errors.New("the docker engine doesn't answer")

// dockerProblem says what a docker command's failure means for a person.
func dockerProblem(host Host, a App, doing string, r Result) error {
	text := string(r.Stderr) + string(r.Stdout)
	docker, compose := strings.Join(a.Docker, " "), strings.Join(a.Compose, " ")
	switch {
	case strings.Contains(text, "permission denied") && strings.Contains(text, "docker"):
		return problem(host, "Let the SSH user use docker (`usermod -aG docker USER`), or set DOCKER_COMMAND and COMPOSE_COMMAND, as in `sudo -n docker`",
			"the SSH user may not talk to the docker engine")
	case strings.Contains(text, "Cannot connect to the Docker daemon"), strings.Contains(text, "Is the docker daemon running"):
		noEngine := problem(host, "Start it there: `systemctl start docker`", "the docker engine doesn't answer")
		noEngine.Err = errNoEngine
		return noEngine
	case strings.Contains(text, "is not a docker command"), strings.Contains(text, "unknown shorthand flag: 'f'"):
		return problem(host, "Install the docker-compose-plugin package, or set COMPOSE_COMMAND", "`%s` isn't there: Docker Compose 2 or newer is needed", compose)
	case r.Status == 127 || strings.Contains(text, "command not found") || strings.Contains(text, ": not found"):
		return problem(host, "Install it, or set DOCKER_COMMAND and COMPOSE_COMMAND to where it is", "`%s` isn't found in a login shell's PATH", docker)
	case strings.Contains(text, "cd: ") || strings.Contains(text, "can't cd"):
		return problem(host, "Check DIR", "there is no folder %s that the SSH user may enter", a.Dir)
	case strings.Contains(text, "no such file or directory") && strings.Contains(text, a.ComposeFile[strings.LastIndexByte(a.ComposeFile, '/')+1:]):
		return problem(host, "Check DIR and COMPOSE_FILE", "there is no compose file %s in %s", a.ComposeFile, a.Dir)
	case strings.Contains(text, "required variable"):
		return problem(host, "Write the missing variable into "+a.EnvPath(), "compose can't read the stack in a login shell: %s", lastLines(r.Stderr, 2))
	}
	return problem(host, "Run it there by hand in a login shell and mend what it says", "can't %s (status %d): %s", doing, r.Status, lastLines(r.Stderr, 3))
}
