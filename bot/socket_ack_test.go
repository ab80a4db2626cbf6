package bot_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/bot"
	"rollbackbot/internal/localslack"
)

// waiting is a Handle that tells when it has an envelope, and acknowledges it when it is told to.
type waiting struct {
	has  chan struct{}
	now  chan struct{}
	said chan error // what Ack gave
}

func (l *lab) waits() *waiting {
	w := &waiting{has: make(chan struct{}), now: make(chan struct{}), said: make(chan error, 1)}
	l.socket.Handle = func(ctx context.Context, _ bot.Envelope, ack bot.Ack) {
		ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		w.has <- struct{}{}
		<-w.now
		w.said <- ack(ctx, nil)
	}
	return w
}

// says has a person type a command, and gives what comes of it.
func (l *lab) says() chan error {
	done := make(chan error, 1)
	ctx := l.Context()
	go func() {
		_, err := l.slack.Command(ctx, ana, team, "/rollback help")
		done <- err
	}()
	return done
}

func TestAck_IsWrittenBeforeSlowWork(t *testing.T) {
	inLab(t, func(l *lab) {
		release := make(chan struct{})
		l.socket.Handle = func(ctx context.Context, _ bot.Envelope, ack bot.Ack) {
			if err := ack(ctx, map[string]string{"text": "accepted"}); err != nil {
				l.Error(err)
			}
			<-release // an hour of work
		}
		l.rest()
		began := time.Now()
		ack := l.command(ana, "/rollback help")
		if took := time.Since(began); took > 0 || !strings.Contains(string(ack.Payload), "accepted") {
			l.Errorf("acknowledged after %s with %s, want at once and with its answer", took, ack.Payload)
		}
		close(release)
	})
}

// Nothing is between Ack's return and the wire: the connection is cut right after it.
func TestAck_ReturnsWhenItIsWritten(t *testing.T) {
	inLab(t, func(l *lab) {
		l.socket.Handle = func(ctx context.Context, _ bot.Envelope, ack bot.Ack) {
			if err := ack(ctx, nil); err != nil {
				l.Error(err)
			}
			l.net.freeze()
		}
		l.rest()
		for range 20 {
			l.heard()
			l.pass(2 * time.Minute)
			l.wantSockets(2)
		}
	})
}

func TestAck_AfterSlacksGoodbye(t *testing.T) {
	inLab(t, func(l *lab) {
		w := l.waits()
		l.rest()
		done := l.says()
		<-w.has
		l.slack.Refresh("refresh_requested") // with a close frame, which must not be answered yet
		l.pass(2 * time.Second)
		w.now <- struct{}{}
		if err := <-done; err != nil || <-w.said != nil {
			l.Errorf("the command: %v, want it acknowledged", err)
		}
		if log := l.log.String(); strings.Contains(log, "another one") {
			l.Errorf("it was not acknowledged on its own socket:\n%s", log)
		}
	})
}

func TestAck_OverAnotherSocket(t *testing.T) {
	inLab(t, func(l *lab) {
		w := l.waits()
		l.rest()
		done := l.says()
		<-w.has
		l.slack.DropSockets()
		l.pass(2 * time.Second)
		w.now <- struct{}{}
		if err := <-done; err != nil || <-w.said != nil {
			l.Errorf("the command: %v, want it acknowledged over a successor", err)
		}
	})
}

func TestAck_WithoutAnySocketIsAnError(t *testing.T) {
	inLab(t, func(l *lab) {
		w := l.waits()
		l.rest()
		l.refuse(&localslack.Fault{Status: 500})
		done := l.says()
		<-w.has
		l.slack.DropSockets()
		synctest.Wait()
		w.now <- struct{}{}
		if err := <-w.said; err == nil {
			l.Error("Ack gave nil for what was not written")
		}
		if err := <-done; !errors.Is(err, localslack.ErrNotAcked) {
			l.Errorf("the command: %v", err)
		}
	})
}

func TestAck_TooLargeIsAnError(t *testing.T) {
	inLab(t, func(l *lab) {
		said := make(chan error, 2)
		l.socket.Handle = func(ctx context.Context, e bot.Envelope, ack bot.Ack) {
			frame := len(`{"envelope_id":"` + e.ID + `","payload":{"text":""}}`)
			said <- ack(ctx, map[string]string{"text": strings.Repeat("x", bot.MaxAck-frame)})
			said <- ack(ctx, map[string]string{"text": strings.Repeat("x", bot.MaxAck-frame-1)})
		}
		l.rest()
		ack := l.command(ana, "/rollback help")
		if err := <-said; err == nil || !strings.Contains(err.Error(), "20480") {
			l.Errorf("20480 bytes: %v, want an error with the bound", err)
		}
		if err := <-said; err != nil || len(ack.Payload) < 20_000 {
			l.Errorf("20479 bytes: %v, and Slack has %d of them", err, len(ack.Payload))
		}
	})
}

func TestAck_ThatIsNoJSON(t *testing.T) {
	inLab(t, func(l *lab) {
		said := make(chan error, 1)
		l.socket.Handle = func(ctx context.Context, _ bot.Envelope, ack bot.Ack) {
			said <- ack(ctx, make(chan int))
			_ = ack(ctx, nil)
		}
		l.rest().heard()
		if err := <-said; err == nil {
			l.Error("Ack gave nil for what is no JSON")
		}
	})
}

func TestAck_EndsWithItsContext(t *testing.T) {
	inLab(t, func(l *lab) {
		said := make(chan error, 1)
		l.socket.Handle = func(ctx context.Context, _ bot.Envelope, ack bot.Ack) {
			over, cancel := context.WithCancel(ctx)
			cancel()
			said <- ack(over, nil)
		}
		l.rest()
		if err := <-l.says(); !errors.Is(err, localslack.ErrNotAcked) {
			l.Errorf("the command: %v", err)
		}
		if err := <-said; !errors.Is(err, context.Canceled) {
			l.Errorf("Ack = %v, want the context's end", err)
		}
	})
}

// Two thousand at once, all over two sockets: each has a whole frame.
func TestAck_ManyAtOnce(t *testing.T) {
	inLab(t, func(l *lab) {
		l.rest()
		const n = 2000
		results := make([]chan error, n)
		for i := range results {
			results[i] = l.says()
		}
		for i := range results {
			if err := <-results[i]; err != nil {
				l.Fatalf("command %d: %v", i, err)
			}
		}
		stored, _ := l.inbox.all()
		if len(stored) != n {
			l.Errorf("%d stored, want %d", len(stored), n)
		}
	})
}
