package realhost

import (
	"cmp"
	"encoding/json"
	"slices"
	"testing"
	"time"
)

// The labels by which compose knows its containers.
const (
	projectLabel = "com.docker.compose.project"
	serviceLabel = "com.docker.compose.service"
	configLabel  = "com.docker.compose.config-hash"
)

// Container is what `docker inspect` says about one container of a stack.
type Container struct {
	ID         string
	Name       string
	ImageID    string // "sha256:…", what it runs
	Ref        string // the reference it was created from
	State      string // docker's word: running, restarting, exited, created, …
	ExitCode   int    // of its last end
	Restarts   int    // by the engine since its creation
	Started    time.Time
	Health     string // healthy, unhealthy, starting; empty without a HEALTHCHECK
	ConfigHash string // compose's hash of the service's configuration
}

// inspected is the part of docker's JSON that Container is made from.
type inspected struct {
	ID           string `json:"Id"`
	Name         string
	Image        string
	RestartCount int
	Config       struct {
		Image  string
		Labels map[string]string
	}
	State struct {
		Status    string
		ExitCode  int
		StartedAt time.Time
		Health    *struct{ Status string }
	}
}

// Containers are all containers of the stack by service, stopped ones included, each service's in the order of
// their names.
func (s *Stack) Containers(tb testing.TB) map[string][]Container {
	tb.Helper()
	ids := lines(run(tb, "docker", "ps", "--all", "--no-trunc", "--quiet", "--filter", "label="+projectLabel+"="+s.App))
	found := map[string][]Container{}
	if len(ids) == 0 {
		return found
	}
	var answer []inspected
	out := run(tb, "docker", append([]string{"container", "inspect"}, ids...)...)
	if err := json.Unmarshal([]byte(out), &answer); err != nil {
		tb.Fatalf("docker container inspect: %v", err)
	}
	for _, one := range answer {
		service := one.Config.Labels[serviceLabel]
		found[service] = append(found[service], one.container())
	}
	for _, containers := range found {
		slices.SortFunc(containers, func(a, b Container) int { return cmp.Compare(a.Name, b.Name) })
	}
	return found
}

func (i inspected) container() Container {
	c := Container{
		ID: i.ID, Name: i.Name, ImageID: i.Image, Ref: i.Config.Image,
		State: i.State.Status, ExitCode: i.State.ExitCode, Restarts: i.RestartCount, Started: i.State.StartedAt,
		ConfigHash: i.Config.Labels[configLabel],
	}
	if i.State.Health != nil {
		c.Health = i.State.Health.Status
	}
	return c
}

// ImageID is the ID of an image that is on this machine, for comparing with Container.ImageID.
func ImageID(tb testing.TB, ref string) string {
	tb.Helper()
	return run(tb, "docker", "image", "inspect", "--format", "{{.Id}}", ref)
}
