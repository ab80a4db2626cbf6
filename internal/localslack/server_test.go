package localslack_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
	"go.uber.org/goleak"

	"rollbackbot/internal/localslack"
)

const (
	ana     = "U1ANA"     // on-call
	lena    = "U2LENA"    // lead
	mallory = "U3MALLORY" // nobody in particular
	bot     = "U0BOT"
	team    = "C1TEAM"
	secret  = "C2SECRET" // private, with the bot
	other   = "C3OTHER"  // public, without the bot
	hidden  = "C4HIDDEN" // private, without the bot
)

func workspace() localslack.Workspace {
	return localslack.Workspace{
		BotToken: "xoxb-test", AppToken: "xapp-test",
		Users: []localslack.User{
			{ID: ana, Name: "ana", RealName: "Ana Lima"}, {ID: lena, Name: "lena"}, {ID: mallory, Name: "mallory"},
			{ID: "U4GUEST", Name: "gil", Guest: true}, {ID: "U5SINGLE", Name: "sig", SingleChannelGuest: true},
			{ID: "U6GONE", Name: "gone", Deleted: true}, {ID: "U7FAR", Name: "far", TeamID: "T9", Stranger: true},
		},
		Channels: []localslack.Channel{
			{ID: team, Name: "team", Members: []string{ana, lena, bot}},
			{ID: secret, Name: "secret", Private: true, Members: []string{ana, bot}},
			{ID: other, Name: "other", Members: []string{ana}},
			{ID: hidden, Name: "hidden", Private: true, Members: []string{ana}},
		},
		Groups: []localslack.UserGroup{{ID: "S1LEADS", Handle: "leads", Members: []string{lena}}},
	}
}

// start starts a server that ends with the test.
func start(t *testing.T, opts ...localslack.Option) *localslack.Server {
	t.Helper()
	return startWith(t, workspace(), opts...)
}

// patience is far above what anything takes here: a machine that is slow must fail no test.
const patience = 5 * time.Minute

// startWith starts a server that gives its app and its sockets all the time that a slow machine may need, unless the
// options say otherwise.
func startWith(t *testing.T, ws localslack.Workspace, opts ...localslack.Option) *localslack.Server {
	t.Helper()
	s := localslack.New(ws, append([]localslack.Option{localslack.WithAckTimeout(patience), localslack.WithGrace(patience)}, opts...)...)
	if err := s.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// client is slack-go, pointed at s.
func client(s *localslack.Server, opts ...slack.Option) *slack.Client {
	opts = append([]slack.Option{
		slack.OptionAPIURL(s.APIURL()), slack.OptionAppLevelToken(s.Workspace().AppToken),
		slack.OptionHTTPClient(&http.Client{Timeout: patience}),
	}, opts...)
	return slack.New(s.Workspace().BotToken, opts...)
}

// app is a small app on slack-go's Socket Mode client. Handle runs in its own goroutine for each envelope.
func app(t *testing.T, s *localslack.Server, handle func(api *slack.Client, sock *socketmode.Client, e socketmode.Event)) *slack.Client {
	t.Helper()
	api := client(s)
	sock := socketmode.New(api)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = sock.RunContext(ctx) }()
	go func() {
		for {
			select {
			case e := <-sock.Events:
				if e.Request != nil && e.Request.EnvelopeID != "" {
					go handle(api, sock, e)
				}
			case <-done:
				return
			}
		}
	}()
	t.Cleanup(func() { cancel(); _ = s.Close(); <-done })
	waitFor(t, s, "a socket", func(now *localslack.Snapshot) bool { return now.Sockets() > 0 })
	return api
}

func acks(_ *slack.Client, sock *socketmode.Client, e socketmode.Event) { _ = sock.Ack(*e.Request) }

func waitFor(t *testing.T, s *localslack.Server, what string, ok func(*localslack.Snapshot) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Wait(ctx, ok); err != nil {
		t.Fatalf("wait for %s: %v", what, err)
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// wantError fails unless err is Slack's error of this code.
func wantError(t *testing.T, err error, code string) {
	t.Helper()
	if err == nil || !strings.HasPrefix(err.Error(), code) {
		t.Errorf("error = %v, want %s", err, code)
	}
}

func post(t *testing.T, api *slack.Client, channel string, opts ...slack.MsgOption) string {
	t.Helper()
	_, ts, err := api.PostMessage(channel, opts...)
	if err != nil {
		t.Fatalf("post: %v", err)
	}
	return ts
}

func TestStart_LoopbackOnly(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "192.0.2.1:0", "example.com:0", "127.0.0.1"} {
		if err := localslack.New(workspace()).Start(addr); err == nil {
			t.Errorf("Start(%q) listens, want a refusal", addr)
		}
	}
	for _, addr := range []string{"127.0.0.1:0", "localhost:0"} {
		s := localslack.New(workspace())
		if err := s.Start(addr); err != nil {
			t.Errorf("Start(%q): %v", addr, err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close after Start(%q): %v", addr, err)
		}
	}
}

func TestClose_EndsWaiting(t *testing.T) {
	s := start(t)
	ended := make(chan error)
	go func() { ended <- s.Wait(t.Context(), func(*localslack.Snapshot) bool { return false }) }()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != localslack.ErrClosed {
		t.Errorf("Wait = %v, want ErrClosed", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestClose_LeavesNothing(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s := localslack.New(workspace(), localslack.WithAckTimeout(time.Hour))
	if err := s.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	api := client(s, slack.OptionHTTPClient(&http.Client{Transport: transport}))
	conn := dialWith(t, api)
	next(t, conn)
	s.Fault(func(localslack.Call) *localslack.Fault { return &localslack.Fault{Hang: true} })
	hung := make(chan error, 1)
	go func() { _, err := api.AuthTest(); hung <- err }()
	done := command(t.Context(), s, "/rollback shop")
	next(t, conn)
	s.Refresh("warning")
	waitFor(t, s, "the hanging call", func(*localslack.Snapshot) bool { return len(s.CallsTo("auth.test")) == 1 })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-hung; err == nil {
		t.Error("a hanging call ended well")
	}
	if r := <-done; r.err != localslack.ErrClosed {
		t.Errorf("a command under way ended with %v, want ErrClosed", r.err)
	}
	_ = conn.Close()
}
