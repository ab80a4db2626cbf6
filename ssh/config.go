package ssh

import (
	"cmp"
	"context"
	"net"
	"time"
)

// Defaults of Config and the bounds that can't be configured.
const (
	// DefaultDialTimeout bounds connecting and logging in together. Three such attempts fit into the 30 s of a preflight.
	DefaultDialTimeout = 10 * time.Second
	// DefaultKeepaliveInterval parts keepalives. With keepaliveLimit a dead link is noticed in 20 s, before the
	// deadline of a looking command (30 s) and well before a host's lease runs out (60 s).
	DefaultKeepaliveInterval = 5 * time.Second
	// MaxOutputBytes is how much one command may print on each of its two streams: 4 MiB. The longest output that the
	// runbook's commands have, a rendered compose file, has tens of kilobytes; a host gone mad must not eat our memory.
	MaxOutputBytes = 4 << 20

	// keepaliveLimit is how many intervals may pass without an answer: ServerAliveCountMax of ssh_config(5).
	keepaliveLimit = 3
	// maxSessions is how many commands run at once on one host. A connection may have 10: MaxSessions of sshd_config(5).
	maxSessions = 8
	// sshd counts a session a moment longer than its channel is open, until it has seen the process end (measured: with
	// 24 short commands, 8 at once, sshd refuses some). A refused session is asked for again: 40 attempts, 50 ms apart,
	// are 2 s, which a person who waits for a preflight can spare.
	sessionAttempts = 40
	sessionInterval = 50 * time.Millisecond
)

// Config says how hosts are reached. KnownHosts and one of KeyFile and AgentSocket are required.
type Config struct {
	KeyFile     string // private key without a passphrase, in any form that OpenSSH writes, its certificate in KeyFile-cert.pub; empty means the agent
	AgentSocket string // where the agent listens (SSH_AUTH_SOCK); not used when there is a KeyFile
	KnownHosts  string // OpenSSH's known_hosts; it is never written
	Jump        string // "user@host[:port]" of a host that forwards to all others; empty means none

	DialTimeout       time.Duration // bounds connecting and logging in together; zero means DefaultDialTimeout
	KeepaliveInterval time.Duration // zero means DefaultKeepaliveInterval

	// Dial connects to the hosts, or to the jump host where there is one; nil means net.Dialer.DialContext.
	// It must give up when its context ends.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

func (c Config) withDefaults() Config {
	c.DialTimeout = cmp.Or(c.DialTimeout, DefaultDialTimeout)
	c.KeepaliveInterval = cmp.Or(c.KeepaliveInterval, DefaultKeepaliveInterval)
	if c.Dial == nil {
		c.Dial = new(net.Dialer).DialContext
	}
	return c
}
