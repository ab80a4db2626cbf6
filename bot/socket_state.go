package bot

import "time"

// SocketState says whether the bot hears anything.
type SocketState struct {
	Connected bool      // at least one connection listens
	Sockets   int       // how many do
	Since     time.Time // since when it is Connected, or isn't; UTC, zero before Run
	// Problem says why the bot isn't connected, or has fewer connections than it should, as Slack says it. It is
	// empty while all is well, or is about to be.
	Problem string
	Remedy  string    // what mends a problem that doesn't go away by itself; empty for all others
	Event   string    // what happened last to any connection, for people to read
	EventAt time.Time // when; UTC
}

// Fatal reports whether the problem stays until a person does something. The bot may be Connected still: then it goes
// deaf when the connections that it has end.
func (s SocketState) Fatal() bool { return s.Remedy != "" }

// State says how the connections stand. It may be called from any goroutine, before Run too.
func (s *Socket) State() SocketState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// restate tells an event; change says what it means for the problem.
func (s *Socket) restate(event string, change func(*SocketState)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now().UTC()
	state := &s.state
	was := state.Connected
	state.Sockets = s.count(phase.hears)
	state.Connected = state.Sockets > 0
	state.Event, state.EventAt = event, now
	if state.Connected != was || state.Since.IsZero() {
		state.Since = now
	}
	change(state)
}

func (state *SocketState) solved() { state.Problem, state.Remedy = "", "" }

func (state *SocketState) troubled(err error) {
	state.Problem = err.Error()
	state.Remedy, _ = permanent(err)
}
