package bot_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/bot"
	"rollbackbot/internal/localslack"
)

func TestSocket_TwoAtRest(t *testing.T) {
	inLab(t, func(l *lab) {
		l.rest()
		if n := l.opens(); n != 2 {
			l.Errorf("%d sockets were opened, want 2", n)
		}
		l.pass(24 * time.Hour)
		l.wantSockets(2)
		if n := l.opens(); n != 2 {
			l.Errorf("a quiet day later, %d sockets were opened, want still 2", n)
		}
		l.stop()
		if state := l.socket.State(); state.Connected || state.Sockets != 0 || state.Event != "stopped" {
			l.Errorf("stopped: %+v", state)
		}
	})
}

func one() int { return 1 }

func TestSocket_AsManyAsAskedFor(t *testing.T) {
	inLab(t, func(l *lab) {
		l.socket.Sockets = one
		l.run().pass(time.Hour)
		l.wantSockets(1)
	})
}

func TestSocket_SuccessorComesBeforeTheEnd(t *testing.T) {
	inLab(t, func(l *lab) {
		l.rest()
		l.slack.Refresh("warning")
		l.pass(2 * time.Second)
		l.wantSockets(4) // both old ones are read on
		l.pass(10 * time.Second)
		l.wantSockets(2)
		if state := l.socket.State(); !state.Connected || time.Since(state.Since) < time.Minute || state.Problem != "" {
			l.Errorf("state = %+v, want connected all the time and no problem", state)
		}
	})
}

func TestSocket_LeavesAnOldOneThatSlackKeeps(t *testing.T) {
	inLab(t, func(l *lab) {
		l.rest()
		l.slack.Refresh("warning")
		l.pass(14 * time.Second)
		l.wantSockets(4)
		l.pass(4 * time.Second)
		l.wantSockets(2)
	}, localslack.WithGrace(time.Hour))
}

func TestSocket_KeepsAnOldOneWithoutSuccessor(t *testing.T) {
	inLab(t, func(l *lab) {
		l.rest()
		l.refuse(&localslack.Fault{Status: 500})
		l.slack.Refresh("warning")
		l.pass(time.Minute)
		l.heard()
		l.wantSockets(2)
		l.refuse(nil)
		l.pass(2 * time.Minute)
		l.wantSockets(2)
		if state := l.socket.State(); state.Problem != "" {
			l.Errorf("state = %+v, want no problem any more", state)
		}
	}, localslack.WithGrace(time.Hour))
}

// A proxy that answers pings, and a Slack behind it that is gone.
func TestSocket_SilentOnesAreReplaced(t *testing.T) {
	inLab(t, func(l *lab) {
		l.run()
		l.pass(40 * time.Second)
		l.wantSockets(2)
		if n := l.opens(); n != 2 {
			l.Fatalf("%d sockets were opened, want 2", n)
		}
		l.pass(15 * time.Second)
		if n := l.opens(); n != 4 {
			l.Errorf("%d sockets were opened, want 4: both were silent for 45 s", n)
		}
		l.heard()
	}, localslack.WithPingInterval(0))
}

func TestSocket_BlackHolesAreReplaced(t *testing.T) {
	inLab(t, func(l *lab) {
		l.rest()
		l.net.freeze()
		l.pass(17 * time.Second)
		if n := l.opens(); n != 4 {
			l.Errorf("%d sockets were opened 17 s after the network froze, want 4", n)
		}
		l.pass(time.Minute)
		l.wantSockets(2)
		l.heard()
	})
}

func TestSocket_FlappingIsNoBurst(t *testing.T) {
	inLab(t, func(l *lab) {
		l.run()
		for range 600 {
			l.pass(time.Second)
			l.slack.DropSockets()
		}
		if n := l.opens(); n < 8 || n > 20 {
			l.Errorf("%d sockets were opened in ten minutes, want 8 to 20", n)
		}
		l.pass(2 * time.Minute)
		l.wantSockets(2)
	})
}

func TestSocket_LinkDisabledIsAProblemForAPerson(t *testing.T) {
	inLab(t, func(l *lab) {
		l.rest()
		for range 300 {
			l.slack.Refresh("link_disabled")
			l.pass(time.Second)
		}
		if n := l.opens(); n > 20 {
			l.Errorf("%d sockets were opened in five minutes, want at most 20", n)
		}
		l.slack.Refresh("link_disabled")
		synctest.Wait()
		if state := l.socket.State(); state.Connected || state.Problem != "link_disabled" || !strings.Contains(state.Remedy, "Socket Mode") {
			l.Errorf("state = %+v, want link_disabled and its remedy", state)
		}
		l.pass(5 * time.Minute)
		l.wantSockets(2)
		if state := l.socket.State(); state.Fatal() || state.Problem != "" {
			l.Errorf("state = %+v, want no problem any more", state)
		}
	})
}

func TestSocket_TooManyGoesOnWithFewer(t *testing.T) {
	inLab(t, func(l *lab) {
		for range 9 { // other replicas
			conn := l.otherReplica()
			defer conn()
		}
		before := l.opens()
		l.run().pass(4 * time.Minute)
		state := l.socket.State()
		if !state.Connected || state.Sockets != 1 || state.Problem != "too_many_websockets" || state.Fatal() {
			l.Errorf("state = %+v, want one socket, and that there are too many", state)
		}
		if n := l.opens() - before; n != 2 {
			l.Errorf("%d sockets were opened, want one that listens and one that was one too many", n)
		}
		l.slack.DropSockets() // all, the bot's own too: it must not wait with none
		l.pass(5 * time.Second)
		l.heard()
		l.pass(5 * time.Minute)
		l.wantSockets(2)
	})
}

// otherReplica opens a socket that only holds a place, and gives what closes it.
func (l *lab) otherReplica() (hangUp func()) {
	l.Helper()
	_, url, err := l.api.StartSocketModeContext(l.Context())
	if err != nil {
		l.Fatal(err)
	}
	conn, response, err := l.net.dialer().DialContext(l.Context(), url, nil)
	if err != nil {
		l.Fatal(err)
	}
	_ = response.Body.Close()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			if _, _, err := conn.ReadMessage(); err != nil {
				return
			}
		}
	}()
	return func() {
		_ = conn.Close()
		<-ended
	}
}

func TestSocket_PermanentIsTriedEveryFiveMinutes(t *testing.T) {
	inLab(t, func(l *lab) {
		l.refuse(&localslack.Fault{Error: "missing_scope"})
		l.run().pass(4*time.Minute + 59*time.Second)
		if n := l.opens(); n != 1 || !l.socket.State().Fatal() {
			l.Errorf("%d attempts and %+v, want one and a fatal problem", n, l.socket.State())
		}
		l.pass(2 * time.Second)
		if n := l.opens(); n != 2 {
			l.Errorf("%d attempts after five minutes, want 2", n)
		}
		l.refuse(nil)
		l.pass(6 * time.Minute)
		l.wantSockets(2)
		if state := l.socket.State(); state.Fatal() || state.Problem != "" {
			l.Errorf("mended, the state is %+v", state)
		}
	})
}

func TestSocket_PermanentShowsWhileSomethingListens(t *testing.T) {
	inLab(t, func(l *lab) {
		l.run()
		l.pass(100 * time.Millisecond)
		l.refuse(&localslack.Fault{Error: "token_revoked"})
		l.pass(time.Minute)
		if state := l.socket.State(); !state.Connected || !state.Fatal() || state.Sockets != 1 {
			l.Errorf("state = %+v, want one socket and a fatal problem", state)
		}
		l.heard()
	})
}

// What only a person can mend may come hours after the start, when both sockets are replaced.
func TestSocket_PermanentHoursAfterTheStart(t *testing.T) {
	for _, code := range permanentCodes {
		t.Run(code, func(t *testing.T) {
			inLab(t, func(l *lab) {
				l.rest().pass(5 * time.Hour)
				l.refuse(&localslack.Fault{Error: code})
				l.slack.Refresh("warning")
				l.pass(5 * time.Second)
				if state := l.socket.State(); !state.Connected || state.Problem != code || !state.Fatal() {
					l.Errorf("state = %+v, want connected still, and %s with its remedy", state, code)
				}
				l.heard()
				l.pass(time.Hour)
				if state := l.socket.State(); state.Connected || state.Problem != code || !state.Fatal() {
					l.Errorf("an hour later: %+v, want not connected and %s with its remedy", state, code)
				}
				if n := l.opens(); n > 2+13 {
					l.Errorf("%d sockets were asked for in an hour, want one every five minutes", n-2)
				}
				l.refuse(nil)
				l.pass(6 * time.Minute)
				l.wantSockets(2)
				if state := l.socket.State(); state.Fatal() || state.Problem != "" {
					l.Errorf("mended: %+v", state)
				}
			})
		})
	}
}

func TestSocket_HangingOpenTimesOut(t *testing.T) {
	inLab(t, func(l *lab) {
		l.refuse(&localslack.Fault{Hang: true})
		l.run().pass(9 * time.Second)
		l.refuse(nil)
		l.pass(10 * time.Second)
		l.heard()
	})
}

func TestSocket_HangingDialTimesOut(t *testing.T) {
	inLab(t, func(l *lab) {
		l.net.swallow(true)
		l.run().pass(5 * time.Minute)
		if state := l.socket.State(); state.Connected || state.Problem == "" || state.Fatal() {
			l.Errorf("state = %+v, want a problem that passes", state)
		}
		l.net.swallow(false)
		l.pass(30 * time.Second) // the pause of one who reaches nobody is short
		l.wantSockets(2)
	})
}

func TestSocket_RetryAfterIsHonoured(t *testing.T) {
	inLab(t, func(l *lab) {
		l.refuse(&localslack.Fault{RetryAfter: 90})
		l.run().pass(time.Second)
		l.refuse(nil)
		l.pass(88 * time.Second)
		if n := l.opens(); n != 1 {
			l.Errorf("%d attempts before Slack's 90 s were over, want 1", n)
		}
		l.pass(2 * time.Second)
		l.heard()
	})
}

func TestSocket_StartsUnderSlacksRateLimits(t *testing.T) {
	inLab(t, func(l *lab) {
		l.run().pass(time.Second)
		l.heard()
		l.pass(3 * time.Minute)
		l.wantSockets(2)
	}, localslack.WithRateLimits())
}

func TestSocket_StopIsBounded(t *testing.T) {
	inLab(t, func(l *lab) {
		release := make(chan struct{})
		l.socket.Handle = func(context.Context, bot.Envelope, bot.Ack) { <-release }
		l.rest()
		go func() { _, _ = l.slack.Command(l.Context(), ana, team, "/rollback help") }()
		synctest.Wait()
		began := time.Now()
		l.stop()
		if took := time.Since(began); took > 5*time.Second {
			l.Errorf("the stop took %s, want no more than the bound of the intake and of the goodbye", took)
		}
		close(release)
	})
}
