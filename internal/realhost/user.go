package realhost

import (
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// DefaultUser is the account of the runbook's step 2. It is made when it is missing and stays afterwards; accounts
// of other names are removed with their test.
const DefaultUser = "deploy"

// making lets one test at a time make an account: useradd locks /etc/passwd and gives up when it can't.
var making sync.Mutex

// ensureUser makes the account if it is missing, lets it log in by key and lets it use docker, if there is one.
func ensureUser(tb testing.TB, name string) *user.User {
	tb.Helper()
	making.Lock()
	defer making.Unlock()
	if _, err := user.Lookup(name); err != nil {
		addUser(tb, name)
	}
	if locked(tb, name) {
		// Without PAM sshd refuses an account whose password is locked, "!"; "*" is no password either, and not locked.
		run(tb, "usermod", "--password", "*", name)
	}
	if _, err := user.LookupGroup("docker"); err == nil {
		run(tb, "usermod", "--append", "--groups", "docker", name)
	}
	account, err := user.Lookup(name)
	if err != nil {
		tb.Fatalf("account %s: %v", name, err)
	}
	return account
}

// Account is an account of this host; one that is made for it, other than DefaultUser, is removed with the test.
func Account(tb testing.TB, name string) *user.User {
	tb.Helper()
	return ensureUser(tb, name)
}

// locked reports whether the account has no password that works; one that a person has set stays as it is.
func locked(tb testing.TB, name string) bool {
	tb.Helper()
	status := strings.Fields(run(tb, "passwd", "--status", name))
	return len(status) > 1 && status[1] == "L"
}

func addUser(tb testing.TB, name string) {
	tb.Helper()
	out, err := exec.Command("useradd", "--create-home", "--shell", "/bin/bash", name).CombinedOutput()
	if err == nil && name != DefaultUser {
		tb.Cleanup(func() { _, _ = try("userdel", "--remove", "--force", name) })
	}
	if err == nil {
		return
	}
	// The tests of another package are another process and may have been faster.
	if _, lookup := user.Lookup(name); lookup != nil {
		tb.Fatalf("useradd %s: %v\n%s", name, err, out)
	}
}

// give makes a file or folder the account's.
func give(tb testing.TB, account *user.User, path string) {
	tb.Helper()
	uid, err := strconv.Atoi(account.Uid)
	if err != nil {
		tb.Fatal(err)
	}
	gid, err := strconv.Atoi(account.Gid)
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.Chown(path, uid, gid); err != nil {
		tb.Fatal(err)
	}
}

// sharedFolder is a folder of the test that other accounts may enter: those of testing.TB.TempDir are root's alone.
func sharedFolder(tb testing.TB, pattern string) string {
	tb.Helper()
	folder, err := os.MkdirTemp("", pattern)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			tb.Errorf("remove %s: %v", folder, err)
		}
	})
	if err := os.Chmod(folder, 0o755); err != nil {
		tb.Fatal(err)
	}
	return folder
}
