package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"rollbackbot/internal/localslack"
)

// people type and click in the team's channel.
type people struct {
	slack *localslack.Server
	app   string
	// retry says that things go wrong on purpose, so that the on-call presses "try again" where the bot offers it.
	retry bool
}

// patience is how long people wait for the bot before the test gives up: far above what anything takes here, since a
// machine that is slow must fail no test.
const patience = 5 * time.Minute

// connected waits until the bot listens.
func (p *people) connected(tb testing.TB) {
	tb.Helper()
	p.await(tb, "the bot's connection", func(now *localslack.Snapshot) bool { return now.Sockets() > 0 })
}

func (p *people) await(tb testing.TB, what string, ok func(*localslack.Snapshot) bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.slack.Wait(ctx, ok); err != nil {
		tb.Fatalf("waited in vain for %s: %v\n%s", what, err, p.transcript())
	}
}

// transcript is the channel as text, for failures.
func (p *people) transcript() string {
	var out strings.Builder
	now := p.slack.Snapshot()
	for _, m := range now.Messages(channel) {
		out.WriteString("— " + m.Text + "\n")
		for _, reply := range now.Replies(channel, m.TS) {
			out.WriteString("    — " + reply.Text + "\n")
		}
	}
	for _, user := range []string{onCall, lead, nobody, guest} {
		for _, m := range now.Private(user) {
			out.WriteString("only " + user + " — " + m.Text + "\n")
		}
	}
	return out.String()
}

// types has a person type a command, which the bot has to acknowledge.
func (p *people) types(tb testing.TB, user, line string) {
	tb.Helper()
	if _, err := p.slack.Command(context.Background(), user, channel, line); err != nil {
		tb.Fatalf("%s types %q: %v", user, line, err)
	}
}

// clicks has a person press a button, which the bot has to acknowledge.
func (p *people) clicks(tb testing.TB, user, ts, action string) {
	tb.Helper()
	if _, err := p.slack.Click(context.Background(), user, channel, ts, action); err != nil {
		tb.Fatalf("%s presses %s: %v\n%s", user, action, err, p.transcript())
	}
}

// refused has a person press a button and waits for the private answer, which has to hold the reason; it is given back.
func (p *people) refused(tb testing.TB, user, ts, action, reason string) {
	tb.Helper()
	before := len(p.slack.Private(user))
	p.clicks(tb, user, ts, action)
	p.told(tb, user, before, reason)
}

// told waits for a private answer after the first ones that holds the words.
func (p *people) told(tb testing.TB, user string, before int, words string) {
	tb.Helper()
	p.await(tb, "a private answer to "+user+" with "+words, func(now *localslack.Snapshot) bool {
		for _, m := range now.Private(user)[before:] {
			if strings.Contains(m.Text, words) {
				return true
			}
		}
		return false
	})
}

// requestPayload is the metadata of a request's message.
type requestPayload struct {
	Rollback, App, Plan string
}

// requests are the messages of requests, with their metadata.
func requests(now *localslack.Snapshot) (messages []localslack.Message, payloads []requestPayload) {
	for _, m := range ofKind(now, "rollback_request") {
		var payload requestPayload
		if json.Unmarshal(m.Metadata.Payload, &payload) == nil {
			messages, payloads = append(messages, m), append(payloads, payload)
		}
	}
	return messages, payloads
}

func ofKind(now *localslack.Snapshot, kind string) (found []localslack.Message) {
	for _, m := range now.Messages(channel) {
		if m.Metadata != nil && m.Metadata.EventType == kind {
			found = append(found, m)
		}
	}
	return found
}

// request waits for the nth request's message (from 1) and gives it.
func (p *people) request(tb testing.TB, n int) (localslack.Message, requestPayload) {
	tb.Helper()
	var messages []localslack.Message
	var payloads []requestPayload
	p.await(tb, "the request's message", func(now *localslack.Snapshot) bool {
		messages, payloads = requests(now)
		return len(messages) >= n
	})
	return messages[n-1], payloads[n-1]
}

// record waits for the nth record (from 1) and gives it.
func (p *people) record(tb testing.TB, n int) localslack.Message {
	tb.Helper()
	var records []localslack.Message
	p.await(tb, "the record", func(now *localslack.Snapshot) bool {
		records = ofKind(now, "rollback_record")
		return len(records) >= n
	})
	return records[n-1]
}

// button gives the message with an open button, among a request's own message and its thread; false where there is none.
func button(now *localslack.Snapshot, request, action string) (ts string, ok bool) {
	messages := now.Replies(channel, request)
	if m, found := now.Message(channel, request); found {
		messages = append(messages, m)
	}
	for _, m := range messages {
		if strings.Contains(string(m.Blocks), `"`+action+`"`) {
			return m.TS, true
		}
	}
	return "", false
}

// question waits for a question in a request's thread by one of its buttons, and gives its message.
func (p *people) question(tb testing.TB, request, action string) (ts string) {
	tb.Helper()
	p.await(tb, "a message with the button "+action, func(now *localslack.Snapshot) bool {
		found, ok := button(now, request, action)
		ts = found
		return ok
	})
	return ts
}

// insist carries a rollback to its record with a bot that may go away at any moment: what isn't acknowledged is said
// again, as people do. The on-call types the line, the lead leaves the migration in place, the on-call sees the error
// rate back at its baseline. n counts the channel's rollbacks, this one included; meanwhile is called all the time.
func (p *people) insist(tb testing.TB, n int, line string, meanwhile func()) {
	tb.Helper()
	deadline := time.Now().Add(2 * patience)
	var said time.Time
	for {
		meanwhile()
		now := p.slack.Snapshot()
		if len(ofKind(now, "rollback_record")) >= n {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatalf("no record:\n%s", p.transcript())
		}
		if time.Since(said) > repeatAfter && p.sayNext(tb, now, n, line) {
			said = time.Now()
		}
		p.news()
	}
}

// repeatAfter is how long people wait for a message to change before they press its button again.
const repeatAfter = 2 * time.Second

// news waits for something to change, or for a moment.
func (p *people) news() {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	looked := false
	_ = p.slack.Wait(ctx, func(*localslack.Snapshot) bool { // the context's end is no news, and no failure
		changed := looked
		looked = true
		return changed
	})
}

// sayNext says what is to be said as things stand. It reports whether the bot has acknowledged it.
func (p *people) sayNext(tb testing.TB, now *localslack.Snapshot, n int, line string) bool {
	tb.Helper()
	if now.Sockets() == 0 {
		return false
	}
	var acked bool
	var err error
	if messages, _ := requests(now); len(messages) < n {
		_, err = p.slack.Command(context.Background(), onCall, channel, line)
		acked = err == nil
	} else {
		acked, err = p.press(tb, now, messages[n-1].TS)
	}
	if err != nil && !errors.Is(err, localslack.ErrNotAcked) && !errors.Is(err, localslack.ErrNoElement) {
		tb.Fatalf("%v\n%s", err, p.transcript())
	}
	return acked
}

// press presses the button that is open for a person; it reports whether the bot has acknowledged a click.
func (p *people) press(tb testing.TB, now *localslack.Snapshot, request string) (bool, error) {
	tb.Helper()
	for _, offer := range []struct{ action, user string }{{"signoff_in_place", lead}, {"error_rate_baseline", onCall}, {"retry", onCall}} {
		ts, ok := button(now, request, offer.action)
		if !ok {
			continue
		}
		if offer.action == "retry" && !p.retry {
			tb.Fatalf("the bot asks what to do about a failure, and nothing has failed:\n%s", p.transcript())
		}
		_, err := p.slack.Click(context.Background(), offer.user, channel, ts, offer.action)
		return err == nil, err
	}
	return false, nil
}
