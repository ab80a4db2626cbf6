package demohost

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// grace is how long a program has to end after SIGTERM: docker's 10 s.
const grace = 10 * time.Second

// start starts a container's shim, in a session of its own: it lives on when the command, and the SSH session that
// it came from, have ended.
func (f folder) start(id string) error {
	lock, err := openLocked(f.container(id, "lock"), syscall.LOCK_EX)
	if err != nil {
		return err
	}
	defer lock.Close() // the shim has it too, and it is held until both have closed it
	log, err := os.OpenFile(f.container(id, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := &exec.Cmd{
		Path: self, Args: []string{shimName, id}, Dir: string(f), Env: f.environment(),
		Stdout: log, Stderr: log, ExtraFiles: []*os.File{lock}, SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	// Under the lock of the state: what the shim notes of its program comes after this.
	return f.updateContainer(id, func(c *container) error {
		if err := cmd.Start(); err != nil {
			return err
		}
		c.Status, c.Shim, c.Started, c.Restarts, c.ExitStatus = statusRunning, cmd.Process.Pid, time.Now().UTC(), 0, 0
		return cmd.Process.Release()
	})
}

// stop ends a container's program and waits until its shim is gone.
func (f folder) stop(id string) error {
	s, err := f.read()
	if err != nil {
		return err
	}
	c, ok := s.find(id)
	if !ok {
		return errGone
	}
	lock := f.container(id, "lock")
	signal := syscall.SIGTERM
	for asked := time.Now(); held(lock); time.Sleep(5 * time.Millisecond) {
		if time.Since(asked) > grace+time.Second {
			signal = syscall.SIGKILL
		}
		// The number is the shim's for as long as its lock is held. That it is gone meanwhile is what is wanted.
		if err := syscall.Kill(c.Shim, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return nil
}

// remove forgets a stopped container.
func (f folder) remove(id string) error {
	err := f.update(func(s *state) error {
		for i, c := range s.Containers {
			if c.ID == id {
				s.Containers = append(s.Containers[:i:i], s.Containers[i+1:]...)
				return nil
			}
		}
		return errGone
	})
	return errors.Join(err, os.RemoveAll(f.container(id, "")))
}
