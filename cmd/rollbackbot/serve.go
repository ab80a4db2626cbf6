package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"rollbackbot/bot"
	"rollbackbot/config"
	"rollbackbot/internal/journal"
	"rollbackbot/internal/probe"
	"rollbackbot/runbook"
	"rollbackbot/ssh"
)

func serveCommand() *cobra.Command {
	return &cobra.Command{
		Use: "serve", Short: "Run the bot",
		Long: "Runs the bot until SIGTERM or SIGINT. What is under way then goes on at the next start.\n" +
			"All configuration comes from the environment; the README lists every variable.",
		Example: "  rollbackbot serve", Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(config.Everything)
			if err != nil {
				return err
			}
			return serve(cmd.Context(), cfg, newLogger(cfg, cmd.ErrOrStderr()), nil)
		},
	}
}

// stopTimeout bounds a clean stop: commands on hosts go on there by themselves, so nothing has to be waited for long.
const stopTimeout = 20 * time.Second

// serve is the bot, wired. listening is told when it is ready to hear; it may be nil.
func serve(ctx context.Context, cfg config.Config, log zerolog.Logger, listening func()) error {
	store, err := journal.Open(ctx, cfg.DatabaseURL, journal.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	owner, err := store.Own(ctx)
	if err != nil {
		return err
	}
	// Whoever no longer owns the journal stops acting, and says so by its exit status.
	ctx, stop := owner.Context(ctx)
	defer stop()
	pool, err := newPool(cfg, log)
	if err != nil {
		return err
	}
	defer pool.Close()
	api := bot.NewClient(cfg.Slack.BotToken.Reveal(), cfg.Slack.AppToken.Reveal(), cfg.Slack.APIURL)
	announcer := bot.NewAnnouncer(api, bot.AnnouncerConfig{Channel: cfg.Slack.Channel, Leads: cfg.People.Leads, Apps: cfg.Apps}, log)
	directory := &bot.Directory{
		API: api, Channel: cfg.Slack.Channel, Leads: cfg.People.Leads, Requesters: cfg.People.Requesters, ChannelMayRequest: cfg.People.ChannelMayRequest,
	}
	runner := &runbook.Runner{
		Apps: cfg.Apps, Journal: store, Hosts: pool, Health: probe.Health{}, Directory: directory, Announcer: announcer,
		Policy: policy(cfg), SignoffTimeout: cfg.SignoffTimeout, Report: reportTo(log), Problem: problemTo(log),
	}
	listener := &bot.Bot{
		API: api, Runner: runner, Inbox: store, Directory: directory, Speaker: announcer, Channel: bot.Channel{API: api, ID: cfg.Slack.Channel},
		Apps: appNames(cfg), Log: log, UnderWay: runner.UnderWay, Listening: listening,
	}
	return errors.Join(together(ctx, log, cfg, runner, listener), owner.Err())
}

// together runs the parts until ctx ends, or until the listener finds something that only a person can mend.
func together(ctx context.Context, log zerolog.Logger, cfg config.Config, runner *runbook.Runner, listener *bot.Bot) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if err := runner.Start(ctx); err != nil {
		return err
	}
	log.Info().Str("version", version).Strs("apps", appNames(cfg)).Msg("started")
	observer := observerOf(cfg, runner.Hosts, runner.Journal)
	observer.Report = runner.Report
	observer.Problem = func(app string, err error) {
		log.Warn().Str("component", "observer").Str("app", app).Err(err).Msg("what runs could not be seen")
	}
	observed := make(chan struct{})
	go func() {
		defer close(observed)
		observer.ObserveAll(ctx, cfg.Apps)
	}()
	err := listener.Run(ctx)
	stop()
	quiet := make(chan struct{})
	go func() {
		defer close(quiet)
		runner.Wait()
		<-observed
	}()
	select {
	case <-quiet:
		log.Info().Msg("stopped")
	case <-time.After(stopTimeout):
		log.Warn().Msg("stopped before everything was put down; the next start reads how it ended")
	}
	return err
}

func newPool(cfg config.Config, log zerolog.Logger) (*ssh.Pool, error) {
	pool, err := ssh.New(ssh.Config{
		KeyFile: cfg.SSH.Key, AgentSocket: cfg.SSH.AgentSocket, KnownHosts: cfg.SSH.KnownHosts, Jump: string(cfg.SSH.Jump),
	}, component(log, "ssh"))
	if err != nil {
		return nil, usage("%v", err)
	}
	return pool, nil
}

func observerOf(cfg config.Config, hosts runbook.Hosts, journal runbook.Journal) runbook.Observer {
	return runbook.Observer{Hosts: hosts, Journal: journal, Health: probe.Health{}, Interval: cfg.ObserveInterval}
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
		log.Error().Str("rollback_id", rollback).Err(err).Msg("something went wrong; trying again")
	}
}

func manifestCommand() *cobra.Command {
	return &cobra.Command{
		Use: "manifest", Short: "Print the Slack app's manifest",
		Example: "  rollbackbot manifest   # paste it at https://api.slack.com/apps: Create New App, From a manifest", Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), string(bot.Manifest()))
			return err
		},
	}
}
