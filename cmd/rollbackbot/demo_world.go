package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"rollbackbot/config"
	"rollbackbot/internal/compose"
	"rollbackbot/internal/journal"
	"rollbackbot/internal/localslack"
	"rollbackbot/internal/practice"
	"rollbackbot/internal/standin/overssh"
	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
	"rollbackbot/ssh"
)

// demoWorld is what a scenario is played in: a host, a journal and the bot. Each scenario gets a new one; only the
// Slack stays.
type demoWorld struct {
	host   *practice.Host
	folder string // of the journal
	cfg    config.Config
	slack  *localslack.Server

	mu  sync.Mutex
	bot *demoBotProcess

	ctx  context.Context // ends with the world
	end  context.CancelFunc
	work sync.WaitGroup // what the scenario does by itself

	recall     chan struct{} // closed when somebody wants what was lost back
	recallOnce sync.Once
}

// startWorld starts the parts, tells the story so far (v1 ran well, then v2 was deployed and its api is broken), and
// starts the bot. It returns when the bot is connected.
func (d *demo) startWorld(ctx context.Context, s *scenario) (w *demoWorld, err error) {
	w = &demoWorld{slack: d.slack, recall: make(chan struct{})}
	w.ctx, w.end = context.WithCancel(ctx)
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.folder, err = os.MkdirTemp("", "rollbackbot-demo-journal-"); err != nil {
		return w, err
	}
	if w.host, err = practice.Start(ctx, practice.Options{}); err != nil {
		return w, err
	}
	w.cfg = w.config(s)
	if err := w.tellTheStory(ctx, s); err != nil {
		return w, err
	}
	if s.prepare != nil {
		s.prepare(w)
	}
	return w, d.startBot(ctx, w)
}

func (w *demoWorld) config(s *scenario) config.Config {
	app := w.host.App()
	app.Health.Attempts, app.Health.Interval = 12, demoHealthInterval
	app.ErrorRate.Window, app.VerifyAfter = demoWindow, demoVerifyAfter
	workspace := w.slack.Workspace()
	cfg := config.Config{
		DatabaseURL: config.NewSecret("sqlite:" + filepath.Join(w.folder, "rollbackbot.db")),
		Apps:        []runbook.App{app},
		Slack: config.Slack{
			BotToken: config.NewSecret(workspace.BotToken), AppToken: config.NewSecret(workspace.AppToken),
			APIURL: w.slack.APIURL(), Channel: demoChannel,
		},
		People:         config.People{Leads: []string{demoLeads}, Requesters: []string{demoOnCall, demoLead}},
		SSH:            config.SSH{Key: w.host.KeyFile, KnownHosts: w.host.KnownHosts},
		SignoffTimeout: 30 * time.Minute, ObserveInterval: demoObserve,
		Log: config.Log{Level: "error", Format: "console"},
	}
	if s.configure != nil {
		s.configure(&cfg)
	}
	return cfg
}

// tellTheStory lets v1 run and be seen healthy, and then deploys the broken v2, each with its note, as CI would.
func (w *demoWorld) tellTheStory(ctx context.Context, s *scenario) error {
	store, err := journal.Open(ctx, w.cfg.DatabaseURL.Reveal(), journal.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	app := w.cfg.Apps[0]
	for _, release := range practice.Releases() {
		note := runbook.Deployed{Images: release.Images, Version: release.Version, Commit: release.Commit, Migration: release.Migration}
		if s.withoutMigration {
			note.Migration = runbook.MigrationNone
		}
		if _, err := history.NoteDeployment(ctx, store, app, note); err != nil {
			return err
		}
		if err := w.host.Deploy(ctx, release.Version); err != nil {
			return err
		}
		if err := w.observe(ctx, store, app, release); err != nil {
			return err
		}
	}
	return nil
}

// observe watches a release as the bot would have: until it is known-good, or, where it is broken, until it was seen.
func (w *demoWorld) observe(ctx context.Context, store *journal.Store, app runbook.App, release practice.Release) error {
	pool, err := newPool(w.cfg, zerolog.Nop())
	if err != nil {
		return err
	}
	defer pool.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	seen := make(chan struct{}, 1)
	observer := observerOf(w.cfg, practiceHosts(pool), store)
	observer.Report = func(e runbook.Event) {
		_, verified := e.Fact.(runbook.Verified)
		if _, observed := e.Fact.(runbook.Observed); verified || observed && release.Version == practice.V2 {
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

// startBot starts the bot's process on the world and waits until it is connected.
func (d *demo) startBot(ctx context.Context, w *demoWorld) error {
	bot, err := startDemoBot(w.cfg, d.errs)
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.bot = bot
	w.mu.Unlock()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go func() {
		select {
		case <-bot.ended:
			stop(fmt.Errorf("the bot ended before it was connected: %s", bot.cmd.ProcessState))
		case <-ctx.Done():
		}
	}()
	if err := d.slack.Wait(ctx, func(now *localslack.Snapshot) bool { return now.Sockets() > 0 }); err != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	return nil
}

// process is the bot's process of now.
func (w *demoWorld) process() *demoBotProcess {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bot
}

// close ends every part of the world and leaves nothing behind.
func (w *demoWorld) close() error {
	w.end()
	w.work.Wait()
	w.slack.Fault(nil)
	var failures []error
	if bot := w.process(); bot != nil {
		failures = append(failures, bot.stop())
	}
	if w.host != nil {
		failures = append(failures, w.host.Close())
	}
	if w.folder != "" {
		failures = append(failures, os.RemoveAll(w.folder))
	}
	return errors.Join(failures...)
}

// await looks at the world again and again until ok; false when the world ends first.
func (w *demoWorld) await(ok func() bool) bool {
	beat := time.NewTicker(20 * time.Millisecond)
	defer beat.Stop()
	for !ok() {
		select {
		case <-w.ctx.Done():
			return false
		case <-beat.C:
		}
	}
	return true
}

// pause waits for d, or until early is closed; false when the world ends first.
func (w *demoWorld) pause(d time.Duration, early <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-w.ctx.Done():
		return false
	case <-early:
	case <-timer.C:
	}
	return true
}

// runs tells whether a service runs in a version on the host.
func (w *demoWorld) runs(service, version string) bool {
	return slices.Contains(w.host.Running()[service], w.host.Images(version)[service])
}

// sight says what runs on the host and whether it answers, seen past the bot and past Slack.
func (w *demoWorld) sight() string {
	text := "On the host"
	for i, service := range []string{"api", "worker", "web"} {
		version := "none"
		for _, v := range []string{practice.V1, practice.V2} {
			if w.runs(service, v) {
				version = v
			}
		}
		text += map[bool]string{true: ": ", false: ", "}[i == 0] + service + " " + version
	}
	client := http.Client{Timeout: time.Second}
	answer, err := client.Get(w.host.HealthURL)
	if err != nil {
		return text + "; its health endpoint doesn't answer."
	}
	_ = answer.Body.Close()
	return fmt.Sprintf("%s; its health endpoint answers %d.", text, answer.StatusCode)
}

// practiceHosts are stand-ins that are reached through a pool. The plan shows the lines that a real host would be given.
func practiceHosts(pool *ssh.Pool) runbook.Hosts {
	return &overssh.Hosts{
		Shell: func(host runbook.Host) overssh.Shell { return pool.Client(host) },
		Lines: (&compose.Hosts{}).Commands,
	}
}
