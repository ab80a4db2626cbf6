package ssh

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"rollbackbot/internal/sshtest"
	"rollbackbot/runbook"
)

// tryOnce runs a command that can't be started, and checks that it wasn't.
func tryOnce(t *testing.T, s *sshtest.Server, cfg Config) error {
	t.Helper()
	pool := newPool(t, cfg)
	defer pool.Close()
	_, err := on(pool, s.Host()).Run(t.Context(), script("true"))
	if err == nil {
		t.Fatal("the command ran")
	}
	if got := s.Lines(); len(got) > 0 {
		t.Errorf("the host was asked to run %q", got)
	}
	return err
}

func TestProblem_NothingAnswers(t *testing.T) {
	dir := t.TempDir()
	known := newHost(t, sshtest.Options{Dir: dir, Addr: "vps.test:22"})
	for name, test := range map[string]struct {
		dial            func(context.Context, string, string) (net.Conn, error)
		problem, remedy string
	}{
		"refused": {failingDial(&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}),
			"it refuses connections on port 22", "check that sshd runs there and listens on that port"},
		"no route": {failingDial(&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)}),
			"there is no route to vps.test", "check that the machine is up, and the network between it and the bot"},
		"no network": {failingDial(&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}),
			"there is no route to vps.test", "check that the machine is up, and the network between it and the bot"},
		"no name": {failingDial(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "vps.test", IsNotFound: true}}),
			"the name vps.test is not known", "check its spelling, and the DNS of the machine that the bot runs on"},
		"no answer of the DNS": {failingDial(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "timeout", Name: "vps.test", IsTimeout: true}}),
			"the name vps.test can't be looked up", "check the DNS of the machine that the bot runs on"},
		"time-out": {silentDial,
			"nothing answers at vps.test:22 within 10s", "check that the machine is up and that its firewall lets the bot's machine in"},
		"anything else": {failingDial(errors.New("no luck")),
			"no connection to vps.test:22 could be made (no luck)", "check that the machine is up, and the network between it and the bot"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := configOf(known)
				cfg.Dial = test.dial
				wantHostError(t, tryOnce(t, known, cfg), true, test.problem, test.remedy)
			})
		})
	}
}

func TestProblem_RefusedByTheKernel(t *testing.T) {
	server := startHost(t, sshtest.Options{})
	if err := server.Refuse(true); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(server.Addr())
	wantHostError(t, tryOnce(t, server, configOf(server)), true,
		"it refuses connections on port "+port, "check that sshd runs there and listens on that port")
}

func TestProblem_OpenPortSilentServer(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		server := newHost(t, sshtest.Options{Dir: dir, Delay: time.Hour})
		began := time.Now()
		err := tryOnce(t, server, inMemory(server))
		wantHostError(t, err, true, "port 22 is open but nobody answers there within 10s", "look at the machine's load and at its sshd")
		if got := time.Since(began); got != DefaultDialTimeout {
			t.Errorf("gave up after %s, want %s", got, DefaultDialTimeout)
		}
		server.Close()
	})
}

func TestProblem_TimeOverWhileDialling(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		server := newHost(t, sshtest.Options{Dir: dir, Delay: time.Second, Handler: answer("ok")})
		pool := newPool(t, inMemory(server))
		target := on(pool, server.Host())

		_, err := target.Run(t.Context(), command{Args: []string{"early"}, Timeout: time.Millisecond})
		wantHostError(t, err, true, "it did not answer in the time that the command was given",
			"check that the machine is up and that its firewall lets the bot's machine in")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the cause of %v is hidden", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = target.Run(ctx, command{Args: []string{"early"}})
		wantHostError(t, err, false, "it was not waited for", "ask again")
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the cause of %v is hidden", err)
		}
		// Neither has spoilt the dial for others.
		run(t, target, command{Args: []string{"late"}})
		if got := server.Connections(); got != 1 {
			t.Errorf("%d connections, want 1", got)
		}
		if got := lineCount(server, "early"); got != 0 {
			t.Error("a command that was out of time was started")
		}
		pool.Close()
		server.Close()
	})
}

func TestProblem_AllSessionsBusy(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		finish := make(chan struct{})
		server := newHost(t, sshtest.Options{Dir: dir, Handler: runsUntil(finish)})
		pool := newPool(t, inMemory(server))
		target := on(pool, server.Host())
		for range maxSessions {
			go target.Run(context.Background(), command{Args: []string{"long"}, Timeout: time.Hour})
		}
		synctest.Wait()
		_, err := target.Run(t.Context(), command{Args: []string{"x"}, Timeout: time.Second})
		wantHostError(t, err, false, "8 commands are still running on it",
			"wait until one of them has ended, or see on the host what holds it up")
		close(finish)
		synctest.Wait()
		run(t, target, command{Args: []string{"x"}})
		pool.Close()
		server.Close()
	})
}

func TestProblem_HostKeyChanged(t *testing.T) {
	host := newSigner(t)
	server := startHost(t, sshtest.Options{HostKeys: []ssh.Signer{host}, Known: sshtest.KnownChanged})
	known := readKeys(t, server.KnownHostsFile)[0]
	// A line before it, so that the number of the line is told and not guessed.
	content := "# our hosts\n" + read(t, server.KnownHostsFile)
	write(t, server.KnownHostsFile, content)

	wantHostError(t, tryOnce(t, server, configOf(server)), false,
		fmt.Sprintf("the host key has changed: it shows ssh-ed25519 %s, known is ssh-ed25519 %s",
			ssh.FingerprintSHA256(host.PublicKey()), ssh.FingerprintSHA256(known)),
		fmt.Sprintf("ask who runs the host whether its key was replaced, for somebody may stand in between; only then replace %s:2",
			server.KnownHostsFile))
}

// readKeys are the keys of a known_hosts file, in order.
func readKeys(t *testing.T, file string) []ssh.PublicKey {
	t.Helper()
	var keys []ssh.PublicKey
	rest := []byte(read(t, file))
	for {
		_, _, key, _, left, err := ssh.ParseKnownHosts(rest)
		if errors.Is(err, io.EOF) {
			return keys
		}
		if err != nil {
			t.Fatal(err)
		}
		keys, rest = append(keys, key), left
	}
}

func TestProblem_OtherKeyTypeOnly(t *testing.T) {
	server := startHost(t, sshtest.Options{Known: sshtest.KnownOther})
	known := readKeys(t, server.KnownHostsFile)[0]
	_, port, _ := net.SplitHostPort(server.Addr())
	wantHostError(t, tryOnce(t, server, configOf(server)), false,
		fmt.Sprintf("it is known under another key type only: it has ssh-ed25519, known is ecdsa-sha2-nistp256 %s", ssh.FingerprintSHA256(known)),
		fmt.Sprintf("run ssh-keyscan -p %s 127.0.0.1, compare the fingerprint with the host's own, and add that line beside %s:1",
			port, server.KnownHostsFile))
}

func TestProblem_NotInKnownHosts(t *testing.T) {
	host := newSigner(t)
	server := startHost(t, sshtest.Options{HostKeys: []ssh.Signer{host}, Known: sshtest.KnownNone})
	write(t, server.KnownHostsFile, knownhosts.Line([]string{"another.test"}, host.PublicKey())+"\n")
	_, port, _ := net.SplitHostPort(server.Addr())
	wantHostError(t, tryOnce(t, server, configOf(server)), false,
		fmt.Sprintf("it is not in %s; it shows the key ssh-ed25519 %s", server.KnownHostsFile, ssh.FingerprintSHA256(host.PublicKey())),
		fmt.Sprintf("compare that fingerprint with the one that ssh-keygen -lf prints on the host itself, then add the line of: ssh-keyscan -p %s 127.0.0.1", port))
}

func TestProblem_RevokedKey(t *testing.T) {
	host := newSigner(t)
	server := startHost(t, sshtest.Options{HostKeys: []ssh.Signer{host}})
	line := read(t, server.KnownHostsFile)
	write(t, server.KnownHostsFile, line+"@revoked "+line)
	wantHostError(t, tryOnce(t, server, configOf(server)), false,
		fmt.Sprintf("its host key ssh-ed25519 %s is revoked in %s:2", ssh.FingerprintSHA256(host.PublicKey()), server.KnownHostsFile),
		"do not connect; ask who revoked it and why, and give the host a new key")
}

func TestProblem_UnsafeKeyTypeOnly(t *testing.T) {
	server := startHost(t, sshtest.Options{Known: sshtest.KnownNone})
	// A key of a type that OpenSSH dropped in 7.0; nobody has its private part.
	dsa := ssh.Marshal(struct {
		Name       string
		P, Q, G, Y []byte
	}{"ssh-dss", dsaP(), dsaQ(), []byte{2}, []byte{4}})
	key, err := ssh.ParsePublicKey(dsa)
	if err != nil {
		t.Skipf("a DSA key can't be made: %v", err)
	}
	write(t, server.KnownHostsFile, knownhosts.Line([]string{server.Addr()}, key)+"\n")
	_, port, _ := net.SplitHostPort(server.Addr())
	wantHostError(t, tryOnce(t, server, configOf(server)), false,
		"it is known only under a key type that is no longer safe: ssh-dss "+ssh.FingerprintSHA256(key),
		"run ssh-keyscan -p "+port+" 127.0.0.1, compare the fingerprint of its Ed25519 key with the host's own, and add that line")
	if got := server.Connections(); got != 0 {
		t.Errorf("connected %d times all the same", got)
	}
}

// dsaP and dsaQ have the lengths of real DSA parameters.
func dsaP() []byte { return append([]byte{0, 0x80}, make([]byte, 127)...) }
func dsaQ() []byte { return append([]byte{0, 0x80}, make([]byte, 19)...) }

func TestProblem_KnownHostsGoneSinceTheStart(t *testing.T) {
	server := startHost(t, sshtest.Options{})
	pool := newPool(t, configOf(server))
	if err := os.Remove(server.KnownHostsFile); err != nil {
		t.Fatal(err)
	}
	_, err := on(pool, server.Host()).Run(t.Context(), script("true"))
	wantHostError(t, err, false,
		fmt.Sprintf("its host key can't be checked (%s does not exist: write it with ssh-keyscan HOST and compare each fingerprint with the host's own)", server.KnownHostsFile),
		"fix known_hosts")
}

func TestKnownHosts_ReadAtEachDial(t *testing.T) {
	server := startHost(t, sshtest.Options{Handler: answer("ok")})
	right := read(t, server.KnownHostsFile)
	stranger := knownhosts.Line([]string{"other.test"}, newSigner(t).PublicKey()) + "\n"
	write(t, server.KnownHostsFile, stranger)
	target := targetOf(t, server)
	if _, err := target.Run(t.Context(), script("true")); err == nil {
		t.Fatal("an unknown host ran a command")
	}
	write(t, server.KnownHostsFile, stranger+right)
	run(t, target, script("true"))
}

// A connection is kept for as long as known_hosts vouches for its host, and no longer.
func TestKnownHosts_ChangedUnderAKeptConnection(t *testing.T) {
	server := startHost(t, sshtest.Options{Handler: answer("ok")})
	right := read(t, server.KnownHostsFile)
	name, _, _ := strings.Cut(right, " ")
	another := newSigner(t).PublicKey()
	var log safeBuffer
	target := on(newPoolLogging(t, configOf(server), &log), server.Host())
	run(t, target, script("true"))
	for _, row := range []struct{ what, content, problem string }{
		{"replaced", name + " " + string(ssh.MarshalAuthorizedKey(another)), "the host key has changed: it shows "},
		{"removed", knownhosts.Line([]string{"other.test"}, another) + "\n", "it is not in " + server.KnownHostsFile},
		{"revoked", right + "@revoked * " + strings.TrimPrefix(right, name+" "), "is revoked in " + server.KnownHostsFile},
		{"emptied", "", "its host key can't be checked"},
	} {
		write(t, server.KnownHostsFile, row.content)
		_, err := target.Run(t.Context(), script("true"))
		var said *runbook.HostError
		if !errors.As(err, &said) || said.MayPass() || !strings.Contains(said.Problem, row.problem) {
			t.Errorf("%s: %v, want a host that has to be mended first: %s", row.what, err, row.problem)
		}
		write(t, server.KnownHostsFile, right)
		run(t, target, script("true"))
	}
	connected := func() int { return strings.Count(log.String(), `"connected"`) }
	before := connected()
	write(t, server.KnownHostsFile, knownhosts.Line([]string{"other.test"}, another)+"\n"+right)
	run(t, target, script("true"))
	if now := connected(); now != before || before != 5 {
		t.Errorf("%d connections, and %d after a change about another host; want 5 and no more", before, now)
	}
}

func TestKnownHosts_AsksForTheKnownKey(t *testing.T) {
	// The host prefers another key than the one it is known by; x/crypto alone would take that and call it changed.
	for _, last := range []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoRSA} {
		t.Run(last, func(t *testing.T) {
			keys := []ssh.Signer{newKey(t, ssh.KeyAlgoECDSA256), newKey(t, ssh.KeyAlgoED25519), newKey(t, last)}
			server := startHost(t, sshtest.Options{HostKeys: keys, Known: sshtest.KnownLast, Handler: answer("ok")})
			run(t, targetOf(t, server), script("true"))
		})
	}
}

func newKey(t *testing.T, keyType string) ssh.Signer {
	t.Helper()
	key, err := sshtest.NewKey(keyType)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestKnownHosts_CertificateAuthority(t *testing.T) {
	authority := newSigner(t)
	server := startHost(t, sshtest.Options{
		HostKeys: []ssh.Signer{newKey(t, ssh.KeyAlgoECDSA256), certified(t, authority, "127.0.0.1", time.Now().Add(time.Hour))},
		Known:    sshtest.KnownLast, // the authority alone
		Handler:  answer("ok"),
	})
	if got := read(t, server.KnownHostsFile); !strings.HasPrefix(got, "@cert-authority ") || strings.Count(got, "\n") != 1 {
		t.Fatalf("known_hosts is %q", got)
	}
	run(t, targetOf(t, server), script("true"))
	// For all hosts, as a team writes it once; the port is not the default one.
	write(t, server.KnownHostsFile, "@cert-authority * "+string(ssh.MarshalAuthorizedKey(authority.PublicKey())))
	run(t, targetOf(t, server), script("true"))
}

func TestProblem_Certificate(t *testing.T) {
	authority := newSigner(t)
	signed := "its host certificate, signed by ssh-ed25519 " + ssh.FingerprintSHA256(authority.PublicKey()) + ", is not accepted ("
	for name, test := range map[string]struct {
		principal string
		before    time.Time
		problem   string
	}{
		"expired":      {"127.0.0.1", time.Now().Add(-time.Hour), signed + "ssh: cert has expired)"},
		"another host": {"other.test", time.Now().Add(time.Hour), signed + `ssh: principal "127.0.0.1" not in the set of valid principals for given certificate: ["other.test"])`},
	} {
		t.Run(name, func(t *testing.T) {
			server := startHost(t, sshtest.Options{HostKeys: []ssh.Signer{certified(t, authority, test.principal, test.before)}})
			wantHostError(t, tryOnce(t, server, configOf(server)), false, test.problem,
				"renew the certificate, or compare the signer with your certificate authority and add it as @cert-authority to "+server.KnownHostsFile)
		})
	}
}

// certified is a host key with a certificate.
func certified(t *testing.T, authority ssh.Signer, principal string, before time.Time) ssh.Signer {
	t.Helper()
	host := newSigner(t)
	cert := &ssh.Certificate{
		Key: host.PublicKey(), CertType: ssh.HostCert, ValidPrincipals: []string{principal},
		ValidBefore: uint64(before.Unix()),
	}
	if err := cert.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewCertSigner(cert, host)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func TestProblem_KeyRefused(t *testing.T) {
	server := startHost(t, sshtest.Options{})
	cfg := configOf(server)
	key := newKeyFile(t, "")
	cfg.KeyFile = key
	wantHostError(t, tryOnce(t, server, cfg), false,
		"it refuses the key of deploy; offered was "+fingerprintOf(t, key),
		"put the public key into the authorized_keys of deploy on that host, and read sshd's log there if it is in it")
}

func TestProblem_MisspeltHost(t *testing.T) {
	pool := newPool(t, configOf(startHost(t, sshtest.Options{})))
	_, err := on(pool, "no-user").Run(t.Context(), script("true"))
	wantHostError(t, err, false, `it is misspelt ("no-user" has no user: write user@host or user@host:port)`, "correct the app's HOSTS")
}

func TestProblem_NoSSH(t *testing.T) {
	server := newHost(t, sshtest.Options{Dir: t.TempDir()})
	for name, test := range map[string]struct {
		says            string
		problem, remedy string
	}{
		"hangs up": {"", "it hangs up before it shows a host key",
			"check that port 22 is an SSH server, and that it does not ban the bot's machine (fail2ban, MaxStartups)"},
		"something else": {strings.Repeat("HTTP/1.1 400 Bad Request ", 20), "what answers there does not speak SSH as it should (ssh: handshake failed: ssh: overflow reading version string)",
			"check that port 22 is an SSH server"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := configOf(server)
			cfg.Dial = func(context.Context, string, string) (net.Conn, error) {
				client, other := sshtest.Pipe()
				if _, err := io.WriteString(other, test.says); test.says == "" || err != nil {
					other.Close()
				}
				return client, nil
			}
			wantHostError(t, tryOnce(t, server, cfg), false, test.problem, test.remedy)
		})
	}
}

func TestProblem_SessionRefused(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		finish := make(chan struct{})
		server := newHost(t, sshtest.Options{Dir: dir, MaxSessions: 1, Handler: runsUntil(finish)})
		pool := newPool(t, inMemory(server))
		target := on(pool, server.Host())
		go target.Run(context.Background(), command{Args: []string{"long"}, Timeout: time.Hour})
		synctest.Wait()

		began := time.Now()
		_, err := target.Run(t.Context(), command{Args: []string{"refused"}})
		wantHostError(t, err, false, "it refuses another session (open failed)",
			"set MaxSessions to 10 or more in its sshd_config, and check that nothing there limits the user's processes")
		if got := time.Since(began); got != 2*time.Second {
			t.Errorf("gave up after %s, want 2s", got)
		}
		time.AfterFunc(time.Second, func() { close(finish) })
		run(t, target, command{Args: []string{"patient"}})
		if got := lineCount(server, "patient"); got != 1 {
			t.Errorf("started %d times, want once", got)
		}
		pool.Close()
		server.Close()
	})
}

func TestProblem_ExecRefused(t *testing.T) {
	server := startHost(t, sshtest.Options{Shell: "/no/such/shell"})
	_, err := targetOf(t, server).Run(t.Context(), script("true"))
	wantHostError(t, err, false, "it does not run commands for deploy",
		"give that user a login shell, and remove ForceCommand and restrictions in authorized_keys")
}

func TestRun_IPv6(t *testing.T) {
	probe, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	probe.Close()
	server := startHost(t, sshtest.Options{Addr: "[::1]:0", Handler: answer("six")})
	if got := run(t, targetOf(t, server), script("true")); string(got.Stdout) != "six" {
		t.Errorf("printed %q", got.Stdout)
	}
}

func TestRun_DefaultPort(t *testing.T) {
	server := newHost(t, sshtest.Options{Dir: t.TempDir(), Addr: "vps.test:22", Handler: answer("ok")})
	cfg := configOf(server)
	cfg.Dial = sshtest.Network{"vps.test:22": server}.Dial
	run(t, on(newPool(t, cfg), "deploy@VPS.test"), script("true"))
}
