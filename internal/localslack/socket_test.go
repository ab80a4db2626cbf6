package localslack_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"rollbackbot/internal/localslack"
)

// dial opens one socket by hand and reads its hello.
func dial(t *testing.T, s *localslack.Server) *websocket.Conn {
	t.Helper()
	return dialWith(t, client(s))
}

func dialWith(t *testing.T, api *slack.Client) *websocket.Conn {
	t.Helper()
	_, url, err := api.StartSocketModeContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn, _, err := websocket.DefaultDialer.DialContext(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func next(t *testing.T, conn *websocket.Conn) map[string]any {
	t.Helper()
	var m map[string]any
	if err := conn.ReadJSON(&m); err != nil {
		t.Fatalf("read: %v", err)
	}
	return m
}

// answer acknowledges with a payload, nil for none.
func answer(t *testing.T, conn *websocket.Conn, envelope map[string]any, payload any) {
	t.Helper()
	m := map[string]any{"envelope_id": envelope["envelope_id"]}
	if payload != nil {
		m["payload"] = payload
	}
	if err := conn.WriteJSON(m); err != nil {
		t.Error(err)
	}
}

type result struct {
	ack localslack.Ack
	err error
}

func command(ctx context.Context, s *localslack.Server, text string) chan result {
	done := make(chan result, 1)
	go func() {
		ack, err := s.Command(ctx, ana, team, text)
		done <- result{ack, err}
	}()
	return done
}

func TestSocket_HelloAndTicket(t *testing.T) {
	s := start(t)
	_, url, err := client(s).StartSocketModeContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn, _, err := websocket.DefaultDialer.DialContext(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if hello := next(t, conn); hello["type"] != "hello" || hello["num_connections"] != 1.0 {
		t.Errorf("hello = %v", hello)
	}
	if _, res, err := websocket.DefaultDialer.DialContext(t.Context(), url, nil); err == nil || res.StatusCode != http.StatusForbidden {
		t.Errorf("dialling the same URL twice: %v, want 403", err)
	}
	if err := conn.WriteControl(websocket.PingMessage, []byte("are you there"), time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	pong := make(chan string, 1)
	conn.SetPongHandler(func(data string) error { pong <- data; return nil })
	go func() { _, _, _ = conn.ReadMessage() }()
	if got := <-pong; got != "are you there" {
		t.Errorf("pong = %q, want what the ping said", got)
	}
}

func TestSocket_PingsTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, conn, over := inBubble(t, localslack.WithPingInterval(10*time.Second))
		defer over()
		pings := 0
		answerPing := conn.PingHandler()
		conn.SetPingHandler(func(data string) error { pings++; return answerPing(data) })
		ended := make(chan error)
		go func() { _, _, err := conn.ReadMessage(); ended <- err }()
		time.Sleep(time.Minute) // longer than the three that may go unanswered: the client's pongs keep the socket
		synctest.Wait()
		if n := s.Snapshot().Sockets(); n != 1 {
			t.Errorf("%d sockets: one whose client answers pings was cut", n)
		}
		_ = s.Close()
		<-ended
		if pings != 6 {
			t.Errorf("%d pings in a minute, want one each 10 s", pings)
		}
	})
}

func TestSocket_CutsTheSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, over := inBubble(t, localslack.WithPingInterval(10*time.Second))
		defer over()
		for _, c := range []struct {
			until time.Duration
			want  int
		}{{29 * time.Second, 1}, {2 * time.Second, 0}} { // it reads nothing, so it answers none of three pings
			time.Sleep(c.until)
			synctest.Wait()
			if n := s.Snapshot().Sockets(); n != c.want {
				t.Errorf("%d sockets, want %d", n, c.want)
			}
		}
	})
}

func TestSocket_EleventhIsTooMany(t *testing.T) {
	s := start(t)
	for range 10 {
		if got := next(t, dial(t, s))["type"]; got != "hello" {
			t.Fatalf("first message = %v, want hello", got)
		}
	}
	if got := next(t, dial(t, s)); got["type"] != "disconnect" || got["reason"] != "too_many_websockets" {
		t.Errorf("the eleventh gets %v, want too_many_websockets", got)
	}
}

func TestSocket_OneSocketPerEnvelope(t *testing.T) {
	s := start(t)
	got := make(chan *websocket.Conn, 100)
	conns := []*websocket.Conn{dial(t, s), dial(t, s), dial(t, s)}
	for _, c := range conns {
		go func() {
			for {
				var m map[string]any
				if c.ReadJSON(&m) != nil {
					return
				}
				if m["type"] == "slash_commands" {
					got <- c
					_ = c.WriteJSON(map[string]any{"envelope_id": m["envelope_id"]})
				}
			}
		}()
	}
	waitFor(t, s, "three sockets", func(now *localslack.Snapshot) bool { return now.Sockets() == 3 })
	used := map[*websocket.Conn]int{}
	for range 60 {
		if _, err := s.Command(t.Context(), ana, team, "/rollback shop"); err != nil {
			t.Fatal(err)
		}
		used[<-got]++
	}
	if len(got) != 0 {
		t.Error("an envelope went to more than one socket")
	}
	if len(used) != 3 { // 3 × (2/3)^60: never by chance
		t.Errorf("%d of 3 sockets were used for 60 commands", len(used))
	}
}

func TestSocket_NotAcknowledged(t *testing.T) {
	s := start(t, localslack.WithAckTimeout(20*time.Millisecond))
	ack, err := s.Command(t.Context(), ana, team, "/rollback shop")
	if !errors.Is(err, localslack.ErrNotAcked) {
		t.Errorf("without a socket: %v, want ErrNotAcked", err)
	}
	if want := `/rollback failed with the error "dispatch_failed"`; ack.Notice != want || s.Private(ana)[0].Text != want {
		t.Errorf("the person is told %q, want %q", ack.Notice, want)
	}
	conn := dial(t, s)
	next(t, conn)
	done := command(t.Context(), s, "/rollback shop")
	next(t, conn)
	if r := <-done; !errors.Is(r.err, localslack.ErrNotAcked) {
		t.Errorf("unanswered: %v, want ErrNotAcked", r.err)
	}
}

func TestSocket_AckTooLarge(t *testing.T) {
	s := start(t, localslack.WithAckTimeout(100*time.Millisecond))
	conn := dial(t, s)
	next(t, conn)
	done := command(t.Context(), s, "/rollback shop")
	answer(t, conn, next(t, conn), map[string]string{"text": strings.Repeat("x", 20_480)})
	if r := <-done; !errors.Is(r.err, localslack.ErrNotAcked) {
		t.Errorf("an acknowledgement of more than 20 KB: %v, want it dropped", r.err)
	}
}

func TestSocket_WarningThenClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, conn, over := inBubble(t, localslack.WithGrace(10*time.Second))
		defer over()
		began := time.Now()
		s.Refresh("warning")
		if got := next(t, conn); got["reason"] != "warning" {
			t.Fatalf("message = %v, want a warning", got)
		}
		done := command(t.Context(), s, "/rollback shop") // within the grace
		answer(t, conn, next(t, conn), nil)
		if r := <-done; r.err != nil {
			t.Errorf("a command after the warning: %v", r.err)
		}
		if got := next(t, conn); got["reason"] != "refresh_requested" || time.Since(began) != 10*time.Second {
			t.Fatalf("message = %v after %s, want refresh_requested after the grace", got, time.Since(began))
		}
		var closed *websocket.CloseError
		if _, _, err := conn.ReadMessage(); !errors.As(err, &closed) {
			t.Fatalf("then: %v, want a close frame", err)
		}
		_ = conn.NetConn().SetReadDeadline(time.Now().Add(5 * time.Second))
		var timeout interface{ Timeout() bool }
		if _, err := conn.NetConn().Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("TCP after the close frame: %v, want it still open", err)
		}
	})
}

func TestSocket_EnvelopeBehindWarning(t *testing.T) {
	s := start(t)
	conn := dial(t, s)
	next(t, conn)
	s.WarnBeforeNext(1)
	done := command(t.Context(), s, "/rollback shop")
	if got := next(t, conn); got["reason"] != "warning" {
		t.Fatalf("message = %v, want a warning", got)
	}
	answer(t, conn, next(t, conn), nil)
	if r := <-done; r.err != nil {
		t.Error(r.err)
	}
}

// TestSocket_SlackGo runs slack-go's own client through refreshes and cut connections.
func TestSocket_SlackGo(t *testing.T) {
	s := start(t, localslack.WithGrace(10*time.Millisecond), localslack.WithAckTimeout(200*time.Millisecond))
	app(t, s, acks)
	for _, breakIt := range []func(){
		func() { s.Refresh("refresh_requested") }, s.DropSockets, func() { s.Refresh("warning") },
	} {
		opened := len(s.CallsTo("apps.connections.open"))
		breakIt()
		waitFor(t, s, "a new socket", func(now *localslack.Snapshot) bool {
			return len(s.CallsTo("apps.connections.open")) > opened && now.Sockets() == 1
		})
		_, err := s.Command(t.Context(), ana, team, "/rollback shop")
		for began := time.Now(); err != nil && time.Since(began) < patience; { // one may still have gone to the socket that slack-go had given up
			_, err = s.Command(t.Context(), ana, team, "/rollback shop")
		}
		if err != nil {
			t.Error(err)
		}
	}
}

func TestSocket_AnswerInTheAck(t *testing.T) {
	s := start(t)
	app(t, s, func(_ *slack.Client, sock *socketmode.Client, e socketmode.Event) {
		cmd := e.Data.(slack.SlashCommand)
		_ = sock.Ack(*e.Request, map[string]any{"response_type": strings.Fields(cmd.Text)[0], "text": "you said: " + cmd.Text})
	})
	ack := must[localslack.Ack](t)(s.Command(t.Context(), ana, team, "/rollback ephemeral hello"))
	if got := s.Private(ana); len(got) != 1 || got[0].Text != "you said: ephemeral hello" || ack.Shown[0].TS != got[0].TS {
		t.Errorf("ana sees %+v, Ack %+v", got, ack)
	}
	must[localslack.Ack](t)(s.Command(t.Context(), ana, other, "/rollback in_channel hello"))
	if got := s.Messages(other); len(got) != 1 {
		t.Errorf("in the channel: %+v, want one message though the app isn't a member", got)
	}
}

func TestSocket_UnknownCommand(t *testing.T) {
	s := start(t)
	ack, err := s.Command(t.Context(), ana, team, "/deploy now")
	if !errors.Is(err, localslack.ErrNoCommand) || !strings.HasPrefix(ack.Notice, "/deploy is not a valid command") {
		t.Errorf("ack %+v, error %v", ack, err)
	}
	if len(s.Envelopes()) != 0 {
		t.Error("the app got something")
	}
}

func TestSocket_Redeliver(t *testing.T) {
	s := start(t)
	conn := dial(t, s)
	next(t, conn)
	done := command(t.Context(), s, "/rollback shop")
	first := next(t, conn)
	answer(t, conn, first, nil)
	<-done
	again := make(chan error, 1)
	go func() { _, err := s.Redeliver(t.Context()); again <- err }()
	second := next(t, conn)
	answer(t, conn, second, nil)
	if err := <-again; err != nil || second["envelope_id"] != first["envelope_id"] {
		t.Errorf("second delivery %v (%v), want the envelope %v", second, err, first["envelope_id"])
	}
}

func TestEvents_RetriedUntilAcknowledged(t *testing.T) {
	s := start(t, localslack.WithAckTimeout(20*time.Millisecond))
	conn := dial(t, s)
	next(t, conn)
	go func() { _, _ = s.OpenHome(t.Context(), ana) }()
	first := next(t, conn)
	second := next(t, conn) // the first retry comes at once
	answer(t, conn, second, nil)
	if first["retry_attempt"] != 0.0 || second["retry_attempt"] != 1.0 || second["retry_reason"] != "timeout" {
		t.Errorf("attempts %v and %v", first["retry_attempt"], second["retry_attempt"])
	}
	id := func(e map[string]any) any { return e["payload"].(map[string]any)["event_id"] }
	if id(first) != id(second) {
		t.Error("the retry has another event_id")
	}
}

func TestEvents_Messages(t *testing.T) {
	ws := workspace()
	ws.Events = []string{"message.channels", "app_mention"}
	s := startWith(t, ws)
	got := make(chan string, 10)
	app(t, s, func(_ *slack.Client, sock *socketmode.Client, e socketmode.Event) {
		_ = sock.Ack(*e.Request)
		var p struct {
			Event struct{ Type, Channel, Text string }
		}
		_ = json.Unmarshal(e.Request.Payload, &p)
		got <- p.Event.Type + " " + p.Event.Text
	})
	must[localslack.Message](t)(s.Say(ana, other, "", "where the bot isn't"))
	must[localslack.Message](t)(s.Say(ana, team, "", "hello @rollbackbot"))
	seen := map[string]bool{<-got: true, <-got: true}
	if !seen["message hello <@U0BOT>"] || !seen["app_mention hello <@U0BOT>"] {
		t.Errorf("events = %v", seen)
	}
}
