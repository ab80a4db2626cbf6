package overssh

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"rollbackbot/internal/standin"
	"rollbackbot/runbook"
)

// Shell runs commands on one host: see ssh.Client.
type Shell interface {
	Run(ctx context.Context, cmd runbook.Command, stdin []byte) (status int, stdout, stderr []byte, err error)
}

// Hosts are apps on stand-ins that are reached by a shell. Both fields are needed.
type Hosts struct {
	Shell func(host runbook.Host) Shell // the same host gives the same Shell, whose connection is kept
	// Lines are the lines of a real host, to be shown and signed: a stand-in does what they mean.
	Lines func(app runbook.App, plan runbook.HostPlan) runbook.Commands

	mu    sync.Mutex
	hosts map[place]*appHost
}

// place is one app on one host.
type place struct {
	app  string
	host runbook.Host
}

var _ runbook.Hosts = (*Hosts)(nil)

// Commands are the lines of a real host.
func (h *Hosts) Commands(app runbook.App, plan runbook.HostPlan) runbook.Commands {
	return h.Lines(app, plan)
}

// On gives an app on a host. An app that is configured in another way is another one.
func (h *Hosts) On(app runbook.App, host runbook.Host) runbook.AppHost {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := place{app.Name, host}
	if h.hosts == nil {
		h.hosts = map[place]*appHost{}
	}
	if known := h.hosts[at]; known == nil || !reflect.DeepEqual(known.app, app) {
		h.hosts[at] = &appHost{app, host, h.Shell(host)}
	}
	return h.hosts[at]
}

type appHost struct {
	app   runbook.App
	host  runbook.Host
	shell Shell
}

// ask runs a method there. Its errors are the port's own, or the shell's.
func ask[R any](ctx context.Context, h *appHost, method string, args any) (result R, err error) {
	raw, err := json.Marshal(args)
	if err != nil {
		return result, err
	}
	stdin, err := json.Marshal(question{h.app, h.host, raw})
	if err != nil {
		return result, err
	}
	status, stdout, stderr, err := h.shell.Run(ctx, runbook.Command{Args: []string{program, method}}, stdin)
	if err != nil {
		return result, err
	}
	if status != 0 {
		return result, fmt.Errorf("%s: %s %s ended with status %d: %s", h.host, program, method, status, strings.TrimSpace(string(stderr)))
	}
	var a answer
	if err := json.Unmarshal(stdout, &a); err != nil {
		return result, fmt.Errorf("%s: %s %s: %w", h.host, program, method, err)
	}
	if err := json.Unmarshal(a.Result, &result); err != nil {
		return result, fmt.Errorf("%s: %s %s: %w", h.host, program, method, err)
	}
	return result, a.Failure.err()
}

// tell is ask where nothing comes back.
func tell(ctx context.Context, h *appHost, method string, args any) error {
	_, err := ask[nothing](ctx, h, method, args)
	return err
}

func (h *appHost) Look(ctx context.Context, project string) (runbook.View, error) {
	return ask[runbook.View](ctx, h, "Look", project)
}

func (h *appHost) Preflight(ctx context.Context, again bool) (runbook.HostReport, error) {
	return ask[runbook.HostReport](ctx, h, "Preflight", again)
}

func (h *appHost) Pins(ctx context.Context, images map[string]runbook.Image) ([]runbook.Pin, error) {
	return ask[[]runbook.Pin](ctx, h, "Pins", images)
}

func (h *appHost) Prove(ctx context.Context, images map[string]runbook.Image, from runbook.PinSource) error {
	return tell(ctx, h, "Prove", prove{images, from})
}

func (h *appHost) Images(ctx context.Context, images []runbook.Image, of bool) ([]runbook.ImageState, error) {
	return ask[[]runbook.ImageState](ctx, h, "Images", askImages{images, of})
}

func (h *appHost) Logs(ctx context.Context, project string) ([]runbook.ServiceLogs, error) {
	return ask[[]runbook.ServiceLogs](ctx, h, "Logs", project)
}

func (h *appHost) Fetch(ctx context.Context, image runbook.Image) error {
	return tell(ctx, h, "Fetch", image)
}

func (h *appHost) EditPins(ctx context.Context, l runbook.Lease, file string, edit func([]runbook.Pin) ([]runbook.Pin, error)) error {
	return standin.EditPins(ctx, h, l, file, edit)
}

func (h *appHost) ReadPins(ctx context.Context, file string, after bool) (standin.PinsReading, error) {
	return ask[standin.PinsReading](ctx, h, "ReadPins", readPins{file, after})
}

func (h *appHost) WritePins(ctx context.Context, l runbook.Lease, file, version string, change []runbook.Pin) error {
	return tell(ctx, h, "WritePins", writePins{l, file, version, change})
}

func (h *appHost) Start(ctx context.Context, l runbook.Lease, job runbook.Job) error {
	return tell(ctx, h, "Start", start{l, job})
}

func (h *appHost) Follow(ctx context.Context, l runbook.Lease, job string, offset int64, end bool) (runbook.Progress, error) {
	return ask[runbook.Progress](ctx, h, "Follow", follow{l, job, offset, end})
}

func (h *appHost) Lock(ctx context.Context) (runbook.LockState, error) {
	return ask[runbook.LockState](ctx, h, "Lock", nothing{})
}

func (h *appHost) Take(ctx context.Context, l runbook.Lease, first bool, wait time.Duration) error {
	return tell(ctx, h, "Take", take{l, first, wait})
}

func (h *appHost) Release(ctx context.Context, l runbook.Lease, force bool) (runbook.Released, error) {
	return ask[runbook.Released](ctx, h, "Release", release{l, force})
}
