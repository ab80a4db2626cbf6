package parts

import "testing"

// Promtool is the path of promtool, which comes with Debian's package of Prometheus. It ends the test as missing its part
// where there is none.
func Promtool(tb testing.TB) string {
	tb.Helper()
	uncached()
	path := program("promtool", "/usr/bin/promtool", "/usr/local/bin/promtool")
	if path == "" {
		missing(tb, "Prometheus", "no promtool found on PATH")
	}
	return path
}
