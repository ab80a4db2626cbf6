package sshtest

import (
	"cmp"
	"context"
	"io"
	"net"
	"time"

	"golang.org/x/crypto/ssh"
)

// Defaults of Options.
const (
	DefaultUser = "deploy"                                  // the runbook's "ssh deploy@your-vps"
	DefaultAddr = "127.0.0.1:0"                             // loopback, any free port
	DefaultPath = "/usr/local/bin:/usr/bin:/bin:/usr/games" // what Debian's sshd gives a session
	// DefaultMaxSessions is how many sessions one connection may have open: sshd_config(5), MaxSessions.
	DefaultMaxSessions = 10
)

// NoStatus, returned by a Handler, ends the session without an exit status, as a host that dies does.
const NoStatus = -1

// Handler answers one command line in place of a shell and returns the exit status, or NoStatus. The mark by which the
// line has its command begin is said before.
// It runs in a goroutine of its own, one per session. ctx ends when the client is gone; the Handler must return then, since
// Close waits for it.
type Handler func(ctx context.Context, line string, stdin io.Reader, stdout, stderr io.Writer) (status int)

// Known says under which keys known_hosts knows the server.
type Known int

// What known_hosts says about the server.
const (
	KnownAll     Known = iota // each of its host keys
	KnownLast                 // only the last of its host keys
	KnownChanged              // another key of the type of its first one: what a replaced key looks like
	KnownOther                // only a key of a type that it does not have
	KnownNone                 // nothing
)

// Options describe a server. Only Dir is required.
type Options struct {
	Dir  string // where the client key and known_hosts are kept; shared by servers that are given the same
	User string // the only user name accepted; empty means DefaultUser
	// Addr is the address that Start listens on; empty means DefaultAddr.
	// For New it is the name under which the server is known, and "host:22" where it is empty.
	Addr string

	Home  string   // the user's home, where commands start; empty means Dir
	Path  string   // the PATH of commands; empty means DefaultPath
	Shell string   // the user's login shell, absolute; empty means /bin/sh
	Env   []string // further NAME=value pairs for commands; they win over the others

	// Handler answers the command lines; nil runs them by Shell.
	Handler Handler
	// OnExec, if set, is called with each command line before the request is answered and before anything runs.
	OnExec func(line string)

	// NoLines keeps no Lines: for a server that lives for long.
	NoLines bool

	// HostKeys are the server's keys in its order of preference; empty means one new Ed25519 key.
	HostKeys []ssh.Signer
	Known    Known // what known_hosts says; zero means the truth

	MaxSessions int           // sessions at once per connection; zero means DefaultMaxSessions
	Delay       time.Duration // waits this long before it says its version; zero answers at once
	Banner      string        // shown before the log-in; empty shows none

	// Forward dials for a client that uses the server as its jump host; nil forbids it, as AllowTcpForwarding no.
	Forward func(ctx context.Context, network, addr string) (net.Conn, error)

	// KillAll makes Close end every process group that the server started. Without it they live on.
	KillAll bool
}

func (o Options) withDefaults() Options {
	o.User = cmp.Or(o.User, DefaultUser)
	o.Home = cmp.Or(o.Home, o.Dir)
	o.Path = cmp.Or(o.Path, DefaultPath)
	o.Shell = cmp.Or(o.Shell, "/bin/sh")
	o.MaxSessions = cmp.Or(o.MaxSessions, DefaultMaxSessions)
	return o
}
