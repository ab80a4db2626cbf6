package realhost

import (
	"context"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// buildTimeout bounds a build by the go command: on a machine with nothing in its build cache the product takes
// about two minutes on two cores.
const buildTimeout = 10 * time.Minute

// Build builds a main package of this module, as in "rollbackbot/cmd/rollbackbot", and gives the path of the binary,
// which lasts as long as the test. The flags are those of `make build`, so that its build cache serves.
func Build(tb testing.TB, mainPackage string) string {
	tb.Helper()
	binary := filepath.Join(tb.TempDir(), path.Base(mainPackage))
	if out, err := build(binary, mainPackage); err != nil {
		tb.Fatalf("build %s: %v\n%s", mainPackage, err, out)
	}
	return binary
}

func build(binary, mainPackage string, flags ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	args := append([]string{"build", "-trimpath", "-o", binary}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, mainPackage)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	return cmd.CombinedOutput()
}

// appBinary is the program of all images, built once per process and kept in memory: a file would need somebody to
// remove it after the last test.
var appBinary = sync.OnceValues(func() ([]byte, error) {
	folder, err := os.MkdirTemp("", "rollbackbot-app-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "app")
	if out, err := build(file, "rollbackbot/internal/realhost/app", "-ldflags", "-s -w"); err != nil {
		return out, err
	}
	return os.ReadFile(file)
})
