package localslack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// ErrClosed is what calls return that were waiting when the server was closed.
var ErrClosed = errors.New("the local Slack is closed")

// Server is one Slack. Make it with [New], begin with [Server.Start]; all methods may be called from
// any goroutine.
type Server struct {
	opts options
	api  map[string]method

	mu        sync.Mutex
	world     *world
	changed   chan struct{} // closed and replaced at every change
	calls     []Call
	callsGone int // forgotten ones: those in calls come after them
	fault     func(Call) *Fault
	limiter   limiter
	hooks     map[string]*responseHook
	triggers  map[string]*trigger
	sockets   map[*socket]struct{}
	socketSeq int
	tickets   map[string]time.Time // socket tickets and when they were given
	pending   map[string]chan received
	envelopes []Envelope
	sentGone  int // forgotten ones: those in envelopes come after them
	warnNext  int

	listener net.Listener
	http     *http.Server
	closing  chan struct{}
	closed   sync.Once
	work     sync.WaitGroup
}

// New makes a server that doesn't listen yet.
func New(ws Workspace, opts ...Option) *Server {
	o := defaultOptions()
	for _, opt := range opts {
		opt(&o)
	}
	if o.pageToken == "" {
		o.pageToken = randomHex(16)
	}
	s := &Server{
		opts: o, api: methods(),
		world:    newWorld(ws.withDefaults(), o.now()),
		changed:  make(chan struct{}),
		limiter:  limiter{},
		hooks:    map[string]*responseHook{},
		triggers: map[string]*trigger{},
		sockets:  map[*socket]struct{}{},
		tickets:  map[string]time.Time{},
		pending:  map[string]chan received{},
		closing:  make(chan struct{}),
	}
	return s
}

// Start listens on addr, a loopback address such as "127.0.0.1:0", and refuses all others: what comes
// in here is not authenticated well enough for a network.
func (s *Server) Start(addr string) error {
	if err := checkLoopback(addr); err != nil {
		return err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("listen for the local Slack: %w", err)
	}
	s.Serve(l)
	return nil
}

// Serve begins to serve on l, which is the caller's word that nobody but this machine reaches it; tests
// pass a listener in memory. It returns at once; Close closes l. Call either Start or Serve, once.
func (s *Server) Serve(l net.Listener) {
	s.listener = l
	s.http = &http.Server{Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second}
	s.work.Go(func() { _ = s.http.Serve(l) }) // ends with ErrServerClosed; other ends show as refused connections
}

// Close takes every socket and connection down and waits for what was going on. A second call does nothing.
func (s *Server) Close() error {
	var err error
	s.closed.Do(func() {
		s.mu.Lock()
		close(s.closing) // under the lock, so that enter never adds to work after Wait has begun
		s.mu.Unlock()
		s.DropSockets()
		if s.http != nil {
			err = s.http.Close()
		}
		s.work.Wait()
	})
	return err
}

// host is what the Host header of a rightful request says.
func (s *Server) host() string { return s.listener.Addr().String() }

// URL is the server's address, "http://127.0.0.1:PORT". It exists from Start on.
func (s *Server) URL() string { return "http://" + s.host() }

// APIURL is the address of the Web API with the trailing slash that Slack's clients want.
func (s *Server) APIURL() string { return s.URL() + "/api/" }

// PageURL is the page's address with its token; the page opens as the first of the people.
func (s *Server) PageURL() string {
	return s.URL() + "/?" + url.Values{"token": {s.opts.pageToken}}.Encode()
}

// PageURLAs is PageURL for the page as seen by the given user.
func (s *Server) PageURLAs(user string) string {
	return s.PageURL() + "&" + url.Values{"as": {user}}.Encode()
}

// Workspace is the workspace with its defaults filled in, tokens included. Users, channels and groups are those of the
// start; scopes are those of now.
func (s *Server) Workspace() Workspace {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.world.ws
}

// SetUser adds a user, or replaces the one with the same ID.
func (s *Server) SetUser(u User) { s.change(func() { s.world.setUser(u) }) }

// SetChannel adds a channel, or replaces what is said about the one with the same ID; its messages stay.
func (s *Server) SetChannel(c Channel) { s.change(func() { s.world.setChannel(c, s.opts.now()) }) }

// SetGroup adds a user group, or replaces the one with the same ID.
func (s *Server) SetGroup(g UserGroup) { s.change(func() { s.world.setGroup(g) }) }

// SetScopes replaces the bot token's scopes.
func (s *Server) SetScopes(scopes ...string) {
	s.change(func() { s.world.ws.Scopes = slices.Clone(scopes) })
}

// SetBanner replaces the text across the top of the page; "" takes it away.
func (s *Server) SetBanner(text string) { s.change(func() { s.opts.banner = text }) }

// change runs edit under the lock and tells everybody.
func (s *Server) change(edit func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	edit()
	s.touchLocked()
}

// sleep waits for d; false if the context or the server ended first.
func (s *Server) sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-s.closing:
	}
	return false
}
