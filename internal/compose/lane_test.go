package compose_test

import (
	"crypto/rand"
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"rollbackbot/internal/realhost"
)

// laneCount is how many benches there are at once. Most cases wait for most of their time.
const laneCount = 4

// lane is a host without an app: an account and its sshd. They take longer to make than an app, so that one bench after
// another has them; clear leaves nothing of the one before.
type lane struct {
	account    *user.User
	sshd       *realhost.SSHD
	knownHosts string
	profile    []byte // ~/.profile as it was made
}

func newLane(tb testing.TB) *lane {
	tb.Helper()
	account := realhost.Account(tb, "rb-bench-"+strings.ToLower(rand.Text()[:8]))
	l := &lane{account: account, sshd: realhost.StartSSHD(tb, realhost.WithUser(account.Username), realhost.WithBoots())}
	l.knownHosts = l.sshd.KnownHosts(tb)
	var err error
	if l.profile, err = os.ReadFile(l.profileFile()); err != nil {
		tb.Fatal(err)
	}
	return l
}

// take waits for a lane; the test gives it back when all else of it is removed.
func (s *shop) take(tb testing.TB) *lane {
	tb.Helper()
	l := <-s.lanes
	tb.Cleanup(func() { s.lanes <- l })
	return l
}

func (l *lane) profileFile() string { return filepath.Join(l.account.HomeDir, ".profile") }

// stateFolder is where the bot keeps its lock and its jobs on the host.
func (l *lane) stateFolder() string { return filepath.Join(l.account.HomeDir, ".rollbackbot") }

// clear ends all that runs there and removes what was left. It starts an sshd that was stopped or hangs.
func (l *lane) clear(tb testing.TB) {
	tb.Helper()
	l.sshd.Stop(tb)
	l.sshd.EndAll(tb)
	if err := errors.Join(os.RemoveAll(l.stateFolder()), os.WriteFile(l.profileFile(), l.profile, 0o644)); err != nil {
		tb.Error(err)
	}
	l.sshd.Start(tb)
}

// give makes files the account's.
func (l *lane) give(files ...string) error {
	uid, errUID := strconv.Atoi(l.account.Uid)
	gid, errGID := strconv.Atoi(l.account.Gid)
	err := errors.Join(errUID, errGID)
	for _, file := range files {
		if err == nil {
			err = os.Chown(file, uid, gid)
		}
	}
	return err
}
