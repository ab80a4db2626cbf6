package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"rollbackbot/bot"
	"rollbackbot/config"
	"rollbackbot/internal/github"
	"rollbackbot/internal/journal"
	"rollbackbot/internal/migration"
	"rollbackbot/internal/picture"
	"rollbackbot/internal/probe"
	"rollbackbot/internal/registry"
	"rollbackbot/internal/terminal"
	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
	"rollbackbot/runbook/preflight"
	"rollbackbot/runbook/rate"
	"rollbackbot/runbook/runner"
	"rollbackbot/runbook/watch"
	"rollbackbot/ssh"
)

// replica is one process of the bot. It always listens, and stores what people say where all replicas find it. It acts,
// and answers, while the journal is its own; otherwise it stands by.
type replica struct {
	cfg       config.Config
	log       zerolog.Logger
	store     *journal.Store
	pool      *ssh.Pool
	hosts     runbook.Hosts // through the pool
	rates     runbook.ErrorRateChecker
	announcer *bot.Announcer
	directory *bot.Directory
	listener  *bot.Bot
	chronicle *history.Chronicle // for all that asks in this process
	observed  sync.Map           // when the hosts of each app were last seen, by its name
	tally     tally              // what this process saw happen
	heard     atomic.Int64       // when this process last stored what somebody said, in Unix milliseconds; 0: never
	github    *github.Client     // nil: none is configured
	judge     *migration.Process // one: a single child at a time judges migrations

	mu   sync.Mutex
	term *term // nil while it stands by
}

// term is one ownership of the journal: what acts, until the replica stops or another one has taken over.
type term struct {
	owner  *journal.Ownership
	runner *runner.Runner
	desk   *bot.Desk
	since  time.Time
}

const (
	// stopTimeout bounds how long what acts is waited for once it has been told to stop: commands on hosts go on there
	// by themselves, so nothing has to be waited for long.
	stopTimeout = 20 * time.Second
	// startPatience is how long a journal that can't be read is tried again, with startInterval between two attempts:
	// longer than a restart of PostgreSQL takes.
	startPatience = 30 * time.Second
	startInterval = time.Second
)

func newReplica(cfg config.Config, log zerolog.Logger, store *journal.Store, pool *ssh.Pool, rates runbook.ErrorRateChecker, hub *github.Client) *replica {
	api := bot.NewClient(cfg.Slack.BotToken.Reveal(), cfg.Slack.AppToken.Reveal(), cfg.Slack.APIURL)
	r := &replica{
		cfg: cfg, log: log, store: store, pool: pool, hosts: hostsOf(pool), rates: rates, github: hub, judge: migration.NewProcess(),
		announcer: bot.NewAnnouncer(api, bot.AnnouncerConfig{Channel: cfg.Slack.Channel, Leads: cfg.People.Leads, Deputies: cfg.People.Deputies, Apps: cfg.Apps, ErrorRate: picture.ErrorRate}, log),
		directory: &bot.Directory{
			API: api, Channel: cfg.Slack.Channel, Leads: cfg.People.Leads, Deputies: cfg.People.Deputies, Requesters: cfg.People.Requesters, ChannelMayRequest: cfg.People.ChannelMayRequest,
		},
	}
	r.chronicle = &history.Chronicle{Memos: store, Keep: true, Problem: func(app string, err error) {
		r.log.Warn().Str("app", app).Err(err).Msg("the history could not be kept for commands; they read the journal")
	}}
	r.listener = &bot.Bot{
		API: api, Inbox: store, Directory: r.directory, Speaker: r.announcer, Channel: bot.Channel{API: api, ID: cfg.Slack.Channel},
		// A form is opened by whichever replica hears of it; it only reads, which needs no ownership.
		Form:   &bot.Form{API: api, Apps: appNames(cfg), Runner: r.newRunner(r.announcer)},
		Socket: &bot.Socket{API: api, Sockets: r.sockets, Log: component(log, "socket")},
		Log:    log, Stored: r.stored, UnderWay: r.underWay,
		Others: terminal.IsKind, Doctor: r.examine, Version: version, Heard: r.lastHeard, Sight: r.sight,
	}
	failpointsAtInbox(r.listener)
	return r
}

// sockets is how many connections to Slack this replica keeps: two, so that one's end leaves the other; one each where
// there are so many replicas that they are enough for that, since Slack allows ten for all together.
func (r *replica) sockets() int {
	if r.store.Replicas() > 3 {
		return 1
	}
	return 2
}

// run listens, and acts whenever the journal is this replica's, until ctx ends. An error is one that ends the process:
// only a person can fix it, or the next start.
func (r *replica) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	acted := make(chan error, 1)
	go func() {
		defer stop()
		acted <- r.takeTurns(ctx)
	}()
	r.log.Info().Str("version", version).Strs("apps", appNames(r.cfg)).Msg("started")
	err := r.listener.Run(ctx)
	stop()
	if err := errors.Join(err, <-acted); err != nil {
		return err
	}
	r.log.Info().Msg("stopped")
	return nil
}

// takeTurns waits for the ownership of the journal, acts until it is lost, and stands by again, until ctx ends.
func (r *replica) takeTurns(ctx context.Context) error {
	for {
		owner, err := r.store.WaitToOwn(ctx, func(why error) {
			r.log.Info().AnErr("why", why).Msg("standing by: this process listens, and acts when it has to")
		})
		if err != nil {
			return nil // ctx has ended
		}
		err = r.act(ctx, owner)
		owner.Release()
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return nil
		}
		r.log.Warn().AnErr("why", owner.Err()).Msg("this process stops acting: another one has taken over, or will")
	}
}

// act carries rollbacks, observes, and answers people, for as long as the replica owns the journal. It returns when all
// of that is put down.
func (r *replica) act(ctx context.Context, owner *journal.Ownership) error {
	ctx, stop := owner.Context(ctx)
	defer stop()
	r.tally.forget()
	rollbacks := r.newRunner(fenced{r.announcer, owner})
	if err := r.start(ctx, rollbacks); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	t := &term{owner: owner, runner: rollbacks, desk: r.listener.Desk(rollbacks), since: time.Now()}
	r.begin(t)
	defer r.begin(nil)
	r.log.Info().Msg("acting: this process owns the journal")
	var parts sync.WaitGroup
	parts.Go(func() { r.observe(ctx, rollbacks) })
	parts.Go(func() { r.attend(ctx, t) })
	parts.Go(func() { r.door(rollbacks).Run(ctx) })
	parts.Go(func() { r.examineDaily(ctx, rollbacks) })
	<-ctx.Done()
	return r.putDown(rollbacks, &parts)
}

// start takes over what a former owner left. A database that is away for a moment is waited for.
func (r *replica) start(ctx context.Context, rollbacks *runner.Runner) error {
	for deadline := time.Now().Add(startPatience); ; {
		err := rollbacks.Start(ctx)
		var unreadable *runbook.UnreadableError
		if err == nil || errors.As(err, &unreadable) || errors.Is(err, runbook.ErrBrokenJournal) || time.Now().After(deadline) {
			return err
		}
		r.log.Error().Err(err).Msg("the journal could not be read; trying again")
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(startInterval):
		}
	}
}

// attend works off the inbox once it is known who the bot is.
func (r *replica) attend(ctx context.Context, t *term) {
	select {
	case <-ctx.Done():
		return
	case <-r.listener.Known():
	}
	var both sync.WaitGroup
	both.Go(func() { t.desk.Run(ctx) })
	both.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.owner.News():
				t.desk.Wake()
			}
		}
	})
	both.Wait()
}

func (r *replica) observe(ctx context.Context, rollbacks *runner.Runner) {
	r.observed.Clear() // what an earlier term saw says nothing of this one
	observer := observerOf(r.cfg, rollbacks.Hosts, rollbacks.Journal)
	observer.Seen = func(app string) { r.observed.Store(app, time.Now()) }
	observer.News, observer.Chronicle = rollbacks.WakeOutbox, rollbacks.Chronicle
	observer.Rate, observer.Report = rate.MeasureRate(rollbacks.ErrorRate), rollbacks.Report
	observer.Registry = registry.Labels{}
	if r.github != nil {
		observer.Source = r.github
	}
	observer.Problem = func(app string, err error) {
		r.log.Warn().Str("component", "observer").Str("app", app).Err(err).Msg("what runs could not be seen")
	}
	observer.ObserveAll(ctx, r.cfg.Apps)
}

func (r *replica) examineDaily(ctx context.Context, rollbacks *runner.Runner) {
	doctor := watch.DailyDoctor{
		Apps: rollbacks.Apps, Journal: rollbacks.Journal, Look: r.examine, Report: rollbacks.Report, News: rollbacks.WakeOutbox,
		Problem: func(err error) { rollbacks.Problem("", err) },
	}
	doctor.Run(ctx)
}

// examine looks at all that a rollback tonight would need.
func (r *replica) examine(ctx context.Context) []runbook.Finding {
	c := checkup{cfg: r.cfg, store: r.store, hosts: r.hosts, health: probe.Health{}, rates: r.rates, hub: r.github, logins: r.pool.Checks, observed: r.lastObserved}
	return preflight.Checkup(ctx, preflight.CheckupTimeout, c.checks())
}

// lastObserved says when an app's hosts were last seen while this process acted; zero: not yet.
func (r *replica) lastObserved(app string) time.Time {
	if at, seen := r.observed.Load(app); seen {
		return at.(time.Time)
	}
	return time.Time{}
}

// lastHeard is when this process last stored what somebody said; zero: not yet.
func (r *replica) lastHeard() time.Time {
	if at := r.heard.Load(); at > 0 {
		return time.UnixMilli(at).UTC()
	}
	return time.Time{}
}

// sight says when an app's hosts were last seen while this process acted, and whether that is too long ago.
func (r *replica) sight(app string) bot.Sight {
	at := r.lastObserved(app)
	since := at
	if t := r.current(); t == nil {
		return bot.Sight{At: at.UTC()}
	} else if since.Before(t.since) {
		since = t.since
	}
	return bot.Sight{At: at.UTC(), Late: time.Since(since) > lateAfter(r.cfg)}
}

// putDown waits for what acts. What doesn't come to its end must not be left behind in a process that goes on: this
// process then ends, and the next start, or another replica, reads how it ended.
func (r *replica) putDown(rollbacks *runner.Runner, parts *sync.WaitGroup) error {
	quiet := make(chan struct{})
	go func() {
		defer close(quiet)
		rollbacks.Wait()
		parts.Wait()
	}()
	select {
	case <-quiet:
		return nil
	case <-time.After(stopTimeout):
		return errStuck
	}
}

var errStuck = errors.New("stopped before everything was put down; the next start reads how it ended")

func (r *replica) newRunner(announcer runbook.Announcer) *runner.Runner {
	rollbacks := &runner.Runner{
		Apps: r.cfg.Apps, Journal: r.store, Hosts: r.hosts, Health: probe.Health{}, ErrorRate: r.rates, Directory: r.directory, Roster: r.directory, Announcer: announcer,
		Policy: policy(r.cfg), SignoffTimeout: r.cfg.SignoffTimeout, Inbox: r.store, Chronicle: r.chronicle, Contacts: r.directory, Report: r.report(), Problem: problemTo(r.log),
	}
	if r.github != nil {
		rollbacks.Tickets, rollbacks.Links, rollbacks.Source, rollbacks.Judge = r.github, r.github, r.github, r.judge
	}
	failpoints(rollbacks)
	return rollbacks
}

// report logs every event after it was written, and counts it.
func (r *replica) report() func(runbook.Event) {
	log := reportTo(r.log)
	return func(e runbook.Event) {
		r.tally.hear(e)
		log(e)
	}
}

func (r *replica) begin(t *term) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.term = t
}

func (r *replica) current() *term {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.term
}

// stored tells the desk of this process, if it has one; the owner of the journal hears of it from the database.
func (r *replica) stored() {
	r.heard.Store(time.Now().UnixMilli())
	if t := r.current(); t != nil {
		t.desk.Wake()
	}
}

func (r *replica) underWay() bool {
	t := r.current()
	return t != nil && t.runner.UnderWay()
}

// fenced is an announcer that says nothing more for a process whose ownership is over by the clock, though it may not
// have been told yet: another one speaks by then. Hosts and the journal compare epochs; Slack can't.
type fenced struct {
	runbook.Announcer
	owner *journal.Ownership
}

func (f fenced) Post(ctx context.Context, n runbook.Notice) (runbook.Post, error) {
	if err := f.owner.Err(); err != nil {
		return runbook.Post{}, err
	}
	return f.Announcer.Post(ctx, n)
}

func (f fenced) Update(ctx context.Context, at runbook.Post, n runbook.Notice) error {
	if err := f.owner.Err(); err != nil {
		return err
	}
	return f.Announcer.Update(ctx, at, n)
}
