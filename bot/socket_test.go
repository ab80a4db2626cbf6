package bot_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"rollbackbot/bot"
	"rollbackbot/internal/localslack"
)

func (b *bench) awaitState(what string, ok func(bot.SocketState) bool) bot.SocketState {
	b.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if state := b.socket.State(); ok(state) {
			return state
		}
	}
	b.Fatalf("waiting for %s: the state is %+v\nlog:\n%s", what, b.socket.State(), b.log)
	return bot.SocketState{}
}

func TestSocket_Connects(t *testing.T) {
	b := build(t)
	if state := b.socket.State(); state.Connected || state.Fatal() {
		t.Errorf("before Run: %+v", state)
	}
	b.start()
	state := b.awaitState("the connection", func(s bot.SocketState) bool { return s.Connected })
	if state.Since.IsZero() || state.Problem != "" || state.Fatal() {
		t.Errorf("connected: %+v", state)
	}
}

func TestSocket_ComesBack(t *testing.T) {
	b := listen(t)
	before := b.slack.Snapshot().SocketsSoFar()
	b.slack.DropSockets()
	b.wait("the bot to come back", func(now *localslack.Snapshot) bool { return now.SocketsSoFar() == before+1 && now.Sockets() == 1 })
	b.command(ana, "/rollback help")
	b.told(ana, "because")
}

// permanentCodes are answers of apps.connections.open that only a person can mend.
var permanentCodes = []string{
	"missing_scope", "not_allowed_token_type", "invalid_auth", "not_authed", "token_revoked", "account_inactive", "token_expired",
	"team_access_not_granted", "access_denied", "no_permission", "ekm_access_denied", "org_login_required",
}

func TestSocket_PermanentProblemsAreVisible(t *testing.T) {
	for _, code := range permanentCodes {
		t.Run(code, func(t *testing.T) {
			b := build(t)
			b.slack.Fault(func(c localslack.Call) *localslack.Fault {
				if c.Method == "apps.connections.open" {
					return &localslack.Fault{Error: code}
				}
				return nil
			})
			stop := b.startDeaf()
			state := b.awaitState("the problem", bot.SocketState.Fatal)
			if state.Connected || state.Problem != code || state.Remedy == "" {
				t.Errorf("state = %+v, want the problem %q and a remedy", state, code)
			}
			stop()
			if log := b.log.String(); !strings.Contains(log, code) || !strings.Contains(log, state.Remedy) {
				t.Errorf("the log has neither code nor remedy:\n%s", log)
			}
			if n := len(b.slack.CallsTo("apps.connections.open")); n != 1 {
				t.Errorf("%d attempts at once, want one", n)
			}
		})
	}
}

func TestSocket_PassingProblemsAreTriedAgain(t *testing.T) {
	b := build(t)
	b.slack.Fault(func(c localslack.Call) *localslack.Fault {
		if c.Method == "apps.connections.open" && len(b.slack.CallsTo("apps.connections.open")) < 2 {
			return &localslack.Fault{Status: 500}
		}
		return nil
	})
	b.start()
	if state := b.awaitState("the connection", func(s bot.SocketState) bool { return s.Connected }); state.Problem != "" {
		t.Errorf("connected, the state still says %+v", state)
	}
}

func TestSocket_NoTokenInLogOrState(t *testing.T) {
	b := build(t)
	b.slack.Close() // nobody is there
	stop := b.startDeaf()
	state := b.awaitState("the problem", func(s bot.SocketState) bool { return s.Problem != "" })
	stop()
	ws := b.slack.Workspace()
	for _, secret := range []string{ws.BotToken, ws.AppToken} {
		if strings.Contains(b.log.String(), secret) || strings.Contains(state.Problem, secret) {
			t.Errorf("a token shows: %+v\n%s", state, b.log)
		}
	}
	if state.Fatal() {
		t.Errorf("state = %+v, want a problem that passes", state)
	}
}

func TestSocket_StopAcknowledgesWhatItTook(t *testing.T) {
	b := listen(t)
	b.opens()
	done := make(chan error, 20)
	for range 20 {
		go func() {
			_, err := b.slack.Command(t.Context(), ana, team, "/rollback help")
			done <- err
		}()
	}
	b.inbox.come(t, 10)
	b.stop()
	stored, _ := b.inbox.all()
	acked := 0
	for range 20 {
		if err := <-done; err == nil {
			acked++
		}
	}
	if acked != len(stored) {
		t.Errorf("%d were stored and %d acknowledged, want as many", len(stored), acked)
	}
}

// The same as in the bubbles, over the real network: none is lost that is sent behind a warning, and nothing stays.
func TestSocket_OverTCP(t *testing.T) {
	before := goleak.IgnoreCurrent()
	b := build(t)
	_ = b.slack.Close()
	b.slack = startSlack(t, workspace(), localslack.WithGrace(patience)) // Slack gives ten seconds; the successor needs its time on a loaded machine
	b = rebuilt(b).start()
	b.slack.WarnBeforeNext(1)
	results := make(chan error, 50)
	for range cap(results) {
		go func() {
			_, err := b.slack.Command(t.Context(), ana, team, "/rollback help")
			results <- err
		}()
	}
	for range cap(results) {
		if err := <-results; err != nil {
			t.Errorf("a command around a warning: %v", err)
		}
	}
	b.inbox.settle(t, cap(results))
	b.stop()
	if err := b.slack.Close(); err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
	goleak.VerifyNone(t, before)
}
