// Package discover says what compose runs on a host that nobody has configured yet: its projects, their files and services, and
// through which variables those take their images.
package discover

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"rollbackbot/internal/compose"
)

// Engine is a host's docker and compose.
type Engine struct{ *compose.Engine }

// Stack is a project of compose on a host, as its containers tell of it.
type Stack struct {
	Project string
	// Dir is the folder in which compose is called: the project's own, or one above it whose .env holds what runs.
	Dir string
	// Files are the compose files, in compose's order, relative to Dir where they lie below it.
	Files []string
	// EnvFile is the one in which the pins belong, where it isn't the .env beside the first compose file; "" otherwise.
	EnvFile string
	// Pinned is true where the files alone render the images that run, so that nothing has to be exported.
	Pinned bool
	// Version is the Compose that started it, "" where it didn't say.
	Version  string
	Services []StackService // those that come first in depends_on come first

	envFiles []string // as --env-file was given
}

// StackService is a service that has containers.
type StackService struct {
	Name       string
	Image      string // by which its containers were started
	Containers int
	Running    bool     // at least one of them
	Restarts   bool     // by its restart policy, it is meant to run for long
	Profiles   []string // of the compose file; nil where they can't be told
	// Variable is the one through which the compose file takes its image, and Form how; "" where it takes none.
	Variable string
	Form     Form
	Built    bool // on the host, by the compose file's build: alone
	Ports    []Port
	Health   HealthPage
	after    []string // services that it depends on
}

// Form is how a compose file takes an image from a variable.
type Form string

// The forms: ${VARIABLE}, repository@${VARIABLE} and repository:${VARIABLE}.
const (
	Reference Form = "reference"
	Digest    Form = "digest"
	Tag       Form = "tag"
)

// Port is a TCP port of a container that the host passes on.
type Port struct {
	IP        string // on which address of the host; "" is all of them
	Published int
	Target    int // in the container
}

// HealthPage is what a health check asks inside its container. The zero value: nothing that can be asked by HTTP.
type HealthPage struct {
	Scheme string // http or https
	Port   int    // 0: not told
	Path   string
}

// Stacks are the projects of compose on the host, by their names; those that stand still are among them.
func (e Engine) Stacks(ctx context.Context) ([]Stack, error) {
	r, err := e.Ask(ctx, e.Docker("ps", "--all", "--quiet", "--no-trunc", "--filter", "label="+projectLabel))
	if err != nil {
		return nil, err
	}
	ids := strings.Fields(string(r.Stdout))
	if r.Status == 0 && len(ids) == 0 {
		return nil, nil
	}
	if r.Status == 0 {
		r, err = e.Ask(ctx, e.Docker(append([]string{"inspect", "--format", discoverFormat}, ids...)...))
	}
	if err != nil {
		return nil, err
	}
	if r.Status != 0 && !r.OnlyGone() {
		return nil, e.DockerProblem("list the containers", r)
	}
	found, err := compose.Lines[discovered](r.Stdout)
	if err != nil {
		return nil, e.Problem("Check what `docker inspect` prints there in a login shell", "docker's list of containers can't be read")
	}
	return stacksOf(found), nil
}

const projectLabel = "com.docker.compose.project"

// discoverFormat prints of each container only what is listed. Of a health check's command, which may hold a password, only
// the page that it asks is kept.
const discoverFormat = `{"project":{{json (index .Config.Labels "com.docker.compose.project")}},` +
	`"service":{{json (index .Config.Labels "com.docker.compose.service")}},` +
	`"oneoff":{{json (index .Config.Labels "com.docker.compose.oneoff")}},` +
	`"dir":{{json (index .Config.Labels "com.docker.compose.project.working_dir")}},` +
	`"files":{{json (index .Config.Labels "com.docker.compose.project.config_files")}},` +
	`"env_files":{{json (index .Config.Labels "com.docker.compose.project.environment_file")}},` +
	`"version":{{json (index .Config.Labels "com.docker.compose.version")}},` +
	`"after":{{json (index .Config.Labels "com.docker.compose.depends_on")}},` +
	`"image":{{json .Config.Image}},"state":{{json .State.Status}},"restart":{{json .HostConfig.RestartPolicy.Name}},` +
	`"network":{{json .HostConfig.NetworkMode}},"ports":{{json .NetworkSettings.Ports}},` +
	`"health":{{if .Config.Healthcheck}}{{json .Config.Healthcheck.Test}}{{else}}null{{end}}}`

type discovered struct {
	Project  string `json:"project"`
	Service  string `json:"service"`
	OneOff   string `json:"oneoff"`
	Dir      string `json:"dir"`
	Files    string `json:"files"`
	EnvFiles string `json:"env_files"`
	Version  string `json:"version"`
	After    string `json:"after"`
	Image    string `json:"image"`
	State    string `json:"state"`
	Restart  string `json:"restart"`
	Network  string `json:"network"`
	Ports    map[string][]struct{ HostIp, HostPort string }
	Health   []string `json:"health"`
}

// plainName is what compose itself allows as a project's or a service's name: another one is no name, whatever a label says.
var plainName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]*$`)

func stacksOf(found []discovered) []Stack {
	byName := map[string]*Stack{}
	for _, c := range found {
		if !plainName.MatchString(c.Project) || !plainName.MatchString(c.Service) || strings.EqualFold(c.OneOff, "true") {
			continue
		}
		s := byName[c.Project]
		if s == nil {
			s = &Stack{Project: c.Project}
			byName[c.Project] = s
		}
		// A container that runs says how the stack was started last; one that stands still may be from long ago.
		if s.Dir == "" || c.State == "running" && !s.running() {
			s.Dir, s.Version = c.Dir, c.Version
			s.Files, s.envFiles = splitList(c.Files), splitList(c.EnvFiles)
		}
		s.add(c)
	}
	var stacks []Stack
	for _, s := range byName {
		s.sort()
		s.Files = relative(s.Dir, s.Files)
		stacks = append(stacks, *s)
	}
	slices.SortFunc(stacks, func(a, b Stack) int { return strings.Compare(a.Project, b.Project) })
	return stacks
}

func (s *Stack) running() bool {
	return slices.ContainsFunc(s.Services, func(service StackService) bool { return service.Running })
}

// splitList takes apart what compose joins with commas.
func splitList(text string) []string {
	return slices.DeleteFunc(strings.Split(text, ","), func(item string) bool { return item == "" })
}

// relative shortens the paths that lie below a folder.
func relative(dir string, files []string) []string {
	out := make([]string, len(files))
	for i, file := range files {
		out[i] = strings.TrimPrefix(file, strings.TrimSuffix(dir, "/")+"/")
	}
	return out
}

func (s *Stack) add(c discovered) {
	i := slices.IndexFunc(s.Services, func(service StackService) bool { return service.Name == c.Service })
	if i < 0 {
		i = len(s.Services)
		s.Services = append(s.Services, StackService{Name: c.Service})
	}
	service := &s.Services[i]
	service.Containers++
	if service.Image == "" || c.State == "running" && !service.Running {
		service.Image = c.Image
	}
	service.Running = service.Running || c.State == "running" || c.State == "restarting"
	service.Restarts = service.Restarts || c.Restart != "" && c.Restart != "no"
	service.Health = cmp.Or(service.Health, healthPage(c.Health))
	for _, item := range splitList(c.After) { // service:condition:restart
		name, _, _ := strings.Cut(item, ":")
		service.after = append(service.after, name)
	}
	for target, bindings := range c.Ports {
		number, tcp := strings.CutSuffix(target, "/tcp")
		for _, b := range bindings {
			port := Port{IP: anyAddress(b.HostIp), Published: number10(b.HostPort), Target: number10(number)}
			if tcp && port.Published > 0 && !slices.Contains(service.Ports, port) {
				service.Ports = append(service.Ports, port)
			}
		}
	}
	if c.Network == "host" && service.Health.Port > 0 {
		if port := (Port{Published: service.Health.Port, Target: service.Health.Port}); !slices.Contains(service.Ports, port) {
			service.Ports = append(service.Ports, port)
		}
	}
	slices.SortFunc(service.Ports, func(a, b Port) int {
		return cmp.Or(cmp.Compare(a.Published, b.Published), strings.Compare(a.IP, b.IP))
	})
}

// anyAddress is "" for all addresses: docker lists those of IPv4 and of IPv6 as two.
func anyAddress(ip string) string {
	if ip == "0.0.0.0" || ip == "::" {
		return ""
	}
	return ip
}

func number10(text string) int {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0
	}
	return int(n)
}

// sort puts the services into the order of depends_on, by name where that says nothing.
func (s *Stack) sort() {
	slices.SortFunc(s.Services, func(a, b StackService) int { return strings.Compare(a.Name, b.Name) })
	var sorted []StackService
	placed := map[string]bool{}
	var place func(StackService)
	place = func(service StackService) {
		if placed[service.Name] {
			return
		}
		placed[service.Name] = true
		for _, other := range s.Services {
			if slices.Contains(service.after, other.Name) {
				place(other)
			}
		}
		sorted = append(sorted, service)
	}
	for _, service := range s.Services {
		place(service)
	}
	s.Services = sorted
}

// ownPage is a page of the container itself in a health check's command. What follows a ? may be a token, and is left out.
var ownPage = regexp.MustCompile(`(?:(https?)://)?(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\])(?::(\d+|\$\{?\w+[^}\s/]*\}?))?(/[A-Za-z0-9/._~%-]*)?`)

func healthPage(test []string) HealthPage {
	m := ownPage.FindStringSubmatch(strings.Join(test, " "))
	if m == nil || m[1] == "" && m[2] == "" { // neither http:// nor a port: pg_isready -h localhost
		return HealthPage{}
	}
	if m[1] == "" && m[3] == "" { // nc -z localhost 80, redis-cli -h localhost:6379
		return HealthPage{}
	}
	p := HealthPage{Scheme: cmp.Or(m[1], "http"), Port: number10(m[2]), Path: cmp.Or(m[3], "/")}
	if m[2] == "" {
		p.Port = map[string]int{"http": 80, "https": 443}[p.Scheme]
	}
	return p
}
