package bot_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"github.com/slack-go/slack"

	"rollbackbot/bot"
	"rollbackbot/internal/localslack"
	"rollbackbot/runbook"
)

// lab is a bench in a bubble, where hours of Slack's take none. That the bubble ends is the proof that the socket
// leaves no goroutine behind.
type lab struct {
	*bench
	net *wires
}

// inLab runs a test in a bubble, with a Slack that nobody is connected to yet.
func inLab(t *testing.T, run func(*lab), options ...localslack.Option) {
	t.Helper()
	bubble(t, func(t *testing.T) {
		l := newLab(t, options...)
		run(l)
		if l.stop != nil {
			l.stop()
		}
		_ = l.slack.Close()
	})
}

// bubble runs a test in a bubble.
func bubble(t *testing.T, run func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, run)
}

func newLab(t *testing.T, options ...localslack.Option) *lab {
	network := newWires()
	b := &bench{T: t, slack: localslack.New(workspace(), options...), inbox: newMemoryInbox(), log: &syncBuffer{}, runner: &fakeRunner{}}
	b.slack.Serve(network)
	b.runner.apps = []runbook.App{{Name: "shop", Services: []runbook.Service{{Name: "api", Variable: "API_IMAGE"}}}}
	ws, log := b.slack.Workspace(), zerolog.New(b.log)
	b.api = slack.New(ws.BotToken, slack.OptionAppLevelToken(ws.AppToken), slack.OptionAPIURL(b.slack.APIURL()),
		slack.OptionHTTPClient(bot.Paced(network.httpClient())))
	speaker := silent{}
	form := &bot.Form{API: b.api, Apps: []string{"shop"}, Runner: b.runner}
	b.desk = &bot.Desk{
		Runner: b.runner, Inbox: b.inbox, Form: form, Speaker: speaker, Channel: bot.Channel{API: b.api, ID: team}, Log: log,
		Directory: &bot.Directory{API: b.api, Team: ws.TeamID, Channel: team, Leads: []string{leads}, ChannelMayRequest: true},
	}
	b.handler = &bot.Handler{Team: ws.TeamID, Inbox: b.inbox, Form: form, Private: speaker, Stored: b.desk.Wake, Log: log}
	b.socket = &bot.Socket{API: b.api, Handle: b.handler.Handle, Log: log}
	b.socket.Dial = network.dial
	return &lab{bench: b, net: network}
}

// silent is a speaker for tests that listen: a response_url is good for five answers, and they are others' tests.
type silent struct{}

func (silent) Private(context.Context, bot.Reply, bot.Message) error { return nil }

func (silent) Permalink(context.Context, runbook.Post) (string, error) { return "", nil }

// run starts the socket and the desk.
func (l *lab) run() *lab {
	ctx, cancel := context.WithCancel(l.Context())
	var running sync.WaitGroup
	running.Go(func() { l.socket.Run(ctx) })
	running.Go(func() { l.desk.Run(ctx) })
	l.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	return l
}

// rest starts them and waits until both sockets are there.
func (l *lab) rest() *lab {
	l.Helper()
	l.run()
	time.Sleep(time.Minute)
	l.wantSockets(2)
	return l
}

// pass lets time pass, and all that it brings happen.
func (l *lab) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (l *lab) wantSockets(n int) {
	l.Helper()
	synctest.Wait()
	state := l.socket.State()
	if got := l.slack.Snapshot().Sockets(); got != n || state.Sockets != n || state.Connected != (n > 0) {
		l.Fatalf("Slack has %d sockets and the state is %+v, want %d\nlog:\n%s", got, state, n, l.log)
	}
}

func (l *lab) opens() int { return len(l.slack.CallsTo("apps.connections.open")) }

// heard sends a command and fails the test if it isn't acknowledged.
func (l *lab) heard() {
	l.Helper()
	l.command(ana, "/rollback help")
}

// refuse makes apps.connections.open fail, until it is called with nil.
func (l *lab) refuse(f *localslack.Fault) {
	l.slack.Fault(func(c localslack.Call) *localslack.Fault {
		if c.Method == "apps.connections.open" {
			return f
		}
		return nil
	})
}
