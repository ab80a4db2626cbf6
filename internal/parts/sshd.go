package parts

import (
	"os"
	"testing"
)

// SSHD is the path of the OpenSSH server. It ends the test as missing its part where there is none, or where the
// test does not run as root: only root's sshd can log another user in.
func SSHD(tb testing.TB) string {
	tb.Helper()
	uncached()
	path := program("sshd", "/usr/sbin/sshd", "/usr/local/sbin/sshd")
	if path == "" {
		missing(tb, "OpenSSH server", "no sshd found")
	}
	if os.Geteuid() != 0 {
		missing(tb, "OpenSSH server as root", "the tests run as another user")
	}
	return path
}
