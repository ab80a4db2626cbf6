package parts

import (
	"os"
	"path/filepath"
	"testing"
)

// LoginShell is the path of a shell that people log in with: bash, dash, zsh, fish, ksh, mksh, tcsh, or ash, which is
// busybox's. It ends the test as missing its part where there is none.
func LoginShell(tb testing.TB, name string) string {
	tb.Helper()
	uncached()
	looked := name
	if name == "ash" {
		looked = "busybox"
	}
	path := program(looked)
	if path == "" {
		missing(tb, "shell "+name, "no "+looked+" found on PATH")
	}
	if name != "ash" {
		return path
	}
	// busybox is the shell that it is called by.
	link := filepath.Join(sharedFolder(tb), "ash")
	if err := os.Symlink(path, link); err != nil {
		tb.Fatal(err)
	}
	return link
}

// sharedFolder is a folder of the test that other accounts may enter: those of testing.TB.TempDir are root's alone.
func sharedFolder(tb testing.TB) string {
	tb.Helper()
	folder, err := os.MkdirTemp("", "rollbackbot-shell-")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o755); err != nil {
		tb.Fatal(err)
	}
	return folder
}
