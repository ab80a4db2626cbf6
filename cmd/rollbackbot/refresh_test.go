package main_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"rollbackbot/internal/journal"
	"rollbackbot/internal/localslack"
	"rollbackbot/runbook"
)

// crowd is people who type and click while sockets end: a command that comes to nothing, since a rollback is open, and
// a click of somebody who may not. Each is refused, privately and in the journal, by which it is counted.
type crowd struct {
	*people
	request string // the message of the open rollback
	before  int    // sockets that were opened by another process
	ended   int    // sockets
	mu      sync.Mutex
	failed  int // were told by Slack that the app did not answer, and said it again
	typed   int
	clicked int
}

// say says one thing until it is acknowledged.
func (c *crowd) say(t *testing.T, click bool) {
	for range 20 {
		var err error
		if click {
			_, err = c.slack.Click(t.Context(), nobody, channel, c.request, string(runbook.SignoffInPlace))
		} else {
			_, err = c.slack.Command(t.Context(), onCall, channel, "/rollback "+c.app+" because nobody saw the other one")
		}
		c.mu.Lock()
		switch {
		case err == nil && click:
			c.clicked++
		case err == nil:
			c.typed++
		case errors.Is(err, localslack.ErrNotAcked):
			c.failed++
		default:
			t.Error(err)
		}
		c.mu.Unlock()
		if err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Error("something was never acknowledged")
}

// round has four people say something while one socket ends, and waits until its successor listens and it is gone.
func (c *crowd) round(t *testing.T, end func()) {
	t.Helper()
	var busy sync.WaitGroup
	for i := range 4 {
		if i == 2 {
			busy.Go(end)
		}
		busy.Go(func() { c.say(t, i%2 == 0) })
	}
	busy.Wait()
	c.ended++
	c.await(t, "the successor", func(now *localslack.Snapshot) bool { return now.Sockets() == 2 && c.sockets(now) >= 2+c.ended })
}

// sockets is how many the bot that listens now has opened.
func (c *crowd) sockets(now *localslack.Snapshot) int { return now.SocketsSoFar() - c.before }

// refreshes and drops are what has to be shown: 25 warnings with an envelope right behind each, 25 ends without one,
// and 20 cuts, each of one socket of two. rest is a pause after each that takes none by itself.
func (c *crowd) refreshes(t *testing.T, rest time.Duration) {
	t.Helper()
	for i := range 50 {
		if i%2 == 0 {
			c.slack.WarnBeforeNext(1)
			c.round(t, func() {})
		} else {
			c.round(t, func() { c.slack.RefreshOne("refresh_requested") })
			time.Sleep(rest)
		}
	}
	if c.failed != 0 {
		t.Errorf("around the refreshes %d were told that the app did not answer, want nobody", c.failed)
	}
}

func (c *crowd) drops(t *testing.T, rest time.Duration) {
	t.Helper()
	for range 20 {
		c.round(t, func() { c.slack.DropOne() })
		time.Sleep(rest)
	}
}

// wantEachOnce counts at both ends: what Slack has as acknowledged was dealt with once, by the journal, and what was
// not acknowledged at most once; no click was answered twice.
func (c *crowd) wantEachOnce(t *testing.T, store *journal.Store) {
	t.Helper()
	events, err := store.Events(t.Context(), c.app, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	dealt := map[string]int{}
	refusedClicks := 0
	for _, e := range events {
		if e.Cause != "" {
			dealt[e.Cause]++
		}
		if _, is := e.Fact.(runbook.Refused); is && e.Actor == nobody {
			refusedClicks++
		}
	}
	acked, unacked := 0, 0
	for _, e := range c.slack.Envelopes() {
		var payload struct {
			Trigger string `json:"trigger_id"`
		}
		if err := json.Unmarshal(e.Payload, &payload); err != nil || payload.Trigger == "" {
			t.Fatalf("an envelope without a trigger: %v\n%s", err, e.Payload)
		}
		n := dealt[payload.Trigger]
		switch {
		case e.Acked && n != 1:
			t.Errorf("%s was acknowledged, and dealt with %d times", e.ID, n)
		case !e.Acked && n > 1:
			t.Errorf("%s was dealt with %d times", e.ID, n)
		}
		if e.Acked {
			acked++
		} else {
			unacked++
		}
	}
	answers := 0
	for _, m := range c.slack.Private(nobody) {
		if strings.Contains(m.Text, "Only an engineering lead") {
			answers++
		}
	}
	if answers != refusedClicks {
		t.Errorf("%d clicks were refused in the journal, and %d answered privately", refusedClicks, answers)
	}
	if pending, err := store.Pending(t.Context()); err != nil || len(pending) != 0 {
		t.Errorf("%d deliveries are left in the inbox (%v)", len(pending), err)
	}
	opened := c.sockets(c.slack.Snapshot())
	if c.ended != 70 || opened != 2+c.ended {
		t.Errorf("%d sockets ended and %d were opened, want 70, and a successor for each", c.ended, opened)
	}
	t.Logf("%d commands and %d clicks over %d sockets; %d envelopes acknowledged, each dealt with once; %d on a cut connection, said again",
		c.typed, c.clicked, opened, acked, unacked)
}

// serveUnpaced starts the bot without the client's pace, and waits for both sockets.
func (b *sickbed) serveUnpaced() {
	b.Helper()
	workspace := b.slack.Workspace()
	b.serve(slack.New(workspace.BotToken, slack.OptionAppLevelToken(workspace.AppToken), slack.OptionAPIURL(b.slack.APIURL()),
		slack.OptionHTTPClient(&http.Client{Timeout: patience})), nil)
	b.await(b, "two sockets", func(now *localslack.Snapshot) bool { return now.Sockets() == 2 })
}

// TestSlack_FiftyRefreshesAndTwentyDrops is over real sockets, with the journal and the inbox on disk. The client's pace
// is left out, which would part the openings by up to a minute; TestSlack_RefreshesOfTheBinary has it.
func TestSlack_FiftyRefreshesAndTwentyDrops(t *testing.T) {
	t.Parallel()
	b := newSickbed(t, t.TempDir(), localslack.WithGrace(200*time.Millisecond))
	if err := b.slack.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	b.serveUnpaced()
	defer b.stop()
	c := &crowd{people: b.people, request: b.asks().TS}
	c.refreshes(t, 0)
	c.drops(t, 0)
	b.presses(lead, c.request, string(runbook.SignoffInPlace))
	b.question(t, c.request, string(runbook.ErrorRateBaseline))
	b.presses(onCall, c.request, string(runbook.ErrorRateBaseline))
	b.ends()
	b.wantOneOfEach()
	c.wantEachOnce(t, b.store)
}

// slowVariable has the long form run: a quarter of an hour.
const slowVariable = "ROLLBACKBOT_TEST_SLOW_REFRESHES"

// TestSlack_RefreshesOfTheBinary is the same with the real binary, its own pace, and Slack's 10 s between a warning and
// the end. Its rollback was asked for by another process, on a host that this one can't reach.
func TestSlack_RefreshesOfTheBinary(t *testing.T) {
	if os.Getenv(slowVariable) == "" {
		t.Skipf("takes a quarter of an hour; %s=1 runs it", slowVariable)
	}
	t.Parallel()
	folder := t.TempDir()
	b := newSickbed(t, folder)
	if err := b.slack.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	b.serveUnpaced()
	defer b.stop()
	c := &crowd{people: b.people, request: b.asks().TS}
	b.leave()
	c.before = b.slack.Snapshot().SocketsSoFar()
	p := unreachable(t, b.slack).with(map[string]string{"ROLLBACK_DATABASE_URL": "sqlite:" + filepath.Join(folder, "journal.db")})
	bot := p.serve(t, nil)
	c.await(t, "two sockets", func(now *localslack.Snapshot) bool { return now.Sockets() == 2 })
	c.refreshes(t, 11*time.Second)
	c.drops(t, 11*time.Second)
	c.clicks(t, lead, c.request, string(runbook.SignoffReject))
	c.record(t, 1)
	bot.stop(t)
	c.wantEachOnce(t, b.store)
	if n := len(ofKind(b.slack.Snapshot(), "rollback_record")); n != 1 {
		t.Errorf("%d records, want one", n)
	}
}
