package sshtest

import (
	"net"
	"sync"
)

// gatedConn is a connection whose traffic can be held up.
type gatedConn struct {
	net.Conn

	mu     sync.Mutex
	moved  *sync.Cond // frozen or closed changed
	frozen bool
	closed bool
}

func newGatedConn(conn net.Conn) *gatedConn {
	g := &gatedConn{Conn: conn}
	g.moved = sync.NewCond(&g.mu)
	return g
}

func (g *gatedConn) setFrozen(frozen bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.frozen = frozen
	g.moved.Broadcast()
}

// pass waits while the connection is frozen and open.
func (g *gatedConn) pass() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.frozen && !g.closed {
		g.moved.Wait()
	}
}

// Read holds back what it read while the connection is frozen: it may have waited for it before.
func (g *gatedConn) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	g.pass()
	return n, err
}

func (g *gatedConn) Write(p []byte) (int, error) {
	g.pass()
	return g.Conn.Write(p)
}

func (g *gatedConn) Close() error {
	g.mu.Lock()
	g.closed = true
	g.moved.Broadcast()
	g.mu.Unlock()
	return g.Conn.Close()
}
