package sshtest

import (
	"context"
	"io"
	"regexp"

	"golang.org/x/crypto/ssh"
)

// serveSession takes a session if there is room for it, and says sshd's "open failed" if not.
func (s *Server) serveSession(request ssh.NewChannel, sessions chan struct{}) {
	select {
	case sessions <- struct{}{}:
	default:
		_ = request.Reject(ssh.ConnectionFailed, "open failed")
		return
	}
	s.working.Go(func() {
		defer func() { <-sessions }()
		channel, requests, err := request.Accept()
		if err != nil {
			return
		}
		defer channel.Close()
		s.session(channel, requests)
	})
}

// session answers requests until the command has ended and the channel is closed. Only exec is granted, once:
// no terminal, no environment from the client, no subsystem.
func (s *Server) session(channel ssh.Channel, requests <-chan *ssh.Request) {
	ctx, cancel := context.WithCancel(s.ctx) // ends with the channel
	defer cancel()
	var ended chan struct{} // closed when the command has; nil before it began
	for {
		select {
		case <-ended:
			return
		case request, open := <-requests:
			if !open {
				return // the client closed; a process goes on
			}
			if ended == nil {
				ended = s.exec(ctx, channel, request)
				continue
			}
			refuse(request)
		}
	}
}

// exec begins to run the line of an exec request and gives a channel that is closed at its end; nil if it ran nothing.
func (s *Server) exec(ctx context.Context, channel ssh.Channel, request *ssh.Request) chan struct{} {
	var payload struct{ Line string }
	if request.Type != "exec" || ssh.Unmarshal(request.Payload, &payload) != nil {
		refuse(request)
		return nil
	}
	if s.options.OnExec != nil {
		s.options.OnExec(payload.Line)
	}
	s.note(payload.Line)
	run := s.prepare(payload.Line)
	if run == nil {
		refuse(request)
		return nil
	}
	if request.WantReply {
		_ = request.Reply(true, nil)
	}
	ended := make(chan struct{})
	s.working.Go(func() {
		defer close(ended)
		run(ctx, channel)
	})
	return ended
}

// prepare starts the line and gives what connects it to the channel; nil if it can't be started.
func (s *Server) prepare(line string) func(context.Context, ssh.Channel) {
	if s.options.Handler != nil {
		return func(ctx context.Context, channel ssh.Channel) { s.handle(ctx, channel, line) }
	}
	process, err := s.start(line)
	if err != nil {
		return nil
	}
	return process.serve
}

// begun is what a line has its command say on both outputs as it begins.
var begun = regexp.MustCompile(`rollbackbot-[A-Z2-7]{26}`)

// handle has the Handler answer, which stands in for the command and so begins as one.
func (s *Server) handle(ctx context.Context, channel ssh.Channel, line string) {
	if mark := begun.FindString(line); mark != "" {
		_, _ = io.WriteString(channel, mark+"\n")
		_, _ = io.WriteString(channel.Stderr(), mark+"\n")
	}
	status := s.options.Handler(ctx, line, channel, channel, channel.Stderr())
	if status != NoStatus {
		reportStatus(channel, uint32(status))
	}
	_ = channel.CloseWrite()
}

func (s *Server) note(line string) {
	if s.options.NoLines {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, line)
}

func refuse(request *ssh.Request) {
	if request.WantReply {
		_ = request.Reply(false, nil)
	}
}

// reportStatus and reportSignal tell how a command ended: RFC 4254, section 6.10.
// A client that is gone can't be told, and that is its problem.
func reportStatus(channel ssh.Channel, status uint32) {
	_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
}

func reportSignal(channel ssh.Channel, name string, coreDumped bool) {
	_, _ = channel.SendRequest("exit-signal", false, ssh.Marshal(struct {
		Signal     string
		CoreDumped bool
		Message    string
		Language   string
	}{Signal: name, CoreDumped: coreDumped}))
}
