package realhost

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// withImages runs f while no other test on this machine builds or removes images. The engine's classic builder
// takes a cached layer to be there until it has tagged the result; another test that removes its last image in
// between would make the build fail. Tests of several packages are several processes, so the lock is a file's.
func withImages(tb testing.TB, f func()) {
	tb.Helper()
	file, err := os.OpenFile(filepath.Join(os.TempDir(), "rollbackbot-images.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		tb.Errorf("lock the images: %v", err)
		return
	}
	defer file.Close() // unlocks
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		tb.Errorf("lock the images: %v", err)
		return
	}
	f()
}
