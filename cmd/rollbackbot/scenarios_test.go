package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"rollbackbot/internal/localslack"
	"rollbackbot/internal/practice"
	"rollbackbot/runbook"
)

// rehearsal is a scenario as people play it, without a browser.
type rehearsal struct {
	*testing.T
	ctx  context.Context
	demo *demo
}

// lockedBuffer takes the bot's log in.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// rehearse starts the demo with a scenario and plays it.
func rehearse(t *testing.T, id string, play func(*rehearsal)) {
	t.Helper()
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	defer cancel()
	var log lockedBuffer
	err := runDemo(ctx, io.Discard, &log, "127.0.0.1:0", scenarioOf(id), func(ctx context.Context, d *demo) error {
		r := &rehearsal{T: t, ctx: ctx, demo: d}
		done := make(chan struct{})
		go func() { // its own goroutine: Fatal ends it alone, and the demo is closed all the same
			defer close(done)
			play(r)
		}()
		<-done
		if t.Failed() {
			r.tell()
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if t.Failed() {
		t.Logf("the bot's log:\n%s", log.b.String())
	}
}

// tell logs what everybody sees.
func (r *rehearsal) tell() {
	r.Logf("now: %s", r.demo.slack.Panel().Now)
	for _, m := range r.demo.slack.Messages(demoChannel) {
		r.Logf("%s %s\n%s", m.TS, m.Text, m.Blocks)
		for _, reply := range r.demo.slack.Replies(demoChannel, m.TS) {
			r.Logf("  %s %s", reply.TS, reply.Text)
		}
	}
}

// await waits until ok.
func (r *rehearsal) await(what string, ok func(now *localslack.Snapshot) bool) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, patience)
	defer cancel()
	if err := r.demo.slack.Wait(ctx, ok); err != nil {
		r.Fatalf("waiting for %s: %v", what, err)
	}
}

// message waits for the channel's first message of a kind.
func (r *rehearsal) message(kind string) (found localslack.Message) {
	r.Helper()
	r.await(kind, func(now *localslack.Snapshot) bool {
		i := slices.IndexFunc(now.Messages(demoChannel), func(m localslack.Message) bool { return kindOf(m) == kind })
		if i >= 0 {
			found = now.Messages(demoChannel)[i]
		}
		return i >= 0
	})
	return found
}

// offers waits until the thread of a message, or the message, has a button.
func (r *rehearsal) offers(ts string, action runbook.Answer) (found localslack.Message) {
	r.Helper()
	r.await(string(action), func(now *localslack.Snapshot) bool {
		for _, m := range append(now.Messages(demoChannel), now.Replies(demoChannel, ts)...) {
			if (m.TS == ts || m.ThreadTS == ts) && strings.Contains(string(m.Blocks), `"`+string(action)+`"`) {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

// ask types the command and gives the request.
func (r *rehearsal) ask() localslack.Message {
	r.Helper()
	if _, err := r.demo.slack.Command(r.ctx, demoOnCall, demoChannel, "/rollback shop because checkout answers 503"); err != nil {
		r.Fatal(err)
	}
	return r.message("rollback_request")
}

func (r *rehearsal) click(user string, ts string, action runbook.Answer) {
	r.Helper()
	if _, err := r.demo.slack.Click(r.ctx, user, demoChannel, r.offers(ts, action).TS, string(action)); err != nil {
		r.Fatalf("%s presses %s: %v", user, action, err)
	}
}

// refused waits for a private answer.
func (r *rehearsal) refused(user, words string) {
	r.Helper()
	r.await("a refusal with "+words, func(now *localslack.Snapshot) bool {
		return slices.ContainsFunc(now.Private(user), func(m localslack.Message) bool { return strings.Contains(m.Text, words) })
	})
}

// says waits until the page tells of something that happens.
func (r *rehearsal) says(words string) {
	r.Helper()
	r.await("the panel's "+words, func(*localslack.Snapshot) bool { return strings.Contains(r.demo.slack.Panel().Now, words) })
}

// ends waits for the record, the only one.
func (r *rehearsal) ends(want runbook.Outcome) runbook.Record {
	r.Helper()
	m := r.message("rollback_record")
	var record runbook.Record
	if err := json.Unmarshal(m.Metadata.Payload, &record); err != nil {
		r.Fatal(err)
	}
	if record.Outcome != want {
		r.Errorf("it ended as %s, want %s", record.Outcome, want)
	}
	records := 0
	for _, m := range r.demo.slack.Messages(demoChannel) {
		if kindOf(m) == "rollback_record" {
			records++
		}
	}
	if records != 1 {
		r.Errorf("%d records, want 1", records)
	}
	return record
}

// healed answers the error rate's question and wants a success, with v1 on the host.
func (r *rehearsal) healed(ts string) {
	r.Helper()
	r.offers(ts, runbook.ErrorRateBaseline)
	r.await("the bot's connection", func(now *localslack.Snapshot) bool { return now.Sockets() > 0 }) // without it a click reaches nobody
	r.click(demoOnCall, ts, runbook.ErrorRateBaseline)
	r.ends(runbook.Succeeded)
	for _, service := range []string{"api", "worker", "web"} {
		if !r.demo.world.runs(service, practice.V1) {
			r.Errorf("%s doesn't run v1", service)
		}
	}
}

func (r *rehearsal) press(button string) {
	r.Helper()
	if err := r.demo.slack.Press(button); err != nil {
		r.Fatal(err)
	}
}

// The lead decides on the migration; afterwards the world is put back, and it can be done again.
func TestScenario_Migration(t *testing.T) {
	rehearse(t, "migration", func(r *rehearsal) {
		request := r.ask()
		r.click(demoLead, request.TS, runbook.SignoffInPlace)
		r.healed(request.TS)
		r.press(pressStart + "migration")
		r.await("an empty channel", func(now *localslack.Snapshot) bool {
			return len(now.Messages(demoChannel)) == 0 && now.Sockets() > 0 && !r.demo.slack.Panel().Busy
		})
		if !r.demo.world.runs("api", practice.V2) {
			r.Error("started again, the api doesn't run v2")
		}
		if again := r.ask(); again.TS == request.TS {
			r.Error("the old request is still there")
		}
	})
}

func TestScenario_BadRelease(t *testing.T) {
	rehearse(t, "release", func(r *rehearsal) {
		request := r.ask()
		r.click(demoOnCall, request.TS, runbook.Confirm)
		r.healed(request.TS)
	})
}

func TestScenario_HealthNeverRecovers(t *testing.T) {
	rehearse(t, "sick", func(r *rehearsal) {
		request := r.ask()
		r.click(demoLead, request.TS, runbook.SignoffInPlace)
		failed := r.offers(request.TS, runbook.Retry)
		for _, also := range []runbook.Answer{runbook.RollForward, runbook.Abort} {
			r.offers(request.TS, also)
		}
		r.press(pressDo + "sick")
		r.says("The database is back")
		if _, err := r.demo.slack.Click(r.ctx, demoOnCall, demoChannel, failed.TS, string(runbook.Retry)); err != nil {
			r.Fatal(err)
		}
		r.healed(request.TS)
	})
}

func TestScenario_HostLost(t *testing.T) {
	rehearse(t, "host", func(r *rehearsal) {
		request := r.ask()
		r.click(demoLead, request.TS, runbook.SignoffInPlace)
		r.says("The host is lost")
		r.press(pressDo + "host")
		r.says("The host is back")
		r.healed(request.TS)
	})
}

func TestScenario_SlackLost(t *testing.T) {
	rehearse(t, "slack", func(r *rehearsal) {
		request := r.ask()
		r.click(demoLead, request.TS, runbook.SignoffInPlace)
		r.says("Slack is lost")
		if r.demo.world.await(func() bool { return r.demo.world.runs("web", practice.V1) }) && !strings.Contains(r.demo.slack.Panel().Now, "Slack is lost") {
			r.Error("v1 ran only once Slack was back")
		}
		r.says("Slack answers again")
		r.healed(request.TS)
	})
}

func TestScenario_LeadAsleep(t *testing.T) {
	rehearse(t, "asleep", func(r *rehearsal) {
		request := r.ask()
		r.await("the deputy to be asked", func(now *localslack.Snapshot) bool { return len(now.Direct(demoDeputy)) > 0 })
		reminded := slices.ContainsFunc(r.demo.slack.Snapshot().Direct(demoLead), func(m localslack.Message) bool {
			return strings.Contains(m.Text, "nobody has answered since")
		})
		if !reminded {
			r.Error("the lead was not reminded before the deputy was asked")
		}
		r.click(demoDeputy, request.TS, runbook.SignoffInPlace)
		r.healed(request.TS)
	})
}

// Nobody answers at all, and two requesters sign off together.
func TestScenario_LeadAsleep_BreakGlass(t *testing.T) {
	rehearse(t, "asleep", func(r *rehearsal) {
		request := r.ask()
		var glass localslack.Message
		r.await("break-glass", func(now *localslack.Snapshot) bool {
			for _, m := range now.Replies(demoChannel, request.TS) {
				if strings.Contains(string(m.Blocks), "break_glass_reason") {
					glass = m
					return true
				}
			}
			return false
		})
		for _, half := range [][2]string{{demoOnCall, "checkout is down and nobody answers"}, {demoSecond, "I see the same"}} {
			if _, err := r.demo.slack.ClickTyped(r.ctx, half[0], demoChannel, glass.TS, string(runbook.SignoffInPlace), map[string]any{"break_glass_reason": half[1]}); err != nil {
				r.Fatal(err)
			}
		}
		r.healed(request.TS)
	})
}

func TestScenario_Stranger(t *testing.T) {
	rehearse(t, "stranger", func(r *rehearsal) {
		request := r.ask()
		r.click(demoNobody, request.TS, runbook.SignoffInPlace)
		r.refused(demoNobody, "Only an engineering lead")
		r.click(demoOnCall, request.TS, runbook.SignoffInPlace)
		r.refused(demoOnCall, "engineering lead")
		r.click(demoLead, request.TS, runbook.SignoffInPlace)
		r.healed(request.TS)
	})
}

// The bot's process is killed in the midst of the deployment, and again while it waits for people.
func TestScenario_BotKilled(t *testing.T) {
	rehearse(t, "killed", func(r *rehearsal) {
		request := r.ask()
		r.click(demoLead, request.TS, runbook.SignoffInPlace)
		r.demo.world.await(func() bool { return r.demo.world.runs("api", practice.V1) })
		first := r.demo.world.process()
		r.press(pressDo + "killed")
		r.says("goes on")
		if first.cmd.ProcessState == nil || first.cmd.ProcessState.Exited() || r.demo.world.process() == first {
			r.Errorf("the first process wasn't killed: %v", first.cmd.ProcessState)
		}
		r.offers(request.TS, runbook.ErrorRateBaseline)
		second := r.demo.world.process()
		r.press(pressDo + "killed")
		<-second.ended
		r.await("a third process", func(now *localslack.Snapshot) bool { return r.demo.world.process() != second && now.Sockets() > 0 })
		r.healed(request.TS)
	})
}
