package realhost

import (
	"context"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// buildTimeout bounds a build by the go command: on a machine with nothing in its build cache the product takes
// about two minutes on two cores.
const buildTimeout = 10 * time.Minute

// Build builds a main package of this module, as in "rollbackbot/cmd/rollbackbot", with build tags, if any, and gives the
// path of a binary that lasts as long as the test. The flags are those of `make build`, so that its build cache serves;
// it is linked once per process.
func Build(tb testing.TB, mainPackage string, tags ...string) string {
	tb.Helper()
	var flags []string
	if len(tags) > 0 {
		flags = []string{"-tags", strings.Join(tags, ",")}
	}
	content, err := built(mainPackage, flags...)
	if err != nil {
		tb.Fatalf("build %s: %v\n%s", mainPackage, err, content)
	}
	binary := filepath.Join(tb.TempDir(), path.Base(mainPackage))
	// A child that another test forks now would have the file open for writing for a moment, and starting the binary
	// would fail as "text file busy".
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(binary, content, 0o755); err != nil {
		tb.Fatal(err)
	}
	return binary
}

// builds holds the binaries by flags and main package, kept in memory: a file would need somebody to remove it after the last
// test.
var builds sync.Map

// built is a binary's content; with an error, what the go command said.
func built(mainPackage string, flags ...string) ([]byte, error) {
	once, _ := builds.LoadOrStore(strings.Join(append(flags, mainPackage), " "), sync.OnceValues(func() ([]byte, error) {
		folder, err := os.MkdirTemp("", "rollbackbot-build-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(folder)
		file := filepath.Join(folder, "binary")
		if out, err := build(file, mainPackage, flags...); err != nil {
			return out, err
		}
		return os.ReadFile(file)
	}))
	return once.(func() ([]byte, error))()
}

func build(binary, mainPackage string, flags ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	args := append([]string{"build", "-trimpath", "-o", binary}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, mainPackage)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	return cmd.CombinedOutput()
}

// appBinary is the program of all images.
func appBinary() ([]byte, error) {
	return built("rollbackbot/internal/realhost/app", "-ldflags", "-s -w")
}
