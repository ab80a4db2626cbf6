package bot

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"rollbackbot/runbook"
)

const hostile = "<!channel> <@U0VICTIM> *b* _i_ ~s~ `c` <https://evil.example|shop> &amp; :boom: \u202etxt"

// hugeStory has 20 hosts that differ, 12 services and a reason of 3,000 characters of the hostile sort.
func hugeStory(t *testing.T) *story {
	var services []string
	for i := range 12 {
		services = append(services, fmt.Sprintf("%c-service-with-a-long-name", 'a'+i))
	}
	app := testApp(services...)
	var hosts []runbook.Host
	for i := range 20 {
		hosts = append(hosts, runbook.Host(fmt.Sprintf("deploy@shop-%02d.a-rather-long-name.example.com:2222", i)))
	}
	s := &story{t: t, at: asked, app: app, plan: testPlan(app, hosts...)}
	s.plan.Missing = map[runbook.Host][]runbook.Image{}
	for i := range s.plan.Hosts {
		for j := range s.plan.Hosts[i].Services {
			s.plan.Hosts[i].Services[j].From = imageOf(services[j], 2+i)
		}
		s.plan.Hosts[i].EnvFile += fmt.Sprint(i)
		s.plan.Warnings = append(s.plan.Warnings, hostile+strings.Repeat("w", 400))
		s.plan.Excluded = append(s.plan.Excluded, runbook.ExcludedHost{Host: runbook.Host(fmt.Sprintf("deploy@gone-%d", i)), Why: hostile + strings.Repeat("x", 4000)})
		s.plan.Migration.Releases = append(s.plan.Migration.Releases, runbook.ReleaseFact{Release: hostile, Migration: "yes", Source: hostile})
		s.plan.Missing[hosts[i]] = []runbook.Image{imageOf(services[0], 1)}
	}
	s.plan.Changes = testChanges(200, 50, hostile+strings.Repeat("s", 300))
	s.plan.Changes.Missing, s.plan.Changes.Late = []string{hostile + strings.Repeat("n", 4000)}, true
	s.plan.Target.Version = hostile + strings.Repeat("v", 300)
	s.plan.Running = hostile
	s.plan.Evidence = testEvidence(runbook.HeldYes, hostile+strings.Repeat("f", 4000))
	request := s.request()
	request.Release, request.Reason = s.plan.Target.Version, hostile+strings.Repeat("ä<&>", 750)
	return s.requestedWith(request, signoffQuestion(1, s.plan))
}

func hugeMessages(t *testing.T) map[string]Message {
	s := hugeStory(t)
	all := map[string]Message{"huge_request": s.requestMessage(), "huge_plan": planMessage(s.rb), "huge_migrations": changesMessage(s.rb), "huge_dry_run": PlanMessage(s.plan, hostile, s.rb.Request)}
	half := runbook.HalfSigned{Question: 1, Answer: runbook.SignoffInPlace, By: "U0ONCALL", Plan: s.plan.Hash(), Reason: hostile + strings.Repeat("r", 3000)}
	s.event(0, runbook.Reminded{Question: 1}, runbook.DeputiesAsked{Question: 1}, runbook.BreakGlassOpened{Question: 1}, half)
	all["huge_asked"], all["huge_break_glass"] = askedMessage(s.rb, 1, runbook.StageDeputies, "https://x.example/p1", s.view()), waitingMessage(s.rb, 1, runbook.StageBreakGlass, s.view())
	all["huge_halves"] = s.requestMessage()
	s.answer(runbook.SignoffInPlace, "U0LEAD").start(runbook.StepDeploy)
	for i, h := range s.plan.Hosts {
		s.touch(h.Host).looked(h.Host, 40+i)
	}
	live := requestMessage(s.rb, runbook.Live{Host: s.plan.Hosts[0].Host, Line: hostile + strings.Repeat("l", 500)}, s.view())
	all["huge_live"] = live
	s.event(time.Second, runbook.StepFinished{Step: runbook.StepDeploy, Attempt: 1, Outcome: runbook.StepOutcome{
		Verdict: runbook.Broken, Detail: hostile + strings.Repeat("d", 5000), Output: strings.Repeat(hostile+"\n", 200),
	}})
	s.ask(runbook.Question{Kind: runbook.AskFailed, Text: hostile + strings.Repeat("q", 5000), Answers: []runbook.Answer{runbook.Retry, runbook.Abort}}, nil)
	all["huge_question"], all["huge_asking"], all["huge_status"] = s.question(), s.requestMessage(), StatusMessage(s.rb, true, "")
	s.event(time.Second, runbook.AbortRequested{By: "U0ONCALL"}).end(runbook.Failed, hostile+strings.Repeat("e", 5000))
	all["huge_record"] = s.record()
	j := runbook.RateJudgement{Verdict: runbook.RateNoData, Missing: hostile + strings.Repeat("m", 5000)}
	all["huge_error_rate"] = errorRateMessage(s.rb, runbook.StepRun{StepOutcome: runbook.StepOutcome{Rate: &j}}, uploaded{file: "F0CURVE", alt: hostile + strings.Repeat("a", 5000)})
	all["huge_text"] = TextMessage(strings.ReplaceAll(hostile, "<@U0VICTIM>", "") + strings.Repeat("&", 9000))
	var many []runbook.Release
	for range 200 {
		many = append(many, s.plan.Target)
	}
	all["huge_history"] = HistoryMessage("shop", "", many, slices.Repeat(pasts(s.rb), 100))
	drift, suggestion := testBulletins()
	suggestion.Running, suggestion.Target, suggestion.Suggestion.Evidence = s.plan.Target, s.plan.Target, s.plan.Evidence
	drift.Drift.Points = nil
	for _, h := range s.plan.Hosts {
		drift.Drift.Points = append(drift.Drift.Points, runbook.DriftPoint{Host: h.Host, Text: hostile + strings.Repeat("p", 2000)})
	}
	all["huge_drift"], all["huge_suggestion"] = bulletinMessage(drift), bulletinMessage(suggestion)
	examination := testExamination()
	for i := range 20 {
		text := hostile + strings.Repeat("x", 400)
		examination.Wrong = append(examination.Wrong, runbook.Trouble{About: fmt.Sprint(i, text), Seen: text, Remedy: text})
	}
	all["huge_checkup"] = examinationMessage(examination)
	blocked := map[runbook.Digest]string{}
	for i := range 300 {
		blocked[imageOf("api", i).Digest] = "rb-1"
	}
	all["huge_quarantine"] = QuarantineMessage(map[string]map[runbook.Digest]string{"shop": blocked})
	return all
}

func TestMessages_KeepSlacksLimits(t *testing.T) {
	all := goldenMessages(t)
	maps.Copy(all, hugeMessages(t))
	for name, m := range all {
		t.Run(name, func(t *testing.T) { checkLimits(t, m) })
	}
}

// node is a JSON object of a message.
type node = map[string]any

func blocksOf(t *testing.T, m Message) []any {
	t.Helper()
	text, err := json.Marshal(m.Blocks)
	if err != nil {
		t.Fatal(err)
	}
	var blocks []any
	if err := json.Unmarshal(text, &blocks); err != nil {
		t.Fatal(err)
	}
	return blocks
}

func length(value any) int {
	text, _ := value.(string)
	return utf8.RuneCountInString(text)
}

func checkLimits(t *testing.T, m Message) {
	blocks := blocksOf(t, m)
	if n := length(m.Text); n == 0 || n >= 4000 {
		t.Errorf("the text has %d characters, want 1 to 3,999", n)
	}
	if len(blocks) == 0 || len(blocks) > 50 {
		t.Errorf("%d blocks, want 1 to 50", len(blocks))
	}
	seen := map[any]bool{}
	for _, b := range blocks {
		id := b.(node)["block_id"]
		if seen[id] || length(id) == 0 || length(id) > 255 {
			t.Errorf("block_id %v is there twice, empty or too long", id)
		}
		seen[id] = true
	}
	walk(blocks, func(n node) { checkNode(t, n) })
	sum := 0
	walk(blocks, func(n node) { sum += length(n["text"]) })
	if sum > 13_500 {
		t.Errorf("all texts together have %d characters, want at most 13,500", sum)
	}
}

func checkNode(t *testing.T, n node) {
	limit := func(what string, value any, most int) {
		if l := length(value); l == 0 || l > most {
			t.Errorf("%s has %d characters, want 1 to %d", what, l, most)
		}
	}
	text := func(value any) any { inner, _ := value.(node); return inner["text"] }
	switch n["type"] {
	case "mrkdwn":
		t.Errorf("%v is read for markup", n["text"])
	case "header":
		limit("a header", text(n["text"]), 150)
	case "button":
		limit("a button", text(n["text"]), 75)
		limit("a button's value", n["value"], 2000)
		if _, err := decodeSuggestion(n["value"].(string)); n["action_id"] == actionSuggested && err == nil {
			break // its value is of another form
		}
		if _, err := DecodeValue(n["value"].(string)); err != nil {
			t.Errorf("the value %v: %v", n["value"], err)
		}
		if confirm, ok := n["confirm"].(node); ok {
			limit("a dialog's title", text(confirm["title"]), 100)
			limit("a dialog's text", text(confirm["text"]), 300)
			limit("a dialog's button", text(confirm["confirm"]), 30)
			limit("a dialog's other button", text(confirm["deny"]), 30)
		}
	case "rich_text_section", "rich_text_preformatted", "rich_text_quote":
		sum := 0
		for _, e := range n["elements"].([]any) {
			sum += length(e.(node)["text"])
		}
		if sum > 3001 {
			t.Errorf("a %s has %d characters, want at most 3,001", n["type"], sum)
		}
	case "text", "plain_text":
		limit("a text", n["text"], 3000)
	case "user":
		if n["user_id"] == "U0VICTIM" {
			t.Errorf("what somebody typed became a mention")
		}
	}
}

func walk(value any, visit func(node)) {
	switch v := value.(type) {
	case []any:
		for _, inner := range v {
			walk(inner, visit)
		}
	case node:
		visit(v)
		for _, inner := range v {
			walk(inner, visit)
		}
	}
}

func TestMessages_TypedTextStaysText(t *testing.T) {
	s := newStory(t)
	request := s.request()
	request.Reason = hostile
	s.requestedWith(request, signoffQuestion(1, s.plan))
	for name, m := range map[string]Message{
		"request": s.requestMessage(), "plan": planMessage(s.rb), "record": s.end(runbook.Rejected, "no").record(),
	} {
		if strings.Contains(m.Text, "<!channel>") || strings.Contains(m.Text, "<@U0VICTIM>") || strings.Contains(m.Text, "<https") {
			t.Errorf("%s: the text has markup that was typed: %s", name, m.Text)
		}
		found := false
		walk(blocksOf(t, m), func(n node) {
			text, _ := n["text"].(string)
			found = found || strings.Contains(text, "<!channel> <@U0VICTIM> *b* _i_ ~s~ `c` <https://evil.example|shop>")
			if n["type"] == "link" && strings.Contains(fmt.Sprint(n["url"]), "evil") {
				t.Errorf("%s: what was typed became a link", name)
			}
		})
		if !found {
			t.Errorf("%s does not show the reason word for word", name)
		}
	}
}

func TestMessages_SayWhatTheyMust(t *testing.T) {
	s := newStory(t)
	s.succeeded()
	for name, want := range map[string]struct {
		m     Message
		parts []string
	}{
		"request": {newStory(t).requested().requestMessage(), []string{
			s.plan.Hash(), "deploy@one, deploy@two", "checkout answers 500", "<@U0ONCALL>", "<@U0OWNER>", "<@U0LEAD>", "<!subteam^S0LEADS>",
			"until 12:30 UTC", "Forward-compatible migrations", "deployment note says yes", "v1", "v2", imageOf("api", 1).Digest.Short(), imageOf("api", 2).Digest.Short(),
		}},
		"plan": {planMessage(s.rb), []string{
			"docker pull " + imageOf("worker", 1).String(), "unless the host has it", "WEB_IMAGE=" + imageOf("web", 1).String(), "/opt/shop/infra/.env",
			"up -d --no-deps --pull never api worker web", "/rollback shop migration yes owner &lt;@U0OWNER&gt; because checkout answers 500",
		}},
		"record": {s.record(), []string{
			"Date and time of rollback", "Image rolled back to", "Image rolled back from", "Reason for rollback", "Migration state (left in place or reverted): left in place",
			"Owner of the follow-up investigation: <@U0OWNER>", "succeeded", imageOf("api", 1).String(), imageOf("api", 2).String(), s.rb.Head, "deploy@two: runs the target",
		}},
	} {
		for _, part := range want.parts {
			if !strings.Contains(want.m.Text, part) {
				t.Errorf("%s doesn't say %q:\n%s", name, part, want.m.Text)
			}
		}
	}
}

func TestMessages_BlockIDsChangeWithTheMessage(t *testing.T) {
	s := newStory(t).requested()
	first, again := s.requestMessage(), s.requestMessage()
	s.answer(runbook.SignoffInPlace, "U0LEAD")
	after := s.requestMessage()
	if first.Blocks[0].ID() != again.Blocks[0].ID() || first.Blocks[0].ID() == after.Blocks[0].ID() {
		t.Errorf("block IDs are %s, %s for the same message, and %s for the next", first.Blocks[0].ID(), again.Blocks[0].ID(), after.Blocks[0].ID())
	}
}

func TestMessages_NothingAboutAMigrationIsGreen(t *testing.T) {
	for name, m := range goldenMessages(t) {
		walk(blocksOf(t, m), func(n node) {
			if n["style"] == "primary" && n["action_id"] != "confirm" {
				t.Errorf("%s: the button %v is green", name, n["action_id"])
			}
		})
	}
}

func TestRecordMessage_MetadataIsTheRecord(t *testing.T) {
	payload := newStory(t).succeeded().record().Metadata.EventPayload
	want := []string{"app", "at", "from", "head", "migration", "outcome", "owner", "plan", "reason", "requested_by", "rollback", "signed_off_by", "to"}
	if got := slices.Sorted(maps.Keys(payload)); !slices.Equal(got, want) {
		t.Errorf("the record has the keys %v, want %v", got, want)
	}
	if payload["at"] != "2026-07-01T12:02:50Z" && !strings.HasSuffix(fmt.Sprint(payload["at"]), "Z") {
		t.Errorf("at is %v, want RFC 3339 in UTC", payload["at"])
	}
	empty := recordPayload(runbook.Rollback{})
	if fmt.Sprint(empty["to"]) != "map[]" || fmt.Sprint(empty["from"]) != "map[]" || empty["signed_off_by"] != "" {
		t.Errorf("absent things are to=%v from=%v signed_off_by=%v, want {}, {} and an empty text", empty["to"], empty["from"], empty["signed_off_by"])
	}
}

// What has to be said is said however much else there is.
func TestMessages_LongListsTakeNoRoomOfWhatMatters(t *testing.T) {
	s := hugeStory(t)
	all := hugeMessages(t)
	for name, parts := range map[string][]string{
		"huge_request":    {s.plan.Hash(), "Roll back, leave the migration in place", "is fetching", "more", "U0OWNER", "200 commits", "45 migration files more", "by its syntax, not tried against the former code", "asked on"},
		"huge_migrations": {s.plan.Hash(), "All 50 migration files", "rollbackbot plan shop"},
		"huge_live":       {s.plan.Hash(), "running for", "abort", "signed off: the migration is left in place"},
		"huge_record":     {s.plan.Hash(), "Owner of the follow-up investigation", "What runs on each host now", "Do not re-deploy the same image"},
		"huge_plan":       {s.plan.Hash(), "more lines", "rollbackbot plan shop"},
		"huge_dry_run":    {s.plan.Hash(), "more lines", "rollbackbot plan shop"},
	} {
		text := string(asJSON(t, all[name]))
		if strings.Contains(text, "The rest is cut") {
			t.Errorf("%s is cut at its end", name)
		}
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Errorf("%s doesn't say %q", name, part)
			}
		}
	}
}
