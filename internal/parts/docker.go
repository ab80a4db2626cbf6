package parts

import (
	"context"
	_ "embed"
	"fmt"
	"os/exec"
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
	turnOf(tb, engine)
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

// composeQuestion is what `make parts` asks as well: what the one takes for there, the other may not take for missing.
//
//go:embed compose.sh
var composeQuestion string

// composeNewEnough refuses versions that the product does not support, and says why.
func composeNewEnough(version string) error {
	said, err := exec.Command("/bin/sh", "-c", composeQuestion+`compose_new_enough "$1"`, "sh", version).Output()
	if err != nil {
		return fmt.Errorf("%s", strings.TrimSpace(string(said)))
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
