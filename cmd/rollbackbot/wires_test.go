package main_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"rollbackbot/internal/sshtest"
)

// wires is a network in memory with one server, which works inside a bubble of testing/synctest.
type wires struct {
	address  *net.TCPAddr
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
	client   *http.Transport
}

// newWires makes a network that http.DefaultTransport knows until it is closed: the bot's client has no transport of
// its own.
func newWires() *wires {
	w := &wires{
		address:  &net.TCPAddr{IP: net.IPv4(127, 0, 8, 1), Port: int(lastPort.Add(1))}, // nobody listens there in earnest
		accepted: make(chan net.Conn, 100), closed: make(chan struct{}),
	}
	w.client = &http.Transport{DialContext: w.dial, DisableKeepAlives: true}
	networks.Store(w.address.String(), w)
	return w
}

func (w *wires) Addr() net.Addr { return w.address }

func (w *wires) Close() error {
	w.once.Do(func() {
		networks.Delete(w.address.String())
		close(w.closed)
	})
	return nil
}

func (w *wires) Accept() (net.Conn, error) {
	select {
	case conn := <-w.accepted:
		return conn, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

func (w *wires) dial(context.Context, string, string) (net.Conn, error) {
	client, server := sshtest.Pipe()
	select {
	case w.accepted <- server:
		return client, nil
	case <-w.closed:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	}
}

var (
	networks sync.Map // of *wires, by their addresses
	lastPort atomic.Int64
)

func init() { http.DefaultTransport = switchboard{http.DefaultTransport} }

// switchboard sends what is for a network in memory there, and all else where it went before.
type switchboard struct{ outside http.RoundTripper }

func (s switchboard) RoundTrip(r *http.Request) (*http.Response, error) {
	if w, ok := networks.Load(r.URL.Host); ok {
		return w.(*wires).client.RoundTrip(r)
	}
	return s.outside.RoundTrip(r)
}
