package parts

import "testing"

// Chromium is the path of the browser. It ends the test as missing its part where there is none, and takes a [Turn].
func Chromium(tb testing.TB) string {
	tb.Helper()
	uncached()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path := program(name); path != "" {
			turnOf(tb, browser)
			return path
		}
	}
	missing(tb, "Chromium", "no chromium found on PATH")
	return ""
}
