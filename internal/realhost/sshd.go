package realhost

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"rollbackbot/internal/parts"
)

// SSHD is Debian's own sshd on loopback, with its own configuration and host keys, and an account that one key opens.
type SSHD struct {
	program   string
	folder    string // its configuration, keys and log
	port      int
	account   *user.User
	keys      map[string]key // host keys by algorithm
	authority key            // signed the certificate of the first host key
	boot      string         // the file of its boot ID, where it has one of its own
	process   *exec.Cmd      // nil while stopped
	ended     chan struct{}  // closed when process has ended
}

// SSHDOption changes what StartSSHD starts.
type SSHDOption func(*sshdSettings)

type sshdSettings struct {
	user       string
	algorithms []string
	boots      bool
	config     string
}

// WithUser names the account, by default DefaultUser. Hosts of one test that are to differ need accounts of their
// own, since the home folder is where the bot keeps its lease.
func WithUser(name string) SSHDOption {
	return func(s *sshdSettings) { s.user = name }
}

// WithHostKeys limits the host keys to some of Algorithms, for a host that lacks the type that a known_hosts has.
func WithHostKeys(algorithms ...string) SSHDOption {
	return func(s *sshdSettings) { s.algorithms = algorithms }
}

// WithBoots gives the host a boot ID of its own, for Reboot.
func WithBoots() SSHDOption {
	return func(s *sshdSettings) { s.boots = true }
}

// WithConfig adds lines to sshd_config, before its own: of two lines for one thing, sshd heeds the first.
func WithConfig(lines ...string) SSHDOption {
	return func(s *sshdSettings) { s.config += strings.Join(lines, "\n") + "\n" }
}

// StartSSHD starts an sshd that ends with the test.
func StartSSHD(tb testing.TB, options ...SSHDOption) *SSHD {
	tb.Helper()
	settings := sshdSettings{user: DefaultUser, algorithms: Algorithms()}
	for _, option := range options {
		option(&settings)
	}
	s := &SSHD{
		program: parts.SSHD(tb),
		folder:  sharedFolder(tb, "rollbackbot-sshd-"),
		port:    freePort(tb),
		account: ensureUser(tb, settings.user),
		keys:    map[string]key{},
	}
	s.configure(tb, settings)
	if settings.boots {
		s.boot = s.write(tb, "boot_id", newBootID(), 0o644)
	}
	s.Start(tb)
	tb.Cleanup(func() { s.Stop(tb) })
	return s
}

// configure writes keys and configuration.
func (s *SSHD) configure(tb testing.TB, settings sshdSettings) {
	tb.Helper()
	algorithms := settings.algorithms
	config := bytes.NewBufferString(settings.config)
	for i, algorithm := range algorithms {
		k := newKey(tb, algorithm)
		s.keys[algorithm] = k
		file := filepath.Join(s.folder, fmt.Sprintf("host_key_%d", i))
		k.write(tb, file)
		fmt.Fprintf(config, "HostKey %s\n", file)
	}
	s.authority = newKey(tb, ssh.KeyAlgoED25519)
	certificate := certify(tb, s.authority, s.keys[algorithms[0]])
	s.write(tb, "host_key_0-cert.pub", ssh.MarshalAuthorizedKey(certificate), 0o644)

	client := newKey(tb, ssh.KeyAlgoED25519)
	client.write(tb, s.KeyFile())
	s.write(tb, "authorized_keys", client.public(), 0o644)

	fmt.Fprintf(config, sshdConfig, s.port, s.folder)
	s.write(tb, "sshd_config", config.Bytes(), 0o644)
}

// sshdConfig follows Debian's defaults but for what a server beside the machine's own needs. The folder of the keys
// lies under /tmp, which everybody may write to: StrictModes would refuse it.
const sshdConfig = `ListenAddress 127.0.0.1
Port %d
HostCertificate %[2]s/host_key_0-cert.pub
AuthorizedKeysFile %[2]s/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PidFile none
AcceptEnv LANG LC_*
MaxStartups 100
LogLevel VERBOSE
`

func (s *SSHD) write(tb testing.TB, name string, content []byte, mode os.FileMode) string {
	tb.Helper()
	path := filepath.Join(s.folder, name)
	if err := os.WriteFile(path, content, mode); err != nil {
		tb.Fatal(err)
	}
	return path
}

// Start ends an outage that Stop began. It does nothing while sshd runs.
func (s *SSHD) Start(tb testing.TB) {
	tb.Helper()
	if s.process != nil {
		return
	}
	// The folder without rights that sshd locks its unprivileged half into; Debian's service makes it at each boot.
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		tb.Fatal(err)
	}
	words := append(s.booted(), s.program, "-D", "-f", filepath.Join(s.folder, "sshd_config"), "-E", s.logFile())
	process := exec.Command(words[0], words[1:]...)
	if err := process.Start(); err != nil {
		tb.Fatalf("start sshd: %v", err)
	}
	ended := make(chan struct{})
	go func() {
		_ = process.Wait() // it ends by Stop's signal, or at once with the reason in its log
		close(ended)
	}()
	s.process, s.ended = process, ended
	s.awaitBanner(tb)
}

// awaitBanner waits until sshd greets; it takes some milliseconds.
func (s *SSHD) awaitBanner(tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	for {
		if greets(s.Addr()) {
			return
		}
		select {
		case <-s.ended:
			s.process = nil
			tb.Fatalf("sshd ended at its start: %s", s.Log(tb))
		case <-ctx.Done():
			tb.Fatalf("sshd does not answer: %s", s.Log(tb))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func greets(addr string) bool {
	connection, err := net.DialTimeout("tcp", addr, commandTimeout)
	if err != nil {
		return false
	}
	defer connection.Close()
	if err := connection.SetReadDeadline(time.Now().Add(commandTimeout)); err != nil {
		return false
	}
	greeting := make([]byte, 4)
	n, err := connection.Read(greeting)
	return err == nil && strings.HasPrefix(string(greeting[:n]), "SSH-")
}

// Stop is the outage of a host's network: no new connections, and those under way are cut. Commands under way on
// the host live on. It does nothing while sshd is stopped.
func (s *SSHD) Stop(tb testing.TB) {
	tb.Helper()
	if s.process == nil {
		return
	}
	sessions := descendants(s.process.Process.Pid, "sshd")
	if err := s.process.Process.Kill(); err != nil {
		tb.Errorf("stop sshd: %v", err)
	}
	<-s.ended
	s.process = nil
	killAll(sessions)
}

// Cut drops all connections at once, as a network does; new ones are taken at once. It reports how many sshd
// processes were ended, two for each logged-in connection.
func (s *SSHD) Cut(tb testing.TB) int {
	tb.Helper()
	if s.process == nil {
		tb.Fatal("cut the connections: sshd is stopped")
	}
	sessions := descendants(s.process.Process.Pid, "sshd")
	killAll(sessions)
	return len(sessions)
}

// Freeze is a host that hangs: its kernel still takes connections, and neither those nor the ones under way get an answer.
// Commands under way on the host go on. Stop and Start end it.
func (s *SSHD) Freeze(tb testing.TB) {
	tb.Helper()
	if s.process == nil {
		tb.Fatal("freeze sshd: it is stopped")
	}
	listener := s.process.Process.Pid
	for _, pid := range append([]int{listener}, descendants(listener, "sshd")...) {
		_ = syscall.Kill(pid, syscall.SIGSTOP) // one that has ended answers no more either
	}
}

// Addr is sshd's host and port.
func (s *SSHD) Addr() string { return loopback(s.port) }

// User is the account that KeyFile opens.
func (s *SSHD) User() string { return s.account.Username }

// Home is the account's home folder.
func (s *SSHD) Home() string { return s.account.HomeDir }

// Target is user@host:port, as the product's HOSTS wants it.
func (s *SSHD) Target() string { return s.User() + "@" + s.Addr() }

// KeyFile is the path of the one private key that opens the account.
func (s *SSHD) KeyFile() string { return filepath.Join(s.folder, "client_key") }

// Log is what sshd wrote so far.
func (s *SSHD) Log(tb testing.TB) string {
	tb.Helper()
	content, err := os.ReadFile(s.logFile())
	if err != nil {
		tb.Fatal(err)
	}
	return string(content)
}

func (s *SSHD) logFile() string { return filepath.Join(s.folder, "sshd.log") }

// Client are the words of OpenSSH's own client for this host, for what a person would type: append the command.
func (s *SSHD) Client(tb testing.TB) []string {
	tb.Helper()
	return []string{
		"ssh", "-F", "none", "-i", s.KeyFile(), "-p", strconv.Itoa(s.port),
		"-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes",
		"-o", "UserKnownHostsFile=" + s.KnownHosts(tb), s.User() + "@127.0.0.1",
	}
}

// hostKey is the host key of an algorithm; one that the host lacks ends the test.
func (s *SSHD) hostKey(tb testing.TB, algorithm string) ssh.PublicKey {
	tb.Helper()
	k, ok := s.keys[algorithm]
	if !ok {
		tb.Fatalf("the host has no %s key, only some of %s", algorithm, strings.Join(Algorithms(), ", "))
	}
	return k.signer.PublicKey()
}

// algorithms are those of the host's keys, in the order of Algorithms.
func (s *SSHD) algorithms() []string {
	return slices.DeleteFunc(Algorithms(), func(algorithm string) bool {
		_, ok := s.keys[algorithm]
		return !ok
	})
}
