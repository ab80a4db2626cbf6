package parts

import "testing"

// SSHKeygen is the path of ssh-keygen, by which people sign. It comes with OpenSSH's client. It ends the test as missing its
// part where there is none.
func SSHKeygen(tb testing.TB) string {
	tb.Helper()
	uncached()
	path := program("ssh-keygen")
	if path == "" {
		missing(tb, "OpenSSH client", "no ssh-keygen found on PATH")
	}
	return path
}
