package parts

import "testing"

// Curl is the path of curl, by which pipelines ask the bot. It ends the test as missing its part where there is none.
func Curl(tb testing.TB) string {
	tb.Helper()
	uncached()
	path := program("curl")
	if path == "" {
		missing(tb, "curl", "no curl found on PATH")
	}
	return path
}
