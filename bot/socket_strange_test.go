package bot_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/rs/zerolog"
	"github.com/slack-go/slack"

	"rollbackbot/bot"
)

// strangeSlack lets one socket in and sends it what it is told to, whether it makes sense or not.
type strangeSlack struct {
	sends []frame
	got   chan string // what the bot wrote
	ended chan error  // how its reading ended
}

type frame struct {
	kind int
	text string
}

func (s *strangeSlack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		_ = json.NewEncoder(w).Encode(map[string]any{"ok": true, "url": "ws://" + r.Host + "/link?ticket=hush-hush"})
		return
	}
	conn, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	for _, f := range s.sends {
		_ = conn.WriteMessage(f.kind, []byte(f.text))
	}
	for {
		_, message, err := conn.ReadMessage()
		if err != nil {
			s.ended <- err
			return
		}
		s.got <- string(message)
	}
}

func text(format string, args ...any) frame {
	return frame{websocket.TextMessage, fmt.Sprintf(format, args...)}
}

const hello = `{"type":"hello","num_connections":1,"connection_info":{"app_id":"A0LOCAL"}}`

// meet runs a socket on a strange Slack and gives what it handled.
func (s *strangeSlack) meet(t *testing.T, log *syncBuffer, during func(*bot.Socket)) (handled []bot.Envelope) {
	network := newWires()
	s.got, s.ended = make(chan string, 100), make(chan error, 100)
	server := &http.Server{Handler: s}
	served := make(chan struct{})
	go func() { _ = server.Serve(network); close(served) }()
	api := slack.New("xoxb-hush", slack.OptionAppLevelToken("xapp-hush"), slack.OptionAPIURL("http://"+network.Addr().String()+"/api/"),
		slack.OptionHTTPClient(bot.Paced(network.httpClient())))
	envelopes := make(chan bot.Envelope, 100)
	socket := &bot.Socket{API: api, Sockets: one, Log: zerolog.New(log), Handle: func(ctx context.Context, e bot.Envelope, ack bot.Ack) {
		envelopes <- e
		if err := ack(ctx, nil); err != nil {
			t.Error(err)
		}
	}}
	socket.Dial = network.dial
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { socket.Run(ctx); close(done) }()
	during(socket)
	stop()
	<-done
	_ = server.Close()
	<-served
	close(envelopes)
	for e := range envelopes {
		handled = append(handled, e)
	}
	return handled
}

func TestSocket_WhatCantBeReadIsSkipped(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &strangeSlack{sends: []frame{
			text(`{`), text(`[]`), text(`{"type":7}`), text(hello),
			text(``), text(`null`), text(`"hello"`),
			text(`{"type":"shortcuts_of_tomorrow","envelope_id":"e1","payload":{}}`),
			text(`{"type":"slash_commands","payload":{}}`),
			{websocket.BinaryMessage, `{"type":"slash_commands","envelope_id":"e2","payload":{}}`},
			text(`{"type":"slash_commands","envelope_id":"e3","payload":{"text":"shop"}}`),
			text(`{"type":"interactive","envelope_id":"e4"}`),
		}}
		log := &syncBuffer{}
		handled := s.meet(t, log, func(socket *bot.Socket) {
			time.Sleep(time.Second)
			if state := socket.State(); !state.Connected {
				t.Errorf("state = %+v, want connected", state)
			}
		})
		ids := map[string]bot.Envelope{}
		for _, e := range handled {
			ids[e.ID] = e
		}
		if len(handled) != 2 || string(ids["e3"].Payload) != `{"text":"shop"}` || ids["e3"].App != "A0LOCAL" || ids["e4"].Kind != "interactive" {
			t.Errorf("handled %+v, want e3 and e4", handled)
		}
		acks := map[string]bool{<-s.got: true, <-s.got: true}
		if len(s.got) != 0 || !acks[`{"envelope_id":"e3"}`] || !acks[`{"envelope_id":"e4"}`] {
			t.Errorf("acknowledged %v and %d more, want those two", acks, len(s.got))
		}
		if n := strings.Count(log.String(), "was skipped"); n != 9 {
			t.Errorf("%d of 9 things that can't be read are in the log:\n%s", n, log)
		}
	})
}

func TestSocket_SaysGoodbye(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &strangeSlack{sends: []frame{text(hello)}}
		s.meet(t, &syncBuffer{}, func(*bot.Socket) { time.Sleep(time.Second) })
		if err := <-s.ended; !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
			t.Errorf("at the stop the connection ended with %v, want a goodbye", err)
		}
	})
}

func TestSocket_NoHelloIsNoConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := &syncBuffer{}
		s := &strangeSlack{}
		s.meet(t, log, func(socket *bot.Socket) {
			time.Sleep(11 * time.Minute)
			if state := socket.State(); state.Connected || !strings.Contains(state.Problem, "said nothing") {
				t.Errorf("state = %+v, want not connected, and why", state)
			}
		})
		if n := len(s.ended); n < 8 || n > 20 {
			t.Errorf("%d sockets were opened in eleven minutes, want 8 to 20", n)
		}
		if strings.Contains(log.String(), "hush") {
			t.Errorf("a ticket or token is in the log:\n%s", log)
		}
	})
}

// An endless message is a connection's end, not the machine's.
func TestSocket_TooLongAMessage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &strangeSlack{sends: []frame{text(hello), text(`{"type":"slash_commands","envelope_id":"e1","payload":"%s"}`, strings.Repeat("x", 9<<20))}}
		if handled := s.meet(t, &syncBuffer{}, func(*bot.Socket) { time.Sleep(time.Second / 2) }); len(handled) != 0 {
			t.Errorf("handled %d envelopes", len(handled))
		}
		if err := <-s.ended; !websocket.IsCloseError(err, websocket.CloseMessageTooBig) {
			t.Errorf("the connection ended with %v, want that the message is too big", err)
		}
	})
}

func TestSocket_NoTicketInItsErrors(t *testing.T) {
	for _, address := range []string{"http://127.0.0.1:8400/?ticket=hush-hush", "ws://127.0.0.1:84 00/?ticket=hush-hush", "", "ws://%zz?ticket=hush-hush"} {
		t.Run(address, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				network := newWires()
				mux := http.NewServeMux()
				mux.HandleFunc("/api/", func(w http.ResponseWriter, _ *http.Request) {
					_ = json.NewEncoder(w).Encode(map[string]any{"ok": true, "url": address})
				})
				server := &http.Server{Handler: mux}
				served := make(chan struct{})
				go func() { _ = server.Serve(network); close(served) }()
				log := &syncBuffer{}
				socket := &bot.Socket{Log: zerolog.New(log), API: slack.New("x", slack.OptionAPIURL("http://127.0.0.1:8400/api/"), slack.OptionHTTPClient(bot.Paced(network.httpClient())))}
				socket.Dial = network.dial
				ctx, stop := context.WithTimeout(t.Context(), time.Second/2)
				defer stop()
				socket.Run(ctx)
				_ = server.Close()
				<-served
				if state := socket.State(); state.Problem == "" || strings.Contains(state.Problem+state.Event+log.String(), "hush") {
					t.Errorf("state = %+v, want a problem without the ticket\n%s", state, log)
				}
			})
		})
	}
}
