package realhost

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// bootFile is where Linux says in which boot it is; who sees another ID there knows that everything that ran has ended.
const bootFile = "/proc/sys/kernel/random/boot_id"

// newBootID is the content of another bootFile.
func newBootID() []byte { return []byte(strings.ToLower(rand.Text()) + "\n") }

// booted are the words before sshd's own that show the host's boot ID to all that is started there, and to nobody else.
func (s *SSHD) booted() []string {
	if s.boot == "" {
		return nil
	}
	script := `mount --bind "$0" ` + bootFile + ` && exec "$@"`
	return []string{"unshare", "--mount", "--propagation", "private", "sh", "-c", script, s.boot}
}

// Reboot ends all processes of the host's account at once, and starts sshd under another boot ID: what a command sees of a
// reboot. The engine and the kernel's clock go on. Only for WithBoots, and for an account that no other test uses.
func (s *SSHD) Reboot(tb testing.TB) {
	tb.Helper()
	if s.boot == "" {
		tb.Fatal("reboot: the host has the boot ID of this machine")
	}
	s.Stop(tb)
	s.EndAll(tb)
	s.write(tb, filepath.Base(s.boot), newBootID(), 0o644)
	s.Start(tb)
}

// endPatience is how long processes may take to be gone after they were killed: a busy machine needs a moment.
const endPatience = 10 * time.Second

// EndAll kills all processes of the host's account, those of jobs that outlived their connection among them. Only for an
// account that no other test uses.
func (s *SSHD) EndAll(tb testing.TB) {
	tb.Helper()
	for deadline := time.Now().Add(endPatience); ; time.Sleep(20 * time.Millisecond) {
		pids := processesOf(s.account.Uid)
		if len(pids) == 0 {
			return
		}
		if time.Now().After(deadline) {
			tb.Errorf("processes of %s are still there: %v", s.User(), pids)
			return
		}
		// All are stopped first: a shell whose command was killed would write down how that ended.
		for _, signal := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGKILL} {
			for _, pid := range pids {
				_ = syscall.Kill(pid, signal)
			}
		}
	}
}

// processesOf are the processes that an account has and that have not ended.
func processesOf(uid string) (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/status") // the pattern is well formed, the only error there is
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended meanwhile
		}
		if pid, owner, zombie := readStatus(string(content)); owner == uid && !zombie {
			pids = append(pids, pid)
		}
	}
	return pids
}
