package parts

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// askTimeout bounds each question to a command: `docker info` answers within 100 ms, and on a machine that is busy with
// something else within seconds. A daemon that takes two minutes hangs.
const askTimeout = 2 * time.Minute

// Docker ends the test as missing its part unless a Docker engine answers this user.
func Docker(tb testing.TB) {
	tb.Helper()
	uncached()
	if err := dockerAnswers(); err != nil {
		missing(tb, "Docker engine", err.Error())
	}
}

// Compose ends the test as missing its part unless a Docker engine answers and Docker Compose is there in a version
// that the product supports, 2.21 or later. It takes a [Turn].
func Compose(tb testing.TB) {
	tb.Helper()
	Docker(tb)
	if err := composeAnswers(); err != nil {
		missing(tb, "Docker Compose", err.Error())
	}
	Turn(tb)
}

// The answers hold for the whole process: an engine does not come and go between two tests.
var (
	dockerAnswers = sync.OnceValue(func() error {
		_, err := ask("docker", "info", "--format", "{{.ServerVersion}}")
		return err
	})
	composeAnswers = sync.OnceValue(func() error {
		version, err := ask("docker", "compose", "version", "--short")
		if err != nil {
			return err
		}
		return composeNewEnough(version)
	})
)

// composeNewEnough refuses versions before 2.21, whose `ps --format json` has another form.
func composeNewEnough(version string) error {
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	majorNumber, err := strconv.Atoi(major)
	if err != nil {
		return fmt.Errorf("version %q is not understood", version)
	}
	minorNumber, err := strconv.Atoi(minor)
	if err != nil {
		return fmt.Errorf("version %q is not understood", version)
	}
	if majorNumber < 2 || majorNumber == 2 && minorNumber < 21 {
		return fmt.Errorf("version %s is older than 2.21", version)
	}
	return nil
}

// ask runs a command and gives its output without the line end; its error is one line.
func ask(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		line, _, _ := strings.Cut(text, "\n")
		return "", fmt.Errorf("%s %s: %w %s", name, args[0], err, line)
	}
	return text, nil
}
