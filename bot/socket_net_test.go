package bot_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"rollbackbot/internal/sshtest"
)

// wires is a network in memory with one server, which works inside a bubble of testing/synctest.
type wires struct {
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once

	mu    sync.Mutex
	holes bool    // new connections reach nobody
	all   []*wire // every connection so far
}

func newWires() *wires {
	return &wires{accepted: make(chan net.Conn, 1000), closed: make(chan struct{})}
}

func (w *wires) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8400} }
func (w *wires) Close() error   { w.once.Do(func() { close(w.closed) }); return nil }

func (w *wires) Accept() (net.Conn, error) {
	select {
	case conn := <-w.accepted:
		return conn, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

func (w *wires) dial(context.Context, string, string) (net.Conn, error) {
	select {
	case <-w.closed:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	default:
	}
	client, server := sshtest.Pipe()
	line := &wire{Conn: client}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, line)
	if !w.holes {
		w.accepted <- server
	}
	return line, nil
}

// swallow makes new connections reach nobody, as behind a firewall that drops packets.
func (w *wires) swallow(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.holes = on
}

// freeze makes every connection that there is take what is written, and deliver nothing, in both directions.
func (w *wires) freeze() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, line := range w.all {
		line.freeze()
	}
}

func (w *wires) dialer() *websocket.Dialer {
	return &websocket.Dialer{NetDialContext: w.dial, HandshakeTimeout: 10 * time.Second}
}

func (w *wires) httpClient() *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: w.dial, DisableKeepAlives: true}}
}

// wire is the client's end of a connection.
type wire struct {
	net.Conn
	mu     sync.Mutex
	frozen bool
}

func (w *wire) freeze() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frozen = true
}

func (w *wire) isFrozen() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.frozen
}

func (w *wire) Write(p []byte) (int, error) {
	if w.isFrozen() {
		return len(p), nil
	}
	return w.Conn.Write(p)
}

func (w *wire) Read(p []byte) (int, error) {
	for {
		n, err := w.Conn.Read(p)
		if err != nil || !w.isFrozen() {
			return n, err
		}
	}
}
