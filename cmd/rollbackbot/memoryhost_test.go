package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"rollbackbot/internal/compose"
	"rollbackbot/runbook"
)

// memoryHost is a host without an engine, for tests that are about Slack: it answers what a rollback asks that goes
// well, and fails the test at anything else. Its own waits are short and all in time, so that it works in a bubble.
type memoryHost struct {
	t   *testing.T
	app runbook.App

	mu      sync.Mutex
	env     string            // the file of the pins
	running map[string]string // the reference that each service runs
	lease   []string          // the words of the last take; nil: never
	jobs    map[string]time.Time
	ups     int
}

// jobTime is what compose takes.
const jobTime = 2 * time.Second

func shopApp() runbook.App {
	return runbook.App{
		Name: "shop", Hosts: []runbook.Host{"deploy@memory"}, Dir: "/opt/shop", ComposeFile: "infra/docker-compose.prod.yml",
		Docker: []string{"docker"}, Compose: []string{"docker", "compose"},
		Services:  []runbook.Service{{Name: "api", Variable: "API_IMAGE"}, {Name: "worker", Variable: "WORKER_IMAGE"}},
		Health:    runbook.Health{URLs: []string{"https://shop.example/health"}, Attempts: 12, Interval: time.Second},
		ErrorRate: runbook.ErrorRate{Window: 2 * time.Second, Query: "errors"}, VerifyAfter: time.Minute,
	}
}

// shopImages are the images of one of the shop's releases.
func shopImages(version int) map[string]runbook.Image {
	images := map[string]runbook.Image{}
	for i, s := range shopApp().Services {
		images[s.Name] = runbook.Image{Name: "ghcr.io/acme/" + s.Name, Digest: runbook.Digest(fmt.Sprintf("sha256:%064x", 16*version+i))}
	}
	return images
}

// newMemoryHost runs the shop's second release, which is sick.
func newMemoryHost(t *testing.T) *memoryHost {
	h := &memoryHost{t: t, app: shopApp(), running: map[string]string{}, jobs: map[string]time.Time{}}
	for _, s := range h.app.Services {
		ref := shopImages(2)[s.Name].String()
		h.running[s.Name] = ref
		h.env += s.Variable + "=" + ref + "\n"
	}
	return h
}

// hosts are the app's, of which this is the only one.
func (h *memoryHost) hosts() runbook.Hosts {
	return &compose.Hosts{Shell: func(runbook.Host) compose.Shell { return h }}
}

// Check is the shop's health: the first release's api is well.
func (h *memoryHost) Check(context.Context, string, string) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.running["api"] != shopImages(1)["api"].String() {
		return 503, nil
	}
	return 200, nil
}

// Now is the shop's error rate: none.
func (h *memoryHost) Now(context.Context, runbook.App) (runbook.Sample, error) {
	return runbook.Sample{At: time.Now()}, nil
}

// Between has nothing of the time before, so that people are asked what the error rate is.
func (h *memoryHost) Between(context.Context, runbook.App, time.Time, time.Time, time.Duration) ([]runbook.Sample, error) {
	return nil, &runbook.NoRateError{Why: "the query gives no series for that time", Answered: true}
}

func (h *memoryHost) Run(_ context.Context, cmd runbook.Command, stdin []byte) (status int, stdout, stderr []byte, err error) {
	time.Sleep(20 * time.Millisecond)
	h.mu.Lock()
	defer h.mu.Unlock()
	out, errs, status := h.answer(cmd, stdin)
	return status, []byte(out), []byte(errs), nil
}

func (h *memoryHost) answer(cmd runbook.Command, stdin []byte) (stdout, stderr string, status int) {
	words := cmd.Args
	line := strings.Join(words, " ")
	switch {
	case words[0] == "sh" && len(words) > 5 && words[5] == "logs":
		return words[8] + " listens\n", "", 0
	case words[0] == "sh" && strings.HasPrefix(words[2], "missing="):
		return "missing=\ncompose_file=yes\nenv_file=/opt/shop/infra/.env\npins=replaceable\nfree_kib=9999999\n", "", 0
	case words[0] == "sh" && words[3] == "rollbackbot":
		return h.guard(words[4], words[5:], stdin)
	case words[0] == "sh" && strings.Contains(words[2], "exit 3; exec "):
		return h.env, "", 0
	case strings.Contains(line, "version") && !strings.Contains(line, " inspect "):
		return "20.10.24\n", "", 0
	case strings.HasSuffix(line, "config --format json"):
		return h.render(cmd.Env), "", 0
	case strings.HasSuffix(line, "config --hash *"):
		return h.each(func(s runbook.Service) string { return s.Name + " " + h.values(cmd.Env)[s.Variable] }), "", 0
	case strings.HasPrefix(line, "docker ps "):
		return h.each(func(s runbook.Service) string { return s.Name }), "", 0
	case strings.HasPrefix(line, "docker inspect "):
		return h.each(h.inspect), "", 0
	case strings.HasPrefix(line, "docker image inspect "):
		var lines []string
		for _, ref := range words[5:] {
			lines = append(lines, asJSON(map[string]any{"id": "id:" + strings.TrimPrefix(ref, "id:"), "digests": []string{strings.TrimPrefix(ref, "id:")}}))
		}
		return strings.Join(lines, "\n"), "", 0
	}
	h.t.Errorf("nobody expected the command %s", cmd)
	return "", "unexpected", 64
}

func asJSON(v any) string {
	text, _ := json.Marshal(v) // of strings and numbers alone
	return string(text)
}

func (h *memoryHost) each(say func(runbook.Service) string) string {
	var lines []string
	for _, s := range h.app.Services {
		lines = append(lines, say(s))
	}
	return strings.Join(lines, "\n")
}

func (h *memoryHost) values(env []string) map[string]string {
	values := map[string]string{}
	for _, pair := range append(strings.Split(h.env, "\n"), env...) {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = value
	}
	return values
}

func (h *memoryHost) render(env []string) string {
	services := map[string]any{}
	for _, s := range h.app.Services {
		services[s.Name] = map[string]any{"image": h.values(env)[s.Variable], "restart": "always"}
	}
	return asJSON(map[string]any{"name": "shop", "services": services})
}

func (h *memoryHost) inspect(s runbook.Service) string {
	ref := h.running[s.Name]
	return asJSON(map[string]any{"id": s.Name, "name": "/" + s.Name, "service": s.Name, "ref": ref, "image_id": "id:" + ref, "config_hash": ref, "state": "running", "oneoff": "False"})
}

// guard is the host's lock, which nobody else wants here.
func (h *memoryHost) guard(verb string, args []string, stdin []byte) (stdout, stderr string, status int) {
	switch verb {
	case "show":
		if h.lease == nil {
			return "", "", 76 // there is none
		}
		return "rollback=" + h.lease[1] + "\nepoch=" + h.lease[2] + "\n", "", 0
	case "take":
		h.lease = args
	case "release":
	case "pin":
		h.env = string(stdin)
	case "act":
		h.jobs[args[3]] = time.Now().Add(jobTime)
		if strings.Contains(strings.Join(args, " "), " up -d ") {
			h.ups++
			for _, s := range h.app.Services {
				h.running[s.Name] = h.values(nil)[s.Variable]
			}
		}
	case "follow":
		if time.Now().Before(h.jobs[args[2]]) {
			return "", "state=running\n", 0
		}
		return "", "state=0\n", 0
	default:
		h.t.Errorf("nobody expected the guard's %s %v", verb, args)
	}
	return "", "", 0
}

// upped is how often containers were replaced.
func (h *memoryHost) upped() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ups
}
