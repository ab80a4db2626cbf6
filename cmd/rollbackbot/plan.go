package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"rollbackbot/config"
	"rollbackbot/internal/journal"
	"rollbackbot/internal/migration"
	"rollbackbot/internal/probe"
	"rollbackbot/runbook"
	"rollbackbot/runbook/runner"
)

func planCommand() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "plan APP [--to RELEASE]",
		Short: "Print what a rollback would do, with the exact remote commands; changes nothing",
		Long: "Looks at every host as a rollback would, and prints from what to what it would go, who would have to sign off, and\n" +
			"each command. Without --to it goes to the last known-good release. It needs the database, which it never\n" +
			"creates, and the hosts.",
		Example: "  rollbackbot plan shop\n  rollbackbot plan shop --to v41\n  rollbackbot plan shop --to \"api=ghcr.io/acme/shop/api@sha256:… worker=… web=…\"",
		Args:    exactly("the app"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := config.Load(config.Hosts)
			if err != nil {
				return err
			}
			app, err := findApp(cfg, args[0])
			if err != nil {
				return err
			}
			request := runbook.Request{App: app.Name, Release: to}
			if strings.Contains(to, "=") {
				if request.Images, err = parseImages(to); err != nil {
					return err
				}
			}
			return printPlan(cmd, cfg, request)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "the release: previous (the default), an ID, a version, sha256: and 12 or more digits, or SERVICE=NAME@sha256:… for every service")
	return cmd
}

func parseImages(text string) (map[string]runbook.Image, error) {
	note, err := deploymentNote(strings.Fields(text), "", "", "")
	return note.Images, err
}

func printPlan(cmd *cobra.Command, cfg config.Config, request runbook.Request) error {
	store, err := journal.Open(cmd.Context(), cfg.DatabaseURL.Reveal(), journal.Options{MustExist: true})
	if err != nil {
		return err
	}
	defer store.Close()
	pool, err := newPool(cfg, newLogger(cfg, cmd.ErrOrStderr()))
	if err != nil {
		return err
	}
	defer pool.Close()
	hub, err := newGitHub(cfg)
	if err != nil {
		return err
	}
	rates, err := newPrometheus(cfg)
	if err != nil {
		return err
	}
	planner := runner.Runner{Apps: cfg.Apps, Journal: store, Hosts: hostsOf(pool), Health: probe.Health{}, ErrorRate: rates, Policy: policy(cfg)}
	if hub != nil {
		planner.Source, planner.Judge = hub, migration.NewProcess()
	}
	plan, needsLead, err := planner.Plan(cmd.Context(), request)
	if err != nil {
		return err
	}
	writePlan(cmd.OutOrStdout(), plan, needsLead)
	return nil
}

// writePlan is a plan for a terminal.
func writePlan(out io.Writer, plan runbook.Plan, needsLead string) {
	say := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }
	say("Rollback of %s to %s", plan.App, runbook.Describe(plan.Target))
	say("Plan %s", plan.Hash())
	if needsLead == "" {
		say("No lead is needed: the requester confirms.")
	} else {
		say("The engineering lead has to sign off: %s.", needsLead)
	}
	for _, fact := range plan.Migration.Releases {
		say("Migration of %s: %s (%s)", fact.Release, fact.Migration, fact.Source)
	}
	writeChanges(say, plan)
	for _, c := range plan.Evidence {
		say("%s: %s, %s", c.Name.Text(), c.Held, c.Detail)
	}
	for _, warning := range plan.Warnings {
		say("Warning: %s", warning)
	}
	for _, host := range plan.Excluded {
		say("Left out: %s: %s", host.Host, host.Why)
	}
	for _, host := range plan.Hosts {
		say("\nOn %s:", host.Host)
		for _, s := range host.Services {
			from := s.From.String()
			if from == "" {
				from = s.FromNote
			}
			say("  %s: %s\n    -> %s", s.Service, from, s.To)
		}
		say("Commands, in a login shell, each under the lock in ~/.rollbackbot/%s:", plan.App)
		for _, pull := range host.Pulls {
			say("  %s    # unless the host has it", pull)
		}
		for _, pin := range host.Pins() {
			say("  # into %s: %s=%s", host.EnvFile, pin.Variable, pin.Value)
		}
		say("  %s    # has to show these images", host.Prove)
		say("  %s", host.Up)
		if len(host.Restart.Args) > 0 {
			say("  %s    # what depends on them", host.Restart)
		}
	}
}

func writeChanges(say func(string, ...any), plan runbook.Plan) {
	text := plan.Changes.Summary()
	if text == "" {
		return
	}
	if plan.Changes.URL != "" {
		text += ": " + plan.Changes.URL
	}
	say("Between the two releases: %s", text)
	for _, m := range plan.Changes.Migrations {
		say("  %s", m.Text())
	}
}

func policy(cfg config.Config) runbook.Policy {
	return runbook.Policy{
		SignoffAlways: cfg.SignoffAlways, SelfSignoff: cfg.People.SelfSignoff,
		Deputies: len(cfg.People.Deputies) > 0, BreakGlass: cfg.People.BreakGlass,
	}
}

// newLogger is the program's log: JSON lines, or text for people at a terminal.
func newLogger(cfg config.Config, out io.Writer) zerolog.Logger {
	if cfg.Log.Format == "console" {
		out = zerolog.ConsoleWriter{Out: out}
	}
	level, err := zerolog.ParseLevel(cfg.Log.Level)
	if err != nil || cfg.Log.Level == "" {
		level = zerolog.InfoLevel
	}
	return zerolog.New(out).Level(level).With().Timestamp().Logger()
}
