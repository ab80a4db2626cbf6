package bot_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/slack-go/slack"

	"rollbackbot/bot"
	"rollbackbot/internal/localslack"
	"rollbackbot/runbook"
)

// syncBuffer is a log that goroutines may write while a test reads it.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// bench is the listening half of the bot on a Slack of its own, with a runbook that only remembers.
type bench struct {
	*testing.T
	slack   *localslack.Server
	api     *slack.Client
	runner  *fakeRunner
	inbox   *memoryInbox
	log     *syncBuffer
	handler *bot.Handler
	desk    *bot.Desk
	socket  *bot.Socket
	stop    func() // stops the bot and waits for it
}

// build makes the parts without starting them.
func build(t *testing.T, apps ...string) *bench {
	t.Helper()
	if len(apps) == 0 {
		apps = []string{"shop"}
	}
	b := &bench{T: t, slack: startSlack(t, workspace()), inbox: newMemoryInbox(), log: &syncBuffer{}, runner: &fakeRunner{}}
	for _, name := range apps {
		b.runner.apps = append(b.runner.apps, runbook.App{Name: name, Services: []runbook.Service{{Name: "api", Variable: "API_IMAGE"}}})
	}
	ws := b.slack.Workspace()
	b.api = bot.NewClient(ws.BotToken, ws.AppToken, b.slack.APIURL())
	log := zerolog.New(b.log)
	speaker := bot.NewAnnouncer(b.api, bot.AnnouncerConfig{Channel: team}, log)
	form := &bot.Form{API: b.api, Apps: apps, Runner: b.runner}
	b.desk = &bot.Desk{
		Doctor: func(context.Context) []runbook.Finding {
			return []runbook.Finding{runbook.FoundFine("bot token", "known"), runbook.FoundWrong("team channel", "Invite it", "the bot is not in it")}
		},
		Runner: b.runner, Inbox: b.inbox, Directory: directory(b.slack), Form: form, Speaker: speaker,
		Channel: bot.Channel{API: b.api, ID: team}, Log: log,
	}
	b.handler = &bot.Handler{Team: ws.TeamID, Inbox: b.inbox, Form: form, Directory: directory(b.slack), Private: speaker, Stored: b.desk.Wake, Log: log}
	b.socket = &bot.Socket{API: b.api, Handle: b.handler.Handle, Log: log}
	return b
}

// start runs the parts until the test ends, and waits for the connection.
func (b *bench) start() *bench {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { b.socket.Run(ctx) })
	running.Go(func() { b.desk.Run(ctx) })
	b.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	b.Cleanup(b.stop)
	b.wait("the bot to connect", func(now *localslack.Snapshot) bool { return now.Sockets() == 1 })
	return b
}

func listen(t *testing.T, apps ...string) *bench {
	t.Helper()
	return build(t, apps...).start()
}

func (b *bench) wait(what string, ok func(*localslack.Snapshot) bool) {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := b.slack.Wait(ctx, ok); err != nil {
		b.Fatalf("waiting for %s: %v\nlog:\n%s", what, err, b.log)
	}
}

// told waits until a person was told something privately that holds all of these, and gives it.
func (b *bench) told(person string, parts ...string) localslack.Message {
	b.Helper()
	var found localslack.Message
	b.wait(person+" to be told "+strings.Join(parts, ", "), func(now *localslack.Snapshot) bool {
		for _, m := range now.Private(person) {
			found = m
			missing := false
			for _, part := range parts {
				missing = missing || !strings.Contains(m.Text, part)
			}
			if !missing {
				return true
			}
		}
		return false
	})
	return found
}

func (b *bench) command(person, line string) localslack.Ack {
	b.Helper()
	ack, err := b.slack.Command(b.Context(), person, team, line)
	if err != nil {
		b.Fatalf("%s: %v\nlog:\n%s", line, err, b.log)
	}
	return ack
}

// opens makes every request succeed.
func (b *bench) opens() {
	b.runner.onRequest = func(_ context.Context, r runbook.Request, _ string) (runbook.Rollback, error) {
		return rollback("rb-one", r), nil
	}
}

// rollback is one whose message was posted, and deleted by somebody: Slack has no link to it.
func rollback(id string, r runbook.Request) runbook.Rollback {
	return runbook.Rollback{
		ID: id, App: r.App, Request: r, State: runbook.StateRequested, Plan: runbook.Plan{App: r.App},
		Posts: map[string]runbook.Post{string(runbook.NoticeRequest): {Channel: team, TS: "1.000001"}},
	}
}

// post posts a message with buttons as the bot would, and gives its timestamp.
func (b *bench) post(channel string, buttons ...*slack.ButtonBlockElement) string {
	b.Helper()
	var elements []slack.BlockElement
	for _, button := range buttons {
		elements = append(elements, button)
	}
	_, ts, err := b.api.PostMessageContext(b.Context(), channel, slack.MsgOptionBlocks(slack.NewActionBlock("row", elements...)))
	if err != nil {
		b.Fatal(err)
	}
	return ts
}

func button(action, value string) *slack.ButtonBlockElement {
	return slack.NewButtonBlockElement(action, value, slack.NewTextBlockObject(slack.PlainTextType, action, false, false))
}

var planHash = strings.Repeat("5a", 32)

func answerButton(answer runbook.Answer, question int64) *slack.ButtonBlockElement {
	return button(string(answer), bot.EncodeValue(bot.Value{Rollback: "rb-one", Plan: planHash, Answer: answer, Question: question}))
}

func TestRequest_FromCommandToAnswer(t *testing.T) {
	b := listen(t)
	b.opens()
	b.command(ana, "/rollback shop to v1 migration none because checkout answers 500 <!channel>")
	b.told(ana, "Looking at the hosts of shop")
	b.told(ana, "rb-one")
	b.inbox.settle(t, 1)
	asked := b.runner.asked()
	if len(asked) != 1 {
		t.Fatalf("requests = %+v, want one", asked)
	}
	r := asked[0]
	all, _ := b.inbox.all()
	if r.App != "shop" || r.Release != "v1" || r.Migration != "none" || r.By != ana || r.Owner != ana || !strings.Contains(r.Reason, "checkout answers 500") {
		t.Errorf("request = %+v", r)
	}
	if !r.At.Equal(all[0].At) || r.At.IsZero() {
		t.Errorf("asked at %s, want when it was delivered, %s", r.At, all[0].At)
	}
	for _, m := range b.slack.Messages(team) {
		t.Errorf("the answer stands in the channel: %q", m.Text)
	}
}

func TestRequest_LinksToItsMessage(t *testing.T) {
	b := listen(t)
	ts := b.post(team, answerButton(runbook.Confirm, 1))
	b.runner.onRequest = func(_ context.Context, r runbook.Request, _ string) (runbook.Rollback, error) {
		rb := rollback("rb-one", r)
		rb.Posts = map[string]runbook.Post{string(runbook.NoticeRequest): {Channel: team, TS: ts}}
		return rb, nil
	}
	b.command(ana, "/rollback shop")
	link, err := b.api.GetPermalinkContext(t.Context(), &slack.PermalinkParameters{Channel: team, Ts: ts})
	if err != nil {
		t.Fatal(err)
	}
	b.told(ana, link)
}

func TestRequest_FailuresAreToldAndJournalled(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"refused", &runbook.RefusedError{Why: "You may not, <!channel>."}, "You may not"},
		{"preflight", &runbook.PreflightError{Problems: []runbook.Problem{{Host: "deploy@a", What: "the disk is full", Remedy: "Make room"}}}, "the disk is full"},
		{"database", errors.New("pq: password secret"), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := listen(t)
			b.runner.onRequest = func(context.Context, runbook.Request, string) (runbook.Rollback, error) {
				return runbook.Rollback{}, test.err
			}
			b.command(ana, "/rollback shop")
			b.inbox.settle(t, 1)
			said := b.slack.Private(ana)
			last := said[len(said)-1]
			if !strings.Contains(last.Text, test.want) || strings.Contains(last.Text, "secret") || strings.Contains(string(last.Blocks)+last.Text, "<!channel>") && !strings.Contains(string(last.Blocks), `"rich_text"`) {
				t.Errorf("told %q, want %q and no internals", last.Text, test.want)
			}
			refused := b.runner.refused()
			all, _ := b.inbox.all()
			if len(refused) != 1 || refused[0].App != "shop" || refused[0].Rollback != "" || refused[0].By != ana || refused[0].Cause != all[0].Key {
				t.Errorf("journalled %+v, want one refusal for shop with its delivery", refused)
			}
		})
	}
}

func TestRequest_UnknownAppListsThose(t *testing.T) {
	b := listen(t, "shop", "blog")
	b.command(ana, "/rollback shpo")
	b.told(ana, "shpo", "shop", "blog")
	b.inbox.settle(t, 1)
	if refused := b.runner.refused(); len(refused) != 0 || len(b.runner.asked()) != 0 {
		t.Errorf("journalled %+v, asked %+v, want nothing for an app that isn't there", refused, b.runner.asked())
	}
}

func TestRequest_BusySaysWhoHasIt(t *testing.T) {
	b := listen(t)
	ts := b.post(team, answerButton(runbook.Confirm, 1))
	open := rollback("rb-two", runbook.Request{App: "shop", By: kim, At: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)})
	open.Posts = map[string]runbook.Post{string(runbook.NoticeRequest): {Channel: team, TS: ts}}
	b.runner.keep(open)
	b.runner.onRequest = func(context.Context, runbook.Request, string) (runbook.Rollback, error) {
		return runbook.Rollback{}, &runbook.BusyError{Rollback: open}
	}
	b.command(ana, "/rollback shop")
	b.told(ana, "rb-two", kim, "12:00", "archives")
}

// A crash, or a database that lost its answer, after the rollback was opened: the same delivery comes again.
func TestRequest_OpenedByThisVeryDelivery(t *testing.T) {
	b := listen(t)
	b.runner.onRequest = func(_ context.Context, r runbook.Request, _ string) (runbook.Rollback, error) {
		open := rollback("rb-one", r)
		b.runner.keep(open)
		return runbook.Rollback{}, &runbook.BusyError{Rollback: open}
	}
	b.command(ana, "/rollback shop")
	b.told(ana, "rb-one")
	b.inbox.settle(t, 1)
	if refused := b.runner.refused(); len(refused) != 0 {
		t.Errorf("journalled %+v, want the request to be as good as accepted", refused)
	}
}

func TestRequest_SharedChannelIsRefused(t *testing.T) {
	b := listen(t)
	shared := workspace().Channels[0]
	shared.Shared = true
	b.slack.SetChannel(shared)
	b.command(ana, "/rollback shop")
	b.told(ana, "shared with another organisation")
	b.inbox.settle(t, 1)
	if len(b.runner.asked()) != 0 || len(b.runner.refused()) != 1 {
		t.Errorf("asked %+v, journalled %+v; want no request and one refusal", b.runner.asked(), b.runner.refused())
	}
}

func TestRequest_FromAnyChannel(t *testing.T) {
	b := listen(t)
	b.opens()
	if _, err := b.slack.Command(t.Context(), ana, other, "/rollback shop"); err != nil {
		t.Fatal(err)
	}
	if m := b.told(ana, "rb-one"); m.Channel != other {
		t.Errorf("answered in %s, want where it was asked, %s", m.Channel, other)
	}
}

func TestCommand_TwiceIsOnce(t *testing.T) {
	b := listen(t)
	b.opens()
	b.command(ana, "/rollback shop")
	b.told(ana, "rb-one")
	if _, err := b.slack.Redeliver(t.Context()); err != nil {
		t.Fatalf("the second delivery was not acknowledged: %v", err)
	}
	b.command(ana, "/rollback help")
	b.inbox.settle(t, 2)
	if asked := b.runner.asked(); len(asked) != 1 {
		t.Errorf("%d requests, want 1", len(asked))
	}
}

func TestCommand_NotStoredIsNotAccepted(t *testing.T) {
	b := listen(t)
	b.inbox.fail(errors.New("the disk is full"))
	for _, line := range []string{"/rollback shop", "/rollback"} {
		ack := b.command(ana, line)
		if len(ack.Shown) != 1 || !strings.Contains(ack.Shown[0].Text, "NOT accepted") || !strings.Contains(ack.Shown[0].Text, "rollbackbot plan") {
			t.Errorf("%s: acknowledged with %s, want that it is not accepted and how to go on", line, ack.Payload)
		}
	}
	if _, open := b.slack.OpenView(ana); open || len(b.runner.asked()) != 0 {
		t.Error("something was done although nothing was stored")
	}
}

func TestClick_NotStoredIsNotAcknowledged(t *testing.T) {
	b := build(t)
	b.slack.Close()
	b.slack = startSlack(t, workspace(), localslack.WithAckTimeout(200*time.Millisecond))
	*b = *rebuilt(b)
	b.start()
	b.inbox.fail(errors.New("the disk is full"))
	ts := b.post(team, answerButton(runbook.SignoffNone, 1))
	if _, err := b.slack.Click(t.Context(), lee, team, ts, "signoff_none"); !errors.Is(err, localslack.ErrNotAcked) {
		t.Errorf("Click = %v, want no acknowledgement", err)
	}
	b.told(lee, "NOT accepted")
}

// rebuilt is a bench on the Slack that b has now.
func rebuilt(b *bench) *bench {
	ws := b.slack.Workspace()
	b.api = bot.NewClient(ws.BotToken, ws.AppToken, b.slack.APIURL())
	log := zerolog.New(b.log)
	speaker := bot.NewAnnouncer(b.api, bot.AnnouncerConfig{Channel: team}, log)
	b.handler.Private, b.handler.Form.API = speaker, b.api
	b.desk.Speaker, b.desk.Directory, b.desk.Channel.API = speaker, directory(b.slack), b.api
	b.socket.API = b.api
	return b
}

func TestCommand_WhatCantBeReadSaysHow(t *testing.T) {
	b := listen(t)
	b.command(ana, "/rollback shop to")
	b.told(ana, "/rollback")
	b.command(ana, "/rollback doctor")
	b.told(ana, "Something would not work", "the bot is not in it. Invite it", "Fine: 1")
	b.command(ana, "/rollback help")
	b.told(ana, "migration", "because")
	b.inbox.settle(t, 3)
}

func TestCommand_Reads(t *testing.T) {
	b := build(t, "shop", "blog")
	b.runner.history = history()
	b.runner.blocked = map[runbook.Digest]string{image("3").Digest: "rb-old"}
	b.runner.keep(rollback("rb-one", runbook.Request{App: "shop", By: kim}))
	left := rollback("rb-left", runbook.Request{App: "gone", By: kim})
	left.App = "gone"
	b.runner.keep(left)
	b.runner.abandoned = []runbook.Rollback{left}
	b.runner.onPlan = func(_ context.Context, r runbook.Request) (runbook.Plan, string, error) {
		if r.App != "shop" || r.Release != "v1" || r.By != ana {
			return runbook.Plan{}, "", &runbook.TargetError{Why: "There is no such release"}
		}
		return runbook.Plan{App: "shop", Target: runbook.Release{ID: "r-1", Version: "v1"}}, "every rollback is signed off here", nil
	}
	b.start()
	for i, test := range []struct {
		line  string
		parts []string
	}{
		{"/rollback status", []string{"shop", "rb-one", "blog", "rb-left", "gone is not in ROLLBACK_APPS any more"}},
		{"/rollback status rb-left", []string{"rb-left", "gone is not in ROLLBACK_APPS any more"}},
		{"/rollback status rb-one", []string{"rb-one", kim}},
		{"/rollback status shop", []string{"rb-one", kim}},
		{"/rollback status blog", []string{"blog", "no rollback yet"}},
		{"/rollback status rb-none", []string{"rb-none", "no rollback"}},
		{"/rollback status shpo", []string{"shpo", "shop", "blog"}},
		{"/rollback history shop", []string{"v1", "v2", "rb-one"}},
		{"/rollback history shpo", []string{"shpo", "shop", "blog"}},
		{"/rollback quarantine", []string{string(image("3").Digest), "rb-old"}},
		{"/rollback quarantine shpo", []string{"shpo", "shop", "blog"}},
		{"/rollback plan shop to v1", []string{"v1", "very rollback is signed off here"}},
		{"/rollback plan shop to v2", []string{"no such release"}},
		{"/rollback plan shpo", []string{"shpo", "shop", "blog"}},
	} {
		before := len(b.slack.Private(ana))
		b.command(ana, test.line)
		b.inbox.settle(t, i+1)
		said := b.slack.Private(ana)
		if len(said) == before {
			t.Errorf("%s: no answer", test.line)
			continue
		}
		for _, part := range test.parts {
			if last := said[len(said)-1].Text; !strings.Contains(last, part) {
				t.Errorf("%s: told %q, want %q in it", test.line, last, part)
			}
		}
	}
	if len(b.slack.Messages(team)) != 0 || len(b.runner.asked()) != 0 {
		t.Error("a question was answered in the channel, or asked for a rollback")
	}
}

// A delivery that was dealt with is not dealt with again only because that could not be written down at once.
// What was accepted is not lost because the database goes away before it is dealt with: the person hears once that it
// takes longer, and then what came of it.
func TestRequest_WaitsForTheDatabase(t *testing.T) {
	for _, away := range []error{runbook.ErrAway, runbook.ErrUncertain} {
		t.Run(away.Error(), func(t *testing.T) {
			b := listen(t)
			b.opens()
			opens, tries := b.runner.onRequest, 0
			b.runner.onRequest = func(ctx context.Context, r runbook.Request, cause string) (runbook.Rollback, error) {
				if tries++; tries < 3 {
					return runbook.Rollback{}, fmt.Errorf("append: %w", away)
				}
				return opens(ctx, r, cause)
			}
			b.command(ana, "/rollback shop")
			b.told(ana, "rb-one")
			b.inbox.settle(t, 1)
			waits := 0
			for _, m := range b.slack.Private(ana) {
				if strings.Contains(m.Text, "is kept") {
					waits++
				}
			}
			if waits != 1 || len(b.runner.refused()) != 0 {
				t.Errorf("told %d times that it waits, want once; refusals %+v", waits, b.runner.refused())
			}
		})
	}
}

func TestDone_ThatFailsIsTriedAgain(t *testing.T) {
	b := listen(t)
	b.opens()
	b.inbox.stallNext()
	b.command(ana, "/rollback shop")
	b.told(ana, "rb-one")
	b.command(ana, "/rollback help") // the inbox is looked through again meanwhile
	b.told(ana, "because")
	b.inbox.resume()
	b.inbox.settle(t, 2)
	if asked := b.runner.asked(); len(asked) != 1 {
		t.Errorf("%d requests, want 1", len(asked))
	}
}

func TestCommand_OutsidersReadNothing(t *testing.T) {
	b := listen(t)
	b.runner.keep(rollback("rb-one", runbook.Request{App: "shop"}))
	for _, person := range []string{guest, single, stranger, nextDoor} {
		for _, line := range []string{"/rollback status rb-one", "/rollback history shop", "/rollback plan shop", "/rollback quarantine"} {
			b.command(person, line)
		}
		b.told(person, "isn't answered")
	}
	b.inbox.settle(t, 16)
	for _, person := range []string{guest, single, stranger, nextDoor} {
		if said := b.slack.Private(person); len(said) != 4 {
			t.Errorf("%s was told %d things, want 4 refusals", person, len(said))
		}
		for _, m := range b.slack.Private(person) {
			if !strings.Contains(m.Text, "isn't answered") {
				t.Errorf("%s was told %q, want a refusal", person, m.Text)
			}
		}
	}
}

func TestCommand_RolesThatCantBeReadAnswerNothing(t *testing.T) {
	b := listen(t)
	b.slack.Fault(func(c localslack.Call) *localslack.Fault {
		if c.Method == "usergroups.users.list" {
			return &localslack.Fault{Error: "internal_error"}
		}
		return nil
	})
	b.command(ana, "/rollback history shop")
	b.told(ana, "could not be read")
}

func TestClick_ReachesTheRunbook(t *testing.T) {
	b := listen(t)
	b.runner.keep(rollback("rb-one", runbook.Request{App: "shop"}))
	b.runner.onAnswer = func(context.Context, runbook.Click) error { return nil }
	ts := b.post(team, answerButton(runbook.SignoffInPlace, 1), answerButton(runbook.Abort, 0))
	for _, action := range []string{"signoff_in_place", "abort"} {
		if _, err := b.slack.Click(t.Context(), lee, team, ts, action); err != nil {
			t.Fatal(err)
		}
	}
	b.inbox.settle(t, 2)
	all, _ := b.inbox.all()
	want := []runbook.Click{
		{Rollback: "rb-one", Question: 1, Plan: planHash, Answer: runbook.SignoffInPlace, By: lee, At: all[0].At, Cause: all[0].Key},
		{Rollback: "rb-one", Plan: planHash, Answer: runbook.Abort, By: lee, At: all[1].At, Cause: all[1].Key},
	}
	got := b.runner.answered()
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("clicks = %+v, want %+v", got, want)
	}
	if said := b.slack.Private(lee); len(said) != 0 {
		t.Errorf("told %q, want nothing: the message shows it", said[0].Text)
	}
}

func TestClick_RefusalIsPrivate(t *testing.T) {
	b := listen(t)
	b.runner.keep(rollback("rb-one", runbook.Request{App: "shop"}))
	b.runner.onAnswer = func(context.Context, runbook.Click) error {
		return errors.Join(&runbook.RefusedError{Why: "Only an engineering lead can decide this."}, nil)
	}
	ts := b.post(team, answerButton(runbook.SignoffInPlace, 1))
	if _, err := b.slack.Click(t.Context(), kim, team, ts, "signoff_in_place"); err != nil {
		t.Fatal(err)
	}
	b.told(kim, "Only an engineering lead can decide this.")
	if all := b.slack.Messages(team); len(all) != 1 || len(b.slack.Replies(team, ts)) != 0 {
		t.Error("the refusal is not private")
	}
}

func TestClick_OfAnOlderQuestion(t *testing.T) {
	b := listen(t)
	rb := rollback("rb-one", runbook.Request{App: "shop"})
	rb.Questions = []runbook.Asking{{Question: runbook.Question{ID: 2, Kind: runbook.AskFailed, Plan: planHash, Answers: []runbook.Answer{runbook.Retry}}}}
	b.runner.keep(rb)
	b.runner.onAnswer = func(context.Context, runbook.Click) error { return nil }
	ts := b.post(team, answerButton(runbook.Retry, 1))
	if _, err := b.slack.Click(t.Context(), ana, team, ts, "retry"); err != nil {
		t.Fatal(err)
	}
	b.told(ana, "not open any more")
	if len(b.runner.answered()) != 0 || len(b.runner.refused()) != 1 || b.runner.refused()[0].Rollback != "rb-one" {
		t.Errorf("answered %+v, journalled %+v; want one refusal", b.runner.answered(), b.runner.refused())
	}
	ts = b.post(team, answerButton(runbook.Retry, 2))
	if _, err := b.slack.Click(t.Context(), ana, team, ts, "retry"); err != nil {
		t.Fatal(err)
	}
	b.inbox.settle(t, 2)
	if len(b.runner.answered()) != 1 {
		t.Errorf("the open question's button: answered %+v, want one", b.runner.answered())
	}
}

func TestClick_SharedChannelIsRefusedButForAbort(t *testing.T) {
	b := listen(t)
	b.runner.keep(rollback("rb-one", runbook.Request{App: "shop"}))
	b.runner.onAnswer = func(context.Context, runbook.Click) error { return nil }
	ts := b.post(team, answerButton(runbook.SignoffInPlace, 1), answerButton(runbook.Abort, 0))
	shared := workspace().Channels[0]
	shared.Shared = true
	b.slack.SetChannel(shared)
	for _, action := range []string{"signoff_in_place", "abort"} {
		if _, err := b.slack.Click(t.Context(), lee, team, ts, action); err != nil {
			t.Fatal(err)
		}
	}
	b.told(lee, "shared with another organisation")
	b.inbox.settle(t, 2)
	clicks, refused := b.runner.answered(), b.runner.refused()
	if len(clicks) != 1 || clicks[0].Answer != runbook.Abort {
		t.Errorf("answers = %+v, want the abort alone", clicks)
	}
	if len(refused) != 1 || refused[0].Action != "signoff_in_place" || refused[0].Rollback != "rb-one" || refused[0].By != lee {
		t.Errorf("journalled %+v, want the sign-off", refused)
	}
}

func TestClick_UnknownIsSkipped(t *testing.T) {
	good := bot.EncodeValue(bot.Value{Rollback: "rb-one", Plan: planHash, Answer: runbook.Confirm, Question: 1})
	for name, element := range map[string]*slack.ButtonBlockElement{
		"action of a later version": button("accept_owner", good),
		"another button's value":    button("signoff_in_place", good),
		"no value":                  button("confirm", ""),
		"more in the value":         button("confirm", strings.TrimSuffix(good, "}")+`,"by":"U0LEE"}`),
	} {
		t.Run(name, func(t *testing.T) {
			b := listen(t)
			ts := b.post(team, element)
			if _, err := b.slack.Click(t.Context(), lee, team, ts, element.ActionID); err != nil {
				t.Fatal(err)
			}
			b.told(lee, "not known to this version")
			b.inbox.settle(t, 1)
			if got := b.runner.answered(); len(got) != 0 {
				t.Errorf("answered %+v, want nothing", got)
			}
		})
	}
}

func TestClick_InAnotherChannelIsSkipped(t *testing.T) {
	b := listen(t)
	elsewhere := workspace().Channels[1]
	elsewhere.Members = append(elsewhere.Members, botUser)
	b.slack.SetChannel(elsewhere)
	ts := b.post(other, answerButton(runbook.SignoffNone, 1))
	if _, err := b.slack.Click(t.Context(), lee, other, ts, "signoff_none"); err != nil {
		t.Fatal(err)
	}
	b.told(lee, "not known to this version")
	if got := b.runner.answered(); len(got) != 0 {
		t.Errorf("answered %+v, want nothing", got)
	}
}

func TestAbort_InWords(t *testing.T) {
	b := listen(t)
	b.runner.onAnswer = func(_ context.Context, c runbook.Click) error {
		if c.Rollback != "rb-one" {
			return &runbook.UnknownRollbackError{ID: c.Rollback}
		}
		return nil
	}
	b.command(ana, "/rollback abort rb-one")
	b.told(ana, "rb-one", "safe point")
	b.command(ana, "/rollback abort rb-two")
	b.told(ana, "rb-two", "no rollback")
	if got := b.runner.answered(); got[0].Answer != runbook.Abort || got[0].By != ana {
		t.Errorf("answered %+v", got)
	}
}

func TestLift(t *testing.T) {
	b := listen(t)
	b.runner.onLift = func(digest, cause, by string) error {
		if by != lee || digest != "sha256:0123456789ab" || !strings.Contains(cause, "https://example.com/pm") {
			return &runbook.RefusedError{Why: "Only an engineering lead can lift a quarantine."}
		}
		return nil
	}
	b.command(kim, "/rollback lift sha256:0123456789ab because https://example.com/pm")
	b.told(kim, "Only an engineering lead")
	b.command(lee, "/rollback lift sha256:0123456789ab because https://example.com/pm")
	b.told(lee, "sha256:0123456789ab", "not quarantined any more")
}

func TestSlowRequest_HoldsUpNothingElse(t *testing.T) {
	b := listen(t, "shop", "blog")
	release := make(chan struct{})
	entered := make(chan string, 10)
	b.runner.onRequest = func(ctx context.Context, r runbook.Request, _ string) (runbook.Rollback, error) {
		entered <- r.App
		if r.App == "shop" {
			select {
			case <-release:
			case <-ctx.Done():
				return runbook.Rollback{}, ctx.Err()
			}
		}
		return rollback("rb-"+r.App, r), nil
	}
	b.command(ana, "/rollback shop")
	if app := <-entered; app != "shop" {
		t.Fatalf("%s came first", app)
	}
	b.command(kim, "/rollback shop")
	b.command(ana, "/rollback blog")
	b.told(ana, "rb-blog")
	b.command(ana, "/rollback help")
	b.told(ana, "because")
	if asked := b.runner.asked(); len(asked) != 2 {
		t.Errorf("%d requests were begun, want two: the second one for shop waits for the first", len(asked))
	}
	close(release)
	b.told(kim, "rb-shop")
	b.inbox.settle(t, 4)
}

func TestPanic_IsThatDeliverysAlone(t *testing.T) {
	b := listen(t)
	b.runner.onRequest = func(context.Context, runbook.Request, string) (runbook.Rollback, error) { panic("out of hand") }
	b.command(ana, "/rollback shop")
	b.told(ana, "went wrong")
	b.inbox.settle(t, 1)
	b.command(ana, "/rollback help")
	b.told(ana, "because")
	if !strings.Contains(b.log.String(), "out of hand") {
		t.Error("the panic is not in the log")
	}
}

// mute is a speaker with a bug.
type mute struct{}

func (mute) Private(context.Context, bot.Reply, bot.Message) error { panic("no voice") }

func (mute) Permalink(context.Context, runbook.Post) (string, error) { panic("no voice") }

func TestPanic_InTheAnswerIsThatDeliverysAlone(t *testing.T) {
	b := build(t)
	b.desk.Speaker = mute{}
	b.start()
	b.command(ana, "/rollback help")
	b.inbox.settle(t, 1)
	b.command(ana, "/rollback help")
	b.inbox.settle(t, 2)
	if n := strings.Count(b.log.String(), "tell so: no voice"); n != 2 {
		t.Errorf("%d of 2 panics are in the log:\n%s", n, b.log)
	}
}

func TestPanic_InAnEnvelopeIsThatEnvelopesAlone(t *testing.T) {
	inLab(t, func(l *lab) {
		first := true
		handle := l.socket.Handle
		var mu sync.Mutex
		l.socket.Handle = func(ctx context.Context, e bot.Envelope, ack bot.Ack) {
			mu.Lock()
			now := first
			first = false
			mu.Unlock()
			if now {
				panic("out of hand")
			}
			handle(ctx, e, ack)
		}
		l.rest()
		if err := <-l.says(); !errors.Is(err, localslack.ErrNotAcked) {
			l.Errorf("Command = %v, want no acknowledgement", err)
		}
		l.heard()
		l.inbox.settle(l.T, 1)
		l.wantSockets(2)
	})
}

func TestRestart_TakesUpWhatIsPending(t *testing.T) {
	b := build(t)
	b.opens()
	payload, _ := json.Marshal(map[string]string{"team_id": "T0LOCAL", "channel_id": team, "user_id": ana, "text": "shop because of a crash", "trigger_id": "1.2"})
	form, _ := json.Marshal(map[string]string{"team_id": "T0LOCAL", "channel_id": team, "user_id": kim, "text": "", "trigger_id": "1.3"})
	at := time.Now().Add(-time.Minute).UTC()
	for _, d := range []runbook.Delivery{{Key: "1.2", Kind: "command", Body: payload, At: at}, {Key: "1.3", Kind: "form", Body: form, At: at}, {Key: "1.4", Kind: "event", Body: []byte("{}"), At: at}} {
		if _, err := b.inbox.Put(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	b.start()
	b.told(ana, "rb-one")
	b.told(kim, "/rollback")
	b.inbox.settle(t, 3)
	if asked := b.runner.asked(); len(asked) != 1 || !asked[0].At.Equal(at) {
		t.Errorf("asked %+v, want one request of %s", asked, at)
	}
}

func TestStop_LeavesWhatWasInterrupted(t *testing.T) {
	b := listen(t)
	entered := make(chan struct{})
	b.runner.onRequest = func(ctx context.Context, _ runbook.Request, _ string) (runbook.Rollback, error) {
		close(entered)
		<-ctx.Done()
		return runbook.Rollback{}, ctx.Err()
	}
	b.command(ana, "/rollback shop")
	<-entered
	b.stop()
	if _, open := b.inbox.all(); open != 1 {
		t.Errorf("%d deliveries are pending, want the interrupted one", open)
	}
	if said := b.slack.Private(ana); len(said) != 1 || len(b.runner.refused()) != 0 {
		t.Errorf("told %d things, journalled %+v; want no more than that it is looked at", len(said), b.runner.refused())
	}
}

func TestForeign_IsSkipped(t *testing.T) {
	b := build(t)
	acked := false
	ack := func(context.Context, any) error { acked = true; return nil }
	for name, e := range map[string]bot.Envelope{
		"another workspace": {Kind: "slash_commands", Payload: []byte(`{"team_id":"T0OTHER","trigger_id":"1","user_id":"U0ANA","text":"shop"}`)},
		"no workspace":      {Kind: "slash_commands", Payload: []byte(`{"trigger_id":"1","user_id":"U0ANA","text":"shop"}`)},
		"another app":       {Kind: "slash_commands", App: "A0LOCAL", Payload: []byte(`{"team_id":"T0LOCAL","api_app_id":"A0OTHER","trigger_id":"1","text":"shop"}`)},
		"a foreign click":   {Kind: "interactive", Payload: []byte(`{"type":"block_actions","team":{"id":"T0OTHER"},"trigger_id":"1"}`)},
		"a foreign event":   {Kind: "events_api", Payload: []byte(`{"team_id":"T0OTHER","event_id":"Ev1"}`)},
		"a foreign form":    {Kind: "interactive", Payload: []byte(`{"type":"view_submission","team":{"id":"T0LOCAL"},"view":{"id":"V1","callback_id":"other"}}`)},
		"without a key":     {Kind: "slash_commands", Payload: []byte(`{"team_id":"T0LOCAL","user_id":"U0ANA","text":"shop"}`)},
		"not JSON":          {Kind: "interactive", Payload: []byte(`{`)},
		"an unknown type":   {Kind: "shortcut", Payload: []byte(`{}`)},
	} {
		b.handler.Handle(t.Context(), e, ack)
		if all, _ := b.inbox.all(); len(all) != 0 || acked {
			t.Errorf("%s: stored %v, acknowledged %v; want neither", name, all, acked)
		}
	}
	if got := strings.Count(b.log.String(), "was skipped"); got != 9 {
		t.Errorf("%d reasons in the log, want 9:\n%s", got, b.log)
	}
}

func TestEvent_IsStoredAndDone(t *testing.T) {
	b := listen(t)
	if _, err := b.slack.OpenHome(t.Context(), ana); err != nil {
		t.Fatal(err)
	}
	b.inbox.settle(t, 1)
}

// startDeaf runs the socket alone, for a Slack that lets nobody in, and gives what stops it.
func (b *bench) startDeaf() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { b.socket.Run(ctx) })
	stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	b.Cleanup(stop)
	return stop
}

// Both halves together: a click on the message that the Announcer posts is read as the answer that it shows.
func TestClick_OnTheAnnouncersMessage(t *testing.T) {
	b := listen(t)
	b.runner.onAnswer = func(context.Context, runbook.Click) error { return nil }
	plan := runbook.Plan{App: "shop", Target: runbook.Release{ID: "r-1", Version: "v1"}}
	rb := rollback("rb-one", runbook.Request{App: "shop", By: ana, Owner: kim, Reason: "a <!channel> & *b*", Migration: "yes", At: time.Now()})
	rb.Plan = plan
	rb.Questions = []runbook.Asking{{AskedAt: time.Now(), Question: runbook.Question{
		ID: 1, Kind: runbook.AskSignoff, Plan: plan.Hash(), Text: "it is not proven that there was no migration", Deadline: time.Now().Add(time.Hour),
		Answers: []runbook.Answer{runbook.SignoffInPlace, runbook.SignoffReverted, runbook.SignoffNone, runbook.SignoffReject},
	}}}
	b.runner.keep(rb)
	announcer := bot.NewAnnouncer(b.api, bot.AnnouncerConfig{Channel: team, Leads: []string{leads, lee}, Apps: b.runner.apps}, zerolog.Nop())
	post, err := announcer.Post(t.Context(), runbook.Notice{Key: string(runbook.NoticeRequest), Kind: runbook.NoticeRequest, Rollback: rb})
	if err != nil {
		t.Fatal(err)
	}
	for i, answer := range []runbook.Answer{runbook.SignoffInPlace, runbook.SignoffReverted, runbook.SignoffNone, runbook.SignoffReject, runbook.Abort} {
		if _, err := b.slack.Click(t.Context(), lee, team, post.TS, string(answer)); err != nil {
			t.Fatalf("%s: %v\nlog:\n%s", answer, err, b.log)
		}
		b.inbox.settle(t, i+1)
		clicks := b.runner.answered()
		if len(clicks) != i+1 || clicks[i].Answer != answer || clicks[i].Rollback != "rb-one" || clicks[i].Plan != plan.Hash() || clicks[i].By != lee {
			t.Errorf("%s: answered %+v", answer, clicks)
		}
	}
}
