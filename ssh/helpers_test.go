package ssh

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"rollbackbot/internal/sshtest"
	"rollbackbot/runbook"
)

// What link.openChannel says about x/crypto may happen in any test that cuts a connection.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("golang.org/x/crypto/ssh.(*mux).openChannel"))
}

// startHost starts a server on TCP that ends, with all that it started, with the test.
func startHost(t *testing.T, options sshtest.Options) *sshtest.Server {
	t.Helper()
	if options.Dir == "" {
		options.Dir = t.TempDir()
	}
	options.KillAll = true
	s, err := sshtest.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// newHost makes a server without a network.
func newHost(t *testing.T, options sshtest.Options) *sshtest.Server {
	t.Helper()
	s, err := sshtest.New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func configOf(s *sshtest.Server) Config {
	return Config{KeyFile: s.KeyFile, KnownHosts: s.KnownHostsFile}
}

// inMemory is configOf for a server without a network.
func inMemory(s *sshtest.Server) Config {
	cfg := configOf(s)
	cfg.Dial = s.Dial
	return cfg
}

func newPool(t *testing.T, cfg Config) *Pool {
	t.Helper()
	return newPoolLogging(t, cfg, io.Discard)
}

func newPoolLogging(t *testing.T, cfg Config, log io.Writer) *Pool {
	t.Helper()
	pool, err := New(cfg, zerolog.New(log))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close() })
	return pool
}

func targetOf(t *testing.T, s *sshtest.Server) target {
	t.Helper()
	return on(newPool(t, configOf(s)), s.Host())
}

// command is what a test has a Client run.
type command struct {
	Args    []string
	Dir     string
	Env     []string
	Stdin   []byte
	Timeout time.Duration // zero: DefaultTimeout
}

func (c command) String() string {
	return runbook.Command{Args: c.Args, Dir: c.Dir, Env: c.Env}.String()
}

// outcomeOf is how it ended.
type outcomeOf struct {
	Status         int
	Stdout, Stderr []byte
}

// target is a Client as the tests use it.
type target struct{ *Client }

func on(pool *Pool, host runbook.Host) target { return target{pool.Client(host)} }

func (c target) Run(ctx context.Context, cmd command) (outcomeOf, error) {
	if cmd.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, cmd.Timeout)
		defer cancel()
	}
	status, stdout, stderr, err := c.Client.Run(ctx, runbook.Command{Args: cmd.Args, Dir: cmd.Dir, Env: cmd.Env}, cmd.Stdin)
	return outcomeOf{status, stdout, stderr}, err
}

// script is a command of the POSIX shell.
func script(text string) command {
	return command{Args: []string{"sh", "-c", text}}
}

// patiently is a script that gets all the time that a slow machine needs.
func patiently(text string) command {
	cmd := script(text)
	cmd.Timeout = patience
	return cmd
}

// run runs a command that must end.
func run(t *testing.T, target target, cmd command) outcomeOf {
	t.Helper()
	result, err := target.Run(t.Context(), cmd)
	if err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	return result
}

// wantHostError is the answer of a host that could not be used, whole.
func wantHostError(t *testing.T, err error, unreachable bool, problem, remedy string) {
	t.Helper()
	var said *runbook.HostError
	if !errors.As(err, &said) {
		t.Fatalf("got %v, want a *runbook.HostError", err)
	}
	if errors.Is(err, runbook.ErrLost) {
		t.Errorf("says that a command was started: %v", err)
	}
	if said.Unreachable != unreachable {
		t.Errorf("Unreachable is %v, want %v: %v", said.Unreachable, unreachable, err)
	}
	if hungUp := strings.HasPrefix(problem, "it hangs up") || strings.HasPrefix(problem, "it hung up"); said.HungUp != hungUp {
		t.Errorf("HungUp is %v, want %v: %v", said.HungUp, hungUp, err)
	}
	if said.Problem != problem {
		t.Errorf("the problem is\n%q, want\n%q", said.Problem, problem)
	}
	if said.Remedy != remedy {
		t.Errorf("the remedy is\n%q, want\n%q", said.Remedy, remedy)
	}
}

func wantLost(t *testing.T, err error) {
	t.Helper()
	var said *runbook.HostError
	if !errors.Is(err, runbook.ErrLost) || errors.As(err, &said) {
		t.Errorf("got %v, want runbook.ErrLost", err)
	}
}

// patience is far above what anything takes here: a machine that is slow must fail no test.
const patience = 5 * time.Minute

// eventually waits for what another process does, which gives no other sign.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func temp(t *testing.T, name, content string) string {
	t.Helper()
	return write(t, filepath.Join(t.TempDir(), name), content)
}

// safeBuffer takes a log from several goroutines.
type safeBuffer struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}

// answer is a handler that prints and ends at once.
func answer(text string) sshtest.Handler {
	return func(_ context.Context, _ string, _ io.Reader, stdout, _ io.Writer) int {
		io.WriteString(stdout, text)
		return 0
	}
}

// runsUntil is a handler that runs until a channel is closed.
func runsUntil(until <-chan struct{}) sshtest.Handler {
	return func(context.Context, string, io.Reader, io.Writer, io.Writer) int {
		<-until
		return 0
	}
}

// failingDial is a dialler with one error.
func failingDial(err error) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) { return nil, err }
}

// silentDial is a dialler that nothing answers.
func silentDial(ctx context.Context, network, addr string) (net.Conn, error) {
	<-ctx.Done()
	return nil, &net.OpError{Op: "dial", Net: network, Err: ctx.Err()}
}

func lineCount(s *sshtest.Server, part string) int {
	n := 0
	for _, line := range s.Lines() {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}
