package bot

import (
	"context"
	"encoding/json"
	"errors"
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

// Ack acknowledges an envelope, with an answer for the person or nil. It returns when the acknowledgement is on its way
// or ctx ends.
type Ack func(ctx context.Context, payload any) error

// Socket keeps the bot connected to Slack by Socket Mode. Handle gets every envelope in a goroutine of its own, so that
// a slow one holds nothing up; a panic in it is that envelope's failure alone. Handle knows nothing of how the
// connection is kept, which another loop may do in slack-go's place.
type Socket struct {
	API    *slack.Client // made by NewClient, which bounds and spaces its calls
	Handle func(ctx context.Context, e Envelope, ack Ack)
	Log    zerolog.Logger

	mu      sync.Mutex
	state   SocketState
	app     string
	stopped bool           // nothing is taken any more
	intake  sync.WaitGroup // envelopes being handled
}

// SocketState says whether the bot hears anything.
type SocketState struct {
	Connected bool
	Since     time.Time // since when it is as it is
	Problem   string    // why it isn't connected, as Slack says it; empty while it is, or is about to be
	Remedy    string    // what mends a problem that doesn't go away by itself; empty for all others
}

// Fatal reports whether the problem stays until a person does something.
func (s SocketState) Fatal() bool { return s.Remedy != "" }

const (
	firstReconnect = time.Second
	lastReconnect  = time.Minute
	// fatalReconnect is how often a connection is tried that a person has to mend first.
	fatalReconnect = 5 * time.Minute
	// intakeTimeout bounds how long a stop waits for envelopes that are being stored and acknowledged: Slack itself
	// waits 3 s for an acknowledgement.
	intakeTimeout = 3 * time.Second
	// flushTime is how long a stop waits after the last acknowledgement. slack-go takes an acknowledgement before it
	// writes it, and says nothing of the writing: of those cancelled at once, 99 in 100 were lost; after 0.1 ms, none.
	flushTime = 100 * time.Millisecond
)

// State says how the connection stands. It may be called from any goroutine, before Run too.
func (s *Socket) State() SocketState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// Run keeps the connection until ctx ends; then it takes nothing new, lets what it took be acknowledged, and returns.
// What can't be mended by trying again is told by State and in the log, and tried now and then all the same: a rollback
// under way doesn't depend on it.
func (s *Socket) Run(ctx context.Context) {
	connection, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer hangUp()
	var loop sync.WaitGroup
	loop.Go(func() { s.supervise(ctx, connection) })
	<-ctx.Done()
	s.finishIntake()
	hangUp()
	loop.Wait()
}

// finishIntake waits for the envelopes being handled, and for their acknowledgements to be written.
func (s *Socket) finishIntake() {
	s.mu.Lock()
	s.stopped = true // under the lock, so that nothing is added to the group that is being waited for
	s.mu.Unlock()
	done := make(chan struct{})
	go func() {
		s.intake.Wait()
		close(done)
	}()
	timeout := time.NewTimer(intakeTimeout)
	defer timeout.Stop()
	select {
	case <-done:
	case <-timeout.C:
	}
	time.Sleep(flushTime)
}

// supervise connects again and again. work is what tells it to stop taking envelopes; connection, to hang up.
func (s *Socket) supervise(work, connection context.Context) {
	wait := firstReconnect
	for connection.Err() == nil {
		began := time.Now()
		err := s.connect(work, connection)
		if connection.Err() != nil {
			return
		}
		pause := wait
		switch _, fatal := permanent(err); {
		case fatal:
			pause = fatalReconnect
		case time.Since(began) > lastReconnect:
			wait, pause = firstReconnect, firstReconnect
		default:
			wait = min(2*wait, lastReconnect)
		}
		s.lost(err)
		if sleep(work, pause) != nil {
			return // stopping: nothing is connected, so nothing is left to be acknowledged
		}
	}
}

// connect runs one client of slack-go until it gives up, or has to be given up.
func (s *Socket) connect(work, connection context.Context) error {
	ctx, cancel := context.WithCancelCause(connection)
	defer cancel(nil)
	client := socketmode.New(s.API)
	var drain sync.WaitGroup
	drain.Go(func() { // always: a client whose events nobody takes never connects again
		for {
			select {
			case <-ctx.Done():
				return
			case event := <-client.Events:
				if err := s.event(work, client, event); err != nil {
					cancel(err)
				}
			}
		}
	})
	err := client.RunContext(ctx)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	cancel(nil)
	drain.Wait()
	return err
}

// event takes one event of slack-go's. An error means that going on is of no use.
func (s *Socket) event(ctx context.Context, client *socketmode.Client, event socketmode.Event) error {
	switch event.Type {
	case socketmode.EventTypeHello:
		s.connected(event.Request)
	case socketmode.EventTypeConnectionError:
		if failure, ok := event.Data.(*slack.ConnectionErrorEvent); ok {
			if _, fatal := permanent(failure.ErrorObj); fatal {
				return failure.ErrorObj
			}
			s.lost(failure.ErrorObj)
		}
	case socketmode.EventTypeConnecting:
		s.connecting()
	case socketmode.EventTypeErrorBadMessage:
		if bad, ok := event.Data.(*socketmode.ErrorBadMessage); ok {
			s.Log.Warn().Err(bad.Cause).Msg("an envelope that can't be read was skipped")
		}
	case socketmode.EventTypeErrorWriteFailed:
		if failed, ok := event.Data.(*socketmode.ErrorWriteFailed); ok {
			s.Log.Warn().Err(failed.Cause).Msg("an acknowledgement could not be written")
		}
	case socketmode.EventTypeSlashCommand, socketmode.EventTypeInteractive, socketmode.EventTypeEventsAPI:
		s.take(ctx, client, event.Request)
	}
	return nil
}

// take hands an envelope over, unless the bot is stopping: what isn't acknowledged is not accepted, and Slack says so.
func (s *Socket) take(ctx context.Context, client *socketmode.Client, request *socketmode.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || request == nil {
		return
	}
	envelope := Envelope{
		ID: request.EnvelopeID, Kind: request.Type, App: s.app, Payload: request.Payload,
		At: time.Now().UTC().Truncate(time.Microsecond), // as precise as databases keep it
	}
	s.intake.Go(func() {
		defer func() {
			if problem := recover(); problem != nil {
				s.Log.Error().Interface("panic", problem).Bytes("stack", debug.Stack()).Str("envelope", envelope.ID).Msg("an envelope could not be handled")
			}
		}()
		// Not ctx itself: what was taken is stored and acknowledged, also when the stop comes meanwhile.
		s.Handle(context.WithoutCancel(ctx), envelope, func(ctx context.Context, payload any) error {
			return client.AckCtx(ctx, envelope.ID, payload)
		})
	})
}

func (s *Socket) connected(hello *socketmode.Request) {
	s.mu.Lock()
	if hello != nil {
		s.app = hello.ConnectionInfo.AppID
	}
	s.mu.Unlock()
	s.enter(SocketState{Connected: true})
	s.Log.Info().Msg("connected to Slack")
}

// connecting says that the connection isn't there, and leaves the reason standing that is known already.
func (s *Socket) connecting() {
	if now := s.State(); now.Connected || now.Since.IsZero() {
		s.enter(SocketState{})
	}
}

func (s *Socket) lost(err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	remedy, fatal := permanent(err)
	s.enter(SocketState{Problem: err.Error(), Remedy: remedy})
	if fatal {
		s.Log.Error().Err(err).Str("remedy", remedy).Msg("Slack refuses the connection: nobody is heard until this is mended")
		return
	}
	s.Log.Warn().Err(err).Msg("not connected to Slack; trying again")
}

func (s *Socket) enter(state SocketState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state.Connected != s.state.Connected || s.state.Since.IsZero() {
		s.state.Since = time.Now().UTC()
	}
	state.Since = s.state.Since
	s.state = state
}
