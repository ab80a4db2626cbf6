package sshtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"golang.org/x/crypto/ssh"
)

// process is one command line run by the user's shell. Its output goes through pipes that are ours and not through
// exec.Cmd's copying, so that its end and the end of its output are two events, as they are for sshd: a child that it
// left behind may hold the output open.
type process struct {
	cmd            *exec.Cmd
	stdin          *os.File // written by us
	stdout, stderr *os.File // read by us
	state          chan *os.ProcessState
	working        *sync.WaitGroup // the server's
}

func (s *Server) start(line string) (*process, error) {
	p := &process{
		cmd:     exec.Command(s.options.Shell, "-c", line),
		state:   make(chan *os.ProcessState, 1),
		working: &s.working,
	}
	p.cmd.Dir = s.options.Home
	p.cmd.Env = s.environment()
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.startPiped(); err != nil {
		return nil, err
	}
	pid := p.cmd.Process.Pid
	s.groups.add(pid)
	s.groups.leaders.Go(func() { // not in s.working: the process may outlive the server
		_ = p.cmd.Wait() // the state says more than the error
		s.groups.leaderEnded(pid)
		p.state <- p.cmd.ProcessState
	})
	return p, nil
}

// environment is what sshd gives a session, and then Options.Env.
func (s *Server) environment() []string {
	o := s.options
	return append([]string{
		"HOME=" + o.Home, "PATH=" + o.Path, "SHELL=" + o.Shell, "USER=" + o.User, "LOGNAME=" + o.User,
	}, o.Env...)
}

func (p *process) startPiped() error {
	var theirs []*os.File
	pipe := func(weRead bool) (*os.File, *os.File) {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, nil
		}
		if weRead {
			theirs = append(theirs, w)
			return r, w
		}
		theirs = append(theirs, r)
		return w, r
	}
	stdin, theirStdin := pipe(false)
	stdout, theirStdout := pipe(true)
	stderr, theirStderr := pipe(true)
	p.stdin, p.stdout, p.stderr = stdin, stdout, stderr
	defer closeAll(theirs...)
	if len(theirs) < 3 {
		p.hangUp()
		return errors.New("no pipes for a command")
	}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = theirStdin, theirStdout, theirStderr
	if err := p.cmd.Start(); err != nil {
		p.hangUp()
		return fmt.Errorf("start the shell: %w", err)
	}
	return nil
}

// serve connects the process to its channel until the process and its output have ended, or ctx has: then the client is
// gone, the pipes are closed, and the process goes on without them, as under sshd.
func (p *process) serve(ctx context.Context, channel ssh.Channel) {
	defer p.hangUp()
	defer context.AfterFunc(ctx, p.hangUp)()
	p.working.Go(func() { // not waited for here: a client may hold its end open longer than the process lives
		_, _ = io.Copy(p.stdin, channel)
		p.stdin.Close()
	})
	var output sync.WaitGroup
	output.Go(func() { p.copyOut(channel, p.stdout) })
	output.Go(func() { p.copyOut(channel.Stderr(), p.stderr) })
	select {
	case state := <-p.state:
		report(channel, state)
	case <-ctx.Done():
	}
	output.Wait()
	_ = channel.CloseWrite()
}

// copyOut copies until the output ends. When the client is gone it closes the pipe, and who writes on gets SIGPIPE.
func (p *process) copyOut(w io.Writer, r *os.File) {
	_, _ = io.Copy(w, r)
	r.Close()
}

// hangUp closes our ends of the pipes.
func (p *process) hangUp() { closeAll(p.stdin, p.stdout, p.stderr) }

func closeAll(files ...*os.File) {
	for _, file := range files {
		if file != nil {
			file.Close()
		}
	}
}

func report(channel ssh.Channel, state *os.ProcessState) {
	status, ok := state.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() {
		reportSignal(channel, signalName(status.Signal()), status.CoreDump())
		return
	}
	reportStatus(channel, uint32(state.ExitCode()))
}

// signalName is the name by which SSH knows a signal: RFC 4254, section 6.10, and sshd's word for any other.
func signalName(signal syscall.Signal) string {
	if name, ok := signalNames[signal]; ok {
		return name
	}
	return "SIG@openssh.com"
}

var signalNames = map[syscall.Signal]string{
	syscall.SIGABRT: "ABRT", syscall.SIGALRM: "ALRM", syscall.SIGFPE: "FPE", syscall.SIGHUP: "HUP",
	syscall.SIGILL: "ILL", syscall.SIGINT: "INT", syscall.SIGKILL: "KILL", syscall.SIGPIPE: "PIPE",
	syscall.SIGQUIT: "QUIT", syscall.SIGSEGV: "SEGV", syscall.SIGTERM: "TERM",
	syscall.SIGUSR1: "USR1", syscall.SIGUSR2: "USR2",
}
