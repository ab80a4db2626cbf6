package main_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"

	"rollbackbot/internal/sshtest"
)

// wires is a network in memory with one server, which works inside a bubble of testing/synctest.
type wires struct {
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

func newWires() *wires {
	return &wires{accepted: make(chan net.Conn, 100), closed: make(chan struct{})}
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
	client, server := sshtest.Pipe()
	select {
	case w.accepted <- server:
		return client, nil
	case <-w.closed:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	}
}

// instead makes clients with no transport of their own, as the bot's, use this network until back is called. Nothing
// else may run meanwhile.
func (w *wires) instead() (back func()) {
	was := http.DefaultTransport
	http.DefaultTransport = &http.Transport{DialContext: w.dial, DisableKeepAlives: true}
	return func() { http.DefaultTransport = was }
}
