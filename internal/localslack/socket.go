package localslack

import (
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	// maxSockets is how many connections an app has at most: https://docs.slack.dev/apis/events-api/using-socket-mode
	maxSockets = 10
	// ticketLife is how long the URL of apps.connections.open can be dialled. Slack says "temporary"; its URLs
	// were seen to last about half a minute.
	ticketLife = 30 * time.Second
	// writeWait bounds one write to a socket whose client doesn't read.
	writeWait = 3 * time.Second
)

// socket is one connection of the app.
type socket struct {
	conn    *websocket.Conn
	serial  int
	writing sync.Mutex
	ended   bool // a close frame was written; guarded by writing
	retired bool // gets no more envelopes; guarded by Server.mu
}

// connectionsOpen gives a URL to dial, once.
func (s *Server) connectionsOpen(args) (object, error) {
	ticket := newUUID()
	s.tickets[ticket] = time.Now()
	query := url.Values{"ticket": {ticket}, "app_id": {s.world.appID}}
	return object{"url": "ws://" + s.host() + socketPath + "?" + query.Encode()}, nil
}

// serveSocket is one socket's whole life.
func (s *Server) serveSocket(w http.ResponseWriter, r *http.Request) {
	if !s.redeem(r.URL.Query().Get("ticket")) {
		http.Error(w, "invalid or used ticket", http.StatusForbidden)
		return
	}
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }} // the guard has looked at it
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	sock := &socket{conn: conn}
	defer conn.Close()
	number, admitted := s.admit(sock)
	if !admitted {
		sock.send(disconnect("too_many_websockets"))
		sock.bye(websocket.CloseNormalClosure)
		return
	}
	defer s.dismiss(sock)
	// The client's goodbye is answered, and nothing goes to a socket after that.
	conn.SetCloseHandler(func(int, string) error { s.shut(sock, websocket.CloseNormalClosure); return nil })
	sock.send(s.hello(number))
	done := make(chan struct{})
	defer close(done)
	s.keepAlive(sock, done)
	s.read(sock)
}

func (s *Server) redeem(ticket string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	given, ok := s.tickets[ticket]
	delete(s.tickets, ticket)
	return ok && time.Since(given) <= ticketLife
}

// admit counts the socket in, unless there are too many. A server that is closing admits none.
func (s *Server) admit(sock *socket) (number int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closing:
		return 0, false
	default:
	}
	if s.openSockets() >= maxSockets {
		return 0, false
	}
	s.socketSeq++
	sock.serial = s.socketSeq
	s.sockets[sock] = struct{}{}
	s.touchLocked()
	return s.openSockets(), true
}

func (s *Server) dismiss(sock *socket) {
	s.change(func() { delete(s.sockets, sock) })
}

// openSockets counts the sockets that get envelopes.
func (s *Server) openSockets() int {
	n := 0
	for sock := range s.sockets {
		if !sock.retired {
			n++
		}
	}
	return n
}

// pickSocket chooses any one socket, as Slack does; nil if there is none.
func (s *Server) pickSocket() *socket {
	var open []*socket
	for sock := range s.sockets {
		if !sock.retired {
			open = append(open, sock)
		}
	}
	if len(open) == 0 {
		return nil
	}
	return open[rand.IntN(len(open))]
}

func (s *Server) hello(number int) object {
	return object{
		"type": "hello", "num_connections": number,
		"connection_info": object{"app_id": s.world.appID},
		"debug_info":      object{"host": "localslack", "build_number": 1, "approximate_connection_time": 18060},
	}
}

func disconnect(reason string) object {
	return object{"type": "disconnect", "reason": reason, "debug_info": object{"host": "localslack"}}
}

// keepAlive pings the client until done. A client that answers none of three pings is cut off.
func (s *Server) keepAlive(sock *socket, done <-chan struct{}) {
	interval := s.opts.pingInterval
	if interval <= 0 {
		return
	}
	extend := func(string) error { return sock.conn.SetReadDeadline(time.Now().Add(3 * interval)) }
	_ = extend("")
	sock.conn.SetPongHandler(extend)
	answer := sock.conn.PingHandler()
	sock.conn.SetPingHandler(func(data string) error { return errors.Join(extend(data), answer(data)) })
	s.work.Go(func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_ = sock.conn.WriteControl(websocket.PingMessage, []byte("Ping from localslack"), time.Now().Add(writeWait))
			case <-done:
				return
			}
		}
	})
}

// read takes acknowledgements until the connection ends. After a close that the server began, the TCP connection is
// left open for as long as the client leaves it open, up to the grace: Slack doesn't close it either.
func (s *Server) read(sock *socket) {
	for {
		kind, message, err := sock.conn.ReadMessage()
		if err != nil {
			break
		}
		if kind == websocket.TextMessage {
			s.acknowledge(message)
		}
	}
	s.mu.Lock()
	retired := sock.retired
	s.mu.Unlock()
	if retired {
		raw := sock.conn.NetConn()
		_ = raw.SetReadDeadline(time.Now().Add(s.opts.grace))
		_, _ = io.Copy(io.Discard, raw)
	}
}

// send writes one message; false if a close frame was written before, after which nothing may be. A failed write shows
// as a missing acknowledgement, as it would with Slack.
func (sock *socket) send(message object) bool {
	sock.writing.Lock()
	defer sock.writing.Unlock()
	if sock.ended {
		return false
	}
	_ = sock.conn.SetWriteDeadline(time.Now().Add(writeWait))
	_ = sock.conn.WriteMessage(websocket.TextMessage, encode(message))
	return true
}

// bye writes a close frame.
func (sock *socket) bye(code int) {
	sock.writing.Lock()
	defer sock.writing.Unlock()
	sock.ended = true
	_ = sock.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(writeWait))
}
