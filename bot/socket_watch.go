package bot

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	// pingInterval is how often a line is pinged. Slack's own client does it every 1.67 s.
	pingInterval = 4 * time.Second
	// pongTimeout is how long a line may be silent that is pinged: two pings unanswered.
	pongTimeout = 10 * time.Second
	// silenceTimeout is how long a line may go without anything that Slack sent of its own accord: a proxy answers
	// pings for a Slack that isn't there any more. Slack pings; its own client expects that every 30 s.
	silenceTimeout = 45 * time.Second
)

var (
	errNoPong = fmt.Errorf("nothing answers pings for %s", pongTimeout)
	errSilent = fmt.Errorf("nothing came of Slack's own accord for %s", silenceTimeout)
)

// pulse is when a line was heard.
type pulse struct {
	mu     sync.Mutex
	sign   time.Time // anything came
	spoken time.Time // something came that is no answer to a ping
}

func (p *pulse) begin() { p.frame() }

func (p *pulse) frame() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sign = time.Now()
	p.spoken = p.sign
}

func (p *pulse) pong() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sign = time.Now()
}

// lost says why a line is taken for dead, or nil.
func (p *pulse) lost() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case time.Since(p.sign) > pongTimeout:
		return errNoPong
	case time.Since(p.spoken) > silenceTimeout:
		return errSilent
	}
	return nil
}

// watch pings a line until it is over, has one replaced that is dead, and hangs up when its successor is there.
func (s *Socket) watch(l *line) {
	ping := time.NewTicker(pingInterval)
	defer ping.Stop()
	left := l.left
	var linger <-chan time.Time // nil until it is about to end
	for {
		select {
		case <-l.over:
			return
		case <-left:
			left, linger = nil, time.After(lingerTime)
		case <-linger:
			s.letGo(l)
			linger = time.After(lingerTime)
		case <-ping.C:
			s.ping(l)
		}
	}
}

// letGo hangs up, unless there is nobody else yet: then the line may still be good for something.
func (s *Socket) letGo(l *line) {
	s.mu.Lock()
	successor := s.count(phase.stays) > 0
	s.mu.Unlock()
	if successor {
		l.hangUp()
	}
}

func (s *Socket) ping(l *line) {
	if !s.phaseOf(l).hears() {
		return
	}
	if err := l.pulse.lost(); err != nil {
		s.leave(l, phaseGoing, err)
		return
	}
	if err := l.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, websocket.ErrCloseSent) {
		s.leave(l, phaseGoing, fmt.Errorf("it takes no pings: %w", err))
	}
}
