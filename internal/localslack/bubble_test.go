package localslack_test

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"

	"rollbackbot/internal/localslack"
	"rollbackbot/internal/sshtest"
)

// memory is a network with one server, which works inside a bubble of testing/synctest: there a machine that is busy
// with something else changes no time.
type memory struct {
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

func (m *memory) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8400} }
func (m *memory) Close() error   { m.once.Do(func() { close(m.closed) }); return nil }

func (m *memory) Accept() (net.Conn, error) {
	select {
	case conn := <-m.accepted:
		return conn, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *memory) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := sshtest.Pipe()
	select {
	case m.accepted <- theirs:
		return ours, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

// inBubble makes a server, and one socket to it, for a test in a bubble. over ends both, before the bubble does.
func inBubble(t *testing.T, opts ...localslack.Option) (s *localslack.Server, conn *websocket.Conn, over func()) {
	t.Helper()
	m := &memory{accepted: make(chan net.Conn), closed: make(chan struct{})}
	s = localslack.New(workspace(), opts...)
	s.Serve(m)
	transport := &http.Transport{DialContext: m.dial, DisableKeepAlives: true}
	_, url, err := client(s, slack.OptionHTTPClient(&http.Client{Transport: transport})).StartSocketModeContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn, _, err = (&websocket.Dialer{NetDialContext: m.dial}).DialContext(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	next(t, conn) // its hello
	return s, conn, func() {
		_ = conn.Close()
		_ = s.Close()
	}
}
