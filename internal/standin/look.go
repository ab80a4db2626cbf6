package standin

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"rollbackbot/runbook"
)

// Look sees what runs and what the pins say.
func (h *Host) Look(ctx context.Context, project string) (view runbook.View, err error) {
	began := time.Now()
	asks := project == ""
	err = h.do(ctx, call{method: "Look", engine: true, slow: asks}, func(s *State) error {
		if asks && s.BrokenFiles {
			return problem(h.name, "Fix them", "the app's files can't be read")
		}
		view = s.view(h.name, began)
		return nil
	})
	return view, err
}

func (s *State) view(host runbook.Host, at time.Time) runbook.View {
	v := runbook.View{Host: host, At: at, Project: s.Project}
	for _, service := range s.app.Services {
		v.Services = append(v.Services, s.serviceView(service.Name))
	}
	for _, service := range slices.Sorted(maps.Keys(s.Containers)) {
		if n, runs := s.neighbour(service); runs {
			v.Neighbours = append(v.Neighbours, n)
		}
	}
	if !s.Unreadable {
		v.Pins = s.pins()
	}
	return v
}

// neighbour is a service beside the app's; false where it is none, or doesn't run.
func (s *State) neighbour(service string) (n runbook.Neighbour, runs bool) {
	if s.app.HasService(service) {
		return n, false
	}
	n.Service = service
	for _, c := range s.planned(service) {
		if c.State != "" {
			continue
		}
		if !runs || c.Since.Before(n.Since) {
			n.Since = c.Since
		}
		n.Cut, runs = n.Cut || c.Cut, true
	}
	return n, runs
}

// dependents are those that run, and those that are configured to be restarted.
func (s *State) dependents() (all []runbook.Dependent) {
	configured := slices.Clone(s.Dependents)
	for _, service := range s.app.Restart {
		configured = append(configured, runbook.Dependent{Service: service, Why: "it is configured so", Restart: true})
	}
	for _, d := range configured {
		if _, runs := s.neighbour(d.Service); runs {
			all = append(all, d)
		}
	}
	return all
}

// strangers are the containers that were started to do one thing, and run what a service runs.
func (s *State) strangers(host runbook.Host) (all []runbook.Stranger) {
	for _, service := range s.app.Services {
		running := s.serviceView(service.Name).Image
		for _, c := range s.Containers[service.Name] {
			if c.OneOff && c.State == "" && c.Image == running {
				all = append(all, runbook.Stranger{Service: service.Name, Problem: runbook.Problem{Host: host, What: "a container beside " + service.Name + " runs its image", Remedy: "End it there"}})
			}
		}
	}
	return all
}

func (s *State) serviceView(service string) runbook.ServiceView {
	v := runbook.ServiceView{Running: runbook.Running{Service: service}, Labels: map[runbook.Digest]runbook.Label{}}
	for _, c := range s.planned(service) {
		v.Containers++
		v.Restarts += c.Restarts
		if c.Made.After(v.Made) {
			v.Made = c.Made
		}
		v.Tag, v.State = cmp.Or(v.Tag, c.Tag), cmp.Or(v.State, c.State)
		v.Health = cmp.Or(c.Health, v.Health)
		v.Images = once(v.Images, c.Image)
		v.Repositories = once(v.Repositories, cmp.Or(c.Image.Name, repository(c.Tag)))
		v.ConfigHashes = once(v.ConfigHashes, c.made(service))
		if label := s.Labels[c.Image]; label != (runbook.Label{}) {
			v.Labels[c.Image.Digest] = label
		}
	}
	switch {
	case v.Containers == 0:
		v.Note = "no container"
	case len(v.Images) > 1:
		v.Note = "its containers run different images"
	case v.Images[0].IsZero():
		v.Note = "unknown, built here"
	default:
		v.Image = v.Images[0]
	}
	return v
}

// planned are a service's containers without those that were started to do one thing.
func (s *State) planned(service string) []Container {
	return slices.DeleteFunc(slices.Clone(s.Containers[service]), func(c Container) bool { return c.OneOff })
}

func once[T comparable](all []T, one T) []T {
	if slices.Contains(all, one) {
		return all
	}
	return append(all, one)
}

// repository takes the tag off a name.
func repository(tag string) string {
	if colon := strings.LastIndexByte(tag, ':'); colon > strings.LastIndexByte(tag, '/') {
		return tag[:colon]
	}
	return tag
}

// Preflight is Look with all that a plan needs besides.
func (h *Host) Preflight(ctx context.Context, again bool) (report runbook.HostReport, err error) {
	began := time.Now()
	err = h.do(ctx, call{method: "Preflight", engine: true, slow: true}, func(s *State) error {
		if err := s.wrong(h.name); err != nil {
			return err
		}
		report = runbook.HostReport{View: s.view(h.name, began), PinsFile: s.PinsFile, MakeRoom: "Remove what nobody uses", FreeBytes: s.FreeBytes, DiskBytes: s.DiskBytes, ClockOff: s.ClockOff, Warnings: slices.Clone(s.Warnings), Launch: slices.Clone(s.Launch), Dependents: s.dependents()}
		if !again {
			report.Strangers = s.strangers(h.name)
		}
		for _, v := range report.Services {
			report.Stack = append(report.Stack, s.serviceReport(v))
		}
		return nil
	})
	return report, err
}

func (s *State) serviceReport(v runbook.ServiceView) runbook.ServiceReport {
	now := runbook.ServiceReport{Scale: s.scale(v.Service), ConfigHash: s.hash(v.Service, v.Image)}
	for _, c := range s.planned(v.Service) {
		now.ConfigHash = s.hash(v.Service, c.Image)
		now.Drifted = now.Drifted || now.ConfigHash != c.made(v.Service)
	}
	return now
}

// wrong is all that keeps a rollback from acting here.
func (s *State) wrong(host runbook.Host) error {
	problems := slices.Clone(s.Problems)
	say := func(what, remedy string) { problems = append(problems, runbook.Problem{What: what, Remedy: remedy}) }
	if s.BrokenFiles {
		say("the app's files can't be read", "Fix them")
	}
	if s.Unreadable {
		say("the pins file, "+s.PinsFile+", can't be read", "Let the bot's user own it")
	}
	for _, service := range s.app.Services {
		if s.Forms[service.Name].Fixed {
			say(service.Name+" takes no image from "+service.Variable, "Take it from there")
		}
		if _, set := s.Exported[service.Variable]; set {
			say(service.Variable+" is set for everybody, and wins over the pins file", "Take it away there")
		}
	}
	if s.PinsFault == runbook.PinsNotOurs {
		say("the pins file, "+s.PinsFile+", can't be replaced", "Let the bot's user own it")
	}
	if len(problems) == 0 {
		return nil
	}
	for i := range problems {
		problems[i].Host = host
	}
	return &runbook.PreflightError{Problems: problems}
}

// Pins are what the pins file has to say so that exactly these images run.
func (h *Host) Pins(ctx context.Context, images map[string]runbook.Image) (pins []runbook.Pin, err error) {
	err = h.do(ctx, call{method: "Pins"}, func(s *State) error {
		var without []string
		if pins, without = s.pinsOf(images); len(without) > 0 {
			return unpinnable(h.name, without)
		}
		return nil
	})
	return pins, err
}

func unpinnable(host runbook.Host, services []string) error {
	return problem(host, "Take the whole image from it", "no variable can say the image of %s", strings.Join(services, " and "))
}

// Prove makes sure that exactly these images would run.
func (h *Host) Prove(ctx context.Context, images map[string]runbook.Image, from runbook.PinSource) error {
	return h.do(ctx, call{method: "Prove", engine: true, slow: true}, func(s *State) error {
		if s.BrokenFiles {
			return s.wrong(h.name)
		}
		if _, without := s.pinsOf(images); from == runbook.FromPlan && len(without) > 0 {
			return unpinnable(h.name, without)
		}
		for _, service := range s.app.Services {
			want, given := images[service.Name]
			if got := s.value(service); given && from == runbook.FromFile && s.means(service.Name, got) != want {
				return problem(h.name, "Make sure that nothing else sets "+service.Variable, "%s would run %q and not %s: what %s says doesn't count", service.Name, got, want, s.PinsFile)
			}
		}
		return nil
	})
}

// Images says of each image whether it is on the host.
func (h *Host) Images(ctx context.Context, images []runbook.Image, ask bool) (states []runbook.ImageState, err error) {
	err = h.do(ctx, call{method: "Images", engine: true}, func(s *State) error {
		for _, image := range images {
			states = append(states, s.imageState(h.name, image, ask))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return states, nil
}

func (s *State) imageState(host runbook.Host, image runbook.Image, ask bool) runbook.ImageState {
	state := runbook.ImageState{Image: image, Here: s.Here[image]}
	if state.Here {
		state.Label = s.Labels[image]
	}
	switch {
	case !ask || s.Silent || s.Unasked:
	case s.Registry[image]:
		state.Registry = runbook.RegistryHas
	default:
		state.Registry = runbook.RegistryLacks
	}
	if !ask || state.Here {
		return state
	}
	switch state.Registry {
	case runbook.RegistryHas:
		state.Bytes = cmp.Or(s.Sizes[image], 4000)
	case runbook.RegistryLacks:
		state.Problem = runbook.Problem{Host: host, What: fmt.Sprintf("%s is neither on this host nor in the registry", image), Remedy: "Choose another release"}
	case runbook.RegistrySilent:
		state.Bytes, state.Guessed = s.Sizes[image], true
		state.Note = fmt.Sprintf("%s is not on this host, and only the fetch will tell whether it can be had: the registry doesn't answer", image)
	}
	return state
}

const (
	logLines      = 50
	logBytes      = 8192
	logContainers = 2
)

// Logs are the last lines of two containers of each of the app's services.
func (h *Host) Logs(ctx context.Context, _ string) (all []runbook.ServiceLogs, err error) {
	err = h.do(ctx, call{method: "Logs", engine: true}, func(s *State) error {
		for _, service := range s.app.Services {
			logs := runbook.ServiceLogs{Service: service.Name}
			containers := s.planned(service.Name)
			for i, c := range containers[:min(len(containers), logContainers)] {
				if i > 0 && c.Log != "" {
					logs.Lines += "\n--- another container ---\n"
				}
				logs.Lines += lastOf(c.Log)
			}
			if len(containers) == 0 {
				logs.Problem = "it had no container"
			}
			all = append(all, logs)
		}
		return nil
	})
	return all, err
}

// lastOf is the end of a log, as it may be kept.
func lastOf(log string) string {
	if len(log) > logBytes { // the first line is cut, and half of a secret looks like none
		_, log, _ = strings.Cut(log[len(log)-logBytes:], "\n")
	}
	lines := strings.Split(strings.TrimRight(runbook.Mask(log), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-logLines):], "\n")
}
