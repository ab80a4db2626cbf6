package overssh

import (
	"context"
	"encoding/json"
	"io"
	"regexp"

	"rollbackbot/internal/standin"
	"rollbackbot/runbook"
)

// named finds the method in a line, however its words are quoted there.
var named = regexp.MustCompile(`\b` + program + `\b\W+([A-Za-z]+)`)

// notFound is the exit status of a shell that finds no such program.
const notFound = 127

// Handler answers the lines of Hosts by what of gives; it ends with its context. A line that says nothing of a stand-in gets
// what a shell says of a program that it doesn't find.
func Handler(of func(app runbook.App, host runbook.Host) *standin.Host) func(ctx context.Context, line string, stdin io.Reader, stdout, stderr io.Writer) int {
	return func(ctx context.Context, line string, stdin io.Reader, stdout, stderr io.Writer) int {
		words := named.FindStringSubmatch(line)
		if words == nil || methods[words[1]] == nil {
			_, _ = io.WriteString(stderr, "this host only practises: it has no such program\n")
			return notFound
		}
		var q question
		if err := json.NewDecoder(stdin).Decode(&q); err != nil {
			_, _ = io.WriteString(stderr, program+": "+err.Error()+"\n")
			return 2
		}
		result, err := methods[words[1]](ctx, of(q.App, q.Host), q.Args)
		a := answer{Failure: failureOf(err)}
		if a.Result, err = json.Marshal(result); err == nil {
			err = json.NewEncoder(stdout).Encode(a)
		}
		if err != nil {
			_, _ = io.WriteString(stderr, program+": "+err.Error()+"\n")
			return 1
		}
		return 0
	}
}

// nothing is the result of a method that has none.
type nothing struct{}

// method reads the arguments of a method of the port.
func method[A, R any](do func(ctx context.Context, on *standin.Host, args A) (R, error)) func(context.Context, *standin.Host, json.RawMessage) (any, error) {
	return func(ctx context.Context, on *standin.Host, raw json.RawMessage) (any, error) {
		var args A
		if err := json.Unmarshal(raw, &args); err != nil {
			return nothing{}, err
		}
		return do(ctx, on, args)
	}
}

var methods = map[string]func(context.Context, *standin.Host, json.RawMessage) (any, error){
	"Look": method(func(ctx context.Context, on *standin.Host, project string) (runbook.View, error) {
		return on.Look(ctx, project)
	}),
	"Preflight": method(func(ctx context.Context, on *standin.Host, again bool) (runbook.HostReport, error) {
		return on.Preflight(ctx, again)
	}),
	"Pins": method(func(ctx context.Context, on *standin.Host, images map[string]runbook.Image) ([]runbook.Pin, error) {
		return on.Pins(ctx, images)
	}),
	"Prove": method(func(ctx context.Context, on *standin.Host, a prove) (nothing, error) {
		return nothing{}, on.Prove(ctx, a.Images, a.From)
	}),
	"Images": method(func(ctx context.Context, on *standin.Host, a askImages) ([]runbook.ImageState, error) {
		return on.Images(ctx, a.Images, a.Ask)
	}),
	"Logs": method(func(ctx context.Context, on *standin.Host, project string) ([]runbook.ServiceLogs, error) {
		return on.Logs(ctx, project)
	}),
	"Fetch": method(func(ctx context.Context, on *standin.Host, image runbook.Image) (nothing, error) {
		return nothing{}, on.Fetch(ctx, image)
	}),
	"ReadPins": method(func(ctx context.Context, on *standin.Host, a readPins) (standin.PinsReading, error) {
		return on.ReadPins(ctx, a.File, a.After)
	}),
	"WritePins": method(func(ctx context.Context, on *standin.Host, a writePins) (nothing, error) {
		return nothing{}, on.WritePins(ctx, a.Lease, a.File, a.Version, a.Change)
	}),
	"Start": method(func(ctx context.Context, on *standin.Host, a start) (nothing, error) {
		return nothing{}, on.Start(ctx, a.Lease, a.Job)
	}),
	"Follow": method(func(ctx context.Context, on *standin.Host, a follow) (runbook.Progress, error) {
		return on.Follow(ctx, a.Lease, a.Job, a.Offset, a.End)
	}),
	"Lock": method(func(ctx context.Context, on *standin.Host, _ nothing) (runbook.LockState, error) {
		return on.Lock(ctx)
	}),
	"Take": method(func(ctx context.Context, on *standin.Host, a take) (nothing, error) {
		return nothing{}, on.Take(ctx, a.Lease, a.First, a.Wait)
	}),
	"Release": method(func(ctx context.Context, on *standin.Host, a release) (runbook.Released, error) {
		return on.Release(ctx, a.Lease, a.Force)
	}),
}
