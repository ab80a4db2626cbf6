package overssh

import (
	"encoding/json"
	"errors"
	"time"

	"rollbackbot/runbook"
)

// program is the first word of every command.
const program = "standin"

// question is what a command reads: the app as the bot knows it, the host as the bot calls it, and the method's arguments.
type question struct {
	App  runbook.App
	Host runbook.Host
	Args json.RawMessage
}

// answer is what a command prints. Released has both: what was killed is told with an error, too.
type answer struct {
	Result  json.RawMessage `json:",omitempty"`
	Failure *failure        `json:",omitempty"`
}

// What the methods take, where that is more than one thing.
type (
	prove struct {
		Images map[string]runbook.Image
		From   runbook.PinSource
	}
	askImages struct {
		Images []runbook.Image
		Ask    bool
	}
	readPins struct {
		File  string
		After bool
	}
	writePins struct {
		Lease         runbook.Lease
		File, Version string
		Change        []runbook.Pin
	}
	start struct {
		Lease runbook.Lease
		Job   runbook.Job
	}
	follow struct {
		Lease  runbook.Lease
		Job    string
		Offset int64
		End    bool
	}
	take struct {
		Lease runbook.Lease
		First bool
		Wait  time.Duration
	}
	release struct {
		Lease runbook.Lease
		Force bool
	}
)

// failure is an error of the port as data: the one that decides, and what the text wraps besides.
type failure struct {
	Text     string
	Problems []runbook.Problem    `json:",omitempty"` // of a *runbook.PreflightError
	Host     *runbook.HostError   `json:",omitempty"`
	Lease    *runbook.LeaseError  `json:",omitempty"`
	Locked   *runbook.LockedError `json:",omitempty"`
	Wraps    []string             `json:",omitempty"` // the keys of wrapped
}

// wrapped are the errors that the port names.
var wrapped = map[string]error{"lost": runbook.ErrLost, "no engine": runbook.ErrNoEngine, "denied": runbook.ErrDenied}

// failureOf gives nil for no error.
func failureOf(err error) *failure {
	if err == nil {
		return nil
	}
	f := &failure{Text: err.Error()}
	for name, one := range wrapped {
		if errors.Is(err, one) {
			f.Wraps = append(f.Wraps, name)
		}
	}
	var preflight *runbook.PreflightError
	if errors.As(err, &preflight) {
		f.Problems = preflight.Problems
	}
	errors.As(err, &f.Lease)
	errors.As(err, &f.Locked)
	if errors.As(err, &f.Host) {
		plain := *f.Host
		plain.Err = nil // its text is in Text; an error is no JSON
		f.Host = &plain
	}
	return f
}

// err is the error again; nil for no failure.
func (f *failure) err() error {
	if f == nil {
		return nil
	}
	var causes []error
	for _, name := range f.Wraps {
		causes = append(causes, wrapped[name])
	}
	switch {
	case f.Problems != nil:
		return &runbook.PreflightError{Problems: f.Problems, Err: errors.Join(causes...)}
	case f.Host != nil:
		return f.Host
	case f.Lease != nil:
		return f.Lease
	case f.Locked != nil:
		return f.Locked
	}
	return &told{f.Text, causes}
}

// told is an error that the host's side told of.
type told struct {
	text   string
	causes []error
}

func (e *told) Error() string   { return e.text }
func (e *told) Unwrap() []error { return e.causes }
