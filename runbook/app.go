package runbook

import (
	"net"
	"slices"
	"strings"
	"time"
)

// App is one deployed application and how it is reached, as configured.
type App struct {
	Name  string // [a-z0-9-]+
	Hosts []Host // every host runs all services
	Dir   string // the app's folder on the host
	// ComposeFiles are relative to Dir, or absolute; none: those with which the running containers were started.
	ComposeFiles []string
	EnvFile      string    // the pins file, relative to Dir or absolute; empty: the one that is read by default
	Docker       []string  // the words of DOCKER_COMMAND
	Compose      []string  // the words of COMPOSE_COMMAND
	Services     []Service // in the order in which they are deployed
	Restart      []string  // services beside them that are restarted once containers were replaced
	Health       Health
	ErrorRate    ErrorRate
	// VerifyAfter is how long a release is seen running and healthy on every host before it counts as known-good.
	VerifyAfter time.Duration
	// Repository is "owner/name" of the source; empty when not configured.
	Repository string
	// MigrationsPaths are the folders in the Repository in which its migration files are; none: they aren't judged.
	MigrationsPaths []string
	// RestoreRunbookURL leads to the runbook for restoring the database, for a migration that is to be reverted.
	RestoreRunbookURL string
}

// Service is one service of an app, and the variable by which its image is pinned.
type Service struct {
	Name     string // as in the app's files
	Variable string // as in "API_IMAGE"
}

// Health is step 3 of the runbook: where to ask, how often, for how long.
type Health struct {
	URLs     []string      // may hold "{host}", which is each host's name in turn
	Attempts int           // the runbook's 12
	Interval time.Duration // the runbook's 10 s
	CAFile   string        // a PEM file of a private CA; empty means the system's
}

// Budget is how long a release may take to become healthy: the runbook's attempts times its interval.
func (h Health) Budget() time.Duration { return time.Duration(h.Attempts) * h.Interval }

// ErrorRate is step 4 of the runbook: how long it is watched, where a person can look, and how it is judged.
type ErrorRate struct {
	Window       time.Duration // the runbook's 5 minutes
	DashboardURL string        // empty when there is none
	Query        string        // PromQL: one series, failed requests as a fraction in [0, 1]; empty: a person is asked
	Tolerance    float64       // how far above the baseline counts as back to it, as a fraction of the baseline
	Floor        float64       // the rate up to which the baseline doesn't matter, in [0, 1]
}

// ServiceNames are the names of the app's services in their order.
func (a App) ServiceNames() []string {
	names := make([]string, len(a.Services))
	for i, service := range a.Services {
		names[i] = service.Name
	}
	return names
}

// HasService reports whether the app has a service of that name.
func (a App) HasService(name string) bool { return slices.Contains(a.ServiceNames(), name) }

// Name is the host's name or address, without user and port.
func (h Host) Name() string {
	name := string(h)
	if i := strings.LastIndexByte(name, '@'); i >= 0 {
		name = name[i+1:]
	}
	if host, _, err := net.SplitHostPort(name); err == nil {
		return host
	}
	return strings.Trim(name, "[]")
}

// ImagesOf are a release's images, each once, in the services' order.
func (a App) ImagesOf(r Release) []Image {
	var images []Image
	for _, service := range a.Services {
		if image := r.Images[service.Name]; !image.IsZero() && !slices.Contains(images, image) {
			images = append(images, image)
		}
	}
	return images
}
