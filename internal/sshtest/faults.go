package sshtest

import (
	"context"
	"fmt"
	"net"
	"syscall"
)

// Cut drops all connections at once, as a failing link does. What runs on the host goes on; new connections are taken.
func (s *Server) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		conn.Close()
	}
}

// Freeze stops all traffic of present and coming connections without closing them, as a dead route does;
// Freeze(false) lets it flow on.
func (s *Server) Freeze(frozen bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frozen = frozen
	for conn := range s.conns {
		conn.setFrozen(frozen)
	}
}

// Refuse closes the port, so that dialling is refused, or opens it again. Present connections stay.
func (s *Server) Refuse(refuse bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusing = refuse
	switch {
	case refuse && s.listener != nil:
		listener := s.listener
		s.listener = nil
		return listener.Close()
	case !refuse && s.overTCP && s.listener == nil && !s.closed:
		return s.listenAgain()
	}
	return nil
}

// listenAgain needs s.mu.
func (s *Server) listenAgain() error {
	listener, err := net.Listen("tcp", s.addr)
	if err != nil {
		return fmt.Errorf("open the port again: %w", err)
	}
	s.listener = listener
	s.working.Go(func() { s.accept(listener) })
	return nil
}

// Dial gives the client's end of an in-memory connection to the server, whatever addr says.
// Its signature is that of net.Dialer.DialContext, so that a client can be given it as its dialler.
func (s *Server) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	refuse := s.refusing || s.closed
	s.mu.Unlock()
	if refuse {
		return nil, refused(network)
	}
	client, server := Pipe()
	s.ServeConn(server)
	return client, nil
}

// Network is several in-memory servers by their "host:port", which is what Options.Addr of New says.
type Network map[string]*Server

// Dial is Server.Dial of the server at addr. Where there is none, dialling is refused.
func (n Network) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	server, ok := n[addr]
	if !ok {
		return nil, refused(network)
	}
	return server.Dial(ctx, network, addr)
}

func refused(network string) error {
	return &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
}
