package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// errLinkDead says that a connection ended before a session was open on it.
var errLinkDead = errors.New("the connection is dead")

// link is one connection that is logged in.
type link struct {
	owner   *Client
	client  *ssh.Client
	known   *hostKeys     // vouches for the host
	closed  chan struct{} // closed by close: no session is opened any more
	gone    chan struct{} // closed when the connection has ended
	closing sync.Once
}

func newLink(owner *Client, client *ssh.Client, known *hostKeys) *link {
	return &link{owner: owner, client: client, known: known, closed: make(chan struct{}), gone: make(chan struct{})}
}

// start watches the connection and keeps it alive; false when the pool is closed already.
func (l *link) start() bool {
	pool := l.owner.pool
	return pool.spawn(func() {
		stop := context.AfterFunc(pool.ctx, l.close)
		defer stop()
		var beating sync.WaitGroup
		beating.Go(l.keepAlive)
		err := l.client.Wait()
		close(l.gone)
		beating.Wait()
		if pool.ctx.Err() == nil {
			l.owner.log.Warn().Err(err).Msg("connection lost")
		}
	})
}

// close drops the connection. What runs on the host goes on.
func (l *link) close() {
	l.closing.Do(func() {
		close(l.closed)
		l.client.Close()
	})
}

func (l *link) alive() bool {
	select {
	case <-l.closed:
		return false
	case <-l.gone:
		return false
	default:
		return true
	}
}

// keepAlive asks for an answer every interval and closes the connection once keepaliveLimit intervals have passed
// without one. Any answer will do: sshd says that it doesn't know the request.
func (l *link) keepAlive() {
	ticker := time.NewTicker(l.owner.pool.config.KeepaliveInterval)
	defer ticker.Stop()
	var asking sync.WaitGroup
	defer asking.Wait()
	answered := make(chan struct{}, 1)
	waiting, unanswered := false, 0
	for {
		select {
		case <-l.gone:
			return
		case <-answered:
			waiting, unanswered = false, 0
		case <-ticker.C:
			if !waiting {
				waiting = true
				asking.Go(func() { l.ask(answered) })
				continue
			}
			if unanswered++; unanswered == keepaliveLimit {
				l.owner.log.Warn().Int("unanswered", unanswered).Msg("no answer to keepalives, closing the connection")
				l.close()
			}
		}
	}
}

// ask sends one keepalive. An error means that the connection has ended, which is noticed elsewhere.
func (l *link) ask(answered chan<- struct{}) {
	if _, _, err := l.client.SendRequest("keepalive@openssh.com", true, nil); err == nil {
		answered <- struct{}{}
	}
}

// opened is the answer to a request for a channel.
type opened struct {
	channel  ssh.Channel
	requests <-chan *ssh.Request
	err      error
}

// openSession opens a channel for one command; release is called when that channel is closed for good.
// Its error wraps errLinkDead when the connection ended, *ssh.OpenChannelError when the host refused,
// and ctx's when that ended first. In none of these anything was started.
func (l *link) openSession(ctx context.Context, release func()) (*session, error) {
	answer := make(chan opened)
	go l.openChannel(ctx, answer)
	select {
	case o := <-answer:
		return l.session(o, release)
	case <-l.gone:
		return nil, errLinkDead
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// openChannel is waited for by nobody: when the connection ends between x/crypto's looking through its channels and
// its adding this one, OpenChannel of x/crypto 0.58 never returns.
func (l *link) openChannel(ctx context.Context, answer chan<- opened) {
	var o opened
	o.channel, o.requests, o.err = l.client.OpenChannel("session", nil)
	select {
	case answer <- o:
	case <-l.gone:
	case <-ctx.Done():
		o.discard()
	}
}

// forward connects to addr from the host at the other end. It gives up when ctx or the connection ends.
func (l *link) forward(ctx context.Context, addr address) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-l.gone: // see openChannel
			cancel()
		case <-ctx.Done():
		}
	}()
	return l.client.DialContext(ctx, "tcp", addr.dial())
}

func (l *link) session(o opened, release func()) (*session, error) {
	var refused *ssh.OpenChannelError
	switch {
	case errors.As(o.err, &refused):
		return nil, o.err
	case o.err != nil:
		return nil, fmt.Errorf("%w: %w", errLinkDead, o.err)
	}
	return &session{link: l, channel: o.channel, requests: o.requests, release: release}, nil
}

// discard closes a channel that nobody waits for any more.
func (o opened) discard() {
	if o.err != nil {
		return
	}
	o.channel.Close()
	ssh.DiscardRequests(o.requests)
}
