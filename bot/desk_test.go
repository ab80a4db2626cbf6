package bot_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"rollbackbot/bot"
	"rollbackbot/runbook"
)

// slowSpeaker takes a second for each answer, and knows how many it had in hand at most.
type slowSpeaker struct {
	bot.Speaker
	mu              sync.Mutex
	inHand, most, n int
}

func (s *slowSpeaker) Private(context.Context, bot.Reply, bot.Message) error {
	s.count(1)
	time.Sleep(time.Second)
	s.count(-1)
	return nil
}

func (s *slowSpeaker) count(more int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inHand += more
	s.most = max(s.most, s.inHand)
	s.n += max(more, 0)
}

// However many questions there are, a few at a time are in hand, and an answer to a rollback waits for none of them.
func TestDesk_QuestionsHoldNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inbox, speaker := newMemoryInbox(), &slowSpeaker{}
		began := time.Now()
		var aborted time.Duration
		runner := &fakeRunner{onAnswer: func(context.Context, runbook.Click) error {
			aborted = time.Since(began)
			return errors.New("no such rollback")
		}}
		const questions = 100
		for range questions {
			put(t, inbox, "help")
		}
		put(t, inbox, "abort rb-one")
		desk := &bot.Desk{Runner: runner, Inbox: inbox, Speaker: speaker, Form: &bot.Form{Runner: runner}, Log: zerolog.Nop()}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { inbox.settle(t, questions+1); cancel() }()
		desk.Run(ctx)
		if speaker.n != questions+1 || speaker.most < 10 || speaker.most > 20 {
			t.Errorf("%d answers, %d at once; want %d, some at once", speaker.n, speaker.most, questions+1)
		}
		if aborted > time.Millisecond {
			t.Errorf("the abort waited %v", aborted)
		}
	})
}

// put puts a command into the inbox.
func put(t *testing.T, inbox *memoryInbox, text string) {
	t.Helper()
	inbox.mu.Lock()
	key := fmt.Sprintf("trigger-%d", len(inbox.deliveries))
	inbox.mu.Unlock()
	body := `{"team_id":"T1","user_id":"U1","channel_id":"C1","command":"/rollback","text":"` + text + `","trigger_id":"` + key + `"}`
	if fresh, err := inbox.Put(t.Context(), runbook.Delivery{Key: key, Kind: "command", Body: []byte(body), At: time.Now()}); !fresh || err != nil {
		t.Fatal(fresh, err)
	}
}
