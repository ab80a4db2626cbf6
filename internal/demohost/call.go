package demohost

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// call is one call of docker.
type call struct {
	host        folder
	dir         string // where it was called
	environment lookup
	stdout      io.Writer
	stderr      io.Writer
}

// failure is how a command fails other than with status 1.
type failure struct {
	status int
	text   string
}

func (f *failure) Error() string { return f.text }

// daemonError is what the engine answers.
type daemonError string

func (e daemonError) Error() string { return "Error response from daemon: " + string(e) }

// command is one command that the stand-in understands.
type command struct {
	words []string // as in {"image", "inspect"}
	usage string   // what follows them
	run   func(c *call, args []string) error
}

func commands() []command {
	return []command{
		{[]string{"version"}, "[OPTIONS]", (*call).version},
		{[]string{"info"}, "[OPTIONS]", (*call).info},
		{[]string{"ps"}, "[OPTIONS]", (*call).ps},
		{[]string{"inspect"}, "[OPTIONS] NAME|ID [NAME|ID...]", (*call).inspect},
		{[]string{"logs"}, "[OPTIONS] CONTAINER", (*call).logs},
		{[]string{"image", "inspect"}, "[OPTIONS] IMAGE [IMAGE...]", (*call).imageInspect},
		{[]string{"manifest", "inspect"}, "[OPTIONS] [MANIFEST_LIST] MANIFEST", (*call).manifestInspect},
		{[]string{"pull"}, "[OPTIONS] NAME[:TAG|@DIGEST]", (*call).pull},
		{[]string{"compose"}, "[OPTIONS] COMMAND", (*call).compose},
	}
}

// run runs one command and gives the exit status.
func (c *call) run(args []string) int {
	err := c.dispatch(args)
	if err == nil {
		return 0
	}
	fmt.Fprintln(c.stderr, err)
	var f *failure
	if errors.As(err, &f) {
		return f.status
	}
	return 1
}

func (c *call) dispatch(args []string) error {
	for _, cmd := range commands() {
		if n := len(cmd.words); len(args) >= n && slices.Equal(args[:n], cmd.words) {
			return explainUsage(cmd, cmd.run(c, args[n:]))
		}
	}
	return fmt.Errorf("docker: unknown command: docker %s\n\nRun 'docker --help' for more information", strings.Join(args[:min(len(args), 1)], " "))
}

// usageError is a call that the command does not understand.
type usageError struct {
	text   string
	status int // docker's plugins give 1, docker itself 125 for flags
}

func (e *usageError) Error() string { return e.text }

// explainUsage adds what docker says below such an error.
func explainUsage(cmd command, err error) error {
	var usage *usageError
	if !errors.As(err, &usage) || cmd.words[0] == "compose" {
		return err
	}
	name := "docker " + strings.Join(cmd.words, " ")
	return &failure{status: usage.status, text: fmt.Sprintf("%s\n\nUsage:  %s %s\n\nRun '%s --help' for more information", usage.text, name, cmd.usage, name)}
}

// newFlags is an empty set of flags, whose errors are told by parse.
func newFlags() *pflag.FlagSet {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	return flags
}

const flagStatus = 125 // of `docker ps --nonsense`

func parse(flags *pflag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return &usageError{text: err.Error(), status: flagStatus}
	}
	return nil
}

// wantArguments refuses too few words behind the flags, or any other number than exactly that many.
func wantArguments(flags *pflag.FlagSet, name string, least int, exactly bool) error {
	n := flags.NArg()
	switch {
	case exactly && least == 0 && n > 0:
		return &usageError{text: fmt.Sprintf("docker: '%s' accepts no arguments", name), status: 1}
	case exactly && n != least:
		return &usageError{text: fmt.Sprintf("docker: '%s' requires %d argument", name, least), status: 1}
	case n < least:
		return &usageError{text: fmt.Sprintf("docker: '%s' requires at least %d argument", name, least), status: 1}
	}
	return nil
}

// unsupported refuses what docker can and the stand-in can't.
func unsupported(what string) error {
	return fmt.Errorf("this is the stand-in of a demo, and not docker: it understands what a rollback runs, and not %s", what)
}
