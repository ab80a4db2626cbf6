package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program is the real binary with its whole environment.
type program struct {
	binary string
	env    map[string]string
}

// with is the program with some variables changed; an empty value takes the variable away.
func (p *program) with(changes map[string]string) *program {
	env := map[string]string{}
	for name, value := range p.env {
		env[name] = value
	}
	for name, value := range changes {
		env[name] = value
	}
	return &program{binary: p.binary, env: env}
}

func (p *program) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.binary, args...)
	cmd.Env = []string{} // not nil: nothing of the test's own environment gets in
	for name, value := range p.env {
		if value != "" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	return cmd
}

// commandTimeout bounds a command that isn't serve. The slowest, plan with an unreachable host, takes half a minute.
const commandTimeout = patience

// run runs a command to its end and gives its exit status and what it printed.
func (p *program) run(tb testing.TB, args ...string) (status int, stdout, stderr string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	cmd := p.command(ctx, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || !exit.Exited()) {
		tb.Fatalf("rollbackbot %s: %v\n%s%s", strings.Join(args, " "), err, out.String(), errs.String())
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// mustRun is run for a command that has to end with status 0.
func (p *program) mustRun(tb testing.TB, args ...string) string {
	tb.Helper()
	status, stdout, stderr := p.run(tb, args...)
	if status != 0 {
		tb.Fatalf("rollbackbot %s ended with status %d:\n%s%s", strings.Join(args, " "), status, stdout, stderr)
	}
	return stdout
}

// logLine is what the tests read of a line of the log.
type logLine struct {
	Message string `json:"message"` // the kind of an event, where the line tells of one
	Step    string `json:"step"`
	Verdict string `json:"verdict"`
}

// serving is the bot as a process.
type serving struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended

	mu     sync.Mutex
	log    bytes.Buffer
	parsed int           // bytes of log whose lines were given to heard
	heard  func(logLine) // of the last call of onLine
}

// Write takes the log in; it is for the process alone.
func (s *serving) Write(p []byte) (int, error) {
	s.mu.Lock()
	s.log.Write(p)
	var lines []logLine
	for {
		rest := s.log.Bytes()[s.parsed:]
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			break
		}
		var line logLine
		if json.Unmarshal(rest[:end], &line) == nil {
			lines = append(lines, line)
		}
		s.parsed += end + 1
	}
	heard := s.heard
	s.mu.Unlock()
	for _, line := range lines {
		if heard != nil {
			heard(line)
		}
	}
	return len(p), nil
}

// serve starts the bot. heard gets each line of its log at once; it may be nil. The process is killed with the test if
// it still runs then.
func (p *program) serve(tb testing.TB, heard func(*serving, logLine)) *serving {
	tb.Helper()
	s := &serving{ended: make(chan struct{})}
	if heard != nil {
		s.heard = func(line logLine) { heard(s, line) }
	}
	s.cmd = p.command(context.Background(), "serve")
	s.cmd.Stderr, s.cmd.Stdout = s, s
	if err := s.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	go func() {
		_ = s.cmd.Wait() // how it ended is in its ProcessState
		close(s.ended)
	}()
	tb.Cleanup(func() {
		s.kill()
		<-s.ended
		if tb.Failed() {
			tb.Logf("the bot's log:\n%s", s.text())
		}
	})
	return s
}

// kill is kill -9.
func (s *serving) kill() { _ = s.cmd.Process.Signal(syscall.SIGKILL) }

// text is the log so far.
func (s *serving) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// stopTimeout is far above the bot's own bound of a clean stop.
const stopTimeout = patience

// wait gives the exit status of a process that is about to end.
func (s *serving) wait(tb testing.TB) int {
	tb.Helper()
	select {
	case <-s.ended:
	case <-time.After(stopTimeout):
		tb.Fatalf("the bot has not ended after %s:\n%s", stopTimeout, s.text())
	}
	return s.cmd.ProcessState.ExitCode()
}

// stop ends it as an init system does, and fails the test unless it ends with status 0.
func (s *serving) stop(tb testing.TB) {
	tb.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		tb.Fatalf("SIGTERM: %v\n%s", err, s.text())
	}
	if status := s.wait(tb); status != 0 {
		tb.Errorf("after SIGTERM the bot ended with status %d, want 0:\n%s", status, s.text())
	}
}
