package sshtest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"rollbackbot/runbook"
)

// Server is a running host. Its methods may be called from any goroutine.
type Server struct {
	KeyFile        string // the private part of the only client key that is accepted
	KnownHostsFile string // what Options.Known says about this server, beside what other servers of the folder wrote

	options Options
	config  *ssh.ServerConfig
	addr    string
	ctx     context.Context // ends when the server closes
	cancel  context.CancelFunc
	working sync.WaitGroup // accepting, connections, sessions; not processes
	groups  groups
	overTCP bool // made by Start

	mu       sync.Mutex
	listener net.Listener // nil for New, and while refusing
	refusing bool
	closed   bool
	conns    map[*gatedConn]struct{}
	frozen   bool
	accepted int
	lines    []string
}

// New makes a server without a network: clients come through Dial or ServeConn.
func New(options Options) (*Server, error) {
	return newServer(options, cmp.Or(options.Addr, "host:22"))
}

// Start makes a server that listens on TCP, on Options.Addr. The caller closes it.
func Start(options Options) (*Server, error) {
	listener, err := net.Listen("tcp", cmp.Or(options.Addr, DefaultAddr))
	if err != nil {
		return nil, fmt.Errorf("start an SSH server: %w", err)
	}
	s, err := newServer(options, listener.Addr().String())
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	s.listener, s.overTCP = listener, true
	s.working.Go(func() { s.accept(listener) })
	return s, nil
}

func newServer(options Options, addr string) (*Server, error) {
	if options.Dir == "" {
		return nil, errors.New("start an SSH server: Options.Dir is empty")
	}
	if len(options.HostKeys) == 0 {
		key, err := NewKey(ssh.KeyAlgoED25519)
		if err != nil {
			return nil, err
		}
		options.HostKeys = []ssh.Signer{key}
	}
	s := &Server{options: options.withDefaults(), addr: addr, conns: make(map[*gatedConn]struct{})}
	if err := s.writeFiles(); err != nil {
		return nil, fmt.Errorf("start an SSH server: %w", err)
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

func (s *Server) writeFiles() error {
	keyFile, client, err := clientKey(s.options.Dir)
	if err != nil {
		return err
	}
	s.KeyFile = keyFile
	s.config = s.serverConfig(client)
	s.KnownHostsFile, err = writeKnownHosts(s.options.Dir, s.addr, s.options.Known, s.options.HostKeys)
	return err
}

func (s *Server) serverConfig(client ssh.PublicKey) *ssh.ServerConfig {
	config := &ssh.ServerConfig{
		ServerVersion: "SSH-2.0-rollbackbot_sshtest",
		PublicKeyCallback: func(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if meta.User() != s.options.User || !bytes.Equal(key.Marshal(), client.Marshal()) {
				return nil, errors.New("not the client key of this server")
			}
			return nil, nil
		},
	}
	if s.options.Banner != "" {
		config.BannerCallback = func(ssh.ConnMetadata) string { return s.options.Banner }
	}
	for _, key := range s.options.HostKeys {
		config.AddHostKey(key)
	}
	return config
}

// User is the user name that is accepted.
func (s *Server) User() string { return s.options.User }

// Addr is the "host:port" under which the server is reached and known.
func (s *Server) Addr() string { return s.addr }

// Host is the server as an app's configuration names it.
func (s *Server) Host() runbook.Host { return runbook.Host(s.options.User + "@" + s.addr) }

// Connections is how many connections have been taken so far, whether or not they logged in.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// Lines are the command lines that were asked for so far, in the order in which they came.
func (s *Server) Lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.lines)
}

// Close stops accepting, drops all connections and waits for their sessions. With Options.KillAll it also ends every
// process group that the server started; without, what runs goes on. Closing twice is closing once.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	listener := s.listener
	s.listener = nil
	s.mu.Unlock()

	var err error
	if listener != nil {
		err = listener.Close()
	}
	s.cancel()
	s.Cut()
	if s.options.KillAll {
		s.groups.killAll()
	}
	s.working.Wait()
	if s.options.KillAll {
		s.groups.leaders.Wait()
	}
	return err
}

func (s *Server) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return // closed, by Close or by Refuse
		}
		s.ServeConn(conn)
	}
}

// ServeConn serves one connection in goroutines of its own and returns at once.
func (s *Server) ServeConn(conn net.Conn) {
	gated := newGatedConn(conn)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		conn.Close()
		return
	}
	gated.setFrozen(s.frozen)
	s.conns[gated] = struct{}{}
	s.accepted++
	s.working.Go(func() {
		defer s.forget(gated)
		s.serve(gated)
	})
}

func (s *Server) forget(conn *gatedConn) {
	conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, conn)
}

func (s *Server) serve(conn net.Conn) {
	if !s.wait(s.options.Delay) {
		return
	}
	server, channels, requests, err := ssh.NewServerConn(conn, s.config)
	if err != nil {
		return // the client is told by the protocol; a client without the key is no event here
	}
	// Answers keepalives as sshd does: with "unknown request", which is an answer.
	s.working.Go(func() { ssh.DiscardRequests(requests) })
	s.serveChannels(channels)
	_ = server.Wait() // says only why the connection ended
}

// wait reports whether the server was still open after d.
func (s *Server) wait(d time.Duration) bool {
	if d == 0 {
		return s.ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.ctx.Done():
		return false
	}
}

func (s *Server) serveChannels(channels <-chan ssh.NewChannel) {
	sessions := make(chan struct{}, s.options.MaxSessions)
	for channel := range channels {
		switch channel.ChannelType() {
		case "session":
			s.serveSession(channel, sessions)
		case "direct-tcpip":
			s.working.Go(func() { s.forward(channel) })
		default:
			_ = channel.Reject(ssh.UnknownChannelType, "unknown channel type")
		}
	}
}
