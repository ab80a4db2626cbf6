package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"rollbackbot/config"
	"rollbackbot/internal/demohost"
	"rollbackbot/internal/journal"
	"rollbackbot/internal/localslack"
	"rollbackbot/runbook"
)

func demoCommand() *cobra.Command {
	var addr string
	var headless bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Try the whole product on this machine; needs nothing",
		Long: "Starts a Slack on this machine as a web page, and a host, reached over real SSH, on which a broken release runs.\n" +
			"Open the page, type /rollback shop, sign off as the lead, and watch it heal. Ctrl-C leaves nothing behind.",
		Example: "  rollbackbot demo\n  rollbackbot demo --headless    # plays it in the terminal and prints the record",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if host, _, err := net.SplitHostPort(addr); err != nil || !net.ParseIP(host).IsLoopback() {
				return usage("--addr %q: give a loopback address with a port, as in 127.0.0.1:8400", addr)
			}
			if headless {
				return playDemo(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
			}
			return showDemo(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), addr)
		},
	}
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:8400", "where the page listens: loopback only")
	cmd.Flags().BoolVar(&headless, "headless", false, "play the rollback in the terminal, without a page")
	return cmd
}

// The people of the demo's workspace.
const (
	demoChannel = "C0ROLLBACK"
	demoOnCall  = "U0ANA"
	demoLead    = "U0LENA"
	demoNobody  = "U0MALLORY"
	demoBot     = "U0ROLLBACKBOT"
	demoLeads   = "S0LEADS"
)

// The demo's waiting times. The page says that they are shortened.
const (
	demoHealthInterval = time.Second
	demoWindow         = 15 * time.Second
	demoVerifyAfter    = time.Second
	demoObserve        = 300 * time.Millisecond
)

const demoBanner = "Practice on this machine: nothing here reaches a real Slack or a real server. Waiting times are shortened: " +
	"the error rate is watched for 15 seconds instead of 5 minutes."

// demo is the whole product on embedded parts.
type demo struct {
	slack  *localslack.Server
	host   *demohost.Host
	folder string // of the journal
	cfg    config.Config
}

func demoWorkspace() localslack.Workspace {
	return localslack.Workspace{
		TeamName: "Practice", BotUser: demoBot, Commands: []string{"/rollback"},
		Users: []localslack.User{
			{ID: demoOnCall, Name: "ana", RealName: "Ana"}, {ID: demoLead, Name: "lena", RealName: "Lena"},
			{ID: demoNobody, Name: "mallory", RealName: "Mallory"}, {ID: demoBot, Name: "rollbackbot", RealName: "Rollbackbot", Bot: true},
		},
		Channels: []localslack.Channel{{ID: demoChannel, Name: "shop-production", Members: []string{demoOnCall, demoLead, demoNobody, demoBot}}},
		Groups:   []localslack.UserGroup{{ID: demoLeads, Handle: "engineering-leads", Members: []string{demoLead}}},
	}
}

// startDemo starts the parts and tells the story so far: v1 ran well, then v2 was deployed and its api is broken.
func startDemo(ctx context.Context, addr string) (d *demo, err error) {
	d = &demo{}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	d.slack = localslack.New(demoWorkspace(), localslack.WithBanner(demoBanner),
		localslack.WithSuggestions("/rollback shop because checkout answers 503", "/rollback shop", "/rollback help"),
		localslack.WithPeople(localslack.Person{User: demoOnCall, Role: "on-call"}, localslack.Person{User: demoLead, Role: "engineering lead"},
			localslack.Person{User: demoNobody, Role: "no rights"}))
	if err := d.slack.Start(addr); err != nil {
		return d, fmt.Errorf("%w; is another demo running? --addr chooses another port", err)
	}
	if d.folder, err = os.MkdirTemp("", "rollbackbot-demo-journal-"); err != nil {
		return d, err
	}
	if d.host, err = demohost.Start(ctx, demohost.Options{}); err != nil {
		return d, err
	}
	d.cfg = d.config()
	return d, d.tellTheStory(ctx)
}

func (d *demo) config() config.Config {
	app := d.host.App()
	app.Health.Attempts, app.Health.Interval = 12, demoHealthInterval
	app.ErrorRate.Window, app.VerifyAfter = demoWindow, demoVerifyAfter
	workspace := d.slack.Workspace()
	return config.Config{
		DatabaseURL: config.NewSecret("sqlite:" + filepath.Join(d.folder, "rollbackbot.db")),
		Apps:        []runbook.App{app},
		Slack: config.Slack{
			BotToken: config.NewSecret(workspace.BotToken), AppToken: config.NewSecret(workspace.AppToken),
			APIURL: d.slack.APIURL(), Channel: demoChannel,
		},
		People:         config.People{Leads: []string{demoLeads}, Requesters: []string{demoOnCall, demoLead}},
		SSH:            config.SSH{Key: d.host.KeyFile, KnownHosts: d.host.KnownHosts},
		SignoffTimeout: 30 * time.Minute, ObserveInterval: demoObserve,
		Log: config.Log{Level: "warn", Format: "console"},
	}
}

// tellTheStory lets v1 run and be seen healthy, and then deploys the broken v2, each with its note, as CI would.
func (d *demo) tellTheStory(ctx context.Context) error {
	store, err := journal.Open(ctx, d.cfg.DatabaseURL.Reveal(), journal.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	app := d.cfg.Apps[0]
	for _, release := range demohost.Releases() {
		note := runbook.Deployed{Images: release.Images, Version: release.Version, Commit: release.Commit, Migration: release.Migration}
		if _, err := runbook.NoteDeployment(ctx, store, app, note); err != nil {
			return err
		}
		if err := d.host.Deploy(ctx, release.Version); err != nil {
			return err
		}
		if err := d.observe(ctx, store, app, release); err != nil {
			return err
		}
	}
	return nil
}

// observe watches a release as the bot would have: until it is known-good, or, where it is broken, until it was seen.
func (d *demo) observe(ctx context.Context, store *journal.Store, app runbook.App, release demohost.Release) error {
	pool, err := newPool(d.cfg, zerolog.Nop())
	if err != nil {
		return err
	}
	defer pool.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	seen := make(chan struct{}, 1)
	observer := observerOf(d.cfg, pool, store)
	observer.Report = func(e runbook.Event) {
		_, verified := e.Fact.(runbook.Verified)
		if _, observed := e.Fact.(runbook.Observed); verified || observed && release.Version == demohost.V2 {
			select {
			case seen <- struct{}{}:
			default:
			}
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		observer.Observe(ctx, app)
	}()
	defer func() { cancel(); <-done }()
	select {
	case <-ctx.Done():
		return fmt.Errorf("the demo's %s was not seen to run: %w", release.Version, ctx.Err())
	case <-seen:
		return nil
	}
}

// close ends every part and leaves nothing behind.
func (d *demo) close() error {
	var failures []error
	if d.host != nil {
		failures = append(failures, d.host.Close())
	}
	if d.slack != nil {
		failures = append(failures, d.slack.Close())
	}
	if d.folder != "" {
		failures = append(failures, os.RemoveAll(d.folder))
	}
	return errors.Join(failures...)
}

// run starts the demo, and the bot on it; during is what happens while the bot listens.
func runDemo(ctx context.Context, out, errs io.Writer, addr string, during func(context.Context, *demo) error) (err error) {
	fmt.Fprintln(out, "Setting the scene: v1 runs well, then v2 is deployed and its api answers 503 …")
	d, err := startDemo(ctx, addr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	listening := make(chan struct{})
	served := make(chan error, 1)
	go func() {
		served <- serve(ctx, d.cfg, newLogger(d.cfg, errs), func() { close(listening) })
	}()
	select {
	case err := <-served:
		return err
	case <-listening:
	}
	if err := d.slack.Wait(ctx, func(now *localslack.Snapshot) bool { return now.Sockets() > 0 }); err != nil {
		return errors.Join(err, <-served)
	}
	err = during(ctx, d)
	stop()
	return errors.Join(err, <-served)
}

func showDemo(ctx context.Context, out, errs io.Writer, addr string) error {
	return runDemo(ctx, out, errs, addr, func(ctx context.Context, d *demo) error {
		fmt.Fprintf(out, `
Open    %s
Type    /rollback shop because checkout answers 503
Then    become Lena, the engineering lead, at the top of the page, and sign off.
        Mallory has no rights: try what happens when she presses a button.

The shop itself: %s answers 503 now, and 200 once v1 is back.
Ctrl-C ends the demo and leaves nothing behind.
`, d.slack.PageURL(), d.host.HealthURL)
		<-ctx.Done()
		return nil
	})
}
