package realhost

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// commandTimeout bounds each command of the test's own set-up. The slowest, the first `up` of a stack, takes about
// 5 s; five minutes are there for a hang alone, which no busy machine is.
const commandTimeout = 5 * time.Minute

// run runs a command and gives its output without the last line end. A failure ends the test with all it printed.
func run(tb testing.TB, name string, args ...string) string {
	tb.Helper()
	out, err := try(name, args...)
	if err != nil {
		tb.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return out
}

// try is run for callers that go on after a failure; the error holds what the command printed to standard error.
// It takes no context of a test: cleaning up happens after that one has ended.
func try(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = errors.New(exit.String() + ": " + strings.TrimSpace(string(exit.Stderr)))
	}
	return strings.TrimSuffix(string(out), "\n"), err
}

// lines splits output that has one word a line, as IDs and references are; blank lines count for nothing.
func lines(out string) []string {
	return strings.Fields(out)
}
