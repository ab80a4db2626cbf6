package bot_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/bot"
)

// asks makes the socket want as many connections as the number says.
func (l *lab) asks(n *atomic.Int64) { l.socket.Sockets = func() int { return int(n.Load()) } }

func TestSocket_FewerAreWanted(t *testing.T) {
	inLab(t, func(l *lab) {
		var n atomic.Int64
		l.asks(&n)
		l.rest() // 0: two
		n.Store(1)
		l.pass(10 * time.Second)
		l.wantSockets(1)
		l.heard()
		l.pass(time.Hour)
		if opens := l.opens(); opens != 2 {
			l.Errorf("%d sockets were opened, want two: nobody follows one that is given up", opens)
		}
		if state := l.socket.State(); state.Problem != "" {
			l.Errorf("state = %+v, want no problem", state)
		}
		n.Store(3)
		l.pass(time.Minute)
		l.wantSockets(3)
	})
}

// A socket that is given up says goodbye when what came over it is acknowledged, on it.
func TestSocket_GivenUpAfterItsAcknowledgements(t *testing.T) {
	inLab(t, func(l *lab) {
		w := l.waits()
		var said []chan error
		var owes func() int // of the socket that is given up
		var fewer, asked atomic.Bool
		l.socket.Sockets = func() int {
			if !fewer.Load() {
				return 2
			}
			if !asked.Swap(true) {
				// Slack takes any socket: people go on until the one that will be given up owes something.
				for owes = bot.Oldest(l.socket); len(said) < 3 || owes() == 0; {
					said = append(said, l.says())
					<-w.has
				}
			}
			return 1
		}
		l.rest()
		fewer.Store(true)
		for !asked.Load() {
			l.pass(100 * time.Millisecond)
		}
		l.pass(time.Second)
		for range said {
			if got := l.slack.Snapshot().Sockets(); owes() > 0 && got != 2 {
				l.Errorf("%d sockets, want both while one owes %d acknowledgements", got, owes())
			}
			w.now <- struct{}{} // to any one of those that wait, and not to the one that came first
			if err := <-w.said; err != nil {
				l.Errorf("Ack = %v", err)
			}
			synctest.Wait()
		}
		for _, done := range said {
			if err := <-done; err != nil {
				l.Errorf("a command: %v", err)
			}
		}
		l.pass(5 * time.Second)
		l.wantSockets(1)
		if log := l.log.String(); strings.Contains(log, "another one") {
			l.Errorf("they were not acknowledged on their own socket:\n%s", log)
		}
	})
}

// How many are wanted changes all the time, while people go on.
func TestSocket_GivingUpLosesNothing(t *testing.T) {
	inLab(t, func(l *lab) {
		var n atomic.Int64
		n.Store(3)
		l.asks(&n)
		tr := newTraffic(l)
		l.run().pass(time.Minute)
		l.wantSockets(3)
		for i := range 30 {
			tr.burst(8, func() { n.Store(int64(i%3 + 1)) })
			l.pass(time.Minute)
			l.wantSockets(i%3 + 1)
		}
		if tr.failed != 0 {
			l.Errorf("%d were told that the app did not answer, want nobody", tr.failed)
		}
		tr.wantNothingLost()
		tr.wantAcked()
		t.Logf("%d commands and clicks over %d sockets", tr.next, l.opens())
	})
}

// The keeper asks at any time, and must not be held up by envelopes that nobody acknowledges.
func TestSocket_GivenUpThoughAnAcknowledgementNeverComes(t *testing.T) {
	inLab(t, func(l *lab) {
		var n atomic.Int64
		l.asks(&n)
		release := make(chan struct{})
		var held sync.WaitGroup
		l.socket.Handle = func(context.Context, bot.Envelope, bot.Ack) { held.Add(1); <-release; held.Done() }
		l.rest()
		for range 6 {
			go func() { _, _ = l.slack.Command(l.Context(), ana, team, "/rollback help") }()
		}
		synctest.Wait()
		n.Store(1)
		l.pass(12 * time.Second)
		l.wantSockets(1)
		close(release)
		held.Wait()
	})
}
