package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"rollbackbot/internal/localslack"
	"rollbackbot/runbook"
)

// playTimeout bounds the headless demo: it takes about half a minute.
const playTimeout = 2 * time.Minute

// playDemo plays the demo's rollback by itself, and prints what the people say and the record.
func playDemo(ctx context.Context, out, errs io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, playTimeout)
	defer cancel()
	return runDemo(ctx, out, errs, "127.0.0.1:0", scenarioOf(demoEveryday), func(ctx context.Context, d *demo) error {
		p := play{slack: d.slack, out: out}
		record, err := p.rollback(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "\n%s\n", record.Text)
		var metadata runbook.Record
		if err := json.Unmarshal(record.Metadata.Payload, &metadata); err != nil {
			return fmt.Errorf("read the record's metadata: %w", err)
		}
		if metadata.Outcome != runbook.Succeeded {
			return fmt.Errorf("the rollback ended as %s", metadata.Outcome)
		}
		return nil
	})
}

// play is people in the demo's Slack.
type play struct {
	slack *localslack.Server
	out   io.Writer
}

func (p play) rollback(ctx context.Context) (localslack.Message, error) {
	const line = "/rollback shop because checkout answers 503"
	p.say("Ana, on-call, types:  " + line)
	if _, err := p.slack.Command(ctx, demoOnCall, demoChannel, line); err != nil {
		return localslack.Message{}, err
	}
	request, err := p.await(ctx, func(m localslack.Message) bool { return kindOf(m) == "rollback_request" }, p.topLevel)
	if err != nil {
		return localslack.Message{}, err
	}
	p.say("The bot shows the plan and asks the lead.")
	p.say("Mallory, who has no rights, presses a button, and gets a private answer.")
	if _, err := p.slack.Click(ctx, demoNobody, demoChannel, request.TS, string(runbook.SignoffInPlace)); err != nil {
		return localslack.Message{}, err
	}
	p.say("Lena, the engineering lead, presses:  Leave the migration in place")
	if _, err := p.slack.Click(ctx, demoLead, demoChannel, request.TS, string(runbook.SignoffInPlace)); err != nil {
		return localslack.Message{}, err
	}
	p.say("The bot deploys v1, proves it by digest, and watches the error rate.")
	question, err := p.await(ctx, func(m localslack.Message) bool {
		return strings.Contains(string(m.Blocks), string(runbook.ErrorRateBaseline))
	}, func(now *localslack.Snapshot) []localslack.Message { return now.Replies(demoChannel, request.TS) })
	if err != nil {
		return localslack.Message{}, err
	}
	p.say("Ana looks at the dashboard and presses:  Back to baseline")
	if _, err := p.slack.Click(ctx, demoOnCall, demoChannel, question.TS, string(runbook.ErrorRateBaseline)); err != nil {
		return localslack.Message{}, err
	}
	return p.await(ctx, func(m localslack.Message) bool { return kindOf(m) == "rollback_record" }, p.topLevel)
}

func (p play) say(text string) { fmt.Fprintln(p.out, "  "+text) }

func (play) topLevel(now *localslack.Snapshot) []localslack.Message { return now.Messages(demoChannel) }

func kindOf(m localslack.Message) string {
	if m.Metadata == nil {
		return ""
	}
	return m.Metadata.EventType
}

// await waits for the first message that is wanted.
func (p play) await(ctx context.Context, wanted func(localslack.Message) bool, among func(*localslack.Snapshot) []localslack.Message) (localslack.Message, error) {
	var found localslack.Message
	err := p.slack.Wait(ctx, func(now *localslack.Snapshot) bool {
		for _, m := range among(now) {
			if wanted(m) {
				found = m
				return true
			}
		}
		return false
	})
	return found, err
}
