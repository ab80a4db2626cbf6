package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"rollbackbot/bot"
	"rollbackbot/config"
	"rollbackbot/internal/drill"
	"rollbackbot/internal/journal"
	"rollbackbot/internal/migration"
	"rollbackbot/internal/picture"
	"rollbackbot/internal/probe"
	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
	"rollbackbot/runbook/runner"
)

func drillCommand() *cobra.Command {
	var as, to string
	cmd := &cobra.Command{
		Use:   "drill APP --as U… [--to RELEASE]",
		Short: "Practise a whole rollback on your own configuration and Slack; changes nothing on any host",
		Long: "Asks for a rollback in the team channel in the name of --as, a Slack ID, marked as a drill in every message. People\n" +
			"sign off and answer as they would. What only reads is run on the hosts; every command that would change something\n" +
			"is printed here instead, and taken as done. It takes no lock, blocks no image, opens no ticket, and writes nothing\n" +
			"to the app's journal. At the end it says how long everything took, and what it did not prove.\n\n" +
			"It works beside `serve`, and without it. A real rollback of the app ends it; so does Ctrl-C.\n" +
			"Exit status 1: it did not end as a rollback that succeeded.",
		Example: "  rollbackbot drill shop --as U012ABCDEF\n  rollbackbot drill shop --as U012ABCDEF --to v41",
		Args:    exactly("the app"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if as == "" {
				return usage("drill wants --as with the Slack ID of who asks, as in --as U012ABCDEF")
			}
			cfg, err := config.Load(config.Everything)
			if err != nil {
				return err
			}
			app, err := findApp(cfg, args[0])
			if err != nil {
				return err
			}
			request := runbook.Request{App: app.Name, Release: to, Reason: "a drill", By: as, Owner: as}
			if strings.Contains(to, "=") {
				if request.Images, err = parseImages(to); err != nil {
					return err
				}
			}
			d := &drillProcess{cfg: cfg, app: app, out: cmd.OutOrStdout(), log: newLogger(cfg, cmd.ErrOrStderr())}
			return d.run(cmd.Context(), request)
		},
	}
	cmd.Flags().StringVar(&as, "as", "", "the Slack ID of who asks; their rights count")
	cmd.Flags().StringVar(&to, "to", "", "the release, as for plan")
	return cmd
}

// drillProcess is one drill, wired: a Runner with a journal of its own, which reads the app's history from the real one.
type drillProcess struct {
	cfg config.Config
	app runbook.App
	out io.Writer
	log zerolog.Logger

	store     *journal.Store // the real one: its history is read, and its inbox shared
	directory *bot.Directory
	announcer *bot.Announcer
	runner    *runner.Runner
	handler   *bot.Handler

	mu     sync.Mutex  // held while something is printed, too
	socket *bot.Socket // nil while a bot acts, which hears
}

const (
	// drillLook is how often it is looked how the drill stands, and whether a real rollback was asked for.
	drillLook = time.Second
	// drillEars is how often it is looked whether a bot acts, which then hears for the drill.
	drillEars = 5 * time.Second
	// drillHeard is how long it may take until somebody hears what people say.
	drillHeard = 30 * time.Second
	// drillEnd is how long a drill that was told to stop has to say so.
	drillEnd = 30 * time.Second
)

func (d *drillProcess) run(ctx context.Context, request runbook.Request) error {
	store, err := journal.Open(ctx, d.cfg.DatabaseURL.Reveal(), journal.Options{MustExist: true})
	if err != nil {
		return err
	}
	defer store.Close()
	d.store = store
	folder, err := os.MkdirTemp("", "rollbackbot-drill-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	own, err := journal.Open(ctx, "sqlite:"+filepath.Join(folder, "drill.db"), journal.Options{})
	if err != nil {
		return err
	}
	defer own.Close()
	pool, err := newPool(d.cfg, d.log)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := d.wire(ctx, own, &drill.Hosts{Hosts: hostsOf(pool), Print: d.would}); err != nil {
		return err
	}
	// What is under way is put down in its own order when the command is told to stop.
	base, stop := context.WithCancel(context.WithoutCancel(ctx))
	if err := d.runner.Start(base); err != nil {
		stop()
		return err
	}
	var ears sync.WaitGroup
	ears.Go(func() { d.listen(base) })
	defer func() {
		stop()
		ears.Wait()
		d.runner.Wait()
	}()
	if err := d.heard(ctx); err != nil {
		return err
	}
	return d.play(ctx, base, &ears, request)
}

// wire makes the parts of the drill, and proves that Slack takes what it says.
func (d *drillProcess) wire(ctx context.Context, own *journal.Store, hosts runbook.Hosts) error {
	cfg := d.cfg
	api := bot.NewClient(cfg.Slack.BotToken.Reveal(), cfg.Slack.AppToken.Reveal(), cfg.Slack.APIURL)
	who, err := bot.Identify(ctx, api)
	if err != nil {
		return err
	}
	channel := bot.Channel{API: api, ID: cfg.Slack.Channel}
	if err := channel.Check(ctx); err != nil {
		return err
	}
	rates, err := newPrometheus(cfg)
	if err != nil {
		return err
	}
	hub, err := newGitHub(cfg)
	if err != nil {
		return err
	}
	d.directory = &bot.Directory{API: api, Team: who.Team, Channel: cfg.Slack.Channel, Leads: cfg.People.Leads, Deputies: cfg.People.Deputies,
		Requesters: cfg.People.Requesters, ChannelMayRequest: cfg.People.ChannelMayRequest}
	d.announcer = bot.NewAnnouncer(api, bot.AnnouncerConfig{Channel: cfg.Slack.Channel, Leads: cfg.People.Leads, Deputies: cfg.People.Deputies, Apps: cfg.Apps, ErrorRate: picture.ErrorRate, Self: who}, d.log)
	d.runner = &runner.Runner{
		Apps: []runbook.App{d.app}, Journal: drillJournal{own}, Past: d.store, Drill: true, Hosts: hosts, Health: probe.Health{}, ErrorRate: rates,
		Directory: d.directory, Roster: d.directory, Announcer: d.announcer, Policy: policy(cfg), SignoffTimeout: cfg.SignoffTimeout, Inbox: d.store,
		Chronicle: &history.Chronicle{}, Contacts: d.directory, Report: d.tell, Problem: problemTo(d.log),
	}
	if hub != nil {
		d.runner.Source, d.runner.Judge, d.runner.Links = hub, migration.NewProcess(), hub
	}
	d.handler = &bot.Handler{
		Team: who.Team, Inbox: d.store, Form: d.form(), Directory: d.directory, Private: d.announcer, Stored: func() {}, Drills: true, Log: component(d.log, "handler"),
	}
	return nil
}

// drillJournal is a drill's own journal. What people say lies in the inbox of the real one; a journal wants the deliveries
// that its entries come from in its own, so that each counts once there.
type drillJournal struct{ *journal.Store }

func (j drillJournal) Append(ctx context.Context, entry runbook.Entry) ([]runbook.Event, error) {
	if entry.Cause != "" {
		if _, err := j.Put(ctx, runbook.Delivery{Key: entry.Cause, Kind: "drill", At: entry.At}); err != nil {
			return nil, err
		}
	}
	return j.Store.Append(ctx, entry)
}

func (d *drillProcess) form() *bot.Form {
	return &bot.Form{Apps: []string{d.app.Name}, Runner: d.runner}
}

// play asks for the drill and waits for its end.
func (d *drillProcess) play(ctx, base context.Context, desks *sync.WaitGroup, request runbook.Request) error {
	if err := d.free(ctx); err != nil {
		return err
	}
	request.At = time.Now().UTC()
	rb, err := d.runner.Request(ctx, request, "")
	if err != nil {
		return errors.New(bot.Sentence(err))
	}
	desk := &bot.Desk{
		Runner: d.runner, Inbox: d.store, Directory: d.directory, Form: d.form(), Speaker: d.announcer,
		Channel: bot.Channel{API: d.directory.API, ID: d.cfg.Slack.Channel}, Drill: rb.ID, Log: component(d.log, "desk"),
	}
	desks.Go(func() { desk.Run(base) })
	d.say("The drill %s is asked for in the team channel. Go there, and do as in earnest.", rb.ID)
	stopped, until := false, time.Time{}
	for {
		if rb, err = d.runner.Status(base, rb.ID); err != nil {
			return err
		}
		if rb.State == runbook.StateEnded && rb.Published {
			return d.conclude(rb)
		}
		why := d.interrupted(ctx, base)
		if why != "" && !stopped {
			stopped, until = true, time.Now().Add(drillEnd)
			d.say("The drill is stopped: %s.", why)
			if err := d.runner.Answer(base, runbook.Click{Rollback: rb.ID, Answer: runbook.Abort, By: request.By}); err != nil {
				return err
			}
		}
		if stopped && time.Now().After(until) {
			return errors.New("the drill was stopped, and could not say so in Slack: its messages there stay as they are")
		}
		time.Sleep(drillLook)
	}
}

// interrupted says why the drill has to stop; "" where it needn't.
func (d *drillProcess) interrupted(ctx, base context.Context) string {
	if ctx.Err() != nil {
		return "this command was told to end"
	}
	if err := d.free(base); err != nil {
		var busy *runbook.BusyError
		if errors.As(err, &busy) {
			return "a real rollback of " + d.app.Name + " was asked for"
		}
	}
	return ""
}

// free refuses beside a real rollback of the app: nobody practises then.
func (d *drillProcess) free(ctx context.Context) error {
	return runbook.OpenRollback(ctx, d.store, d.app.Name)
}
