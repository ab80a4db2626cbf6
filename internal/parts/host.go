package parts

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// HostRoot is the root file system of a host of another generation, as `make hosts` builds it.
type HostRoot struct {
	Suite   string // Debian's name of the generation
	Folder  string
	Engine  string // the engine's version
	Compose string
}

// hostSuites are the generations, the oldest first.
var hostSuites = []string{"bookworm", "trixie", "sid"}

// hostsVariable asks for the tests on hosts of other generations, which take an hour; `make matrix` sets it.
const hostsVariable = "ROLLBACKBOT_HOSTS"

// HostRoots are the root file systems that are here, the oldest generation first. It skips the test where nobody asked for
// it, and ends it as missing its part where there is none, or nobody may start one. It takes a [Turn].
func HostRoots(tb testing.TB) []HostRoot {
	tb.Helper()
	uncached()
	if os.Getenv(hostsVariable) == "" {
		tb.Skip(hostsVariable + " is not set: it asks for the tests on hosts of other generations, as `make matrix` does")
	}
	var found []HostRoot
	for _, suite := range hostSuites {
		if root, err := FindHostRoot(suite); err == nil {
			found = append(found, root)
		}
	}
	switch {
	case len(found) == 0:
		missingRemedy(tb, "hosts of other generations", "no root file system is there", "make hosts")
	case os.Geteuid() != 0:
		missingRemedy(tb, "hosts of other generations", "only root starts them", "run the tests as root")
	}
	turnOf(tb, engine)
	return found
}

// FindHostRoot is the root file system of one generation.
func FindHostRoot(suite string) (HostRoot, error) {
	if !slices.Contains(hostSuites, suite) {
		return HostRoot{}, fmt.Errorf("no generation %q; there are %s", suite, strings.Join(hostSuites, ", "))
	}
	folder, err := HostsFolder()
	if err != nil {
		return HostRoot{}, err
	}
	found, err := filepath.Glob(filepath.Join(folder, suite+"_*_*"))
	if err != nil {
		return HostRoot{}, err
	}
	if len(found) != 1 {
		return HostRoot{}, fmt.Errorf("%d root file systems of %s in %s, and not one; remedy: make hosts", len(found), suite, folder)
	}
	versions := strings.Split(filepath.Base(found[0]), "_")
	return HostRoot{Suite: suite, Folder: found[0], Engine: versions[1], Compose: versions[2]}, nil
}

// HostsFolder is where `make hosts` puts root file systems.
func HostsFolder() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "rollbackbot", "hosts"), nil
}
