package main

import (
	"fmt"
	"os"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"rollbackbot/config"
	"rollbackbot/internal/journal"
	"rollbackbot/runbook"
	"rollbackbot/runbook/hostlock"
)

func lockCommand() *cobra.Command {
	var reason, holder string
	var lasts time.Duration
	cmd := &cobra.Command{
		Use:   "lock APP [--reason TEXT] [--for 30m] [--as NAME]",
		Short: "Take an app's lock on its hosts, to keep rollbacks out while you work there",
		Long: "Takes the lock on every host of the app, or on none. It runs out by itself; the same name prolongs it. A rollback\n" +
			"that begins meanwhile is refused by the hosts, says who holds the lock, and can be tried again.",
		Example: "  rollbackbot lock shop --reason \"migrating the database by hand\" --for 1h",
		Args:    exactly("the app"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if lasts < hostlock.MinLockTime || lasts > hostlock.MaxLockTime {
				return usage("--for %s: it is %s at least and %s at most", lasts, hostlock.MinLockTime, hostlock.MaxLockTime)
			}
			return withHostLock(cmd, args[0], holder, func(lock hostlock.HostLock) ([]hostlock.HostLine, error) {
				return lock.Take(cmd.Context(), reason, lasts)
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", runbook.NotGiven, "why; whoever is refused reads it")
	cmd.Flags().DurationVar(&lasts, "for", 30*time.Minute, "how long, after which it runs out")
	nameFlag(cmd, &holder)
	return cmd
}

func unlockCommand() *cobra.Command {
	var holder string
	var force bool
	cmd := &cobra.Command{
		Use:   "unlock APP [--force] [--as NAME]",
		Short: "Give back an app's lock that was taken by hand or by a pipeline",
		Long: "Gives back what `rollbackbot lock` or a pipeline has taken, whoever it was. With --force also the lock of a\n" +
			"rollback, which then stops and asks; and a command that still runs under the lock on a host is killed.",
		Example: "  rollbackbot unlock shop",
		Args:    exactly("the app"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withHostLock(cmd, args[0], holder, func(lock hostlock.HostLock) ([]hostlock.HostLine, error) {
				return lock.GiveBack(cmd.Context(), force)
			})
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "take it from a rollback too, and kill what runs under it")
	nameFlag(cmd, &holder)
	return cmd
}

func nameFlag(cmd *cobra.Command, holder *string) {
	cmd.Flags().StringVar(holder, "as", "", "who you are, for the others and for the journal; without it USER@MACHINE")
}

// thisUser is who runs the command, as far as the machine knows.
func thisUser() string {
	name, machine := "somebody", "an unnamed machine"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		machine = host
	}
	return name + "@" + machine
}

// withHostLock does something with an app's lock, and prints how it went, a line for each host.
func withHostLock(cmd *cobra.Command, name, holder string, do func(hostlock.HostLock) ([]hostlock.HostLine, error)) error {
	cfg, err := config.Load(config.Hosts)
	if err != nil {
		return err
	}
	app, err := findApp(cfg, name)
	if err != nil {
		return err
	}
	if holder == "" {
		holder = thisUser()
	}
	store, err := journal.Open(cmd.Context(), cfg.DatabaseURL.Reveal(), journal.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	pool, err := newPool(cfg, newLogger(cfg, cmd.ErrOrStderr()))
	if err != nil {
		return err
	}
	defer pool.Close()
	lines, err := do(hostlock.HostLock{App: app, Journal: store, Hosts: hostsOf(pool), Holder: holder})
	for _, line := range lines {
		fmt.Fprintln(cmd.OutOrStdout(), line)
	}
	return err
}
