package main_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"github.com/slack-go/slack"

	"rollbackbot/bot"
	"rollbackbot/internal/journal"
	"rollbackbot/internal/localslack"
	"rollbackbot/internal/standin"
	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
	"rollbackbot/runbook/runner"
)

// sickbed is the whole bot with its journal on disk, a Slack that may be unwell, and a host in memory. In a bubble, a
// rollback with all its waits takes a moment.
type sickbed struct {
	*testing.T
	*people
	store *journal.Store
	lab   *standin.Lab
	host  *standin.Host
	app   runbook.App
	rates runbook.ErrorRateChecker
	draw  func(runbook.Rollback, runbook.StepRun) ([]byte, string, error)
	log   *strings.Builder // guarded by its writer
	// deputies has the bot write to the leads, and ask these and then two requesters when none of them answers; nil: it doesn't.
	deputies []string
	leave    func() // stops the bot alone
	stop     func() // stops everything
}

// inBed runs a test in such a bubble.
func inBed(t *testing.T, fault func(localslack.Call) *localslack.Fault, run func(*sickbed)) {
	t.Helper()
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := newSickbed(t, folder)
		b.slack.Fault(fault)
		network := newWires()
		b.slack.Serve(network)
		workspace := b.slack.Workspace()
		b.serve(bot.NewClient(workspace.BotToken, workspace.AppToken, b.slack.APIURL()), network.dial)
		defer b.stop()
		run(b)
	})
}

func newSickbed(t *testing.T, folder string, options ...localslack.Option) *sickbed {
	t.Helper()
	b := newBed(t, folder, options...)
	for version, migration := range map[string]runbook.Migration{"v1": runbook.MigrationNone, "v2": runbook.MigrationYes} {
		note := runbook.Deployed{Images: shopImages(int(version[1] - '0')), Version: version, Migration: migration}
		if _, err := history.NoteDeployment(t.Context(), b.store, shopApp(), note); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// newBed is one whose journal is still empty.
func newBed(t *testing.T, folder string, options ...localslack.Option) *sickbed {
	t.Helper()
	lab, host := newShop()
	b := &sickbed{
		T: t, people: &people{slack: localslack.New(team(), options...), app: "shop"}, lab: lab, host: host, app: shopApp(), rates: noErrors{}, draw: noPicture, log: &strings.Builder{},
	}
	var err error
	if b.store, err = journal.Open(t.Context(), "sqlite:"+filepath.Join(folder, "journal.db"), journal.Options{}); err != nil {
		t.Fatal(err)
	}
	return b
}

// noPicture stands for the drawing, which takes time in these many rollbacks.
func noPicture(runbook.Rollback, runbook.StepRun) ([]byte, string, error) {
	return []byte("\x89PNG\r\n\x1a\n"), "a curve", nil
}

// serve is what the command of that name does, with these parts.
func (b *sickbed) serve(api *slack.Client, dial func(context.Context, string, string) (net.Conn, error)) {
	b.Helper()
	log := zerolog.New(zerolog.SyncWriter(b.log)).Level(zerolog.InfoLevel)
	apps := []runbook.App{b.app}
	announcer := bot.NewAnnouncer(api, bot.AnnouncerConfig{Channel: channel, Leads: []string{leads}, Deputies: b.deputies, Apps: apps, ErrorRate: b.draw}, log)
	directory := &bot.Directory{API: api, Channel: channel, Leads: []string{leads}, ChannelMayRequest: true}
	rollbacks := &runner.Runner{
		Apps: apps, Journal: b.store, Hosts: b.lab, Health: b.lab.Health(), ErrorRate: b.rates, Directory: directory, Announcer: announcer,
		SignoffTimeout: 30 * time.Minute, Inbox: b.store,
	}
	if b.deputies != nil {
		directory.Deputies = b.deputies
		rollbacks.Roster, rollbacks.Policy = directory, runbook.Policy{Deputies: true, BreakGlass: true}
	}
	listener := &bot.Bot{
		API: api, Inbox: b.store, Directory: directory, Speaker: announcer, Channel: bot.Channel{API: api, ID: channel},
		Form:   &bot.Form{API: api, Apps: []string{"shop"}, Runner: rollbacks},
		Socket: &bot.Socket{API: api, Dial: dial, Log: log}, Log: log, UnderWay: rollbacks.UnderWay,
	}
	desk := listener.Desk(rollbacks)
	listener.Stored = desk.Wake
	ctx, cancel := context.WithCancel(b.Context())
	if err := rollbacks.Start(ctx); err != nil {
		b.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		if err := listener.Run(ctx); err != nil {
			b.Errorf("the bot gave up: %v", err)
		}
	})
	running.Go(func() {
		select {
		case <-ctx.Done():
		case <-listener.Known():
			desk.Run(ctx)
		}
	})
	b.leave = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		rollbacks.Wait()
	})
	b.stop = sync.OnceFunc(func() {
		b.leave()
		if err := errors.Join(b.slack.Close(), b.store.Close()); err != nil {
			b.Error(err)
		}
		if b.Failed() {
			b.Logf("the bot's log:\n%s", b.log)
		}
	})
}

// events are the journal's.
func (b *sickbed) events() []runbook.Event {
	b.Helper()
	events, err := b.store.Events(b.Context(), "shop", "", 0)
	if err != nil {
		b.Fatal(err)
	}
	return events
}

// happened finds the first event of a kind that holds; false where there is none.
func (b *sickbed) happened(holds func(runbook.Fact) bool) (at time.Time, ok bool) {
	b.Helper()
	for _, e := range b.events() {
		if holds(e.Fact) {
			return e.At, true
		}
	}
	return time.Time{}, false
}

const (
	// answerTime is how long a person waits for what they said to show: time costs nothing here.
	answerTime = 90 * time.Second
	// tries is how often a person says a thing that comes to nothing.
	tries = 8
)

// says has a person say something until it shows. What is acknowledged has to show, or to be answered: nobody waits in
// silence. What is not acknowledged, the person is told by Slack, and says again.
func (b *sickbed) says(who, what string, reach func() error, done func(*localslack.Snapshot) bool) {
	b.Helper()
	for range tries {
		before := len(b.slack.Private(who))
		err := reach()
		if err != nil && !errors.Is(err, localslack.ErrNotAcked) && !errors.Is(err, localslack.ErrNoElement) {
			b.Fatalf("%s: %v\n%s", what, err, b.transcript())
		}
		ctx, cancel := context.WithTimeout(b.Context(), answerTime)
		shown := b.slack.Wait(ctx, done) == nil
		cancel()
		if shown {
			return
		}
		if err == nil && len(b.slack.Private(who)) == before {
			b.Errorf("%s: it was acknowledged, and then nothing showed and nothing was said\n%s", what, b.transcript())
		}
	}
	b.Fatalf("%s: it came to nothing %d times\n%s", what, tries, b.transcript())
}

// types has a person type a line until it shows.
func (b *sickbed) types(who, line string, done func(*localslack.Snapshot) bool) {
	b.Helper()
	b.says(who, "types "+line, func() error {
		_, err := b.slack.Command(b.Context(), who, channel, line)
		return err
	}, done)
}

// presses has a person press a button of the rollback until it isn't there any more.
func (b *sickbed) presses(who, request, action string) {
	b.Helper()
	gone := func(now *localslack.Snapshot) bool {
		_, open := button(now, request, action)
		return !open
	}
	b.says(who, "presses "+action, func() error {
		ts, open := button(b.slack.Snapshot(), request, action)
		if !open {
			return nil
		}
		_, err := b.slack.Click(b.Context(), who, channel, ts, action)
		return err
	}, gone)
}

// asks has the on-call ask for a rollback, and gives the request's message.
func (b *sickbed) asks() localslack.Message {
	b.Helper()
	b.types(onCall, "/rollback shop to v1 because v2 answers 503", func(now *localslack.Snapshot) bool { return len(ofKind(now, "rollback_request")) > 0 })
	return ofKind(b.slack.Snapshot(), "rollback_request")[0]
}

// ends waits until everything about the rollback is said.
func (b *sickbed) ends() {
	b.Helper()
	for range 1000 {
		if _, said := b.happened(func(f runbook.Fact) bool { _, is := f.(runbook.Published); return is }); said {
			return
		}
		time.Sleep(time.Second)
	}
	b.Fatalf("the last word is not said:\n%s", b.transcript())
}
