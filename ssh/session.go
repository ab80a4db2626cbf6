package ssh

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/crypto/ssh"

	"rollbackbot/runbook"
)

// refusedError says that the host answered that it won't run the command.
type refusedError struct{}

func (*refusedError) Error() string { return "the host refused to run the command" }

// unbegunError says that all ended and the command had not begun: its mark is missing.
type unbegunError struct {
	printed string // what came in its place
	link    *link  // on which it was asked
}

func (*unbegunError) Error() string { return "the login shell ended before it came to the command" }

// call is what is asked of a session.
type call struct {
	line  string
	mark  mark   // what the command says as it begins; empty: nothing
	stdin []byte // for the command
}

// session is one channel on which one command is run. x/crypto's Session is not used: its errors quote the command
// line, and it does not tell a refused command from one that may have been started.
type session struct {
	link     *link
	channel  ssh.Channel
	requests <-chan *ssh.Request
	release  func() // called once the channel is closed for good
}

// outcome is how a session ended.
type outcome struct {
	result result
	err    error
}

// run sends the line and waits for the command's end, or for ctx's. From the moment of sending an error means that
// nobody knows (runbook.ErrLost), unless the host says that it refuses (*refusedError), or the command's mark is missing
// in all that came (*unbegunError).
func (s *session) run(ctx context.Context, c call) (result, error) {
	ended := make(chan outcome, 1)
	stdout := newOutput(c.mark)
	ok := s.link.owner.pool.spawn(func() {
		defer s.release()
		stop := context.AfterFunc(ctx, s.close)
		defer stop()
		ended <- s.converse(c, stdout)
	})
	if !ok {
		s.close()
		s.release()
		return result{}, errClosed
	}
	select {
	case o := <-ended:
		if o.err != nil && ctx.Err() != nil {
			o.err = tooLate(ctx, stdout)
		}
		return o.result, o.err
	case <-ctx.Done():
		// Not waited for: a host that is gone doesn't answer the close either.
		return result{}, tooLate(ctx, stdout)
	}
}

// tooLate is for a command that the context ended before its end came.
func tooLate(ctx context.Context, stdout *output) error {
	if stdout.hasBegun() {
		return lost(ctx.Err())
	}
	return lost(fmt.Errorf("%w, and the login shell had not come to the command by then; see what its profile waits for", ctx.Err()))
}

// close ends the channel. It ends nothing on the host.
func (s *session) close() { s.channel.Close() }

// converse speaks with one command from its start to its end.
func (s *session) converse(c call, stdout *output) outcome {
	// The host's requests are read from the beginning: unread ones would hold up the whole connection.
	ended := make(chan ending, 1)
	go func() { ended <- readEnding(s.requests) }()

	taken, err := s.channel.SendRequest("exec", true, ssh.Marshal(struct{ Line string }{c.line}))
	if err != nil {
		// The line may have arrived and may run: it is not sent again.
		err = lost(err)
	} else if !taken {
		err = &refusedError{}
	}
	if err != nil {
		s.close()
		<-ended
		return outcome{err: err}
	}
	return s.listen(c, stdout, ended)
}

func (s *session) listen(c call, stdout *output, ended <-chan ending) outcome {
	stderr := newOutput(c.mark)
	over := make(chan struct{})
	var copying, feeding sync.WaitGroup
	feeding.Go(func() { s.feed(c.stdin, stdout, over) })
	copying.Go(func() { s.drain(stdout, s.channel) })
	copying.Go(func() { s.drain(stderr, s.channel.Stderr()) })
	end := <-ended
	copying.Wait()
	close(over)
	feeding.Wait()

	switch {
	case stdout.full || stderr.full:
		return outcome{err: lost(ErrTooMuchOutput)}
	case !end.known:
		return outcome{err: lost(errors.New("no exit status came"))}
	case !s.endedByHost():
		return outcome{err: lost(errors.New("the output was cut off"))}
	case !stdout.hasBegun():
		return outcome{err: &unbegunError{stdout.printed() + stderr.printed(), s.link}}
	}
	return outcome{result: result{status: end.status, stdout: stdout.data.Bytes(), stderr: stderr.data.Bytes()}}
}

// feed writes stdin once the command has begun, and ends it: a profile that starts another shell would have that run the
// pins file. A command that does not read it to the end is no error.
func (s *session) feed(stdin []byte, stdout *output, over <-chan struct{}) {
	if len(stdin) > 0 {
		select {
		case <-stdout.begun:
		case <-over:
		}
		if !stdout.hasBegun() {
			return
		}
	}
	if _, err := s.channel.Write(stdin); err == nil {
		_ = s.channel.CloseWrite()
	}
}

// drain reads a stream to its end, or gives the command up when it prints too much.
func (s *session) drain(to *output, from io.Reader) {
	if _, err := io.Copy(to, from); err != nil {
		s.close()
	}
}

// endedByHost reports whether the host closed the channel, after all output, and not a broken connection in its place:
// x/crypto ends the streams of both alike, and half an output must not pass for a whole one. When the host closes,
// x/crypto closes too and sends nothing more on that channel: io.EOF. A broken connection says io.EOF as well, so the host
// has to answer on that connection. That a message is taken proves nothing: x/crypto 0.58 tells the channels of a broken
// connection before its own writer, and that one gives no error to whoever it could not write for; nor does a kernel that
// has not heard yet that nobody is at the other end.
func (s *session) endedByHost() bool {
	if _, err := s.channel.SendRequest("eow@openssh.com", false, nil); !errors.Is(err, io.EOF) {
		return false
	}
	_, _, err := s.link.client.SendRequest("keepalive@openssh.com", true, nil) // any answer will do
	return err == nil
}

// ending is how the host says that a command ended.
type ending struct {
	status int
	known  bool // false when the host said nothing
}

// readEnding reads what the host says about the end: RFC 4254, section 6.10. It returns when the channel is closed.
func readEnding(requests <-chan *ssh.Request) (end ending) {
	for request := range requests {
		switch request.Type {
		case "exit-status":
			if len(request.Payload) == 4 {
				end = ending{status: int(binary.BigEndian.Uint32(request.Payload)), known: true}
			}
		case "exit-signal":
			var signal struct {
				Signal     string
				CoreDumped bool
				Message    string
				Language   string
			}
			if ssh.Unmarshal(request.Payload, &signal) == nil {
				end = ending{status: signalStatus(signal.Signal), known: true}
			}
		}
		if request.WantReply {
			_ = request.Reply(false, nil) // an answer, as keepalives want one
		}
	}
	return end
}

func lost(cause error) error { return fmt.Errorf("%w: %w", runbook.ErrLost, cause) }
