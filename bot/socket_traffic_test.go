package bot_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/bot"
	"rollbackbot/internal/localslack"
	"rollbackbot/runbook"
)

// traffic is people who type and click while sockets come and go, and what became of it.
type traffic struct {
	*lab
	mu       sync.Mutex
	said     map[string]int // by what was said: how often Slack acknowledged it
	arrived  map[string]int // by envelope: how often it reached the bot
	failed   int            // told that the app did not answer
	repeated int            // said again, because it had not been taken
	next     int
}

func newTraffic(l *lab) *traffic {
	tr := &traffic{lab: l, said: map[string]int{}, arrived: map[string]int{}}
	l.runner.onAnswer = func(context.Context, runbook.Click) error { return nil }
	l.opensAll()
	l.runner.keep(rollback("rb-one", runbook.Request{App: "shop"})) // whose buttons are clicked
	handle := l.socket.Handle
	l.socket.Handle = func(ctx context.Context, e bot.Envelope, ack bot.Ack) {
		tr.mu.Lock()
		tr.arrived[e.ID]++
		tr.mu.Unlock()
		handle(ctx, e, ack)
	}
	return tr
}

func (l *lab) opensAll() {
	l.runner.onRequest = func(_ context.Context, r runbook.Request, _ string) (runbook.Rollback, error) {
		return rollback("rb-one", r), nil
	}
}

// thing is one thing that a person says: a command with a reason of its own, or a click on a button of its own.
type thing struct {
	key   string
	reach func(ctx context.Context) error
}

// things makes n of them, commands and clicks in turn.
func (tr *traffic) things(n int) []thing {
	tr.Helper()
	var list []thing
	for range n {
		tr.next++
		if tr.next%2 == 0 {
			list = append(list, tr.aCommand(tr.next))
		} else {
			list = append(list, tr.aClick(tr.next))
		}
	}
	return list
}

func (tr *traffic) aCommand(n int) thing {
	key := fmt.Sprintf("reason %d", n)
	return thing{key, func(ctx context.Context) error {
		_, err := tr.slack.Command(ctx, ana, team, "/rollback shop because "+key)
		return err
	}}
}

func (tr *traffic) aClick(n int) thing {
	tr.Helper()
	ts := tr.post(team, answerButton(runbook.SignoffNone, int64(n)))
	return thing{fmt.Sprintf("question %d", n), func(ctx context.Context) error {
		_, err := tr.slack.Click(ctx, lee, team, ts, string(runbook.SignoffNone))
		return err
	}}
}

// say has a person say a thing until it is taken: who is told that the app did not answer looks whether it did all the
// same, and says it again if not.
func (tr *traffic) say(th thing) {
	for range 20 {
		err := th.reach(tr.Context())
		if err == nil {
			tr.mu.Lock()
			tr.said[th.key]++
			tr.mu.Unlock()
			return
		}
		if !errors.Is(err, localslack.ErrNotAcked) {
			tr.Errorf("%s: %v", th.key, err)
			return
		}
		time.Sleep(2 * time.Second)
		tr.mu.Lock()
		tr.failed++
		tr.mu.Unlock()
		if tr.done()[th.key] > 0 {
			return
		}
		tr.mu.Lock()
		tr.repeated++
		tr.mu.Unlock()
	}
	tr.Errorf("%s was never taken", th.key)
}

// done says how often the runbook was asked for each thing.
func (tr *traffic) done() map[string]int {
	done := map[string]int{}
	for _, r := range tr.runner.asked() {
		done[r.Reason]++
	}
	for _, c := range tr.runner.answered() {
		done[fmt.Sprintf("question %d", c.Question)]++
	}
	return done
}

// burst has many people say something at once while breakIt happens, and waits until all are through.
func (tr *traffic) burst(n int, breakIt func()) {
	tr.Helper()
	var people sync.WaitGroup
	for i, th := range tr.things(n) {
		people.Go(func() { tr.say(th) })
		if i == n/2 {
			people.Go(breakIt)
		}
	}
	people.Wait()
	synctest.Wait()
}

// wantNothingLost fails the test unless everything was done, once, and nothing acknowledged that is not stored.
func (tr *traffic) wantNothingLost() {
	tr.Helper()
	done := tr.done()
	for n := 1; n <= tr.next; n++ {
		key := fmt.Sprintf("reason %d", n)
		if n%2 != 0 {
			key = fmt.Sprintf("question %d", n)
		}
		if done[key] != 1 {
			tr.Errorf("%s was done %d times, want once", key, done[key])
		}
	}
	if len(done) != tr.next {
		tr.Errorf("%d things were done, %d were said", len(done), tr.next)
	}
	stored, open := tr.inbox.all()
	if len(stored) != tr.next || open != 0 {
		tr.Errorf("%d deliveries are stored and %d open, want %d and none", len(stored), open, tr.next)
	}
	for key, n := range tr.said {
		if n != 1 || done[key] != 1 {
			tr.Errorf("%s was acknowledged %d times and done %d times", key, n, done[key])
		}
	}
	for id, n := range tr.arrived {
		if n != 1 {
			tr.Errorf("the envelope %s arrived %d times", id, n)
		}
	}
}

// wantAcked fails the test unless every envelope that reached the bot was acknowledged.
func (tr *traffic) wantAcked() {
	tr.Helper()
	for _, e := range tr.slack.Envelopes() {
		if tr.arrived[e.ID] > 0 && !e.Acked {
			tr.Errorf("the envelope %s reached the bot and was not acknowledged", e.ID)
		}
	}
}

// Every socket of the bot's is ended 50 times, in each of the ways in which Slack does it, while people go on.
func TestSocket_FiftyRefreshesLoseNothing(t *testing.T) {
	inLab(t, func(l *lab) {
		tr := newTraffic(l)
		l.rest()
		rounds := []func(){
			func() { l.slack.WarnBeforeNext(3) }, // each right behind a warning, on the socket that was warned
			func() { l.slack.Refresh("warning") },
			func() { l.slack.Refresh("refresh_requested") },
		}
		for i := range 51 {
			before := tr.failed
			tr.burst(8, rounds[i%len(rounds)])
			if i%len(rounds) != 2 && tr.failed != before {
				l.Errorf("round %d: %d were told that the app did not answer, want nobody: it was warned", i, tr.failed-before)
			}
			l.pass(20 * time.Second)
			l.wantSockets(2)
		}
		tr.wantNothingLost()
		tr.wantAcked()
		if state := l.socket.State(); !state.Connected || state.Problem != "" {
			l.Errorf("state = %+v", state)
		}
		t.Logf("%d commands and clicks over %d sockets; %d were told that there was no socket and said it again", tr.next, l.opens(), tr.repeated)
	})
}

// A cut connection takes along what is on its way; who is told so says it again, and nobody's word counts twice.
func TestSocket_TwentyDropsLoseNothing(t *testing.T) {
	inLab(t, func(l *lab) {
		tr := newTraffic(l)
		l.rest()
		for range 20 {
			tr.burst(16, l.slack.DropSockets)
			l.pass(20 * time.Second)
			l.wantSockets(2)
		}
		tr.wantNothingLost()
		t.Logf("%d commands and clicks over %d sockets; %d were told that the app did not answer, %d of them said it again", tr.next, l.opens(), tr.failed, tr.repeated)
	})
}

// The same delivery over another socket, as Slack sometimes sends it.
func TestSocket_DeliveredTwiceOverTwoSockets(t *testing.T) {
	inLab(t, func(l *lab) {
		tr := newTraffic(l)
		l.rest()
		th := tr.aCommand(2)
		if err := th.reach(l.Context()); err != nil {
			l.Fatal(err)
		}
		for range 10 { // over the same socket each time: 1 in 1024
			if _, err := l.slack.Redeliver(l.Context()); err != nil {
				l.Errorf("a second delivery was not acknowledged: %v", err)
			}
		}
		synctest.Wait()
		if done := tr.done(); done[th.key] != 1 || len(slices.Collect(maps.Keys(done))) != 1 {
			l.Errorf("done = %v, want %q once", done, th.key)
		}
	})
}
