package bot

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
)

// Envelope is one thing that Slack sent over a socket and wants acknowledged.
type Envelope struct {
	ID      string
	Kind    string // Slack's: "slash_commands", "interactive", "events_api"
	App     string // the ID of the app whose socket it came over; empty where Slack didn't say
	Payload json.RawMessage
	At      time.Time // when it came, UTC
}

// Ack acknowledges an envelope, with an answer for the person or nil. It returns nil once the acknowledgement is
// written to the socket, and an error if it was not: it is too large, no socket took it, or ctx ended first.
type Ack func(ctx context.Context, payload any) error

// Socket keeps the bot connected to Slack by Socket Mode: several connections at rest, each replaced by a successor
// before it ends wherever Slack or a lost ping tells in time. Slack sends each envelope over any one of them. Handle
// gets every envelope in a goroutine of its own, so that a slow one holds nothing up; a panic in it is that envelope's
// failure alone. The same thing may come twice, over two sockets too: what counts once is Handle's to know.
//
// Fields are set before Run and not changed after.
type Socket struct {
	API    *slack.Client // made by NewClient, which bounds and spaces its calls
	Handle func(ctx context.Context, e Envelope, ack Ack)
	Log    zerolog.Logger
	// Sockets says how many connections listen at rest, and is asked again every few seconds, from one goroutine; nil,
	// or less than 1 from it, means 2, so that one end leaves the other. Slack allows ten for all replicas of an app
	// together: https://docs.slack.dev/apis/events-api/using-socket-mode
	Sockets func() int
	// Dial connects to the address that Slack gives; nil: over the network, by way of HTTPS_PROXY where that is set.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	mu       sync.Mutex
	state    SocketState
	lines    []*line
	schedule schedule
	changed  chan struct{}  // tells the keeper that a line came or went
	stopped  bool           // nothing is taken any more
	intake   sync.WaitGroup // envelopes being handled
	serving  sync.WaitGroup // lines
}

const (
	// defaultSockets is one more than is needed: while one is replaced, the other listens.
	defaultSockets = 2
	// intakeTimeout bounds how long a stop, or the end of a connection, waits for envelopes that are being stored and
	// acknowledged: Slack itself waits 3 s for an acknowledgement.
	intakeTimeout = 3 * time.Second
	// maxAck is the size in bytes from which Slack drops an acknowledgement without a word. Slack publishes no figure;
	// slack-go's authors measured this one, with Slack's own client too.
	maxAck = 20 * 1024
)

// Run keeps the connections until ctx ends; then it takes nothing new, lets what it took be acknowledged, closes every
// connection and returns. What can't be mended by trying again is told by State and in the log, and tried now and then
// all the same: a rollback under way doesn't depend on it. Run may be called once.
func (s *Socket) Run(ctx context.Context) {
	s.begin()
	s.keep(ctx)
	s.finishIntake()
	s.hangUpAll()
	s.serving.Wait()
	s.restate("stopped", func(*SocketState) {})
}

func (s *Socket) begin() {
	s.mu.Lock()
	s.changed = make(chan struct{}, 1)
	s.mu.Unlock()
	s.restate("started", func(*SocketState) {})
}

// finishIntake waits for the envelopes being handled. Their acknowledgements are written when they are done.
func (s *Socket) finishIntake() {
	s.mu.Lock()
	s.stopped = true // under the lock, so that nothing is added to the group that is being waited for
	s.mu.Unlock()
	wait(&s.intake, intakeTimeout)
}

// wait waits for a group, but no longer than timeout.
func wait(group *sync.WaitGroup, timeout time.Duration) {
	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// take hands an envelope over, unless the bot is stopping: what isn't acknowledged is not accepted, and Slack says so.
func (s *Socket) take(l *line, request *socketmode.Request) {
	envelope := Envelope{
		ID: request.EnvelopeID, Kind: request.Type, App: l.app, Payload: request.Payload,
		At: time.Now().UTC().Truncate(time.Microsecond), // as precise as databases keep it
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return
	}
	l.owed.add()
	s.intake.Go(func() { s.handle(l, envelope) })
}

// handle has one envelope handled. The line owes an acknowledgement until it is written, or until nobody is left who
// would write it; what Handle does after its acknowledgement keeps no connection from closing.
func (s *Socket) handle(l *line, e Envelope) {
	settled := sync.OnceFunc(l.owed.settle)
	defer settled()
	defer func() {
		if problem := recover(); problem != nil {
			s.Log.Error().Interface("panic", problem).Bytes("stack", debug.Stack()).Str("envelope", e.ID).Msg("an envelope could not be handled")
		}
	}()
	// A context of its own: what was taken is stored and acknowledged, also when the stop comes meanwhile.
	s.Handle(context.Background(), e, func(ctx context.Context, payload any) error {
		defer settled()
		return s.acknowledge(ctx, l, e.ID, payload)
	})
}

// acknowledge writes an acknowledgement on the socket that the envelope came over. If that is gone, another one takes
// it: Slack doesn't say whether it counts there, but its own clients do the same, and nothing is lost by it.
func (s *Socket) acknowledge(ctx context.Context, l *line, id string, payload any) error {
	frame, err := json.Marshal(socketmode.Response{EnvelopeID: id, Payload: payload})
	if err != nil {
		return fmt.Errorf("write an acknowledgement as JSON: %w", err)
	}
	if len(frame) >= maxAck {
		return fmt.Errorf("an acknowledgement of %d bytes is too large: Slack drops it from %d on", len(frame), maxAck)
	}
	err = s.write(ctx, l, frame)
	for _, other := range s.others(l) {
		if err == nil || ctx.Err() != nil {
			break
		}
		if s.write(ctx, other, frame) == nil {
			s.Log.Warn().Err(err).Str("envelope", id).Msg("a socket was gone before its acknowledgement; it went over another one")
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("write an acknowledgement: %w", err)
	}
	return nil
}
