package bot_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"rollbackbot/bot"
	"rollbackbot/runbook"
)

const drillID = "rb-drillabcdefgh"

// drillClick is a click on a drill's button as it lies in the inbox.
func drillClick(key, rollback string, at time.Time) runbook.Delivery {
	value := bot.EncodeValue(bot.Value{Rollback: rollback, Plan: strings.Repeat("a", 64), Answer: runbook.SignoffInPlace, Question: 1})
	body, _ := json.Marshal(map[string]any{
		"type": "block_actions", "user": map[string]string{"id": lee}, "channel": map[string]string{"id": team}, "trigger_id": key,
		"actions": []map[string]string{{"type": "button", "block_id": "b", "action_id": string(runbook.SignoffInPlace), "value": value}},
	})
	return runbook.Delivery{Key: key, Kind: "click", Body: body, At: at}
}

func deliver(t *testing.T, inbox *memoryInbox, deliveries ...runbook.Delivery) {
	t.Helper()
	for _, d := range deliveries {
		if _, err := inbox.Put(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
}

// The bot leaves what is about a drill to the drill's process, and answers it itself once nobody else has.
func TestDrill_IsLeftToItsProcess(t *testing.T) {
	b := build(t)
	deliver(t, b.inbox, drillClick("fresh", drillID, time.Now()), drillClick("old", drillID, time.Now().Add(-time.Minute)))
	b.start()
	b.told(lee, "That belongs to a drill, and the program that began it has ended. Nothing was done.")
	b.command(ana, "/rollback help")
	b.told(ana, "What you can type")
	b.inbox.settleBut(t, "fresh")
	if clicks := b.runner.answered(); len(clicks) != 0 {
		t.Errorf("the bot answers for the drill: %+v", clicks)
	}
}

// settleBut waits until all deliveries but one are done.
func (m *memoryInbox) settleBut(t *testing.T, key string) {
	t.Helper()
	timeout := time.After(patience)
	for {
		m.mu.Lock()
		changed, done, open := m.changed, m.done[key], 0
		for _, d := range m.deliveries {
			if !m.done[d.Key] {
				open++
			}
		}
		m.mu.Unlock()
		if done {
			t.Fatalf("%s is done", key)
		}
		if open == 1 {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("%d deliveries are open", open)
		}
	}
}

// A drill's desk takes what is about that drill, and nothing else.
func TestDrill_TakesItsOwnAlone(t *testing.T) {
	b := build(t)
	b.desk.Drill = drillID
	b.runner.onAnswer = func(context.Context, runbook.Click) error { return nil }
	b.runner.keep(runbook.Rollback{ID: drillID, App: "shop"})
	for i, id := range []string{"rb-one", "rb-drillzzzzzzzz", drillID} {
		deliver(t, b.inbox, drillClick(fmt.Sprint(i), id, time.Now().Add(-time.Hour)))
	}
	command, _ := json.Marshal(map[string]string{"user_id": ana, "channel_id": team, "text": "shop because it is broken", "trigger_id": "c"})
	deliver(t, b.inbox, runbook.Delivery{Key: "c", Kind: "command", Body: command, At: time.Now().Add(-time.Hour)})
	b.start()
	timeout := time.After(patience)
	for len(b.runner.answered()) == 0 {
		select {
		case <-timeout:
			t.Fatalf("nothing is taken:\n%s", b.log)
		case <-time.After(10 * time.Millisecond):
		}
	}
	b.stop()
	if _, open := b.inbox.all(); open != 3 || len(b.runner.answered()) != 1 || b.runner.answered()[0].Rollback != drillID || len(b.runner.asked()) != 0 {
		t.Errorf("%d deliveries are open, answered %+v, asked %+v", open, b.runner.answered(), b.runner.asked())
	}
}

// Where no bot runs, a drill's process accepts nothing that nobody would work off: Slack tells the person.
func TestDrill_AloneAcceptsNothingElse(t *testing.T) {
	inLab(t, func(b *lab) {
		b.handler.Drills = true
		b.rest()
		for _, line := range []string{"/rollback", "/rollback shop because it is broken", "/rollback status rb-one"} {
			if _, err := b.slack.Command(b.Context(), ana, team, line); err == nil {
				b.Errorf("%s is accepted", line)
			}
		}
		ts := b.post(team, button(string(runbook.SignoffInPlace), bot.EncodeValue(bot.Value{Rollback: "rb-one", Plan: strings.Repeat("a", 64), Answer: runbook.SignoffInPlace, Question: 1})))
		if _, err := b.slack.Click(b.Context(), lee, team, ts, string(runbook.SignoffInPlace)); err == nil {
			b.Error("a click on a real rollback is accepted")
		}
		if all, _ := b.inbox.all(); len(all) != 0 {
			b.Errorf("%d deliveries are stored", len(all))
		}
		if _, err := b.slack.Command(b.Context(), ana, team, "/rollback abort "+drillID); err != nil {
			b.Errorf("what is about a drill is not accepted: %v", err)
		}
		if _, open := b.slack.OpenView(ana); open {
			b.Error("a form is open")
		}
	})
}
