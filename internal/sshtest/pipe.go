package sshtest

import (
	"bytes"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// Pipe gives the two ends of an in-memory connection. Unlike net.Pipe it buffers what is written, without a bound:
// both sides of an SSH handshake begin by writing, which deadlocks on net.Pipe. It blocks on conditions alone, so that
// it works inside a testing/synctest bubble, where real sockets hang.
func Pipe() (client, server net.Conn) {
	up, down := newStream(), newStream()
	return &pipeEnd{read: down, write: up, local: clientAddr, remote: serverAddr},
		&pipeEnd{read: up, write: down, local: serverAddr, remote: clientAddr}
}

// The ends of a Pipe call themselves by addresses of a block for documentation (RFC 5737), since readers of
// known_hosts want an IP address and a port.
var (
	clientAddr = &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 50000}
	serverAddr = &net.TCPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 22}
)

type pipeEnd struct {
	read, write   *stream
	local, remote net.Addr
}

func (e *pipeEnd) Read(p []byte) (int, error)  { return e.read.Read(p) }
func (e *pipeEnd) Write(p []byte) (int, error) { return e.write.Write(p) }
func (e *pipeEnd) LocalAddr() net.Addr         { return e.local }
func (e *pipeEnd) RemoteAddr() net.Addr        { return e.remote }

// Close ends both directions, as closing a socket does: the other end reads what was written and then io.EOF.
func (e *pipeEnd) Close() error {
	e.read.abandon()
	e.write.finish()
	return nil
}

func (e *pipeEnd) SetDeadline(t time.Time) error {
	e.read.setDeadline(t)
	return nil
}

func (e *pipeEnd) SetReadDeadline(t time.Time) error {
	e.read.setDeadline(t)
	return nil
}

// SetWriteDeadline has nothing to bound: writing never waits.
func (e *pipeEnd) SetWriteDeadline(time.Time) error { return nil }

// stream is one direction of a pipe.
type stream struct {
	mu        sync.Mutex
	moved     *sync.Cond
	data      bytes.Buffer
	finished  bool // the writer has closed
	abandoned bool // the reader has closed
	deadline  time.Time
	alarm     *time.Timer // wakes the reader at the deadline; nil without one
}

func newStream() *stream {
	s := &stream{}
	s.moved = sync.NewCond(&s.mu)
	return s
}

func (s *stream) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.abandoned:
			return 0, net.ErrClosed
		case !s.deadline.IsZero() && !time.Now().Before(s.deadline):
			return 0, os.ErrDeadlineExceeded
		case s.data.Len() > 0:
			return s.data.Read(p)
		case s.finished:
			return 0, io.EOF
		}
		s.moved.Wait()
	}
}

func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.finished:
		return 0, net.ErrClosed
	case s.abandoned:
		return 0, io.ErrClosedPipe
	}
	s.moved.Broadcast()
	return s.data.Write(p)
}

func (s *stream) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finished = true
	s.moved.Broadcast()
}

func (s *stream) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.abandoned = true
	s.stopAlarm()
	s.moved.Broadcast()
}

func (s *stream) setDeadline(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deadline = t
	s.stopAlarm()
	// A deadline that has passed needs no timer: the broadcast below wakes the reader, who sees it. net/http ends a
	// read under way with a deadline in the year 1, and a timer for that, in a bubble and under the race detector,
	// crashed Go's runtime.
	if wait := time.Until(t); !t.IsZero() && wait > 0 {
		s.alarm = time.AfterFunc(wait, s.wake)
	}
	s.moved.Broadcast()
}

func (s *stream) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moved.Broadcast()
}

// stopAlarm needs s.mu.
func (s *stream) stopAlarm() {
	if s.alarm != nil {
		s.alarm.Stop()
		s.alarm = nil
	}
}
