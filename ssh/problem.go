package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

	"rollbackbot/runbook"
)

// connectProblem says why no connection came about. Nothing answered, unless a jump host said why.
func (c *Client) connectProblem(ctx context.Context, addr address, err error) error {
	var said *runbook.HostError
	if errors.As(err, &said) {
		said.Host = c.host
		return said
	}
	if stopping := c.stopping(err); stopping != nil {
		return stopping
	}
	problem, remedy := c.silence(ctx, addr, err)
	return c.silent(err, problem, remedy)
}

func (c *Client) silence(ctx context.Context, addr address, err error) (problem, remedy string) {
	var name *net.DNSError
	switch {
	case errors.As(err, &name) && name.IsNotFound:
		return fmt.Sprintf("the name %s is not known", addr.host),
			"check its spelling, and the DNS of the machine that the bot runs on"
	case errors.As(err, &name):
		return fmt.Sprintf("the name %s can't be looked up", addr.host),
			"check the DNS of the machine that the bot runs on"
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("it refuses connections on port %s", addr.port),
			"check that sshd runs there and listens on that port"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return fmt.Sprintf("there is no route to %s", addr.host),
			"check that the machine is up, and the network between it and the bot"
	case timedOut(ctx, err):
		return fmt.Sprintf("nothing answers at %s within %s", addr.dial(), c.pool.config.DialTimeout),
			"check that the machine is up and that its firewall lets the bot's machine in"
	}
	return fmt.Sprintf("no connection to %s could be made (%v)", addr.dial(), err),
		"check that the machine is up, and the network between it and the bot"
}

// handshakeProblem says why a connection did not become a log-in.
func (c *Client) handshakeProblem(ctx context.Context, l *login, err error) error {
	if stopping := c.stopping(err); stopping != nil {
		return stopping
	}
	if problem, remedy, ok := l.known.keyProblem(err); ok {
		return c.problem(err, problem, remedy)
	}
	var negotiation *ssh.AlgorithmNegotiationError
	shown, _ := l.known.seen()
	switch {
	case timedOut(ctx, err):
		return c.silent(err,
			fmt.Sprintf("port %s is open but nobody answers there within %s", l.address.port, c.pool.config.DialTimeout),
			"look at the machine's load and at its sshd")
	case errors.As(err, &negotiation):
		return c.problem(err, "its SSH server knows no safe algorithm for "+negotiation.What, "update the SSH server there")
	case hungUp(err) && shown == nil:
		return c.hangsUp(err, "it hangs up before it shows a host key",
			"check that port "+l.address.port+" is an SSH server, and that it does not ban the bot's machine (fail2ban, MaxStartups)")
	case shown == nil:
		return c.problem(err, fmt.Sprintf("what answers there does not speak SSH as it should (%v)", err),
			"check that port "+l.address.port+" is an SSH server")
	}
	return c.loginProblem(l, err)
}

// loginProblem is about a host whose key is right and that does not let us in. x/crypto has no type for a refusal:
// what is not a broken connection is one.
func (c *Client) loginProblem(l *login, err error) error {
	user, offered := l.address.user, fingerprints(l.shown.signers)
	certificate, certified := l.shown.problem(l.address.user, time.Now()), l.shown.certificates()
	switch {
	case !l.asked && !hungUp(err):
		return c.problem(err, "its SSH server takes no keys from "+user,
			"set PubkeyAuthentication yes in its sshd_config")
	case hungUp(err):
		return c.hangsUp(err, fmt.Sprintf("it hung up while %s logged in with %s", user, offered),
			"give the bot a single key, for sshd hangs up after MaxAuthTries, and read sshd's log there")
	}
	refused := fmt.Sprintf("it refuses the key of %s; offered was %s", user, offered)
	switch {
	case certificate != nil:
		return c.problem(err, refused+"; "+certificate.what, certificate.remedy)
	case len(certified) > 0:
		return c.problem(err, refused, fmt.Sprintf("let its sshd trust the authority that signed the certificate, %s: TrustedUserCAKeys in its sshd_config; its log says why it refuses one that it trusts", fingerprint(certified[0].SignatureKey)))
	}
	return c.problem(err, refused,
		fmt.Sprintf("put the public key into the authorized_keys of %s on that host, and read sshd's log there if it is in it", user))
}

// jumpProblem is a jump host that can't be used, told to whoever wanted to pass through it.
func (p *Pool) jumpProblem(ctx context.Context, err error) error {
	if errors.Is(err, errClosed) {
		return err
	}
	var said *runbook.HostError
	if !errors.As(err, &said) { // the deadline of this dial, which may be as old as the jump host's own
		addr, _ := parseAddress(string(p.jump.host)) // New has read it before
		problem, remedy := p.jump.silence(ctx, addr, err)
		said = p.jump.silent(err, problem, remedy)
	}
	return &runbook.HostError{
		Unreachable: said.Unreachable,
		HungUp:      said.HungUp,
		Problem:     fmt.Sprintf("the jump host %s can't be used: %s", p.jump.host, said.Problem),
		Remedy:      said.Remedy,
		Err:         said.Err,
	}
}

// forwardProblem is a jump host that answers and does not get through.
func (p *Pool) forwardProblem(ctx context.Context, addr address, err error) error {
	var refused *ssh.OpenChannelError
	if !errors.As(err, &refused) {
		if ctx.Err() != nil {
			return p.jump.silent(err, fmt.Sprintf("the jump host %s gets no answer from %s", p.jump.host, addr.dial()),
				"check that the machine is up and that its firewall lets the jump host in")
		}
		return p.jump.silent(err, fmt.Sprintf("the connection to the jump host %s broke", p.jump.host),
			"check the network between the bot and the jump host")
	}
	if refused.Reason == ssh.ConnectionFailed {
		return p.jump.silent(err, fmt.Sprintf("the jump host %s can't connect to %s (%s)", p.jump.host, addr.dial(), refused.Message),
			"check that the machine is up, that sshd runs there, and its name as the jump host knows it")
	}
	return p.jump.problem(err, fmt.Sprintf("the jump host %s does not forward to %s", p.jump.host, addr.dial()),
		"set AllowTcpForwarding yes for "+p.jump.user()+" in the sshd_config of the jump host")
}

func (c *Client) user() string {
	addr, err := parseAddress(string(c.host))
	if err != nil {
		return "the user"
	}
	return addr.user
}

// dialProblem is for a Run that has no connection: because dialling failed, or because its time was over first.
func (c *Client) dialProblem(ctx context.Context, err error) error {
	var said *runbook.HostError
	if errors.As(err, &said) {
		return said
	}
	if stopping := c.stopping(err); stopping != nil {
		return stopping
	}
	return c.outOfTime(ctx, err)
}

// sessionProblem is for a Run whose connection opened no session for it.
func (c *Client) sessionProblem(ctx context.Context, err error) error {
	var refused *ssh.OpenChannelError
	switch {
	case errors.As(err, &refused):
		return c.problem(err, fmt.Sprintf("it refuses another session (%s)", refused.Message),
			"set MaxSessions to 10 or more in its sshd_config, and check that nothing there limits the user's processes")
	case ctx.Err() != nil:
		return c.outOfTime(ctx, err)
	}
	if stopping := c.stopping(err); stopping != nil {
		return stopping
	}
	return c.silent(err, "the connection broke before the command was sent", "check the network between it and the bot")
}

// outOfTime is for a Run that ended before anything was started. Whoever asked may have stopped it: that says nothing
// about the host, so no plan goes on without it for that.
func (c *Client) outOfTime(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return c.problem(errors.Join(ctx.Err(), err), "it was not waited for", "ask again")
	}
	return c.silent(errors.Join(ctx.Err(), err), "it did not answer in the time that the command was given",
		"check that the machine is up and that its firewall lets the bot's machine in")
}

// execProblem is for a command that the host did not start.
func (c *Client) execProblem(err error) error {
	return c.problem(err, "it does not run commands for "+c.user(),
		"give that user a login shell, and remove ForceCommand and restrictions in authorized_keys")
}

// stopping is the answer of a closed pool; nil while it is open.
func (c *Client) stopping(err error) error {
	if c.pool.ctx.Err() == nil && !errors.Is(err, errClosed) {
		return nil
	}
	return c.problem(errors.Join(errClosed, err), "the bot is stopping", "start it again")
}

func timedOut(ctx context.Context, err error) bool {
	var timeout net.Error
	return ctx.Err() != nil || errors.As(err, &timeout) && timeout.Timeout()
}

// hungUp reports whether the other end closed the connection.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe)
}
