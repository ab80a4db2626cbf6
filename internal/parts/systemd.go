package parts

import "testing"

// SystemdAnalyze is the path of systemd-analyze, which judges a unit without a systemd that runs. Where it isn't there the
// test is skipped by name, in CI too: an init system is no part that anybody installs for tests.
func SystemdAnalyze(tb testing.TB) string {
	tb.Helper()
	uncached()
	path := program("systemd-analyze")
	if path == "" {
		skip(tb, "missing program: systemd-analyze; remedy: a machine with systemd")
	}
	return path
}
