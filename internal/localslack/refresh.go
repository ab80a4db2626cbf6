package localslack

import (
	"context"

	"github.com/gorilla/websocket"
)

// Refresh tells every open socket that it will be closed, and closes it, as Slack does every few hours. reason is one
// of Slack's: "warning" gives the grace of [WithGrace], in which the socket works on and gets envelopes;
// "refresh_requested", "link_disabled" and "too_many_websockets" close at once.
func (s *Server) Refresh(reason string) {
	s.mu.Lock()
	var all []*socket
	for sock := range s.sockets {
		if !sock.retired {
			all = append(all, sock)
		}
	}
	s.mu.Unlock()
	for _, sock := range all {
		s.retire(sock, reason)
	}
}

// RefreshOne does to any one open socket what [Server.Refresh] does to all. It reports whether there was one.
func (s *Server) RefreshOne(reason string) bool {
	s.mu.Lock()
	sock := s.pickSocket()
	s.mu.Unlock()
	if sock == nil {
		return false
	}
	s.retire(sock, reason)
	return true
}

// WarnBeforeNext makes each of the next n envelopes go out right behind a warning, on the warned socket.
func (s *Server) WarnBeforeNext(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.warnNext = n
}

// DropOne cuts any one connection of the app without a word. It reports whether there was one.
func (s *Server) DropOne() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	sock := s.pickSocket()
	if sock == nil {
		return false
	}
	_ = sock.conn.NetConn().Close()
	return true
}

// DropSockets cuts every connection of the app without a word.
func (s *Server) DropSockets() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sock := range s.sockets {
		_ = sock.conn.NetConn().Close()
	}
}

// retire sends a disconnect and closes the socket, after the grace if it is only a warning.
func (s *Server) retire(sock *socket, reason string) {
	sock.send(disconnect(reason))
	if reason != "warning" {
		s.shut(sock, websocket.CloseGoingAway)
		return
	}
	s.background(func() {
		if s.sleep(context.Background(), s.opts.grace) {
			sock.send(disconnect("refresh_requested"))
			s.shut(sock, websocket.CloseGoingAway)
		}
	})
}

// shut ends a socket's work: nothing goes to it any more, and a close frame says so.
func (s *Server) shut(sock *socket, code int) {
	s.change(func() { sock.retired = true })
	sock.bye(code)
}

// background runs f in a goroutine that Close waits for; f must end when s.closing does.
func (s *Server) background(f func()) {
	if s.enter() {
		go func() {
			defer s.work.Done()
			f()
		}()
	}
}

// enter counts the caller among what Close waits for; false when the server is closing.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closing:
		return false
	default:
		s.work.Add(1)
		return true
	}
}
