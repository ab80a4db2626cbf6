// Package parts tells tests whether the real parts they run on are on this machine: the Docker engine, Docker
// Compose, the OpenSSH server and client, PostgreSQL, Prometheus, Chromium, Slack's own client and an emulator of GitHub on
// Node, Slack's manifest schema.
//
// A test asks for a part in its first line. Where the part is missing the test is skipped with one line that names
// the part and the remedy, `make parts`; with CI=true in the environment it fails instead, since a continuous
// integration that skips what it is there for proves nothing. The package installs nothing, and starts nothing but
// servers of the tests' own ([PostgreSQL], [StartPostgreSQL], [StartPrometheus]).
package parts

import (
	"fmt"
	"os"
	"testing"
)

// skippedVariable names a file to which each skip adds one line. `make test` sets it and prints the lines at the
// end, because go test is silent about skipped tests unless it is silent about nothing.
const skippedVariable = "ROLLBACKBOT_PARTS_SKIPPED"

// uncached keeps go test from answering a test that asks for a part out of its cache: a part may be gone since, or
// there at last. A test's result is cached by the variables that it read, and `make test` gives this one another
// value each time.
func uncached() { _ = os.Getenv(skippedVariable) }

// missing ends the test: skipped, or failed with CI=true.
func missing(tb testing.TB, part, why string) {
	tb.Helper()
	missingRemedy(tb, part, why, "make parts")
}

// missingRemedy is missing for a part that something else than `make parts` brings.
func missingRemedy(tb testing.TB, part, why, remedy string) {
	tb.Helper()
	line := fmt.Sprintf("missing part: %s (%s); remedy: %s", part, why, remedy)
	if os.Getenv("CI") == "true" {
		tb.Fatal(line)
	}
	skip(tb, line)
}

// skip ends the test as skipped, also in CI, and notes the line for `make test`.
func skip(tb testing.TB, line string) {
	tb.Helper()
	if err := note(line); err != nil {
		tb.Errorf("note a skipped part: %v", err)
	}
	tb.Skip(line)
}

// note adds the line to the file of skips, if there is one. Packages are tested by several processes at once: one
// small write to a file opened for appending stays in one piece.
func note(line string) error {
	path := os.Getenv(skippedVariable)
	if path == "" {
		return nil
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if _, err := file.WriteString(line + "\n"); err != nil {
		_ = file.Close() // the write's error says more
		return err
	}
	return file.Close()
}
