package ssh

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/internal/sshtest"
	"rollbackbot/runbook"
)

func TestRun_StatusOutputAndSurroundings(t *testing.T) {
	home := t.TempDir()
	write(t, filepath.Join(home, ".profile"), "export FROM_PROFILE=yes\n")
	dir := filepath.Join(home, "the app's folder")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := script(`pwd; echo "$FROM_PROFILE $API_IMAGE"; cat; echo trouble >&2; exit 3`)
	cmd.Dir, cmd.Env, cmd.Stdin = dir, []string{"API_IMAGE=a $b 'c'"}, []byte("from stdin")

	result := run(t, targetOf(t, startHost(t, sshtest.Options{Home: home})), cmd)

	if result.Status != 3 {
		t.Errorf("status %d, want 3", result.Status)
	}
	if got, want := string(result.Stdout), dir+"\nyes a $b 'c'\nfrom stdin"; got != want {
		t.Errorf("stdout is %q, want %q", got, want)
	}
	if got := string(result.Stderr); got != "trouble\n" {
		t.Errorf("stderr is %q", got)
	}
}

func TestRun_WithoutAFolderInTheHome(t *testing.T) {
	home := t.TempDir()
	result := run(t, targetOf(t, startHost(t, sshtest.Options{Home: home})), command{Args: []string{"pwd"}})
	if got := string(result.Stdout); got != home+"\n" {
		t.Errorf("runs in %q, want %q", got, home)
	}
}

func TestRun_StatusOfWhatCannotRun(t *testing.T) {
	target := targetOf(t, startHost(t, sshtest.Options{}))
	if got := run(t, target, command{Args: []string{"no-such-program"}}); got.Status != 127 {
		t.Errorf("no such program: status %d, want 127", got.Status)
	}
	// What && leaves: the shell's own status, and the program has not run.
	got := run(t, target, command{Dir: "/no/such/folder", Args: []string{"echo", "ran"}})
	if got.Status == 0 || len(got.Stdout) > 0 || len(got.Stderr) == 0 {
		t.Errorf("no such folder: %d %q %q, want a failure that says so", got.Status, got.Stdout, got.Stderr)
	}
}

func TestRun_NoStdinIsAnEndedOne(t *testing.T) {
	result := run(t, targetOf(t, startHost(t, sshtest.Options{})), command{Args: []string{"cat"}})
	if result.Status != 0 || len(result.Stdout) != 0 {
		t.Errorf("got %+v, want cat to end at once", result)
	}
}

func TestRun_StdinThatNobodyReads(t *testing.T) {
	cmd := script("exit 5")
	cmd.Stdin = bytes.Repeat([]byte("x"), 4<<20) // more than the window and the pipe hold
	if got := run(t, targetOf(t, startHost(t, sshtest.Options{})), cmd); got.Status != 5 {
		t.Errorf("status %d, want 5", got.Status)
	}
}

func TestRun_SignalIsAStatus(t *testing.T) {
	target := targetOf(t, startHost(t, sshtest.Options{}))
	for signal, want := range map[string]int{"TERM": 143, "KILL": 137, "USR1": 138, "SEGV": 139, "16": 128} {
		if got := run(t, target, script("ulimit -c 0; kill -"+signal+" $$")); got.Status != want {
			t.Errorf("%s: status %d, want %d", signal, got.Status, want)
		}
	}
}

func TestRun_WithoutAProgram(t *testing.T) {
	server := startHost(t, sshtest.Options{})
	_, err := targetOf(t, server).Run(t.Context(), command{})
	if err == nil || errors.Is(err, runbook.ErrLost) {
		t.Errorf("got %v, want a plain error", err)
	}
	if got := server.Connections(); got != 0 {
		t.Errorf("%d connections, want none", got)
	}
}

func TestRun_OneConnectionManySessions(t *testing.T) {
	const commands = 40
	var now, most atomic.Int32
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		server := newHost(t, sshtest.Options{Dir: dir, Handler: func(context.Context, string, io.Reader, io.Writer, io.Writer) int {
			n := now.Add(1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			time.Sleep(time.Second)
			now.Add(-1)
			return 0
		}})
		defer server.Close()
		pool := newPool(t, inMemory(server))
		defer pool.Close()
		var running sync.WaitGroup
		for range commands {
			running.Go(func() {
				if _, err := on(pool, server.Host()).Run(t.Context(), command{Args: []string{"x"}}); err != nil {
					t.Error(err)
				}
			})
		}
		running.Wait()
		if got := server.Connections(); got != 1 {
			t.Errorf("%d connections, want 1", got)
		}
		if got := len(server.Lines()); got != commands {
			t.Errorf("%d commands were started, want %d", got, commands)
		}
	})
	if got := most.Load(); got != maxSessions {
		t.Errorf("at most %d ran at once, want %d", got, maxSessions)
	}
}

func TestClient_SameForTheSameHost(t *testing.T) {
	pool := newPool(t, configOf(startHost(t, sshtest.Options{})))
	client := pool.Client("a@b")
	if again := pool.Client("a@b"); again != client {
		t.Error("the same host gave two clients")
	}
	if pool.Client("a@c") == client {
		t.Error("two hosts gave one client")
	}
}

func TestRun_CutIsLostAndTheCommandGoesOn(t *testing.T) {
	home := t.TempDir()
	server := startHost(t, sshtest.Options{Home: home})
	target := targetOf(t, server)
	ended := make(chan error)
	go func() {
		_, err := target.Run(context.Background(), script("echo > started; while [ ! -e go ]; do sleep 0.01; done; echo > done"))
		ended <- err
	}()
	eventually(t, "the command runs", func() bool { return exists(filepath.Join(home, "started")) })
	server.Cut()
	wantLost(t, <-ended)
	write(t, filepath.Join(home, "go"), "")
	eventually(t, "the command ends by itself", func() bool { return exists(filepath.Join(home, "done")) })

	if got := run(t, target, script("echo again")); string(got.Stdout) != "again\n" {
		t.Errorf("the next command printed %q", got.Stdout)
	}
	if got := server.Connections(); got != 2 {
		t.Errorf("%d connections, want a second one after the cut", got)
	}
}

func TestRun_DeadlineAndCancelAreLost(t *testing.T) {
	dir := t.TempDir()
	for name, test := range map[string]struct {
		timeout, cancel time.Duration // zero: the default, never
		after           time.Duration
		cause           error
		text            string
	}{
		"the command's timeout": {timeout: 2 * time.Second, after: 2 * time.Second, cause: context.DeadlineExceeded, text: "no end within 2s"},
		"the default timeout":   {after: DefaultTimeout, cause: context.DeadlineExceeded, text: "no end within 30s"},
		"canceled":              {cancel: time.Second, after: time.Second, cause: context.Canceled, text: "canceled"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				finish := make(chan struct{})
				server := newHost(t, sshtest.Options{Dir: dir, Handler: runsUntil(finish)})
				pool := newPool(t, inMemory(server))
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if test.cancel > 0 {
					time.AfterFunc(test.cancel, cancel)
				}
				began := time.Now()
				_, err := on(pool, server.Host()).Run(ctx, command{Args: []string{"x"}, Timeout: test.timeout})
				if got := time.Since(began); got != test.after {
					t.Errorf("ended after %s, want %s", got, test.after)
				}
				wantLost(t, err)
				if !errors.Is(err, test.cause) || !strings.Contains(err.Error(), test.text) {
					t.Errorf("got %v, want %v and %q", err, test.cause, test.text)
				}
				close(finish)
				pool.Close()
				server.Close()
			})
		})
	}
}

func TestRun_NoExitStatusIsLost(t *testing.T) {
	server := startHost(t, sshtest.Options{Handler: func(_ context.Context, _ string, _ io.Reader, stdout, _ io.Writer) int {
		io.WriteString(stdout, "as if all were well")
		return sshtest.NoStatus
	}})
	_, err := targetOf(t, server).Run(t.Context(), script("x"))
	wantLost(t, err)
}

func TestRun_DeadKeptConnectionIsReplaced(t *testing.T) {
	server := startHost(t, sshtest.Options{Handler: answer("ok")})
	pool := newPool(t, configOf(server))
	client := on(pool, server.Host())
	run(t, client, script("first"))
	// Dead, and not yet noticed: closed below the protocol, while the client still counts it as alive.
	if _, fresh := client.dialled(); fresh {
		t.Fatal("the connection was not kept")
	}
	client.kept.link.client.Close()

	if got := run(t, client, script("second")); string(got.Stdout) != "ok" {
		t.Errorf("printed %q", got.Stdout)
	}
	if got := lineCount(server, "second"); got != 1 {
		t.Errorf("started %d times, want once", got)
	}
}

func TestRun_SentAndNotAnsweredIsNeverSentAgain(t *testing.T) {
	var server *sshtest.Server
	cut := func(line string) {
		if strings.Contains(line, "changes") {
			server.Cut()
		}
	}
	server = startHost(t, sshtest.Options{Handler: answer("ok"), OnExec: cut})
	target := targetOf(t, server)
	run(t, target, script("warms up")) // so that the connection is a kept one
	_, err := target.Run(t.Context(), script("changes something"))
	wantLost(t, err)
	run(t, target, script("looks"))
	if got := lineCount(server, "changes"); got != 1 {
		t.Errorf("sent %d times, want once", got)
	}
}

func TestRun_SilentLinkIsNoticedByKeepalives(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		finish := make(chan struct{})
		server := newHost(t, sshtest.Options{Dir: dir, Handler: runsUntil(finish)})
		pool := newPool(t, inMemory(server))
		time.AfterFunc(12*time.Second, func() { server.Freeze(true) })
		began := time.Now()
		_, err := on(pool, server.Host()).Run(t.Context(), command{Args: []string{"x"}, Timeout: time.Hour})
		wantLost(t, err)
		// The first keepalive without an answer goes out after 15 s, and three more intervals pass.
		if got, want := time.Since(began), 30*time.Second; got != want {
			t.Errorf("noticed after %s, want %s", got, want)
		}
		close(finish)
		server.Freeze(false)
		pool.Close()
		server.Close()
	})
}

func TestRun_LongSilentCommandOnALivingLink(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		server := newHost(t, sshtest.Options{Dir: dir, Handler: func(context.Context, string, io.Reader, io.Writer, io.Writer) int {
			time.Sleep(5 * time.Minute)
			return 6
		}})
		pool := newPool(t, inMemory(server))
		result, err := on(pool, server.Host()).Run(t.Context(), command{Args: []string{"x"}, Timeout: time.Hour})
		if err != nil || result.Status != 6 {
			t.Errorf("got %+v, %v, want status 6", result, err)
		}
		pool.Close()
		server.Close()
	})
}

func TestRun_TooMuchOutput(t *testing.T) {
	home := t.TempDir()
	target := targetOf(t, startHost(t, sshtest.Options{Home: home}))
	for _, stream := range []string{"", " >&2"} {
		_, err := target.Run(t.Context(), script("yes"+stream))
		wantLost(t, err)
		if !errors.Is(err, ErrTooMuchOutput) || !strings.Contains(err.Error(), "more than 4 MiB") {
			t.Errorf("got %v, want ErrTooMuchOutput", err)
		}
	}
	result := run(t, target, script("head -c 4194304 /dev/zero; head -c 4194304 /dev/zero >&2"))
	if len(result.Stdout) != MaxOutputBytes || len(result.Stderr) != MaxOutputBytes {
		t.Errorf("got %d and %d bytes, want the whole bound on each", len(result.Stdout), len(result.Stderr))
	}
}

func TestRun_AfterClose(t *testing.T) {
	server := startHost(t, sshtest.Options{Handler: answer("ok")})
	pool := newPool(t, configOf(server))
	target := on(pool, server.Host())
	run(t, target, script("x"))
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := target.Run(t.Context(), script("y"))
	wantHostError(t, err, false, "the bot is stopping", "start it again")
	if got := lineCount(server, "y"); got != 0 {
		t.Error("a closed pool started a command")
	}
}

func TestClose_CommandsUnderWayAreLost(t *testing.T) {
	home := t.TempDir()
	server := startHost(t, sshtest.Options{Home: home})
	pool := newPool(t, configOf(server))
	ended := make(chan error)
	go func() {
		_, err := on(pool, server.Host()).Run(context.Background(), script("echo > started; exec sleep 60"))
		ended <- err
	}()
	eventually(t, "the command runs", func() bool { return exists(filepath.Join(home, "started")) })
	pool.Close()
	wantLost(t, <-ended)
}
