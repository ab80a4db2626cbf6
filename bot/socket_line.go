package bot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack/socketmode"
)

// line is one connection to Slack.
type line struct {
	conn  *websocket.Conn
	name  string // its own address, for the log
	began time.Time
	pulse pulse
	turn  chan struct{} // has one place: who holds it writes
	owed  debts         // envelopes without their acknowledgement

	opened  chan error    // has one place: nil at hello, or why there is none
	opening sync.Once     // fills opened
	left    chan struct{} // closed when it is about to end
	leaving sync.Once     // closes left
	over    chan struct{} // closed when it is read no more
	bye     atomic.Bool   // the bot has said goodbye, after which nothing can be written

	app   string // read and written by the reader alone
	told  bool   // Slack said that it would end; read and written by the reader alone
	phase phase  // guarded by Socket.mu
}

// phase is how far a line is. It only grows.
type phase int

const (
	phaseOpening   phase = iota // Slack's hello is still to come
	phaseListening              // it listens, and will for hours
	phaseWarned                 // it listens, and ends in about 10 s
	phaseGoing                  // what still comes is taken, but nobody counts on it
	phaseDismissed              // likewise, and nobody follows it
)

func (p phase) stays() bool { return p == phaseListening }
func (p phase) hears() bool { return p == phaseListening || p == phaseWarned }

const (
	// writeTimeout bounds one write: an acknowledgement that takes longer comes too late, as Slack waits 3 s for it.
	writeTimeout = 3 * time.Second
	// lingerTime is how long a line is read on after its successor was called for. Slack closes it itself about 10 s
	// after its warning: https://docs.slack.dev/apis/events-api/using-socket-mode
	lingerTime = 15 * time.Second
	// closeTimeout bounds how long Slack's answer to a goodbye is waited for.
	closeTimeout = time.Second
	// maxIncoming bounds one message of Slack's, in bytes. Slack publishes no figure; the largest that it sends, a form
	// with all its fields full, stays below 1 MB.
	maxIncoming = 8 << 20
)

func newLine(conn *websocket.Conn, name string) *line {
	l := &line{
		conn: conn, name: name, began: time.Now(), turn: make(chan struct{}, 1),
		opened: make(chan error, 1), left: make(chan struct{}), over: make(chan struct{}),
	}
	l.pulse.begin()
	conn.SetReadLimit(maxIncoming)
	// A goodbye of Slack's is answered when the last acknowledgement is written, and not, as by default, at once:
	// nothing may be written after it.
	conn.SetCloseHandler(func(int, string) error { return nil })
	conn.SetPongHandler(func(string) error { l.pulse.pong(); return nil })
	conn.SetPingHandler(func(data string) error {
		l.pulse.frame()
		_ = conn.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(writeTimeout)) // the watch sees what it comes to
		return nil
	})
	return l
}

// settleOpening tells whoever opens the line how that went; only the first word counts.
func (l *line) settleOpening(err error) { l.opening.Do(func() { l.opened <- err }) }

// serve is a line's whole life.
func (s *Socket) serve(l *line) {
	var watch sync.WaitGroup
	watch.Go(func() { s.watch(l) })
	err := s.read(l)
	s.ended(l, err)
	if l.mayAnswer(err) {
		l.owed.wait(intakeTimeout)
		l.hangUp()
	}
	_ = l.conn.Close() // it is over: no error of this would say anything new
	close(l.over)
	watch.Wait()
}

// mayAnswer reports whether something can still be written after reading ended with err: Slack has said goodbye, and
// the bot hasn't.
func (l *line) mayAnswer(err error) bool {
	var goodbye *websocket.CloseError
	return errors.As(err, &goodbye) && goodbye.Code != websocket.CloseAbnormalClosure && !l.bye.Load()
}

// read takes messages until the line ends, and says why it did.
func (s *Socket) read(l *line) error {
	for {
		kind, message, err := l.conn.ReadMessage()
		if err != nil {
			return err
		}
		l.pulse.frame()
		if kind != websocket.TextMessage {
			s.Log.Warn().Str("socket", l.name).Msg("a message of Slack's that isn't text was skipped")
			continue
		}
		s.receive(l, message)
	}
}

// receive takes one message. What can't be read is skipped, and not acknowledged: nobody knows what it wants.
func (s *Socket) receive(l *line, message []byte) {
	var request socketmode.Request
	if err := json.Unmarshal(message, &request); err != nil {
		s.Log.Warn().Err(err).Str("socket", l.name).Msg("an envelope that can't be read was skipped")
		return
	}
	switch request.Type {
	case socketmode.RequestTypeHello:
		l.app = request.ConnectionInfo.AppID
		s.listening(l)
	case socketmode.RequestTypeDisconnect:
		l.told = true
		s.leave(l, phaseAfter(request.Reason), &disconnectError{Reason: request.Reason})
	case socketmode.RequestTypeSlashCommands, socketmode.RequestTypeInteractive, socketmode.RequestTypeEventsAPI:
		s.receiveEnvelope(l, &request)
	default:
		s.Log.Warn().Str("type", request.Type).Str("socket", l.name).Msg("an envelope of an unknown type was skipped")
	}
}

func (s *Socket) receiveEnvelope(l *line, request *socketmode.Request) {
	if request.EnvelopeID == "" {
		s.Log.Warn().Str("type", request.Type).Msg("an envelope without an ID was skipped: it could not be acknowledged")
		return
	}
	s.take(l, request)
}

// phaseAfter is what a disconnect message leaves of a line.
func phaseAfter(reason string) phase {
	if reason == reasonWarning {
		return phaseWarned
	}
	return phaseGoing
}

// write writes one message, and has the line replaced if it can't. It returns when the system has taken the message.
func (s *Socket) write(ctx context.Context, l *line, message []byte) error {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	deadline := time.Now().Add(writeTimeout)
	if end, ok := ctx.Deadline(); ok && end.Before(deadline) {
		deadline = end
	}
	_ = l.conn.SetWriteDeadline(deadline) // only notes it
	err := l.conn.WriteMessage(websocket.TextMessage, message)
	if err != nil {
		s.leave(l, phaseGoing, fmt.Errorf("it takes no messages: %w", err)) // a message written in part spoils all after it
	}
	return err
}

// hangUp says goodbye and bounds how long the answer is waited for. A second call does nothing.
func (l *line) hangUp() {
	if l.bye.Swap(true) {
		return
	}
	goodbye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	_ = l.conn.WriteControl(websocket.CloseMessage, goodbye, time.Now().Add(closeTimeout)) // it is closed either way
	_ = l.conn.SetReadDeadline(time.Now().Add(closeTimeout))
}
