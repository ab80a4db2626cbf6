package demohost

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"rollbackbot/internal/sshtest"
	"rollbackbot/runbook"
)

// Host is a running host with the shop on it. Its methods may be called from any goroutine.
type Host struct {
	Host       runbook.Host // "deploy@127.0.0.1:PORT"
	KeyFile    string       // the only key that it takes
	KnownHosts string       // the file that knows its host key
	Dir        string       // the app's folder on it
	HealthURL  string       // the api's, on a loopback port that stays the same

	folder   folder
	options  Options
	server   *sshtest.Server
	lifeline *os.File
	forget   func() bool // stops waiting for the context's end
	closing  sync.Once
	closed   error
}

// Start makes a host on which V2 runs and its api answers 503. The host is closed when ctx ends; Close is then still to
// be called, for it waits until that is done.
// An error where the machine isn't Linux or lacks a program, naming it.
func Start(ctx context.Context, options Options) (*Host, error) {
	if err := checkMachine(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "rollbackbot-demo-")
	if err != nil {
		return nil, fmt.Errorf("start the demo's host: %w", err)
	}
	h := &Host{folder: folder(dir), options: options, forget: func() bool { return true }}
	if err := h.start(ctx, options.pace()); err != nil {
		return nil, errors.Join(fmt.Errorf("start the demo's host: %w", err), h.Close())
	}
	h.forget = context.AfterFunc(ctx, func() { _ = h.close() }) // Close tells the error
	return h, nil
}

func (h *Host) start(ctx context.Context, pace pace) (err error) {
	port, err := freePort()
	if err != nil {
		return err
	}
	if err := h.furnish(port); err != nil {
		return err
	}
	if h.lifeline, err = openLocked(h.folder.lifeline(), syscall.LOCK_EX); err != nil {
		return err
	}
	h.server, err = sshtest.Start(sshtest.Options{
		Dir: cmp.Or(h.options.Keys, h.folder.keys()), Home: h.folder.home(), Path: h.path(), Env: h.folder.environment(),
		KillAll: true, NoLines: true,
	})
	if err != nil {
		return err
	}
	h.Host, h.KeyFile, h.KnownHosts = h.server.Host(), h.server.KeyFile, h.server.KnownHostsFile
	h.Dir, h.HealthURL = h.folder.app(), fmt.Sprintf("http://127.0.0.1:%d/health", port)
	if err := h.begin(ctx); err != nil {
		return err
	}
	return h.folder.update(func(s *state) error {
		s.Pace = pace
		return nil
	})
}

// furnish makes the folder's contents.
func (h *Host) furnish(port int) error {
	f := h.folder
	for _, dir := range []string{f.bin(), f.home(), f.keys(), filepath.Dir(f.composeFile()), filepath.Join(f.engine(), "containers")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	self, err := h.program()
	if err != nil {
		return err
	}
	if err := os.Symlink(self, filepath.Join(f.bin(), dockerName)); err != nil {
		return err
	}
	// /etc/profile of most systems sets the PATH anew in a login shell; what is in the home comes after it.
	profile := "PATH=" + runbook.Quote(h.path()) + "\nexport PATH\n"
	return errors.Join(
		os.WriteFile(filepath.Join(f.home(), ".profile"), []byte(profile), 0o600),
		os.WriteFile(f.composeFile(), []byte(composeText), 0o600),
		os.WriteFile(f.envFile(), []byte(envText(port)), 0o600),
		f.save(state{Images: imagesAtStart()}),
	)
}

func (h *Host) program() (string, error) {
	if h.options.Program != "" {
		return h.options.Program, nil
	}
	return os.Executable()
}

// path is the machine's PATH with the stand-in's folder first.
func (h *Host) path() string {
	return h.folder.bin() + string(filepath.ListSeparator) + os.Getenv("PATH")
}

// begin brings up the whole stack as V2 left it, database and finished migration included, as fast as it goes.
func (h *Host) begin(ctx context.Context) error {
	if err := h.pin(V2); err != nil {
		return err
	}
	if err := h.up(ctx, append([]string{"db", "migrate"}, services...)...); err != nil {
		return err
	}
	return h.answers(ctx)
}

// answerLimit bounds how long the api may take to listen for the first time: it takes milliseconds, and on a machine
// that is busy with something else a second.
const answerLimit = time.Minute

// answers waits until something listens behind HealthURL, so that whoever asks at once gets the 503.
func (h *Host) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	address := strings.TrimSuffix(strings.TrimPrefix(h.HealthURL, "http://"), "/health")
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the api doesn't listen: %w", errors.Join(ctx.Err(), err))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// freePort finds a loopback port for the api to publish. It lies below those that Linux hands out by itself (from
// 32768 on: ip(7), ip_local_port_range), so that nobody is given it while the api is being replaced.
func freePort() (int, error) {
	const lowest, highest, attempts = 18000, 32000, 100
	var err error
	for range attempts {
		port := lowest + rand.IntN(highest-lowest)
		var listener net.Listener
		if listener, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return port, listener.Close()
		}
	}
	return 0, fmt.Errorf("find a free port: %w", err)
}

// Close ends every process of the host and removes its folder. Closing twice is closing once, with the same answer.
func (h *Host) Close() error {
	h.forget()
	return h.close()
}

func (h *Host) close() error {
	h.closing.Do(func() { h.closed = h.end() })
	return h.closed
}

func (h *Host) end() error {
	var err error
	if h.lifeline != nil {
		err = h.lifeline.Close()
	}
	if h.server != nil {
		err = errors.Join(err, h.server.Close())
	}
	err = errors.Join(err, h.folder.sweep(), h.folder.removeAll())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
