package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// outage is how long a host is away in a test; one that really reboots takes a minute.
const outage = 10 * time.Second

// TestLink_UpIsBrokenOff breaks `up` off as a reboot does: the connection and the command on the host end at once, no
// status is left, the lease is of another boot, and nothing answers for a while. The bot looks, and goes on by itself. Then
// it loses sight of the next `up` since known_hosts does not vouch for the host any more. It says what it knows, asks, and
// goes on when told to.
func TestLink_UpIsBrokenOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	watched := w.watchUp(t)
	w.brokenRelease(t)
	heard := &cutter{world: w, step: "none", midst: func() bool { return false }}
	bot := w.serve(t, heard.hear)

	w.brokenOff(t, 1, &reboot{world: w, watched: watched})
	w.stack.Up(t, "v2")
	w.retry = true
	w.brokenOff(t, 2, &unvouched{world: w, watched: watched, begun: watched.begun(t)})
	if n := heard.unknown(); n != 1 {
		t.Errorf("%d steps ended with something not known, want the one that nobody could look at: %v", n, heard.verdicts)
	}
	heard.check(t)
	bot.stop(t)
	watched.check(t)
}

// breaker breaks the first `up` of a rollback off, and mends what it did.
type breaker interface {
	// meanwhile is called all the time while the rollback goes on.
	meanwhile(tb testing.TB)
	// done reports whether it broke something and has mended it.
	done() bool
}

// brokenOff plays the nth rollback, whose `up` is broken off. It has to succeed in the end.
func (w *world) brokenOff(t *testing.T, n int, b breaker) {
	t.Helper()
	before := w.stack.Containers(t)
	w.insist(t, n, "/rollback "+w.app+" to v1 because v2 answers 503", func() { b.meanwhile(t) })
	if !b.done() {
		t.Fatalf("rollback %d was not broken off:\n%s", n, w.transcript())
	}
	w.runs(t, "v1")
	w.noneCreated(t)
	w.untouched(t, before)
	w.oneRecord(t, n)
	w.tellsWhatRuns(t, w.record(t, n))
}

// reboot is what a reboot is for whoever is logged in.
type reboot struct {
	*world
	watched upLog
	began   time.Time // of the outage
	over    bool
}

func (r *reboot) done() bool { return r.over }

func (r *reboot) meanwhile(tb testing.TB) {
	tb.Helper()
	switch {
	case r.began.IsZero() && r.watched.begun(tb) > 0:
		r.began = time.Now()
		r.host.Stop(tb)
		r.watched.kill(tb)
		r.ofAnotherBoot(tb)
	case !r.began.IsZero() && !r.over && time.Since(r.began) > outage:
		r.host.Start(tb)
		r.over = true
	}
}

var bootID = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// ofAnotherBoot makes all that the bot has left on the host, the lease and its commands, of a former boot.
func (r *reboot) ofAnotherBoot(tb testing.TB) {
	tb.Helper()
	folder := filepath.Join(r.host.Home(), ".rollbackbot", r.app)
	jobs, err := filepath.Glob(filepath.Join(folder, "*", "*", "boot"))
	if err != nil || len(jobs) == 0 {
		tb.Fatalf("the commands in %s: %v, %v", folder, jobs, err)
	}
	for _, file := range append(jobs, filepath.Join(folder, "lease")) {
		content, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(file, bootID.ReplaceAll(content, []byte("a-former-boot")), 0o600)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
}

// unvouched puts other keys of the host into known_hosts until the bot has said so.
type unvouched struct {
	*world
	watched upLog
	begun   int    // `up` before this rollback
	right   []byte // nil while the file is as it was
	over    bool
}

func (u *unvouched) done() bool { return u.over }

func (u *unvouched) meanwhile(tb testing.TB) {
	tb.Helper()
	file := u.env["ROLLBACK_SSH_KNOWN_HOSTS"]
	switch {
	case u.right == nil && u.watched.begun(tb) > u.begun:
		u.right = u.swap(tb, file, u.swap(tb, u.host.KnownHostsWrong(tb), nil))
	case u.right != nil && !u.over && strings.Contains(u.transcript(), "the host key has changed"):
		u.swap(tb, file, u.right)
		u.over = true
	}
}

// swap writes a file unless there is nothing to write, and gives what was in it.
func (u *unvouched) swap(tb testing.TB, file string, content []byte) []byte {
	tb.Helper()
	before, err := os.ReadFile(file)
	if err == nil && content != nil {
		err = os.WriteFile(file, content, 0o600)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return before
}

// begun counts the `up` that have begun so far.
func (l upLog) begun(tb testing.TB) int {
	tb.Helper()
	return strings.Count(l.text(tb), "begin ")
}

// kill ends the `up` that runs with all that has started it, and notes that it has ended.
func (l upLog) kill(tb testing.TB) {
	tb.Helper()
	words := strings.Fields(l.text(tb))
	pid, err := strconv.Atoi(words[len(words)-1])
	if err != nil {
		tb.Fatal(err)
	}
	// The shell of the guard, which would note a status, before `timeout`, before the script and what it runs.
	victims := []int{pid}
	for range 2 {
		victims = append([]int{parent(tb, victims[0])}, victims...)
	}
	victims = append(victims, children(tb, pid)...)
	for _, victim := range victims {
		if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
			tb.Errorf("kill %d of %v: %v", victim, victims, err)
		}
	}
	file, err := os.OpenFile(l.file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString("end " + strconv.Itoa(pid) + "\n"); err != nil {
		tb.Fatal(err)
	}
}

func parent(tb testing.TB, pid int) int {
	tb.Helper()
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		tb.Fatal(err)
	}
	fields := strings.Fields(string(status))
	of, err := strconv.Atoi(fields[slices.Index(fields, "PPid:")+1])
	if err != nil || of < 2 {
		tb.Fatalf("the parent of process %d is %d, %v", pid, of, err)
	}
	return of
}

func children(tb testing.TB, pid int) (found []int) {
	tb.Helper()
	tasks, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/task/" + strconv.Itoa(pid) + "/children")
	if err != nil {
		tb.Fatal(err)
	}
	for _, word := range strings.Fields(string(tasks)) {
		child, err := strconv.Atoi(word)
		if err != nil {
			tb.Fatal(err)
		}
		found = append(found, child)
	}
	return found
}
