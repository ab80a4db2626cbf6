package bot

import (
	"strings"
	"testing"
	"time"

	"rollbackbot/runbook"
)

// waitingStates are the messages of a question that nobody answers, everywhere where it is asked, and as they end.
func waitingStates(t *testing.T, all map[string]Message) {
	s := newStory(t).requested()
	asked := func(stage runbook.Stage) Message {
		return askedMessage(s.rb, 1, stage, "https://local.slack.com/archives/C1/p1", s.view())
	}
	told := func(stage runbook.Stage) Message { return waitingMessage(s.rb, 1, stage, s.view()) }
	all["asked_lead"] = asked(runbook.StageAsked)
	s.event(10*time.Minute, runbook.Reminded{Question: 1})
	all["asked_lead_reminded"], all["waiting_reminder"], all["request_reminded"] = asked(runbook.StageReminded), told(runbook.StageReminded), s.requestMessage()
	s.event(10*time.Minute, runbook.DeputiesAsked{Question: 1})
	all["asked_deputy"], all["waiting_deputies"], all["request_deputies"] = asked(runbook.StageDeputies), told(runbook.StageDeputies), s.requestMessage()
	s.event(5*time.Minute, runbook.BreakGlassOpened{Question: 1})
	all["waiting_break_glass"] = told(runbook.StageBreakGlass)
	half := runbook.HalfSigned{Question: 1, Answer: runbook.SignoffInPlace, By: "U0ONCALL", Plan: s.plan.Hash(), Reason: "<!channel> nobody answers *and* checkout is down"}
	s.event(time.Minute, half)
	all["waiting_break_glass_half"], all["asked_lead_half"], all["request_break_glass"] = told(runbook.StageBreakGlass), asked(runbook.StageAsked), s.requestMessage()
	half.By, half.Reason = "U0SECOND", "I see the same"
	s.event(time.Minute, half, runbook.Answered{Question: 1, Answer: half.Answer, By: half.By, Plan: half.Plan, Together: []string{"U0ONCALL", "U0SECOND"}})
	all["waiting_break_glass_done"], all["asked_lead_done"], all["request_broken_glass"] = told(runbook.StageBreakGlass), asked(runbook.StageAsked), s.requestMessage()
	all["broken_glass"] = brokenMessage(s.rb, 1, "https://local.slack.com/archives/C1/p1")
	all["record_break_glass"] = s.end(runbook.Failed, "it ended early").record()
	failed := newStory(t).broken()
	all["asked_forward"] = askedMessage(failed.rb, 2, runbook.StageAsked, "", failed.view())
	failed.event(10*time.Minute, runbook.Reminded{Question: 2})
	all["waiting_reminder_forward"] = waitingMessage(failed.rb, 2, runbook.StageReminded, failed.view())
	void := newStory(t).requested()
	void.event(time.Minute, runbook.Replanned{Plan: void.plan, Why: "what runs has changed", Question: signoffQuestion(2, void.plan)})
	all["asked_void"] = askedMessage(void.rb, 1, runbook.StageAsked, "", void.view())
	confirm := newStory(t)
	confirm.requestedWith(confirm.request(), confirmQuestion(confirm.plan)).event(10*time.Minute, runbook.Reminded{Question: 1})
	all["asked_confirm"] = askedMessage(confirm.rb, 1, runbook.StageReminded, "", confirm.view())
}

// Once a question is answered, expired or void, no message of it has a button left.
func TestWaiting_NothingToPressWhenItIsOver(t *testing.T) {
	all := map[string]Message{}
	waitingStates(t, all)
	for _, name := range []string{"waiting_break_glass_done", "asked_lead_done", "asked_void", "broken_glass"} {
		walk(blocksOf(t, all[name]), func(n node) {
			if n["type"] == "button" || n["type"] == "input" {
				t.Errorf("%s still has %v", name, n)
			}
		})
	}
	for name, parts := range map[string][]string{
		"asked_lead_done":      {"<@U0ONCALL>", "<@U0SECOND>", "left in place", "https://local.slack.com/archives/C1/p1"},
		"asked_void":           {"plan has changed"},
		"request_deputies":     {"2026-07-01 12:20:00 UTC also for a deputy: <@U0DEPUTY>"},
		"record_break_glass":   {"Signed off by: <@U0ONCALL>, <@U0SECOND>", "No lead"},
		"broken_glass":         {"/rollback abort rb-7q2mzk4x"},
		"waiting_break_glass":  {"Field: Your reason"},
		"request_broken_glass": {"I see the same"},
	} {
		for _, part := range parts {
			if !strings.Contains(all[name].Text, part) {
				t.Errorf("%s doesn't say %q:\n%s", name, part, all[name].Text)
			}
		}
	}
	if payload := all["record_break_glass"].Metadata.EventPayload; payload["signed_off_by"] != "U0ONCALL,U0SECOND" {
		t.Errorf("the record is signed off by %v", payload["signed_off_by"])
	}
}
