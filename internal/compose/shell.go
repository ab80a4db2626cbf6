package compose

import (
	"context"
	"reflect"
	"strings"
	"sync"
	"time"

	"rollbackbot/runbook"
)

// Shell runs commands on one host.
type Shell interface {
	// Run runs one command, with stdin to read, and waits for its end. An error means that there is no exit status: a
	// *HostError when the host could not be used at all and nothing was started, or an error that wraps ErrLost when the
	// connection or the deadline ended first, so that nobody knows how the command ended. Several Runs may be under way at
	// once.
	Run(ctx context.Context, cmd runbook.Command, stdin []byte) (status int, stdout, stderr []byte, err error)
}

// Hosts are apps on hosts that are reached by a shell. The zero value is ready once Shell is set.
type Hosts struct {
	Shell    func(host runbook.Host) Shell // the same host gives the same Shell, whose connection is kept
	Registry runbook.Registry              // asks from the bot's machine; nil: nobody does

	mu    sync.Mutex
	hosts map[appOnHost]*appHost
}

type appOnHost struct {
	app  string
	host runbook.Host
}

var _ runbook.Hosts = (*Hosts)(nil)

// On gives an app on a host.
func (s *Hosts) On(app runbook.App, host runbook.Host) runbook.AppHost {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := appOnHost{app.Name, host}
	if known := s.hosts[key]; known != nil && reflect.DeepEqual(known.app, app) {
		return known
	}
	if s.hosts == nil {
		s.hosts = map[appOnHost]*appHost{}
	}
	s.hosts[key] = &appHost{app: app, host: host, shell: s.Shell(host), registry: s.Registry}
	return s.hosts[key]
}

// Commands are the lines of one host's part of a plan.
func (s *Hosts) Commands(app runbook.App, plan runbook.HostPlan) runbook.Commands {
	words := plan.Launch
	if len(words) == 0 {
		words = configured(app).words
	}
	c := runbook.Commands{Prove: render(app, words, nil), Up: up(app, words, plan), Restart: restart(app, words, plan)}
	for _, image := range plan.Images() {
		c.Pulls = append(c.Pulls, pull(app, image))
	}
	return c
}

// appHost is an app on one host, reached by a shell.
type appHost struct {
	app      runbook.App
	host     runbook.Host
	shell    Shell
	registry runbook.Registry
	memory   memory
	version  composeSeen
}

var _ runbook.AppHost = (*appHost)(nil)

// defaultTimeout bounds a command that says nothing else. Looking commands end in well under a second (measured: docker
// 20 to 30 ms, docker compose 100 ms); 30 s is also the bound of the whole preflight.
const defaultTimeout = 30 * time.Second

// line is a command as it is sent.
type line struct {
	runbook.Command
	stdin   []byte        // read by the command; never shown, logged or journalled
	timeout time.Duration // bounds the run as seen from here; zero: defaultTimeout
}

// result is how a command ended: the program ran and left this status.
type result struct {
	status int // 0 is success
	stdout []byte
	stderr []byte
}

// ask runs a command that reads nothing.
func (h *appHost) ask(ctx context.Context, cmd runbook.Command) (result, error) {
	return h.run(ctx, line{Command: cmd})
}

func (h *appHost) run(ctx context.Context, l line) (result, error) {
	if l.timeout == 0 {
		l.timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	status, stdout, stderr, err := h.shell.Run(ctx, l.Command, l.stdin)
	return result{status, stdout, stderr}, err
}

func (h *appHost) problem(fix, format string, args ...any) *runbook.PreflightError {
	return runbook.OneProblem(h.host, fix, format, args...)
}

// all is everything that a command printed, for finding out what it means.
func (r result) all() string { return string(r.stderr) + string(r.stdout) }

func (r result) fields() map[string]string { return fieldsOf(r.stdout) }

// fieldsOf reads lines of key=value.
func fieldsOf(text []byte) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if key, value, found := strings.Cut(strings.TrimRight(line, "\n"), "="); found {
			fields[key] = value
		}
	}
	return fields
}
