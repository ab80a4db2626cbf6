package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"

	"golang.org/x/crypto/ssh"

	"rollbackbot/runbook"
)

// connectFunc gives a connection to an address. Its error is a *runbook.HostError without Host where the address is
// not what failed, and otherwise the dialler's own.
type connectFunc func(ctx context.Context, addr address) (net.Conn, error)

func (p *Pool) connectDirectly(ctx context.Context, addr address) (net.Conn, error) {
	return p.config.Dial(ctx, "tcp", addr.dial())
}

// connectThroughJump asks the jump host's connection to forward. It is dialled anew once if it proves dead.
func (p *Pool) connectThroughJump(ctx context.Context, addr address) (net.Conn, error) {
	for {
		l, fresh, err := p.jump.link(ctx)
		if err != nil {
			return nil, p.jumpProblem(ctx, err)
		}
		if !fresh && !l.known.vouched() {
			l.close()
			continue
		}
		conn, err := l.forward(ctx, addr)
		if err == nil {
			return conn, nil
		}
		var refused *ssh.OpenChannelError
		if fresh || ctx.Err() != nil || errors.As(err, &refused) {
			return nil, p.forwardProblem(ctx, addr, err)
		}
		l.close()
	}
}

// dial connects, checks the host's key and logs in, all within the dial timeout. Its error is a *runbook.HostError.
// It belongs to the pool and not to one Run, since others may come to wait for it.
func (c *Client) dial() (*link, error) {
	ctx, cancel := context.WithTimeout(c.pool.ctx, c.pool.config.DialTimeout)
	defer cancel()
	addr, err := parseAddress(string(c.host))
	if err != nil {
		return nil, c.problem(err, "it is misspelt ("+err.Error()+")", "correct the app's HOSTS")
	}
	known, err := readHostKeys(c.pool.config.KnownHosts, addr)
	if err != nil {
		return nil, c.problem(err, "its host key can't be checked ("+err.Error()+")", "fix known_hosts")
	}
	if problem, remedy, ok := known.unsafeProblem(); ok {
		return nil, c.problem(errors.New("no safe host key algorithm"), problem, remedy)
	}
	shown, done, err := c.pool.keys.open(ctx)
	if err != nil {
		return nil, c.problem(err, "there is no key to log in with ("+err.Error()+")", "fix the agent")
	}
	defer done()
	conn, err := c.connect(ctx, addr)
	if err != nil {
		return nil, c.connectProblem(ctx, addr, err)
	}
	return c.handshake(ctx, conn, &login{address: addr, known: known, shown: shown})
}

// login is what one handshake needs, and how far it came.
type login struct {
	address address
	known   *hostKeys
	shown   credentials
	asked   bool // the host took keys at all; written before the handshake returns
}

func (l *login) config() *ssh.ClientConfig {
	return &ssh.ClientConfig{
		User:              l.address.user,
		HostKeyAlgorithms: l.known.algorithms,
		HostKeyCallback:   l.known.check,
		ClientVersion:     "SSH-2.0-rollbackbot",
		Auth: []ssh.AuthMethod{ssh.PublicKeysCallback(func() ([]ssh.Signer, error) {
			l.asked = true
			return l.shown.signers, nil
		})},
	}
}

// handshake closes conn when it fails. x/crypto knows no context: closing the connection is what ends it.
func (c *Client) handshake(ctx context.Context, conn net.Conn, l *login) (*link, error) {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	sshConn, channels, requests, err := ssh.NewClientConn(conn, l.address.dial(), l.config())
	if !stop() && err == nil {
		sshConn.Close() // logged in at the very moment of the deadline: the connection is closed already
		err = ctx.Err()
	}
	if err != nil {
		return nil, c.handshakeProblem(ctx, l, err)
	}
	made := newLink(c, ssh.NewClient(sshConn, channels, requests), l.known)
	if !made.start() {
		sshConn.Close()
		return nil, c.problem(errClosed, "the bot is stopping", "start it again")
	}
	return made, nil
}

// problem is a host that answers and must be mended first.
func (c *Client) problem(err error, problem, remedy string) *runbook.HostError {
	return &runbook.HostError{Host: c.host, Problem: problem, Remedy: remedy, Err: err}
}

// silent is a host from which nothing came.
func (c *Client) silent(err error, problem, remedy string) *runbook.HostError {
	e := c.problem(err, problem, remedy)
	e.Unreachable = true
	return e
}

// hangsUp is a host that answered and did not let us finish.
func (c *Client) hangsUp(err error, problem, remedy string) *runbook.HostError {
	e := c.problem(err, problem, remedy)
	e.HungUp = true
	return e
}

// errClosed is why a closed pool runs nothing.
var errClosed = fmt.Errorf("the connections are closed: %w", net.ErrClosed)
