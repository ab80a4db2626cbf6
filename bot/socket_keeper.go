package bot

import (
	"context"
	"errors"
	"slices"
	"time"
)

// keep opens a socket whenever one is missing, one after the other, and closes one whenever there are too many, until
// ctx ends.
func (s *Socket) keep(ctx context.Context) {
	for ctx.Err() == nil {
		wanted := s.wanted()
		if l := s.surplus(wanted); l != nil {
			s.dismiss(l)
			continue
		}
		if wait := s.due(wanted); wait > 0 {
			s.rest(ctx, wait)
			continue
		}
		if err := s.open(ctx); err != nil && ctx.Err() == nil {
			s.failed(err)
		}
	}
}

// wanted is how many connections should listen now.
func (s *Socket) wanted() int {
	if s.Sockets != nil {
		if n := s.Sockets(); n > 0 {
			return n
		}
	}
	return defaultSockets
}

// surplus gives a line that isn't wanted any more, or nil: the oldest, which Slack would end first.
func (s *Socket) surplus(wanted int) *line {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count(phase.stays) <= wanted {
		return nil
	}
	i := slices.IndexFunc(s.lines, func(l *line) bool { return l.phase.stays() }) // they stand in the order of their openings
	return s.lines[i]
}

// dismiss ends a line that has no successor. What came over it is acknowledged first; what still comes until Slack has
// read the goodbye is taken, and acknowledged over another one.
func (s *Socket) dismiss(l *line) {
	if _, moved := s.step(l, phaseDismissed); !moved {
		return
	}
	s.restate("a socket is given up: fewer are wanted", func(*SocketState) {})
	s.Log.Info().Str("socket", l.name).Msg("a socket to Slack is given up: fewer are wanted")
	s.serving.Go(func() {
		l.owed.wait(intakeTimeout)
		l.hangUp()
	})
}

// due is how long the next opening has to wait; 0: it is time.
func (s *Socket) due(wanted int) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.schedule.wait(s.count(phase.stays), wanted, time.Now())
}

// rest waits, but no longer than until something changes.
func (s *Socket) rest(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-s.changed:
	}
}

// wake tells the keeper to look again.
func (s *Socket) wake() {
	select {
	case s.changed <- struct{}{}:
	default: // it has been told, and hasn't looked yet
	}
}

// listening notes Slack's hello.
func (s *Socket) listening(l *line) {
	if _, moved := s.step(l, phaseListening); !moved {
		return
	}
	s.restate("a socket listens", (*SocketState).solved)
	s.Log.Info().Str("socket", l.name).Msg("connected to Slack")
	l.settleOpening(nil)
}

// leave notes that a line is about to end, and has its successor opened while it still listens.
func (s *Socket) leave(l *line, to phase, why error) {
	from, moved := s.step(l, to)
	if !moved {
		return
	}
	switch {
	case from == phaseOpening:
		l.settleOpening(why) // whoever opens it counts the failure
	case atOnce(why):
		s.replace(l, from, why)
	default:
		s.failed(why)
	}
	s.wake()
}

// atOnce reports whether a line that ends so is replaced at once. The others' successors may meet the same.
func atOnce(why error) bool {
	var told *disconnectError
	return !errors.As(why, &told) || (told.Reason != reasonLinkDisabled && told.Reason != reasonTooMany)
}

// replace is the usual case: nothing is wrong but that this one line ends.
func (s *Socket) replace(l *line, from phase, why error) {
	s.mu.Lock()
	stopped := s.stopped
	if time.Since(l.began) > steadyLife {
		s.schedule.lived()
	}
	s.mu.Unlock()
	if stopped || from != phaseListening {
		return // nobody follows, or somebody was called for already
	}
	s.restate("a socket is replaced: "+why.Error(), func(*SocketState) {})
	s.Log.Info().Err(why).Str("socket", l.name).Msg("a socket to Slack ends; its successor is opened")
}

// ended takes a line out. One that ended without a warning is told as a problem if it was the last.
func (s *Socket) ended(l *line, err error) {
	s.leave(l, phaseGoing, err)
	s.mu.Lock()
	s.lines = slices.DeleteFunc(s.lines, func(other *line) bool { return other == l })
	stopped := s.stopped
	s.mu.Unlock()
	s.restate("a socket ended: "+err.Error(), func(state *SocketState) {
		if !stopped && !state.Connected && state.Problem == "" && !l.told {
			state.troubled(err)
		}
	})
	s.Log.Debug().Err(err).Str("socket", l.name).Msg("a socket to Slack ended")
	s.wake()
}

// failed notes that a socket could not be had, or was taken away for a reason that the next one may meet too.
func (s *Socket) failed(err error) {
	s.mu.Lock()
	s.schedule.failed(err, s.count(phase.stays), time.Now())
	again := time.Until(s.schedule.notBefore)
	s.mu.Unlock()
	s.restate("no socket: "+err.Error(), func(state *SocketState) { state.troubled(err) })
	if remedy, fatal := permanent(err); fatal {
		s.Log.Error().Err(err).Str("remedy", remedy).Dur("again_in", again).Msg("Slack lets the bot open no socket: nobody is heard until this is mended, but over those still open")
		return
	}
	s.Log.Warn().Err(err).Dur("again_in", again).Msg("a socket to Slack could not be opened; trying again")
}

// step moves a line on, and says from where; not moved means that it is as far already. A line never goes back.
func (s *Socket) step(l *line, to phase) (from phase, moved bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from = l.phase
	if from >= to {
		return from, false
	}
	l.phase = to
	if to >= phaseWarned {
		l.leaving.Do(func() { close(l.left) })
	}
	return from, true
}

func (s *Socket) phaseOf(l *line) phase {
	s.mu.Lock()
	defer s.mu.Unlock()
	return l.phase
}

// count counts the lines in these phases; the caller holds the lock.
func (s *Socket) count(in func(phase) bool) int {
	n := 0
	for _, l := range s.lines {
		if in(l.phase) {
			n++
		}
	}
	return n
}

// others are the lines that may take what l can't, those first that stay.
func (s *Socket) others(l *line) []*line {
	s.mu.Lock()
	defer s.mu.Unlock()
	var others []*line
	for _, other := range s.lines {
		if other != l && other.phase.hears() {
			others = append(others, other)
		}
	}
	slices.SortStableFunc(others, func(a, b *line) int { return int(a.phase) - int(b.phase) })
	return others
}

// hangUpAll says goodbye on every line; each ends when Slack has answered, or shortly after.
func (s *Socket) hangUpAll() {
	s.mu.Lock()
	lines := slices.Clone(s.lines)
	s.mu.Unlock()
	for _, l := range lines {
		l.hangUp()
	}
}
