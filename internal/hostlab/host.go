package hostlab

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"rollbackbot/internal/parts"
)

// startTimeout bounds the start of a host, which takes 3 s on a machine that does nothing else, and minutes on one that is starved.
const startTimeout = 5 * time.Minute

// commandTimeout bounds a command on a host.
const commandTimeout = 5 * time.Minute

//go:embed init.sh
var initScript string

// Host is a host that runs.
type Host struct {
	Generation Generation
	Root       parts.HostRoot
	name       string
	address    string
	place      place
	init       *exec.Cmd
	ended      chan struct{} // closed when init has ended
	said       *bytes.Buffer // by init, to be read when it has ended
}

// start starts a host at a place, whose registry is at an address.
func start(g Generation, at place, registry string) (*Host, error) {
	root, err := parts.FindHostRoot(string(g))
	if err != nil {
		return nil, err
	}
	h := &Host{
		Generation: g, Root: root, name: fmt.Sprintf("%s-%d", g, at.number), address: at.address(),
		place: at, ended: make(chan struct{}), said: &bytes.Buffer{},
	}
	h.init = exec.Command("/bin/bash", "-c", initScript, "init", at.folder, root.Folder, h.name, h.address, registry, at.group())
	h.init.Stdout, h.init.Stderr = h.said, h.said
	h.init.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	}
	begin, err := h.init.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := h.keep(); err != nil {
		return nil, err
	}
	err = errors.Join(connect(at.number, h.init.Process.Pid), tell(begin))
	if err == nil {
		err = h.await()
	}
	if err != nil {
		_ = h.stop() // why it doesn't start says more
		return nil, fmt.Errorf("start the host %s: %w: %s", h.name, err, h.said)
	}
	return h, nil
}

func tell(begin interface {
	Write([]byte) (int, error)
	Close() error
}) error {
	_, err := begin.Write([]byte("\n"))
	return errors.Join(err, begin.Close())
}

// keep starts the first process and waits for its end beside. Its thread is locked: the kernel kills the process when the
// thread that started it ends, and not only when ours does.
func (h *Host) keep() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := h.init.Start()
		started <- err
		if err != nil {
			return
		}
		_ = h.init.Wait() // killed
		close(h.ended)
	}()
	return <-started
}

// await waits until sshd and the engine answer.
func (h *Host) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		out, err := h.run(ctx, "docker info >/dev/null && cat /run/sshd.pid")
		if err == nil {
			return nil
		}
		select {
		case <-h.ended:
			return errors.New("it ended at its start")
		case <-ctx.Done():
			log, _ := h.run(context.Background(), "tail -n 20 /var/log/dockerd.log")
			return fmt.Errorf("%w: %s%s", err, out, log)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// stop ends everything on the host at once, as a power cut does, and removes it.
func (h *Host) stop() error {
	select {
	case <-h.ended:
	default:
		if err := h.init.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		<-h.ended
	}
	return h.place.leave()
}

// Addr is the host's IP address; sshd listens on port 22 of it, and ports that containers publish are there, too.
func (h *Host) Addr() string { return h.address }

// Name is the name that the host has for itself.
func (h *Host) Name() string { return h.name }

// enter is a command that runs on the host, with nothing of this machine's environment.
func (h *Host) enter(ctx context.Context, words ...string) *exec.Cmd {
	args := []string{"--target", strconv.Itoa(h.init.Process.Pid), "--mount", "--uts", "--ipc", "--net", "--pid", "--"}
	cmd := exec.CommandContext(ctx, "nsenter", append(args, words...)...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"}
	return cmd
}

// run runs a script as root and gives all that it printed, without the last line end.
func (h *Host) run(ctx context.Context, script string) (string, error) {
	out, err := h.enter(ctx, "/bin/sh", "-c", script).CombinedOutput()
	return strings.TrimRight(string(out), "\n"), err
}

// login runs a line as an account in its login shell, as a person who has logged in types it.
func (h *Host) login(ctx context.Context, account, line string) (string, error) {
	out, err := h.enter(ctx, "runuser", "--login", account, "--command", line).CombinedOutput()
	return strings.TrimRight(string(out), "\n"), err
}

// hostKeys are the lines of known_hosts for the host.
func (h *Host) hostKeys() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	public, err := h.run(ctx, "cat /etc/ssh/ssh_host_*_key.pub")
	if err != nil {
		return "", fmt.Errorf("read the host keys: %w: %s", err, public)
	}
	var lines strings.Builder
	for line := range strings.Lines(public) {
		fmt.Fprintf(&lines, "%s %s\n", h.address, strings.TrimSpace(line))
	}
	return lines.String(), nil
}

// authorize lets a public key into every account.
func (h *Host) authorize(public []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	cmd := h.enter(ctx, "/bin/sh", "-c", "cat >/etc/ssh/authorized_keys")
	cmd.Stdin = bytes.NewReader(public)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("authorize a key: %w: %s", err, out)
	}
	return nil
}

// shelf is the folder of the host that this machine sees, where its keys lie.
func (h *Host) shelf(name string) string { return filepath.Join(h.place.folder, name) }
