package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"rollbackbot/bot"
	"rollbackbot/config"
	"rollbackbot/internal/compose"
	"rollbackbot/internal/github"
	"rollbackbot/internal/journal"
	"rollbackbot/internal/probe"
	"rollbackbot/internal/registry"
	"rollbackbot/runbook"
	"rollbackbot/runbook/watch"
	"rollbackbot/ssh"
)

func serveCommand() *cobra.Command {
	var healthy bool
	cmd := &cobra.Command{
		Use: "serve [--healthy]", Short: "Run the bot",
		Long: "Runs the bot until SIGTERM or SIGINT. What is under way then goes on at the next start.\n" +
			"All configuration comes from the environment; the README lists every variable.\n\n" +
			"With --healthy it starts nothing: it asks the one that runs here, at ROLLBACK_HTTP_ADDR, whether it lives, for\n" +
			"a container's health check. Exit status 1: it does not.",
		Example: "  rollbackbot serve\n  rollbackbot serve --healthy", Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(config.Everything)
			if err != nil {
				return err
			}
			if healthy {
				return askHealthy(cmd.Context(), cfg.HTTPAddr)
			}
			err = serve(cmd.Context(), cfg, newLogger(cfg, cmd.ErrOrStderr()), nil)
			if cmd.Context().Err() != nil && errors.Is(err, context.Canceled) {
				return nil // told to stop before it had begun
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&healthy, "healthy", false, "ask the bot that runs here whether it lives, and end")
	return cmd
}

// serve is the bot, wired. listening is told when it is ready to hear; it may be nil.
func serve(ctx context.Context, cfg config.Config, log zerolog.Logger, listening func()) error {
	store, err := journal.Open(ctx, cfg.DatabaseURL.Reveal(), journal.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	r, err := openReplica(cfg, log, store)
	if err != nil {
		return err
	}
	defer r.pool.Close()
	r.listener.Listening = listening
	status, err := r.openStatus(ctx)
	if err != nil {
		return err
	}
	defer status.close()
	return r.run(ctx)
}

// openReplica makes a replica with all that it reaches; its pool is to be closed.
func openReplica(cfg config.Config, log zerolog.Logger, store *journal.Store) (*replica, error) {
	if _, err := loadSigners(cfg); err != nil {
		return nil, usage("%v", err)
	}
	rates, err := newPrometheus(cfg)
	if err != nil {
		return nil, err
	}
	hub, err := newGitHub(cfg)
	if err != nil {
		return nil, err
	}
	pool, err := newPool(cfg, log)
	if err != nil {
		return nil, err
	}
	return newReplica(cfg, log, store, pool, rates, hub), nil
}

// newGitHub is the client of the configured GitHub; nil where none is.
func newGitHub(cfg config.Config) (*github.Client, error) {
	if cfg.GitHub.Token.IsZero() {
		return nil, nil
	}
	return github.New(cfg.GitHub.Token.Reveal(), cfg.GitHub.URL)
}

func newPool(cfg config.Config, log zerolog.Logger) (*ssh.Pool, error) {
	pool, err := ssh.New(ssh.Config{
		KeyFile: cfg.SSH.Key, AgentSocket: cfg.SSH.AgentSocket, KnownHosts: cfg.SSH.KnownHosts, Jump: string(cfg.SSH.Jump),
	}, log)
	if err != nil {
		return nil, usage("%v", err)
	}
	return pool, nil
}

// hostsOf are the apps' hosts, reached through a pool.
func hostsOf(pool *ssh.Pool) runbook.Hosts {
	if isDemoBot() {
		return practiceHosts(pool)
	}
	return &compose.Hosts{Shell: func(host runbook.Host) compose.Shell { return pool.Client(host) }, Registry: registry.Images{}}
}

func newPrometheus(cfg config.Config) (*probe.Prometheus, error) {
	addresses := map[string]string{}
	for app, address := range cfg.Prometheus {
		addresses[app] = address.Reveal()
	}
	rates, err := probe.NewPrometheus(addresses)
	if err != nil {
		return nil, usage("%v", err)
	}
	return rates, nil
}

func observerOf(cfg config.Config, hosts runbook.Hosts, journal runbook.Journal) watch.Observer {
	return watch.Observer{Hosts: hosts, Journal: journal, Health: probe.Health{}, Interval: cfg.ObserveInterval, Suggest: cfg.Suggest}
}

func component(log zerolog.Logger, name string) zerolog.Logger {
	return log.With().Str("component", name).Logger()
}

func appNames(cfg config.Config) []string {
	names := make([]string, len(cfg.Apps))
	for i, app := range cfg.Apps {
		names[i] = app.Name
	}
	return names
}

// reportTo logs every event after it was written to the journal.
func reportTo(log zerolog.Logger) func(runbook.Event) {
	log = component(log, "runbook")
	return func(e runbook.Event) {
		line := log.Info().Str("app", e.App).Str("event", e.Fact.Kind()).Int64("seq", e.Seq)
		if e.Rollback != "" {
			line = line.Str("rollback_id", e.Rollback)
		}
		if e.Actor != "" {
			line = line.Str("actor", e.Actor)
		}
		detail(line, e.Fact).Msg(e.Fact.Kind())
	}
}

// detail adds what one looks for in a log; the whole of an event is in the journal.
func detail(line *zerolog.Event, fact runbook.Fact) *zerolog.Event {
	switch f := fact.(type) {
	case runbook.StepStarted:
		return line.Str("step", string(f.Step)).Int("attempt", f.Attempt)
	case runbook.StepFinished:
		return line.Str("step", string(f.Step)).Int("attempt", f.Attempt).Str("verdict", string(f.Outcome.Verdict)).Str("detail", f.Outcome.Detail)
	case runbook.CommandStarted:
		return line.Str("host", string(f.Host)).Str("step", string(f.Step)).Str("command", f.Command)
	case runbook.CommandFinished:
		return line.Str("host", string(f.Host)).Bool("known", f.Known).Int("status", f.Status)
	case runbook.LeaseTaken:
		return line.Str("host", string(f.Host)).Int64("epoch", f.Epoch)
	case runbook.Answered:
		return line.Str("answer", string(f.Answer))
	case runbook.Refused:
		return line.Str("action", f.Action).Str("why", f.Why)
	case runbook.BaselineFrozen:
		return line.Float64("rate", f.Baseline.Rate).Int("samples", f.Baseline.Samples).Str("problem", f.Baseline.Problem)
	case runbook.Described:
		return line.Str("commit", f.Commit).Str("version", f.Version).Strs("missing", f.Missing)
	case runbook.TicketOpened:
		return line.Int("number", f.Number).Str("url", f.URL)
	case runbook.TicketForgone:
		return line.Str("why", f.Why)
	case runbook.OwnerAsked:
		return line.Str("owner", f.Owner)
	case runbook.Ended:
		return line.Str("outcome", string(f.Outcome)).Str("why", f.Why)
	}
	return line
}

// problemTo logs what went wrong and is tried again.
func problemTo(log zerolog.Logger) func(string, error) {
	log = component(log, "runbook")
	return func(rollback string, err error) {
		if errors.Is(err, context.Canceled) {
			return
		}
		line := log.Error().Str("rollback_id", rollback).Err(err)
		var abandoned *runbook.AbandonedError
		if errors.As(err, &abandoned) {
			line.Str("app", abandoned.App).Msg("an open rollback is carried by nobody")
			return
		}
		line.Msg("something went wrong; trying again")
	}
}

func manifestCommand() *cobra.Command {
	return &cobra.Command{
		Use: "manifest", Short: "Print the Slack app's manifest",
		Long:    "Prints what the Slack app has to be: its command, scopes and events. It needs no configuration.",
		Example: "  rollbackbot manifest   # paste it at https://api.slack.com/apps: Create New App, From a manifest", Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), string(bot.Manifest()))
			return err
		},
	}
}
