package main

import (
	"context"
	"errors"
	"fmt"
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
	"rollbackbot/internal/journal"
	"rollbackbot/internal/migration"
	"rollbackbot/internal/picture"
	"rollbackbot/internal/probe"
	"rollbackbot/runbook"
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
			d := &drill{cfg: cfg, app: app, out: cmd.OutOrStdout(), log: newLogger(cfg, cmd.ErrOrStderr())}
			return d.run(cmd.Context(), request)
		},
	}
	cmd.Flags().StringVar(&as, "as", "", "the Slack ID of who asks; their rights count")
	cmd.Flags().StringVar(&to, "to", "", "the release, as for plan")
	return cmd
}

// drill is one drill, wired: a Runner with a journal of its own, which reads the app's history from the real one.
type drill struct {
	cfg config.Config
	app runbook.App
	out io.Writer
	log zerolog.Logger

	store     *journal.Store // the real one: its history is read, and its inbox shared
	directory *bot.Directory
	announcer *bot.Announcer
	runner    *runbook.Runner
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

func (d *drill) run(ctx context.Context, request runbook.Request) error {
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
	if err := d.wire(ctx, own, &runbook.DrillHosts{App: d.app, Hosts: pool, Print: d.would}); err != nil {
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
func (d *drill) wire(ctx context.Context, own *journal.Store, hosts runbook.Hosts) error {
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
	d.runner = &runbook.Runner{
		Apps: []runbook.App{d.app}, Journal: drillJournal{own}, Past: d.store, Drill: true, Hosts: hosts, Health: probe.Health{}, ErrorRate: rates,
		Directory: d.directory, Roster: d.directory, Announcer: d.announcer, Policy: policy(cfg), SignoffTimeout: cfg.SignoffTimeout, Inbox: d.store,
		Chronicle: &runbook.Chronicle{}, Contacts: d.directory, Report: d.tell, Problem: problemTo(d.log),
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

func (d *drill) form() *bot.Form { return &bot.Form{Apps: []string{d.app.Name}, Runner: d.runner} }

// listen hears what people say while no bot acts for the journal: where one does, it hears, and puts what is about the
// drill into the inbox. Nothing else than that is heard here, since nobody would work it off.
func (d *drill) listen(ctx context.Context) {
	for {
		acts, err := d.served(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			d.log.Warn().Err(err).Msg("it could not be seen whether a bot acts; trying again")
		case err == nil && !acts:
			d.hear(ctx)
		}
		if !waited(ctx, drillEars) {
			return
		}
	}
}

// hear keeps sockets to Slack until a bot acts.
func (d *drill) hear(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	socket := &bot.Socket{API: d.directory.API, Handle: d.handler.Handle, Log: component(d.log, "socket")}
	d.setSocket(socket)
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	running.Go(func() { socket.Run(ctx) })
	for waited(ctx, drillEars) {
		if acts, err := d.served(ctx); err == nil && acts {
			d.setSocket(nil)
			return
		}
	}
}

func (d *drill) setSocket(s *bot.Socket) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.socket = s
}

// connected reports whether this process itself hears what people say.
func (d *drill) connected() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.socket != nil && d.socket.State().Connected
}

// waited waits for a while; false where ctx ended before.
func waited(ctx context.Context, wait time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(wait):
		return true
	}
}

// served reports whether a bot acts for the journal: whoever gets the ownership knows that none does, and gives it back.
func (d *drill) served(ctx context.Context) (bool, error) {
	owner, err := d.store.Own(ctx)
	var owned *journal.OwnedError
	switch {
	case err == nil:
		owner.Release()
		return false, nil
	case errors.As(err, &owned):
		return true, nil
	}
	return false, err
}

// heard waits until somebody hears what people say.
func (d *drill) heard(ctx context.Context) error {
	for deadline := time.Now().Add(drillHeard); ; {
		if d.connected() {
			return nil
		}
		if acts, err := d.served(ctx); err == nil && acts {
			return nil
		}
		if time.Now().After(deadline) {
			return errors.New("nobody would hear what people say: no socket to Slack opens, and no bot acts; `rollbackbot doctor` says why")
		}
		if !waited(ctx, drillLook) {
			return ctx.Err()
		}
	}
}

// play asks for the drill and waits for its end.
func (d *drill) play(ctx, base context.Context, desks *sync.WaitGroup, request runbook.Request) error {
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
func (d *drill) interrupted(ctx, base context.Context) string {
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
func (d *drill) free(ctx context.Context) error {
	id, err := d.store.Open(ctx, d.app.Name)
	if err != nil || id == "" {
		return err
	}
	rb, err := (&runbook.Runner{Apps: d.cfg.Apps, Journal: d.store}).Status(ctx, id)
	if err != nil {
		return err
	}
	return &runbook.BusyError{Rollback: rb}
}

// conclude says how long everything took, and what was not proven.
func (d *drill) conclude(rb runbook.Rollback) error {
	d.say("\nThe drill ended: %s. %s", rb.Outcome, rb.Why)
	for _, part := range []struct {
		name     string
		from, to time.Time
	}{
		{"from the request to the sign-off", rb.Request.At, rb.SignedAt},
		{"from the sign-off to healthy", rb.SignedAt, rb.HealthyAt},
		{"from healthy to the end", rb.HealthyAt, rb.EndedAt},
		{"in all", rb.Request.At, rb.EndedAt},
	} {
		if !part.from.IsZero() && !part.to.IsZero() {
			d.say("  %-34s %s", part.name, part.to.Sub(part.from).Round(time.Second))
		}
	}
	d.say("Not proven:")
	for _, text := range rb.NotProven() {
		d.say("  - %s", text)
	}
	if rb.Outcome != runbook.Succeeded {
		return &statusError{status: exitFailed}
	}
	return nil
}

func (d *drill) say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(d.out, format+"\n", args...)
}

// would prints a command that is not run.
func (d *drill) would(host runbook.Host, command string) {
	d.say("would run on %s: %s", host, command)
}

// tell prints what happens.
func (d *drill) tell(e runbook.Event) {
	at := e.At.UTC().Format("15:04:05 UTC")
	switch fact := e.Fact.(type) {
	case runbook.Answered:
		d.say("%s  %s answers %s", at, fact.By, fact.Answer)
	case runbook.Asked:
		d.say("%s  a question is open in the channel: %s", at, fact.Question.Text)
	case runbook.StepStarted:
		d.say("%s  %s …", at, fact.Step.Title())
	case runbook.StepFinished:
		d.say("%s  %s: %s %s", at, fact.Step.Title(), fact.Outcome.Verdict, fact.Outcome.Detail)
	}
}
