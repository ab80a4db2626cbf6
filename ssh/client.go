package ssh

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/crypto/ssh"

	"rollbackbot/runbook"
)

// Client runs commands on one host. Pool.Client gives it.
type Client struct {
	pool    *Pool
	host    runbook.Host
	connect connectFunc
	log     zerolog.Logger
	slots   chan struct{} // one for each session that is open
	asInput atomic.Bool   // the login shell came to a command only when it was given it to read

	mu   sync.Mutex
	kept *dialled // the connection that is kept or being dialled; nil before the first and after a failed dial
}

func newClient(p *Pool, host runbook.Host, connect connectFunc) *Client {
	return &Client{
		pool:    p,
		host:    host,
		connect: connect,
		log:     p.log.With().Str("host", string(host)).Logger(),
		slots:   make(chan struct{}, maxSessions),
	}
}

// DefaultTimeout bounds a Run whose context has no deadline.
const DefaultTimeout = 30 * time.Second

// Run runs one command, with stdin to read, and waits for its end: its exit status and what it printed. An error means
// that there is no exit status: a *runbook.HostError when the host could not be used at all and nothing was started, one
// that wraps runbook.ErrLost when the connection or the deadline ended first, so that nobody knows how the command ended,
// or a plain one for a command that can't be written as a line (no program); nothing was started then.
// More than MaxOutputBytes on one stream ends the Run with an error that wraps ErrTooMuchOutput and runbook.ErrLost.
func (c *Client) Run(ctx context.Context, cmd runbook.Command, stdin []byte) (status int, stdout, stderr []byte, err error) {
	if err := checkWords(cmd); err != nil {
		return 0, nil, nil, fmt.Errorf("run on %s: %w", c.host, err)
	}
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, DefaultTimeout)
		defer cancel()
	}

	began := time.Now()
	r, err := c.run(ctx, cmd, stdin)
	// The program's name alone: arguments may hold what nobody should read.
	c.log.Debug().Str("program", cmd.Args[0]).Int("status", r.status).Dur("elapsed", time.Since(began)).
		Bool("known", err == nil).Msg("command ended")
	return r.status, r.stdout, r.stderr, c.explainRun(err, time.Since(began))
}

// result is how a command ended: the program ran and left this status.
type result struct {
	status         int
	stdout, stderr []byte
}

// explainRun says on which host and for what reason a command that was sent has no result.
func (c *Client) explainRun(err error, elapsed time.Duration) error {
	var refused *refusedError
	var said *runbook.HostError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &said):
		return said
	case errors.Is(err, errClosed):
		return c.stopping(err)
	case errors.As(err, &refused):
		return c.execProblem(err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("run on %s: no end within %s: %w", c.host, elapsed.Round(time.Millisecond), err)
	}
	return fmt.Errorf("run on %s: %w", c.host, err)
}

// open gives a session of the kept connection, or of a new one. A kept connection that proves dead here is replaced
// once: no command has been sent yet, so nothing can be started twice.
func (c *Client) open(ctx context.Context) (*session, error) {
	if err := ctx.Err(); err != nil {
		return nil, c.outOfTime(ctx, err)
	}
	if err := c.takeSlot(ctx); err != nil {
		return nil, err
	}
	s, err := c.openSession(ctx)
	if err != nil {
		c.freeSlot()
	}
	return s, err
}

func (c *Client) openSession(ctx context.Context) (*session, error) {
	for {
		l, fresh, err := c.link(ctx)
		if err != nil {
			return nil, c.dialProblem(ctx, err)
		}
		if !fresh && !l.known.vouched() {
			c.log.Warn().Msg("known_hosts was changed and does not vouch for the host any more, closing the connection")
			l.close()
			continue // the dial finds out what is wrong, and says it
		}
		s, err := c.askForSession(ctx, l)
		if err == nil {
			return s, nil
		}
		if fresh || ctx.Err() != nil || !errors.Is(err, errLinkDead) {
			return nil, c.sessionProblem(ctx, err)
		}
		c.log.Info().Err(err).Msg("the kept connection is dead, dialling anew")
		l.close()
	}
}

// askForSession asks again while the host refuses and nothing is started.
func (c *Client) askForSession(ctx context.Context, l *link) (s *session, err error) {
	for range sessionAttempts {
		s, err = l.openSession(ctx, c.freeSlot)
		var refused *ssh.OpenChannelError
		if !errors.As(err, &refused) {
			return s, err
		}
		select {
		case <-time.After(sessionInterval):
		case <-ctx.Done():
			return nil, err
		}
	}
	return nil, err
}

func (c *Client) takeSlot(ctx context.Context) error {
	select {
	case c.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return c.problem(ctx.Err(), fmt.Sprintf("%d commands are still running on it", maxSessions),
			"wait until one of them has ended, or see on the host what holds it up")
	}
}

func (c *Client) freeSlot() { <-c.slots }

// dialled is a connection, or the way to one. Runs that come meanwhile wait for the same dial.
type dialled struct {
	done chan struct{} // closed when link and err are set
	link *link
	err  error
}

// usable reports whether waiting for it, or using it, makes sense.
func (d *dialled) usable() bool {
	if d == nil {
		return false
	}
	return !d.ended() || d.err == nil && d.link.alive()
}

// ended reports whether link and err are set.
func (d *dialled) ended() bool {
	select {
	case <-d.done:
		return true
	default:
		return false
	}
}

// link gives a live connection; fresh says that it was dialled for this call or while it waited.
// The dial goes on when ctx ends: others may wait for it.
func (c *Client) link(ctx context.Context) (l *link, fresh bool, err error) {
	d, fresh := c.dialled()
	select {
	case <-d.done:
		return d.link, fresh, d.err
	case <-ctx.Done():
		return nil, fresh, ctx.Err()
	}
}

func (c *Client) dialled() (d *dialled, fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept.usable() {
		select {
		case <-c.kept.done:
			return c.kept, false
		default:
			return c.kept, true
		}
	}
	d = &dialled{done: make(chan struct{})}
	if !c.pool.spawn(func() { c.fill(d) }) {
		d.err = errClosed
		close(d.done)
	}
	c.kept = d
	return d, true
}

func (c *Client) fill(d *dialled) {
	defer close(d.done)
	d.link, d.err = c.dial()
	if d.err == nil {
		shown, _ := d.link.known.seen()
		c.log.Info().Str("host_key", fingerprint(shown)).Msg("connected")
	}
}
