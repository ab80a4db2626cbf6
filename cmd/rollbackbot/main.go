// Command rollbackbot is the runbook "Rollback a Release" as a Slack bot, and the same from a terminal.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"rollbackbot/config"
	"rollbackbot/internal/migration"
)

// version is stamped by the build: scripts/build.sh.
var version = "unversioned"

func main() {
	// Migration files are judged by this very binary, in a process of its own.
	if migration.IsChild(os.Args) {
		os.Exit(migration.RunChild())
	}
	if isDemoBot() && len(os.Args) == 1 {
		os.Exit(runDemoBot())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// The exit statuses of every command.
const (
	exitOK          = 0
	exitFailed      = 1 // the answer is no, or it could not be found out
	exitUsage       = 2 // bad usage or configuration: every problem on a line of its own
	exitQuarantined = 3
)

// statusError carries the exit status of an error; err may be nil where everything was said already.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *statusError) Unwrap() error { return e.err }

func usage(format string, args ...any) error {
	return &statusError{exitUsage, fmt.Errorf(format, args...)}
}

// run is the program as a value: a test starts it with its own arguments.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := rootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var status *statusError
	var problems config.Problems
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &problems):
		fmt.Fprintln(stderr, problems.Error())
		return exitUsage
	case errors.As(err, &status):
		if status.err != nil {
			fmt.Fprintln(stderr, status.Error())
		}
		return status.status
	}
	fmt.Fprintln(stderr, err)
	return exitFailed
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "rollbackbot",
		Short: "The runbook \"Rollback a Release\" as a Slack bot",
		Long: "Rollbackbot takes a team on a VPS with Docker Compose back to its last known-good release:\n" +
			"/rollback in Slack, the engineering lead's sign-off, the deployment by digest, its proof, and the record.\n\n" +
			"Try it without anything: rollbackbot demo",
		Example:       "  rollbackbot demo\n  rollbackbot plan shop\n  rollbackbot serve",
		SilenceErrors: true, SilenceUsage: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("there is no command %q; `rollbackbot help` lists them", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("%v; `rollbackbot help %s` says how", err, cmd.Name())
	})
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(demoCommand(), serveCommand(), initCommand(), doctorCommand(), planCommand(), deployedCommand(), allowedCommand(), historyCommand(),
		auditCommand(), postmortemCommand(), runCommand(), signoffCommand(), drillCommand(), lockCommand(), unlockCommand(), manifestCommand(), versionCommand())
	return root
}

// exactly wants n arguments, each named in the message.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return usage("%s takes %s; `rollbackbot help %s` says how", cmd.CommandPath(), listOf(names), cmd.Name())
		}
		return nil
	}
}

func listOf(names []string) string {
	switch len(names) {
	case 0:
		return "no arguments"
	case 1:
		return "one argument, " + names[0]
	}
	return fmt.Sprintf("%d arguments", len(names))
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the build", Args: exactly(), Example: "  rollbackbot version",
		Long: "Prints the build that this is, as the log's first line and rollbackbot_build_info in /metrics say it. It needs no\n" +
			"configuration.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "rollbackbot "+version)
			return err
		},
	}
}
