package demohost

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// shim keeps one container's program running.
type shim struct {
	folder
	id      string
	signals chan os.Signal
}

// lockFD is where a shim finds the lock that it was given: behind stdin, stdout and stderr.
const lockFD = 3

func runShim(f folder, args []string) int {
	if len(args) != 1 {
		return 1
	}
	// The program is told to die with the thread that started it, so that thread has to stay.
	runtime.LockOSThread()
	syscall.CloseOnExec(lockFD)
	whenHostEnds(f, func() { _ = syscall.Kill(0, syscall.SIGKILL) }) // the program and this process
	s := shim{folder: f, id: args[0], signals: make(chan os.Signal, 1)}
	signal.Notify(s.signals, syscall.SIGTERM, syscall.SIGINT)
	if err := s.keep(); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// keep runs the program, again and again if the restart policy says so.
func (s shim) keep() error {
	pause := firstPause
	for {
		began := time.Now()
		status, stopped, err := s.once()
		if err != nil {
			return err
		}
		if time.Since(began) > stablePeriod {
			pause = firstPause
		}
		again := false
		err = s.updateContainer(s.id, func(c *container) error {
			again = !stopped && c.restarts(status)
			c.Status, c.ExitStatus, c.Finished = statusExited, status, time.Now().UTC()
			if again {
				c.Status = statusRestarting
				c.Restarts++
			}
			return nil
		})
		if err != nil || !again {
			return err
		}
		if s.stoppedWithin(pause) {
			return s.note(statusExited)
		}
		pause = min(2*pause, longestPause)
	}
}

// How long docker waits before it restarts a container: from its documentation of restart policies and its source,
// twice as long each time, from 100 ms to a minute, and from the start again after 10 s of running.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = time.Minute
	stablePeriod = 10 * time.Second
)

// restarts reports whether the policy has a program started again that ended by itself.
func (c container) restarts(status int) bool {
	switch c.Restart {
	case "always", "unless-stopped":
		return true
	case "on-failure":
		return status != 0
	}
	return false
}

// note says what state the container is in.
func (s shim) note(status string) error {
	return s.updateContainer(s.id, func(c *container) error {
		c.Status = status
		if status == statusRunning {
			c.Started = time.Now().UTC()
		}
		return nil
	})
}

// once runs the program to its end. stopped says that the container was asked to stop.
func (s shim) once() (status int, stopped bool, err error) {
	program, err := s.program()
	if err != nil {
		return 0, false, err
	}
	if err := program.Start(); err != nil {
		return 0, false, err
	}
	if err := s.note(statusRunning); err != nil {
		return 0, false, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = program.Wait() // the state says more than the error
	}()
	select {
	case <-s.signals:
		stopped = true
		_ = program.Process.Signal(syscall.SIGTERM) // one that has ended meanwhile needs none
		select {
		case <-ended:
		case <-time.After(grace):
			_ = program.Process.Kill()
			<-ended
		}
	case <-ended:
	}
	return exitStatus(program.ProcessState), stopped, nil
}

func (s shim) program() (*exec.Cmd, error) {
	known, err := s.read()
	if err != nil {
		return nil, err
	}
	c, ok := known.find(s.id)
	if !ok {
		return nil, errGone
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return &exec.Cmd{
		Path: self, Args: append([]string{programName, c.Listen}, c.Command...), Dir: string(s.folder),
		Env:    append(s.environment(), c.Env...),
		Stdout: os.Stdout, Stderr: os.Stderr, SysProcAttr: diesWithParent(),
	}, nil
}

// stoppedWithin waits, and reports whether the container was asked to stop meanwhile.
func (s shim) stoppedWithin(d time.Duration) bool {
	select {
	case <-s.signals:
		return true
	case <-time.After(d):
		return false
	}
}

// exitStatus is the status as docker tells it: 128 and the signal's number for what a signal ended.
func exitStatus(state *os.ProcessState) int {
	if ended, ok := state.Sys().(syscall.WaitStatus); ok && ended.Signaled() {
		return 128 + int(ended.Signal())
	}
	return state.ExitCode()
}
