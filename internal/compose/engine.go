package compose

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"rollbackbot/runbook"
)

// Engine is docker and compose on a host, as they are called there.
type Engine struct{ on *appHost }

// Answer is how a command ended, and what it printed.
type Answer struct {
	Status         int // 0 is success
	Stdout, Stderr []byte
}

// Words are docker's and compose's, as in sudo -n docker compose.
func (e *Engine) Words() (docker, compose []string) { return e.on.app.Docker, e.on.app.Compose }

// Docker is a command of docker's.
func (e *Engine) Docker(args ...string) runbook.Command { return docker(e.on.app, args...) }

// Ask runs a command that reads nothing. An error is the shell's.
func (e *Engine) Ask(ctx context.Context, cmd runbook.Command) (Answer, error) {
	r, err := e.on.ask(ctx, cmd)
	return Answer{r.status, r.stdout, r.stderr}, err
}

// Problem is what is wrong on the host, with its fix.
func (e *Engine) Problem(fix, format string, args ...any) error {
	return e.on.problem(fix, format, args...)
}

// DockerProblem says what an answer means with which docker failed to do something.
func (e *Engine) DockerProblem(doing string, a Answer) error {
	return e.on.dockerProblem(doing, result{a.Status, a.Stdout, a.Stderr})
}

// OnlyGone reports whether all that docker complains of are things that aren't there any more.
func (a Answer) OnlyGone() bool { return onlyGone(a.Stderr) }

// prefixes are tried in this order: sudo must not ask for a password, for nobody would hear it.
var prefixes = [][]string{nil, {"sudo", "-n"}}

// Discover finds out how docker and compose are called on a host. An error is a *runbook.PreflightError with one fix, or
// that of the shell. Compose 1 is none: it has other labels, and reads other files.
func Discover(ctx context.Context, host runbook.Host, shell Shell) (*Engine, error) {
	var refusal error
	for _, prefix := range prefixes {
		docker := append(slices.Clone(prefix), "docker")
		h := &appHost{host: host, shell: shell, app: runbook.App{Docker: docker, Compose: append(slices.Clone(docker), "compose")}}
		r, err := h.ask(ctx, engineVersion(h.app))
		if err != nil {
			return nil, err
		}
		if r.status != 0 {
			refusal = cmp.Or(refusal, h.dockerProblem("ask docker for its version", r))
			continue
		}
		h.app.Compose, err = h.findCompose(ctx, prefix)
		return &Engine{h}, err
	}
	return nil, refusal
}

// findCompose takes docker's plugin, or else the program of the same name that Debian and old set-ups have.
func (h *appHost) findCompose(ctx context.Context, prefix []string) ([]string, error) {
	old := ""
	for _, words := range [][]string{append(slices.Clone(h.app.Docker), "compose"), append(slices.Clone(prefix), "docker-compose")} {
		r, err := h.ask(ctx, composeVersion(runbook.App{Compose: words}))
		if err != nil {
			return nil, err
		}
		version := strings.TrimSpace(string(r.stdout))
		switch {
		case r.status != 0:
		case strings.HasPrefix(strings.TrimPrefix(version, "v"), "1."):
			old = fmt.Sprintf("`%s` is Compose v1 (%.20q)", strings.Join(words, " "), version)
		default:
			return words, nil
		}
	}
	if old == "" {
		return nil, h.problem("Install the docker-compose-plugin package", "there is no Docker Compose: 2 or newer is needed")
	}
	return nil, h.problem("Install the docker-compose-plugin package, and deploy once with `docker compose up -d`", "%s: 2 or newer is needed", old)
}
