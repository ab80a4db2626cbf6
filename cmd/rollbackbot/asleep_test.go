package main_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/bot"
	"rollbackbot/internal/localslack"
	"rollbackbot/runbook"
)

// inWaitingBed is inBed with people who are written to.
func inWaitingBed(t *testing.T, deputies []string, fault func(localslack.Call) *localslack.Fault, run func(*sickbed)) {
	t.Helper()
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := newSickbed(t, folder)
		b.deputies = deputies
		b.slack.Fault(fault)
		network := newWires()
		b.slack.Serve(network)
		workspace := b.slack.Workspace()
		b.serve(bot.NewClient(workspace.BotToken, workspace.AppToken, b.slack.APIURL()), network.dial)
		defer b.stop()
		b.connected(b)
		run(b)
	})
}

// direct waits for a person's private message with these words, and gives it.
func (b *sickbed) direct(user, words string) (found localslack.Message) {
	b.Helper()
	b.await(b, "a private message to "+user+" with "+words, func(now *localslack.Snapshot) bool {
		for _, m := range now.Direct(user) {
			if strings.Contains(m.Text, words) {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

// A lead's click in the private message counts as one in the channel, and every message says so.
func TestWaiting_ALeadAnswersPrivately(t *testing.T) {
	t.Parallel()
	inWaitingBed(t, []string{nobody}, nil, func(b *sickbed) {
		request := b.asks()
		asked := b.direct(lead, "You are asked as an engineering lead")
		if !strings.Contains(string(asked.Blocks), strings.ReplaceAll(request.TS, ".", "")) {
			b.Errorf("it doesn't lead to the channel's message: %s", asked.Text)
		}
		time.Sleep(10 * time.Minute)
		reminded := b.direct(lead, "nobody has answered since")
		if _, err := b.slack.Click(b.Context(), lead, reminded.Channel, reminded.TS, string(runbook.SignoffReject)); err != nil {
			b.Fatal(err)
		}
		record := b.record(b, 1)
		if got := parseRecord(b.T, record).Outcome; got != "rejected" {
			b.Errorf("outcome %s", got)
		}
		b.ends()
		now := b.slack.Snapshot()
		for _, m := range append(now.Direct(lead), now.Replies(channel, request.TS)...) {
			if strings.Contains(string(m.Blocks), string(runbook.SignoffReject)) {
				b.Errorf("it still has its buttons: %s", m.Text)
			}
		}
		for _, m := range now.Direct(lead) {
			if !strings.Contains(m.Text, "<@"+lead+"> decided not to roll back") {
				b.Errorf("it doesn't say who decided: %s", m.Text)
			}
		}
	})
}

// The lead is asleep, the deputy is no member: two requesters sign off, each with a reason, while Slack
// has no link to give.
func TestWaiting_BreakGlass(t *testing.T) {
	t.Parallel()
	fault := func(c localslack.Call) *localslack.Fault {
		if c.Method == "chat.getPermalink" {
			return &localslack.Fault{Error: "internal_error"}
		}
		return nil
	}
	inWaitingBed(t, []string{guest}, fault, func(b *sickbed) {
		request := b.asks()
		b.refused(b, nobody, request.TS, string(runbook.SignoffInPlace), "Only an engineering lead")
		time.Sleep(25 * time.Minute)
		b.refused(b, guest, request.TS, string(runbook.SignoffInPlace), "guests don't count")
		var glass localslack.Message
		b.await(b, "the message of break-glass", func(now *localslack.Snapshot) bool {
			for _, m := range now.Replies(channel, request.TS) {
				if strings.Contains(string(m.Blocks), "break_glass_reason") {
					glass = m
					return true
				}
			}
			return false
		})
		b.refused(b, nobody, glass.TS, string(runbook.SignoffNone), "each with a reason")
		b.refused(b, nobody, request.TS, string(runbook.SignoffNone), "each with a reason")
		sign := func(who, why string) {
			b.Helper()
			if _, err := b.slack.ClickTyped(b.Context(), who, channel, glass.TS, string(runbook.SignoffInPlace), map[string]any{"break_glass_reason": why}); err != nil {
				b.Fatalf("%s: %v\n%s", who, err, b.transcript())
			}
		}
		sign(nobody, "checkout is down and Lena sleeps")
		b.until("one half", func(f runbook.Fact) bool { _, is := f.(runbook.HalfSigned); return is })
		time.Sleep(10 * time.Second) // for the message to show it
		sign(onCall, "I see the same")
		b.until("the sign-off", func(f runbook.Fact) bool { _, is := f.(runbook.Answered); return is })
		if n := len(b.slack.Snapshot().Direct(guest)); n > 0 {
			b.Errorf("%d messages to a guest, who never counts", n)
		}
		told := b.direct(lead, "two requesters signed off")
		if !strings.Contains(told.Text, "checkout is down and Lena sleeps") {
			b.Errorf("the lead is told %s", told.Text)
		}
		b.question(b, request.TS, string(runbook.ErrorRateBaseline))
		b.presses(onCall, request.TS, string(runbook.ErrorRateBaseline))
		record := b.record(b, 1)
		if got := parseRecord(b.T, record); got.SignedOffBy != nobody+","+onCall || got.Outcome != "succeeded" {
			b.Errorf("the record has %+v", got)
		}
		if !strings.Contains(record.Text, "Signed off by: <@"+nobody+">, <@"+onCall+">") || !strings.Contains(record.Text, "I see the same") {
			b.Errorf("the record says %s", record.Text)
		}
		b.ends()
	})
}
