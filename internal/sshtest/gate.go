package sshtest

import (
	"net"
	"sync"
)

// gatedConn is a connection whose traffic can be held up. Writing does not wait meanwhile, as it does not with a
// kernel that buffers: a writer that waits holds x/crypto's locks, which stops the clock of a testing/synctest bubble.
type gatedConn struct {
	net.Conn

	mu      sync.Mutex
	moved   *sync.Cond // frozen or closed changed
	frozen  bool
	closed  bool
	held    []byte // written while frozen
	flowing bool   // flow is writing what was held
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
	if !frozen && len(g.held) > 0 && !g.flowing {
		g.flowing = true
		go g.flow() // ends with the connection at the latest
	}
}

// flow writes what was held, in order, until nothing is left or the connection is frozen again.
func (g *gatedConn) flow() {
	for held := g.takeHeld(); held != nil; held = g.takeHeld() {
		_, _ = g.Conn.Write(held) // who wrote it was told that it is written; a broken connection shows at the next read
	}
}

// takeHeld gives nil, and ends the flow, when there is nothing to write now.
func (g *gatedConn) takeHeld() []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.frozen || g.closed || len(g.held) == 0 {
		g.flowing = false
		return nil
	}
	held := g.held
	g.held = nil
	return held
}

// Read holds back what it read while the connection is frozen: it may have waited for it before.
func (g *gatedConn) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.frozen && !g.closed {
		g.moved.Wait()
	}
	return n, err
}

func (g *gatedConn) Write(p []byte) (int, error) {
	if g.hold(p) {
		return len(p), nil
	}
	return g.Conn.Write(p)
}

// hold keeps p when it can't be written now; false when it can.
func (g *gatedConn) hold(p []byte) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || !g.frozen && !g.flowing {
		return false
	}
	g.held = append(g.held, p...)
	return true
}

func (g *gatedConn) Close() error {
	g.mu.Lock()
	g.closed = true
	g.moved.Broadcast()
	g.mu.Unlock()
	return g.Conn.Close()
}
