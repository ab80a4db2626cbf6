package realhost

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// KnownHosts is the path of a known_hosts file with the host's keys of the algorithms given, without any of all it
// has.
func (s *SSHD) KnownHosts(tb testing.TB, algorithms ...string) string {
	tb.Helper()
	return s.knownHosts(tb, algorithms, s.line)
}

// KnownHostsHashed is KnownHosts with the address hashed, as Debian's ssh writes it.
func (s *SSHD) KnownHostsHashed(tb testing.TB, algorithms ...string) string {
	tb.Helper()
	return s.knownHosts(tb, algorithms, func(public ssh.PublicKey) string {
		return knownhosts.Line([]string{knownhosts.HashHostname(knownhosts.Normalize(s.Addr()))}, public)
	})
}

// KnownHostsWrong is a known_hosts file with other keys of the algorithms given (without any: of all the host has):
// the host's key has changed, or somebody sits in between. An algorithm that the host lacks makes it a host that is
// known under another key type.
func (s *SSHD) KnownHostsWrong(tb testing.TB, algorithms ...string) string {
	tb.Helper()
	if len(algorithms) == 0 {
		algorithms = s.algorithms()
	}
	var content []string
	for _, algorithm := range algorithms {
		content = append(content, s.line(newKey(tb, algorithm).signer.PublicKey()))
	}
	return knownHostsFile(tb, content)
}

// KnownHostsAuthority is a known_hosts file that has none of the host's keys but trusts the authority that signed
// the certificate of its first one.
func (s *SSHD) KnownHostsAuthority(tb testing.TB) string {
	tb.Helper()
	return knownHostsFile(tb, []string{"@cert-authority " + s.line(s.authority.signer.PublicKey())})
}

// KnownHostsEmpty is a known_hosts file that has never heard of the host.
func (s *SSHD) KnownHostsEmpty(tb testing.TB) string {
	tb.Helper()
	return knownHostsFile(tb, nil)
}

func (s *SSHD) knownHosts(tb testing.TB, algorithms []string, line func(ssh.PublicKey) string) string {
	tb.Helper()
	if len(algorithms) == 0 {
		algorithms = s.algorithms()
	}
	var content []string
	for _, algorithm := range algorithms {
		content = append(content, line(s.hostKey(tb, algorithm)))
	}
	return knownHostsFile(tb, content)
}

// line is one line for the host and a key.
func (s *SSHD) line(public ssh.PublicKey) string {
	return knownhosts.Line([]string{s.Addr()}, public)
}

func knownHostsFile(tb testing.TB, content []string) string {
	tb.Helper()
	file, err := os.CreateTemp(tb.TempDir(), "known_hosts")
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(strings.Join(content, "\n") + "\n"); err != nil {
		tb.Fatal(err)
	}
	return file.Name()
}
