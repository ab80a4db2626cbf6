package compose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"rollbackbot/runbook"
)

// shellHost runs commands as a host does, by a real shell, with a home folder of its own.
type shellHost struct {
	t     *testing.T
	home  string
	shell []string
}

func (h shellHost) run(cmd line) result {
	h.t.Helper()
	args := append([]string{}, cmd.Args...)
	if args[0] == "sh" {
		args = append(append([]string{}, h.shell...), args[1:]...)
	}
	ctx, cancel := context.WithTimeout(h.t.Context(), 5*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, args[0], args[1:]...)
	c.Env = append(os.Environ(), "HOME="+h.home)
	c.Dir = h.home
	c.Stdin = bytes.NewReader(cmd.stdin)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		h.t.Fatalf("run the guard: %v", err)
	}
	return result{c.ProcessState.ExitCode(), out.Bytes(), errs.Bytes()}
}

func (h shellHost) want(cmd line, status int) result {
	h.t.Helper()
	result := h.run(cmd)
	if result.status != status {
		h.t.Errorf("%s ended with %d, want %d: %s%s", cmd.Args[4], result.status, status, result.stdout, result.stderr)
	}
	return result
}

// eachShell runs a test under every shell that is /bin/sh somewhere on Linux and is there.
func eachShell(t *testing.T, f func(t *testing.T, h shellHost)) {
	for _, tool := range []string{"flock", "timeout", "sha256sum"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("no %s on this machine: a host needs it, and so does this test", tool)
		}
	}
	for _, shell := range [][]string{{"sh"}, {"dash"}, {"bash", "--posix"}, {"busybox", "sh"}} {
		if _, err := exec.LookPath(shell[0]); err != nil {
			continue // every machine has sh; the others are there or not
		}
		t.Run(shell[0], func(t *testing.T) {
			t.Parallel()
			home := t.TempDir()
			// A job writes the lease after its status, still under the lock: the folder is not removed under its hands.
			t.Cleanup(func() {
				_ = exec.CommandContext(context.Background(), "flock", "-w", "300", filepath.Join(home, ".rollbackbot/shop/lock"), "true").Run()
			})
			f(t, shellHost{t: t, home: home, shell: shell})
		})
	}
}

func lease(rollback string, epoch int64) runbook.Lease {
	return runbook.Lease{Rollback: rollback, Epoch: epoch, Holder: "UONCALL", Since: time.Unix(0, 0), Reason: "it's \"down\" = $HOME\nnow"}
}

func TestGuard_OneLeaseAtATime(t *testing.T) {
	eachShell(t, func(t *testing.T, h shellHost) {
		h.want(showLease("shop"), guardGone)
		h.want(takeLease("shop", lease("rb-a", 1), false, 0), guardGone)
		h.want(takeLease("shop", lease("rb-a", 1), true, 0), 0)
		h.want(takeLease("shop", lease("rb-a", 1), false, 0), 0) // renewed
		fields := fieldsOf(h.want(takeLease("shop", lease("rb-b", 2), true, 0), guardHeld).stdout)
		if fields["rollback"] != "rb-a" || fields["holder"] != "UONCALL" || fields["reason"] != `it's "down" = $HOME now` {
			t.Errorf("who is refused learns %q", fields)
		}
		h.want(takeLease("shop", lease("rb-a", 3), false, 0), 0) // a new owner of the same rollback takes over at once
		h.want(takeLease("shop", lease("rb-a", 2), false, 0), guardStale)
		h.want(releaseLease("shop", lease("rb-a", 2)), guardStale)
		h.want(releaseLease("shop", lease("rb-a", 3)), 0)
		h.want(takeLease("shop", lease("rb-b", 3), true, 0), guardStale)
		began := time.Now()
		h.want(takeLease("shop", lease("rb-b", 4), true, 0), 0)
		left, err := strconv.Atoi(fieldsOf(h.want(showLease("shop"), 0).stdout)["left"])
		if gone := int(time.Since(began)/time.Second) + 1; err != nil || left > 60 || left < 60-gone {
			t.Errorf("%d s are left, %v, want 60 but for %d s that have passed at most", left, err, gone)
		}
	})
}

func TestGuard_AfterARebootTheLeaseIsNobodys(t *testing.T) {
	eachShell(t, func(t *testing.T, h shellHost) {
		h.want(takeLease("shop", lease("rb-a", 1), true, 0), 0)
		file := filepath.Join(h.home, ".rollbackbot/shop/lease")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		boot := fieldsOf(text)["boot"]
		if err := os.WriteFile(file, bytes.ReplaceAll(text, []byte(boot), []byte("another-boot")), 0o600); err != nil {
			t.Fatal(err)
		}
		h.want(takeLease("shop", lease("rb-b", 2), true, 0), 0)
	})
}

// A clock that jumps an hour, in either direction, makes the lease an hour old or one of the next hour, and changes
// nothing: the guard goes by the host's uptime, and nothing in it asks what time it is.
func TestGuard_TheClockJumps(t *testing.T) {
	eachShell(t, func(t *testing.T, h shellHost) {
		h.want(takeLease("shop", lease("rb-a", 1), true, 0), 0)
		file := filepath.Join(h.home, ".rollbackbot/shop/lease")
		for _, jump := range []time.Duration{time.Hour, -time.Hour} {
			then := time.Now().Add(jump)
			if err := os.Chtimes(file, then, then); err != nil {
				t.Fatal(err)
			}
			h.want(takeLease("shop", lease("rb-b", 2), true, 0), guardHeld)
			left := fieldsOf(h.want(showLease("shop"), 0).stdout)["left"]
			if seconds, err := strconv.Atoi(left); err != nil || seconds < 1 || seconds > 60 {
				t.Errorf("%q s are left, want 60 or a little less", left)
			}
		}
	})
	for _, clock := range []string{"date +", "$(date", "`date", "$SECONDS", "EPOCHSECONDS", "EPOCHREALTIME", " -nt ", " -ot ", "-newer", "%Y", "%Z"} {
		if strings.Contains(guardScript, clock) {
			t.Errorf("the guard's text has %q: it would go by the wall clock", clock)
		}
	}
}

func TestGuard_RubbishIsAskedAbout(t *testing.T) {
	eachShell(t, func(t *testing.T, h shellHost) {
		h.want(takeLease("shop", lease("rb-a", 1), true, 0), 0)
		for _, rubbish := range []string{"", "x", "epoch=1\n", "rollback=rb-a\nepoch=99999999999999999999\nboot=b\nuntil=1\n", "rollback=rb-a\nepoch=-1\nboot=b\nuntil=1\n", "\x00\x01"} {
			if err := os.WriteFile(filepath.Join(h.home, ".rollbackbot/shop/lease"), []byte(rubbish), 0o600); err != nil {
				t.Fatal(err)
			}
			h.want(takeLease("shop", lease("rb-a", 2), false, 0), guardRubbish)
			h.want(act("shop", lease("rb-a", 1), "j", time.Second, runbook.Command{Args: []string{"true"}, Dir: h.home}), guardRubbish)
		}
	})
}

func TestGuard_AJobRunsOnceAndTellsHowItEnded(t *testing.T) {
	eachShell(t, func(t *testing.T, h shellHost) {
		l := lease("rb-a", 1)
		h.want(takeLease("shop", l, true, 0), 0)
		job := runbook.Command{Args: []string{"sh", "-c", `echo ran >>count; printf '%s\n' "$1"; sleep 0.4; exit 7`, "x", `a 'b' "c" $HOME *`}, Dir: h.home}
		h.want(act("shop", l, "up", time.Minute, job), 0)
		h.want(act("shop", l, "up", time.Minute, job), 0) // finds its folder there
		output := followToTheEnd(t, h, l, "up", 7)
		if output != "a 'b' \"c\" $HOME *\n" {
			t.Errorf("its output was %q", output)
		}
		h.want(act("shop", l, "up", time.Minute, job), 0)
		if count, _ := os.ReadFile(filepath.Join(h.home, "count")); string(count) != "ran\n" {
			t.Errorf("it ran %q", count)
		}
		h.want(follow("shop", l, "never", 0), guardNoJob)
		h.want(act("shop", lease("rb-a", 2), "other", time.Minute, job), guardStale)
		h.want(act("shop", lease("rb-b", 1), "other", time.Minute, job), guardStale)
	})
}

// A cut link says nothing of whether a job was started: the bot starts it again while it runs, for longer than it would wait
// for the lock. Those who don't hold the lease are refused all the same.
func TestGuard_AJobThatRunsIsNotWaitedForByWhoStartsItAgain(t *testing.T) {
	eachShell(t, func(t *testing.T, h shellHost) {
		l := lease("rb-a", 2)
		h.want(takeLease("shop", l, true, 0), 0)
		job := runbook.Command{Args: []string{"sh", "-c", "echo here; exec sleep 50"}, Dir: h.home}
		h.want(act("shop", l, "up", time.Minute, job), 0)
		awaitOutput(t, h, l, "up", "here\n")
		began := time.Now()
		h.want(act("shop", l, "up", time.Minute, job), 0)
		if took := time.Since(began); took > 8*time.Second {
			t.Errorf("it took %s", took)
		}
		h.want(act("shop", lease("rb-a", 1), "up", time.Minute, job), guardStale)
		h.want(stop("shop", l, "up"), 0)
		h.want(takeLease("shop", lease("rb-a", 3), false, 10*time.Second), 0)
	})
}

func awaitOutput(t *testing.T, h shellHost, l runbook.Lease, job, want string) {
	t.Helper()
	for range 20 {
		if string(h.want(follow("shop", l, job, 0), 0).stdout) == want {
			return
		}
	}
	t.Fatalf("%s never printed %q", job, want)
}

// stateOf is how a job stands, or the status with which it ended.
func stateOf(stderr []byte) string {
	state, status := jobState(stderr)
	if state == runbook.JobEnded {
		return strconv.Itoa(status)
	}
	return string(state)
}

func followToTheEnd(t *testing.T, h shellHost, l runbook.Lease, job string, status int) string {
	t.Helper()
	var output []byte
	for range 100 {
		result := h.want(follow("shop", l, job, int64(len(output))), 0)
		output = append(output, result.stdout...)
		if state := stateOf(result.stderr); state != "running" {
			if state != fmt.Sprint(status) {
				t.Errorf("it ended with %q, want %d", state, status)
			}
			return string(output)
		}
	}
	t.Fatal("it never ended")
	return ""
}

func TestGuard_ASuccessorWaitsForTheCommandThatRuns(t *testing.T) {
	eachShell(t, func(t *testing.T, h shellHost) {
		h.want(takeLease("shop", lease("rb-a", 1), true, 0), 0)
		job := runbook.Command{Args: []string{"sh", "-c", "until [ -e end ]; do sleep 0.1; done; echo old >>order"}, Dir: h.home}
		h.want(act("shop", lease("rb-a", 1), "old", time.Minute, job), 0)
		h.want(takeLease("shop", lease("rb-a", 2), false, 0), guardBusy)
		taken := make(chan result)
		go func() { taken <- h.run(takeLease("shop", lease("rb-a", 2), false, time.Minute)) }()
		if err := os.WriteFile(filepath.Join(h.home, "end"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if result := <-taken; result.status != 0 {
			t.Errorf("whoever waits for it ends with %d: %s", result.status, result.stderr)
		}
		job.Args[2] = "echo new >>order"
		h.want(act("shop", lease("rb-a", 2), "new", time.Minute, job), 0)
		followToTheEnd(t, h, lease("rb-a", 2), "new", 0)
		if order, _ := os.ReadFile(filepath.Join(h.home, "order")); string(order) != "old\nnew\n" {
			t.Errorf("they ran in the order %q", order)
		}
	})
}

func TestGuard_AKilledJobIsLostAndNotFailed(t *testing.T) {
	eachShell(t, func(t *testing.T, h shellHost) {
		l := lease("rb-a", 1)
		h.want(takeLease("shop", l, true, 0), 0)
		marker := fmt.Sprintf("31.%d", time.Now().UnixNano()) // an odd number of seconds, by which all of it is found
		job := runbook.Command{Args: []string{"sh", "-c", "echo here; exec sleep " + marker}, Dir: h.home}
		h.want(act("shop", l, "up", time.Minute, job), 0)
		awaitOutput(t, h, l, "up", "here\n") // all of it is there to be found
		all := processesOf(t, marker)
		if len(all) == 0 {
			t.Fatal("there is nothing to kill")
		}
		for _, process := range all {
			_ = process.Kill() // one may have ended with another
		}
		for range 50 {
			result := h.want(follow("shop", l, "up", 0), 0)
			if state := stateOf(result.stderr); state != "running" {
				if state == "0" {
					t.Errorf("a killed command is said to have ended with %s", state)
				}
				return
			}
		}
		t.Error("it is still said to run")
	})
}

func TestGuard_AStoppedJobEndsAtOnce(t *testing.T) {
	eachShell(t, func(t *testing.T, h shellHost) {
		l := lease("rb-a", 1)
		h.want(takeLease("shop", l, true, 0), 0)
		h.want(act("shop", l, "pull", time.Minute, runbook.Command{Args: []string{"sh", "-c", "echo here; exec sleep 50"}, Dir: h.home}), 0)
		awaitOutput(t, h, l, "pull", "here\n")
		h.want(stop("shop", lease("rb-a", 2), "pull"), guardStale)
		h.want(stop("shop", lease("rb-b", 1), "pull"), guardStale)
		if state := stateOf(h.want(follow("shop", l, "pull", 0), 0).stderr); state != "running" {
			t.Fatalf("somebody else's stop counted: it is %s", state)
		}
		h.want(stop("shop", l, "pull"), 0)
		for range 20 {
			if state := stateOf(h.want(follow("shop", l, "pull", 0), 0).stderr); state != "running" {
				if state == "0" || state == "killed" {
					t.Errorf("a stopped command is said to have ended with %s", state)
				}
				h.want(stop("shop", l, "pull"), 0) // it has ended: nothing is left to be stopped
				h.want(stop("shop", l, "never"), 0)
				h.want(takeLease("shop", lease("rb-a", 2), false, time.Minute), 0)
				return
			}
		}
		t.Error("it still runs")
	})
}

// A command that ended with its host is told from one that somebody killed: the host's boot has another name since.
func TestGuard_AJobThatEndedWithItsHost(t *testing.T) {
	eachShell(t, func(t *testing.T, h shellHost) {
		l := lease("rb-a", 1)
		h.want(takeLease("shop", l, true, 0), 0)
		h.want(act("shop", l, "up", time.Minute, runbook.Command{Args: []string{"true"}, Dir: h.home}), 0)
		followToTheEnd(t, h, l, "up", 0)
		job := filepath.Join(h.home, ".rollbackbot/shop/rb-a/up")
		for _, row := range []struct {
			boot, status, want string
		}{
			{"", "0\n", "0"}, // it had ended before
			{"another-boot\n", "0\n", "0"},
			{"another-boot\n", "", "restarted"}, // as a power cut leaves a file that was not on the disk yet
			{"", "", "killed"},
		} {
			now, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
			if row.boot != "" {
				now = []byte(row.boot)
			}
			if err := errors.Join(err, os.WriteFile(job+"/boot", now, 0o600), os.WriteFile(job+"/status", []byte(row.status), 0o600)); err != nil {
				t.Fatal(err)
			}
			if state := stateOf(h.want(follow("shop", l, "up", 0), 0).stderr); state != row.want {
				t.Errorf("with boot %q and status %q it is %q, want %q", row.boot, row.status, state, row.want)
			}
		}
	})
}

func TestGuard_LimitEndsACommandThatHangs(t *testing.T) {
	eachShell(t, func(t *testing.T, h shellHost) {
		l := lease("rb-a", 1)
		h.want(takeLease("shop", l, true, 0), 0)
		h.want(act("shop", l, "up", time.Second, runbook.Command{Args: []string{"sleep", "60"}, Dir: h.home}), 0)
		want := 124 // timeout's own
		if h.shell[0] == "busybox" {
			want = 143
		}
		var state string
		for range 100 {
			if state = stateOf(h.want(follow("shop", l, "up", 0), 0).stderr); state != "running" {
				break
			}
		}
		if state != "124" && state != fmt.Sprint(want) {
			t.Errorf("it ended with %q", state)
		}
	})
}

func TestGuard_PinsAreReplacedWholeOrNotAtAll(t *testing.T) {
	eachShell(t, func(t *testing.T, h shellHost) {
		l := lease("rb-a", 1)
		h.want(takeLease("shop", l, true, 0), 0)
		real, link := filepath.Join(h.home, "real env"), filepath.Join(h.home, "link")
		before, after := []byte("A=1\n# ünïcode 'q' \\\\\n"), []byte("A=2\n# ünïcode 'q' \\\\\n")
		if err := errors.Join(os.WriteFile(real, before, 0o640), os.Chmod(real, 0o640), os.Symlink(real, link)); err != nil {
			t.Fatal(err)
		}
		h.want(writePins("shop", l, link, sumOf([]byte("other")), sumOf(after), after), guardPinsMoved)
		h.want(writePins("shop", l, link, sumOf(before), sumOf(after), after[:3]), guardPinsCut)
		h.want(writePins("shop", lease("rb-a", 9), link, sumOf(before), sumOf(after), after), guardStale)
		if got, _ := os.ReadFile(real); !bytes.Equal(got, before) {
			t.Errorf("after refusals it holds %q", got)
		}
		h.want(writePins("shop", l, link, sumOf(before), sumOf(after), after), 0)
		got, _ := os.ReadFile(real)
		info, err := os.Stat(real)
		if err != nil || !bytes.Equal(got, after) || info.Mode().Perm() != 0o640 {
			t.Errorf("it holds %q with mode %v, %v", got, info.Mode(), err)
		}
		if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
			t.Error("the link was replaced by a file")
		}
		fresh := filepath.Join(h.home, "fresh")
		h.want(writePins("shop", l, fresh, "absent", sumOf(after), after), 0)
		h.want(writePins("shop", l, fresh, "absent", sumOf(after), after), guardPinsMoved)
		if leftovers, _ := filepath.Glob(filepath.Join(h.home, "?*.rollbackbot")); len(leftovers) > 0 {
			t.Errorf("left behind: %v", leftovers)
		}
	})
}

// Many takers at once, each of which acts when it got the lease: never two at the same time.
func TestGuard_ManyAtOnce(t *testing.T) {
	eachShell(t, func(t *testing.T, h shellHost) {
		var all sync.WaitGroup
		for i := range 12 {
			all.Go(func() {
				l := lease("rb-a", int64(i+1))
				if h.run(takeLease("shop", l, true, 2*time.Second)).status != 0 {
					return
				}
				h.run(act("shop", l, fmt.Sprint("j", i), time.Minute, runbook.Command{Dir: h.home, Args: []string{"sh", "-c",
					`mkdir busy || echo overlap >>overlaps; echo ` + fmt.Sprint(i+1) + ` >>order; sleep 0.05; rmdir busy`}}))
			})
		}
		all.Wait()
		h.run(takeLease("shop", lease("rb-a", 99), true, 10*time.Second)) // waits for the last one
		if overlaps, err := os.ReadFile(filepath.Join(h.home, "overlaps")); err == nil {
			t.Errorf("two acted at once: %q", overlaps)
		}
		order, _ := os.ReadFile(filepath.Join(h.home, "order"))
		last := 0
		for line := range strings.Lines(string(order)) {
			var epoch int
			if _, err := fmt.Sscan(line, &epoch); err != nil || epoch <= last {
				t.Errorf("an older epoch acted after a newer one: %q", order)
				break
			}
			last = epoch
		}
		if last == 0 {
			t.Error("nobody acted")
		}
	})
}

// A person ends what runs under the lock and takes the lease: whoever had it is refused from then on, and whoever
// merely waited for it lives.
func TestGuard_ByForce(t *testing.T) {
	eachShell(t, func(t *testing.T, h shellHost) {
		h.want(takeLease("shop", lease("rb-a", 3), true, 0), 0)
		marker := fmt.Sprintf("37.%d", time.Now().UnixNano())
		h.want(act("shop", lease("rb-a", 3), "up", time.Minute, runbook.Command{Args: []string{"sleep", marker}, Dir: h.home}), 0)
		if shown := fieldsOf(h.want(showLease("shop"), 0).stdout); shown["running"] != "yes" {
			t.Errorf("a command runs, and what is shown is %q", shown)
		}
		waited := make(chan int)
		go func() { waited <- h.run(takeLease("shop", lease("rb-a", 4), true, time.Minute)).status }()
		time.Sleep(300 * time.Millisecond)
		ben := runbook.Lease{Rollback: "lock:ben", Epoch: 1, Holder: "ben", Since: time.Unix(0, 0), Reason: "unlock --force"}
		commands := strings.Join(commandsOf(h.want(forceLease("shop", ben), 0), "killed"), "\n")
		if !strings.Contains(commands, "sleep "+marker) || strings.Contains(commands, "flock") {
			t.Errorf("killed, it says: %q", commands)
		}
		if status := <-waited; status != 0 && status != guardStale {
			t.Errorf("who waited ended with %d", status)
		}
		if left := processesOf(t, marker); len(left) > 0 {
			t.Errorf("it still runs: %v", left)
		}
		if state := stateOf(h.want(follow("shop", lease("rb-a", 3), "up", 0), 0).stderr); state == "0" || state == "running" {
			t.Errorf("the killed command is said to stand at %q", state)
		}
		h.want(takeLease("shop", lease("rb-a", 3), false, 0), guardStale)
		h.want(act("shop", lease("rb-a", 3), "again", time.Minute, runbook.Command{Args: []string{"true"}, Dir: h.home}), guardStale)
	})
}

// What doesn't care about being asked is killed; a damaged lease is replaced by one that can be read.
func TestGuard_ByForceWhateverIsThere(t *testing.T) {
	eachShell(t, func(t *testing.T, h shellHost) {
		ben := runbook.Lease{Rollback: "lock:ben", Epoch: 7, Holder: "ben", Since: time.Unix(0, 0), Reason: "unlock --force"}
		h.want(forceLease("shop", ben), 0)
		h.want(takeLease("shop", lease("rb-a", 7), true, 0), guardStale)
		h.want(takeLease("shop", lease("rb-a", 8), true, 0), 0)
		stubborn := runbook.Command{Args: []string{"sh", "-c", `trap "" TERM; while :; do sleep 0.1; done`}, Dir: h.home}
		h.want(act("shop", lease("rb-a", 8), "up", time.Minute, stubborn), 0)
		h.want(forceLease("shop", ben), 0)
		h.want(takeLease("shop", lease("rb-a", 8), false, 0), guardStale)
		if err := os.WriteFile(filepath.Join(h.home, ".rollbackbot/shop/lease"), []byte("epoch=9x\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		h.want(forceLease("shop", ben), 0)
		h.want(takeLease("shop", lease("rb-a", 8), true, 0), 0)
	})
}

// asNobody gives a host whose user is not root, with a program there that runs what it is told as sudo does.
func (h shellHost) asNobody() (host shellHost, asSudo string) {
	h.t.Helper()
	const nobody = 65534
	if os.Getuid() != 0 {
		h.t.Skip("only root can make a program that runs as another user")
	}
	if _, err := exec.LookPath("setpriv"); err != nil {
		h.t.Skip("no setpriv on this machine")
	}
	home, err := os.MkdirTemp("", "rollbackbot-nobody-") // not the test's own: nobody may enter that
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { os.RemoveAll(home) })
	h.home, asSudo = home, filepath.Join(home, "assudo")
	h.shell = append([]string{"setpriv", "--reuid", fmt.Sprint(nobody), "--regid", fmt.Sprint(nobody), "--clear-groups"}, h.shell...)
	if out, err := exec.CommandContext(h.t.Context(), "go", "build", "-o", asSudo, "./testdata/assudo").CombinedOutput(); err != nil {
		h.t.Fatalf("build assudo: %v\n%s", err, out)
	}
	// For nobody's group alone, as root's programs with this bit should be.
	if err := errors.Join(os.Chown(home, nobody, nobody), os.Chown(asSudo, 0, nobody), os.Chmod(asSudo, 0o710|os.ModeSetuid)); err != nil {
		h.t.Fatal(err)
	}
	return h, asSudo
}

// What sudo runs can't be ended by the SSH user and holds no lock. So it is named, and what waits for it is left alone: the
// lock would be free, and it would be said to be killed, while it still runs. timeout, which kills itself in the end with
// what it may kill, changes nothing about that.
func TestGuard_ByForceWhatSudoRunsIsLeftAlone(t *testing.T) {
	eachShell(t, func(t *testing.T, h shellHost) {
		h, asSudo := h.asNobody()
		l := lease("rb-a", 3)
		h.want(takeLease("shop", l, true, 0), 0)
		h.want(act("shop", l, "up", time.Hour, runbook.Command{Args: []string{asSudo, "sh", "-c", "echo here; while [ -d " + h.home + " ] && [ ! -e " + h.home + "/end ]; do sleep 0.1; done"}, Dir: h.home}), 0)
		awaitOutput(t, h, l, "up", "here\n")
		ben := runbook.Lease{Rollback: "lock:ben", Epoch: 7, Holder: "ben", Since: time.Unix(0, 0), Reason: "unlock --force"}
		leftAlone := func() {
			t.Helper()
			result := h.want(forceLease("shop", ben), guardBusy)
			if theirs := commandsOf(result, "theirs"); len(theirs) != 1 || !strings.Contains(theirs[0], "sh -c echo here") || len(commandsOf(result, "killed")) > 0 {
				t.Errorf("it says: %q", result.stdout)
			}
			if state := stateOf(h.want(follow("shop", l, "up", 5), 0).stderr); state != "running" {
				t.Errorf("it is said to stand at %q, and it runs", state)
			}
		}
		leftAlone()
		h.want(stop("shop", l, "up"), 0) // asks in vain
		pid, err := os.ReadFile(filepath.Join(h.home, ".rollbackbot/shop/rb-a/up/pid"))
		if err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
			if _, err := os.Stat("/proc/" + strings.TrimSpace(string(pid))); err != nil {
				break // timeout has killed itself, 10 s after it was asked to end
			}
			if time.Now().After(deadline) {
				t.Fatal("timeout still waits for what it can't end")
			}
		}
		leftAlone()
		if err := os.WriteFile(filepath.Join(h.home, "end"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		followToTheEnd(t, h, l, "up", 137) // how the command itself ended nobody saw
		h.want(forceLease("shop", ben), 0)
	})
}
