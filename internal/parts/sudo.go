package parts

import "testing"

// Sudo is the path of sudo. It ends the test as missing its part where there is none.
func Sudo(tb testing.TB) string {
	tb.Helper()
	uncached()
	path := program("sudo")
	if path == "" {
		missing(tb, "sudo", "no sudo found on PATH")
	}
	return path
}
