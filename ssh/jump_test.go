package ssh

import (
	"context"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/internal/sshtest"
	"rollbackbot/runbook"
)

// throughJump is two hosts without a network: only the jump host can be dialled, and it forwards by forward.
func throughJump(t *testing.T, dir string, jumpOptions sshtest.Options, host *sshtest.Server) (*sshtest.Server, Config) {
	t.Helper()
	jumpOptions.Dir, jumpOptions.Addr, jumpOptions.User = dir, "jump.test:2222", "hop"
	jump := newHost(t, jumpOptions)
	cfg := configOf(host)
	cfg.Jump = "hop@jump.test:2222"
	cfg.Dial = sshtest.Network{"jump.test:2222": jump}.Dial
	return jump, cfg
}

func TestJump_AllHostsThroughOneConnection(t *testing.T) {
	dir := t.TempDir()
	one := newHost(t, sshtest.Options{Dir: dir, Addr: "one.test:22", Handler: answer("one")})
	two := newHost(t, sshtest.Options{Dir: dir, Addr: "two.test:22", Handler: answer("two")})
	behind := sshtest.Network{"one.test:22": one, "two.test:22": two}
	jump, cfg := throughJump(t, dir, sshtest.Options{Forward: behind.Dial}, one)
	pool := newPool(t, cfg)
	for range 2 { // the second round goes over what the first one made
		for _, host := range []string{"one", "two"} {
			if got := run(t, on(pool, runbook.Host("deploy@"+host+".test")), script("true")); string(got.Stdout) != host {
				t.Errorf("%s printed %q", host, got.Stdout)
			}
		}
	}
	if got := jump.Connections(); got != 1 {
		t.Errorf("%d connections to the jump host, want 1", got)
	}
	if got := len(jump.Lines()); got != 0 {
		t.Errorf("%d commands ran on the jump host", got)
	}
}

func TestJump_RedialsAfterACut(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		host := newHost(t, sshtest.Options{Dir: dir, Addr: "one.test:22", Handler: answer("ok")})
		jump, cfg := throughJump(t, dir, sshtest.Options{Forward: host.Dial}, host)
		pool := newPool(t, cfg)
		run(t, on(pool, host.Host()), script("true"))
		jump.Cut()
		synctest.Wait() // see link.openChannel: what it leaves behind would be found in this bubble
		run(t, on(pool, host.Host()), script("true"))
		if got := jump.Connections(); got != 2 {
			t.Errorf("%d connections to the jump host, want 2", got)
		}
		pool.Close()
		jump.Close()
		host.Close()
	})
}

func TestJump_Problems(t *testing.T) {
	refuse := func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	for name, test := range map[string]struct {
		options         sshtest.Options
		change          func(*Config, *sshtest.Server)
		unreachable     bool
		problem, remedy string
	}{
		"refuses": {
			change:      func(_ *Config, jump *sshtest.Server) { jump.Refuse(true) },
			unreachable: true,
			problem:     "the jump host hop@jump.test:2222 can't be used: it refuses connections on port 2222",
			remedy:      "check that sshd runs there and listens on that port",
		},
		"silent": {
			change:      func(cfg *Config, _ *sshtest.Server) { cfg.Dial = silentDial },
			unreachable: true,
			problem:     "the jump host hop@jump.test:2222 can't be used: nothing answers at jump.test:2222 within 10s",
			remedy:      "check that the machine is up and that its firewall lets the bot's machine in",
		},
		"does not forward": {
			problem: "the jump host hop@jump.test:2222 does not forward to one.test:22",
			remedy:  "set AllowTcpForwarding yes for hop in the sshd_config of the jump host",
		},
		"can't connect": {
			options:     sshtest.Options{Forward: refuse},
			unreachable: true,
			problem:     "the jump host hop@jump.test:2222 can't connect to one.test:22 (dial: connect: connection refused)",
			remedy:      "check that the machine is up, that sshd runs there, and its name as the jump host knows it",
		},
		"gets no answer": {
			options:     sshtest.Options{Forward: silentDial},
			unreachable: true,
			problem:     "the jump host hop@jump.test:2222 gets no answer from one.test:22",
			remedy:      "check that the machine is up and that its firewall lets the jump host in",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				host := newHost(t, sshtest.Options{Dir: dir, Addr: "one.test:22"})
				jump, cfg := throughJump(t, dir, test.options, host)
				if test.change != nil {
					test.change(&cfg, jump)
				}
				err := tryOnce(t, host, cfg)
				wantHostError(t, err, test.unreachable, test.problem, test.remedy)
				jump.Close()
				host.Close()
			})
		})
	}
}

func TestJump_KeyOfTheJumpHostIsChecked(t *testing.T) {
	dir := t.TempDir()
	host := newHost(t, sshtest.Options{Dir: dir, Addr: "one.test:22"})
	jump, cfg := throughJump(t, dir, sshtest.Options{Known: sshtest.KnownChanged, Forward: host.Dial}, host)
	err := tryOnce(t, host, cfg)
	known := readKeys(t, cfg.KnownHosts)
	if len(known) != 2 {
		t.Fatalf("%d lines in known_hosts, want the host's and the jump host's", len(known))
	}
	said := err.Error()
	for _, want := range []string{
		string(host.Host()) + ": the jump host hop@jump.test:2222 can't be used: the host key has changed: ",
		"known is " + fingerprint(known[1]), cfg.KnownHosts + ":2",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("%q lacks %q", said, want)
		}
	}
	if got := jump.Connections(); got != 1 {
		t.Errorf("%d connections to the jump host, want 1", got)
	}
}

func TestJump_HostKeysBehindItAreChecked(t *testing.T) {
	dir := t.TempDir()
	host := newHost(t, sshtest.Options{Dir: dir, Addr: "one.test:22", Known: sshtest.KnownChanged})
	_, cfg := throughJump(t, dir, sshtest.Options{Forward: host.Dial}, host)
	if err := tryOnce(t, host, cfg); !strings.Contains(err.Error(), string(host.Host())+": the host key has changed: ") {
		t.Errorf("got %v", err)
	}
}

func TestJump_SilentJumpHostIsNoticed(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		finish := make(chan struct{})
		host := newHost(t, sshtest.Options{Dir: dir, Addr: "one.test:22", Handler: runsUntil(finish)})
		jump, cfg := throughJump(t, dir, sshtest.Options{Forward: host.Dial}, host)
		pool := newPool(t, cfg)
		time.AfterFunc(time.Minute, func() { jump.Freeze(true) })
		began := time.Now()
		_, err := on(pool, host.Host()).Run(t.Context(), command{Args: []string{"x"}, Timeout: time.Hour})
		wantLost(t, err)
		if got := time.Since(began); got < 75*time.Second || got > 80*time.Second {
			t.Errorf("noticed after %s, want 20 s after the last answer at most", got)
		}
		close(finish)
		jump.Freeze(false)
		pool.Close()
		jump.Close()
		host.Close()
	})
}
