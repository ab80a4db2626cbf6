package bot

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"rollbackbot/runbook"
)

var update = flag.Bool("update", false, "rewrite the messages in testdata")

func (s *story) requestMessage() Message {
	return requestMessage(s.rb, runbook.Live{}, s.view())
}

func (s *story) question() Message {
	return questionMessage(s.rb, int64(len(s.rb.Questions)), s.view())
}

func (s *story) record() Message { return recordMessage(s.rb, s.view()) }

// goldenMessages is every message in every state, by its file's name.
func goldenMessages(t *testing.T) map[string]Message {
	all := map[string]Message{}
	for _, add := range []func(*testing.T, map[string]Message){requestStates, questionStates, errorRates, recordStates, ownerStates, waitingStates, privateMessages, evidenceStates, bulletins, drills} {
		add(t, all)
	}
	return all
}

func requestStates(t *testing.T, all map[string]Message) {
	fresh := func() *story { return newStory(t) }
	all["request_signoff"] = fresh().requested().requestMessage()
	confirm := fresh()
	confirm.plan.Migration = runbook.MigrationFacts{None: true, Releases: []runbook.ReleaseFact{{Release: "v2", Migration: runbook.MigrationNone, Source: "deployment note says none"}}}
	all["request_confirm"] = confirm.requestedWith(confirm.request(), confirmQuestion(confirm.plan)).requestMessage()
	all["request_confirmed"] = confirm.answer(runbook.Confirm, "U0ONCALL").requestMessage()
	all["request_mixed"] = mixedStory(t).requestMessage()
	fetching := fresh()
	fetching.plan.Missing = map[runbook.Host][]runbook.Image{"deploy@one": {imageOf("api", 1)}, "deploy@two": {imageOf("api", 1), imageOf("web", 1)}}
	all["request_fetching"] = fetching.requested().event(time.Second, runbook.Fetched{Host: "deploy@one"}).requestMessage()
	all["request_fetch_failed"] = fetching.event(time.Second, runbook.Fetched{Host: "deploy@two", Problem: "`docker pull` ended with status 1: no such host"}).requestMessage()
	all["request_signed"] = fresh().signed().requestMessage()
	deploying := fresh().signed().pass(runbook.StepIdentify, runbook.StepFetch, runbook.StepPin).start(runbook.StepDeploy).touch("deploy@one")
	deploying.at = deploying.at.Add(12 * time.Second)
	all["request_deploying"] = requestMessage(deploying.rb, runbook.Live{Host: "deploy@one", Line: "Container shop-api-1  Started"}, deploying.view())
	waiting := fresh().deployed().start(runbook.StepHealth)
	waiting.at = waiting.at.Add(40 * time.Second)
	all["request_health"] = requestMessage(waiting.rb, runbook.Live{Line: "https://api.example.com/health answers 503"}, waiting.view())
	all["request_broken"] = fresh().broken().requestMessage()
	all["request_forward"] = fresh().broken().answer(runbook.RollForward, "U0LEAD").start(runbook.StepIdentify).requestMessage()
	all["request_judging"] = fresh().judging().requestMessage()
	all["request_aborting"] = fresh().deployed().event(time.Second, runbook.AbortRequested{By: "U0ONCALL"}).requestMessage()
	replanned := fresh().signed()
	replanned.plan.Warnings = []string{"deploy@two runs another api than deploy@one"}
	q := signoffQuestion(2, replanned.plan)
	all["request_replanned"] = replanned.event(time.Second, runbook.Replanned{Plan: replanned.plan, Why: "what runs has changed", Question: q}).requestMessage()
	all["request_succeeded"] = fresh().succeeded().requestMessage()
	all["request_rejected"] = fresh().requested().answer(runbook.SignoffReject, "U0LEAD").end(runbook.Rejected, "the engineering lead decided not to roll back").requestMessage()
	all["plan"] = planMessage(fresh().requested().rb)
	changes := fresh()
	changes.plan.Changes = testChanges(12, 7, "ALTER TABLE orders DROP COLUMN total")
	all["request_changes"] = changes.requested().requestMessage()
	all["migrations"] = changesMessage(changes.rb)
	late := fresh()
	late.plan.Changes = &runbook.Changes{Repository: "acme/shop", Late: true, Missing: []string{"which commits lie in between is not known: the repository's host didn't answer in time"}}
	all["request_changes_late"] = late.requested().requestMessage()
}

// testChanges are so many commits and migration files between two releases; every third file breaks something.
func testChanges(commits, migrations int, statement string) *runbook.Changes {
	c := &runbook.Changes{
		Repository: "acme/shop", Base: "c1", Head: "c2", Commits: commits, URL: "https://github.com/acme/shop/compare/c1...c2",
	}
	for i := range migrations {
		m := runbook.MigrationChange{
			Release: "v2", Path: fmt.Sprintf("db/migrations/%04d_orders.sql", i), Status: "added", Verdict: runbook.MayBreak, Statements: 2,
			Worst: runbook.Judgement{Line: 3, Statement: statement, Verdict: runbook.MayBreak, Why: "it drops a column"},
		}
		if i >= migrations/3 {
			m.Verdict, m.Worst = runbook.AddsOnly, runbook.Judgement{Line: 1, Statement: "CREATE TABLE refunds (id bigint PRIMARY KEY)", Verdict: runbook.AddsOnly, Why: "it makes a new table"}
		}
		c.Migrations = append(c.Migrations, m)
	}
	return c
}

// mixedStory is a plan with everything that a person has to mind.
func mixedStory(t *testing.T) *story {
	s := newStory(t)
	s.plan.Running = ""
	s.plan.Hosts[1].Services[0].From = imageOf("api", 3)
	s.plan.Hosts[1].Services[1].From, s.plan.Hosts[1].Services[1].FromNote = runbook.Image{}, "its image was built on the host"
	s.plan.Hosts[1].Services[2].From = s.plan.Hosts[1].Services[2].To
	s.plan.Hosts[0].Services[2].Drifted = true
	s.plan.Excluded = []runbook.ExcludedHost{{Host: "deploy@three", Why: "no route to host"}}
	s.plan.Warnings = []string{"deploy@two runs another api than deploy@one"}
	s.plan.Target.VerifiedAt = time.Time{}
	return s.requested()
}

func questionStates(t *testing.T, all map[string]Message) {
	fresh := func() *story { return newStory(t) }
	all["question_failed"] = fresh().broken().question()
	all["question_failed_answered"] = fresh().broken().answer(runbook.Retry, "U0ONCALL").question()
	expired := fresh().broken()
	all["question_failed_expired"] = expired.event(30*time.Minute, runbook.DeadlinePassed{Question: 2}).question()
	all["question_failed_aborted"] = fresh().broken().event(time.Second, runbook.AbortRequested{By: "U0LEAD"}).question()
	lost := fresh().signed().pass(runbook.StepIdentify).step(runbook.StepFetch, runbook.StepOutcome{Verdict: runbook.Unknown, Detail: "deploy@two: it can't be reached"})
	lost.event(0, runbook.Looked{Host: "deploy@two", Problem: "no route to host"})
	all["question_unknown"] = lost.ask(runbook.Question{Kind: runbook.AskFailed, Text: "deploy@two: it can't be reached", Answers: []runbook.Answer{runbook.Retry, runbook.Abort}}, nil).question()
	all["question_error_rate"] = fresh().judging().question()
	all["question_error_rate_no_data"] = fresh().unjudged().question()
	all["question_error_rate_elevated"] = fresh().elevated().question()
	all["question_error_rate_answered"] = fresh().judging().answer(runbook.ErrorRateElevated, "U0ONCALL").question()
}

func errorRates(t *testing.T, all map[string]Message) {
	back, elevated, unjudged := newStory(t).back(), newStory(t).elevated(), newStory(t).unjudged()
	judged := func(s *story, picture uploaded) Message {
		run, _ := s.rb.Step(runbook.StepErrorRate)
		return errorRateMessage(s.rb, run, picture)
	}
	all["error_rate_back"] = judged(back, uploaded{file: "F0CURVE", alt: "Curve of the error rate of shop."})
	all["error_rate_elevated"] = judged(elevated, uploaded{file: "F0CURVE", alt: "Curve of the error rate of shop."})
	all["error_rate_no_data"] = judged(unjudged, uploaded{})
	all["record_back"] = back.pass(runbook.StepMigration).end(runbook.Succeeded, "digests, health checks and error rate were seen to be right").record()
}

func recordStates(t *testing.T, all map[string]Message) {
	fresh := func() *story { return newStory(t) }
	all["record_succeeded"] = fresh().succeeded().record()
	all["record_unconfirmed"] = fresh().judging().event(30*time.Minute, runbook.DeadlinePassed{Question: 2}).end(runbook.Unconfirmed, "healthy, but nobody judged the error rate in time").record()
	all["record_failed"] = fresh().broken().event(30*time.Minute, runbook.DeadlinePassed{Question: 2}).end(runbook.Failed, "Deploy the previous image: deploy@two: `docker compose up` ended with status 1; nobody decided in time what to do").record()
	all["record_rolled_forward"] = fresh().broken().answer(runbook.RollForward, "U0LEAD").looked("deploy@one", 2).end(runbook.RolledForward, "the rollback failed; the images that it started from run again").record()
	all["record_rejected"] = fresh().requested().answer(runbook.SignoffReject, "U0LEAD").end(runbook.Rejected, "the engineering lead decided not to roll back").record()
	all["record_expired"] = fresh().requested().event(30*time.Minute, runbook.DeadlinePassed{Question: 1}).end(runbook.Expired, "nobody signed off in time").record()
	all["record_aborted"] = fresh().requested().event(time.Minute, runbook.AbortRequested{By: "U0ONCALL"}).end(runbook.Aborted, "<@U0ONCALL> stopped it: nothing was changed").record()
	all["record_reverted"] = fresh().requested().answer(runbook.SignoffReverted, "U0LEAD").start(runbook.StepDeploy).touch("deploy@one").
		event(0, runbook.Looked{Host: "deploy@two", Problem: "no route to host"}).end(runbook.Failed, "it could not be seen").record()
	all["record_mixed"] = mixedStory(t).answer(runbook.SignoffNone, "U0LEAD").end(runbook.Failed, "it ended early").record()
}

func privateMessages(t *testing.T, all map[string]Message) {
	broken, done := newStory(t).broken().rb, newStory(t).succeeded().rb
	all["private_requested"] = RequestedMessage(newStory(t).requested().rb, "https://local.slack.com/archives/C1/p1")
	all["private_busy"] = BusyMessage(broken, "https://local.slack.com/archives/C1/p1")
	all["private_status"] = StatusMessage(broken, false, "https://local.slack.com/archives/C1/p1")
	all["private_status_ended"] = StatusMessage(done, false, "")
	all["private_overview"] = OverviewMessage([]string{"blog", "shop"}, []runbook.Rollback{broken}, nil)
	all["private_overview_abandoned"] = OverviewMessage([]string{"blog"}, nil, []runbook.Rollback{broken})
	good := newStory(t).plan.Target
	bad := runbook.Release{ID: "r-0123456789ab", Migration: runbook.MigrationYes, Quarantine: "rb-7q2mzk4x", LastLiveAt: asked}
	good.Migration = runbook.MigrationNone
	all["private_history"] = HistoryMessage("shop", "", []runbook.Release{bad, good}, pasts(done, broken))
	all["lift"] = liftMessage(runbook.Lift{App: "shop", At: done.EndedAt, Lifted: runbook.Lifted{
		Digest: imageOf("api", 2).Digest, Cause: "<!channel> the pool was *too small*: https://github.com/acme/shop/issues/7", By: "U0LEAD",
	}})
	all["private_history_empty"] = HistoryMessage("shop", "", nil, nil)
	s := newStory(t)
	all["private_plan"] = PlanMessage(s.plan, "it is not proven that there was no migration", s.request())
	all["private_plan_confirm"] = PlanMessage(s.plan, "", s.request())
	all["private_quarantine"] = QuarantineMessage(map[string]map[runbook.Digest]string{"shop": {imageOf("api", 2).Digest: "rb-7q2mzk4x"}, "blog": {}})
	all["private_quarantine_empty"] = QuarantineMessage(nil)
	all["private_help"] = HelpMessage()
	all["private_text"] = TextMessage("No, <@U0ONCALL>: type `/rollback help`, not <!channel> *now*")
}

// asJSON is a message as its golden file has it.
func asJSON(t *testing.T, m Message) []byte {
	t.Helper()
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	file := map[string]any{"text": m.Text, "blocks": m.Blocks}
	if m.Metadata.EventType != "" {
		file["metadata"] = m.Metadata
	}
	if err := encoder.Encode(file); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestMessages_AsInTestdata(t *testing.T) {
	all := goldenMessages(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		file := filepath.Join("testdata", "messages", name+".json")
		got := asJSON(t, all[name])
		if *update {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Errorf("%v; `go test ./bot -run TestMessages -update` writes it", err)
			continue
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the message is now; see the difference after `go test ./bot -run TestMessages -update`. It is:\n%s", file, got)
		}
	}
	files, _ := filepath.Glob(filepath.Join("testdata", "messages", "*.json"))
	for _, file := range files {
		if _, ok := all[file[len("testdata/messages/"):len(file)-len(".json")]]; !ok {
			t.Errorf("%s is no message any more: remove it", file)
		}
	}
}

// pasts are rollbacks as a history lists them.
func pasts(rollbacks ...runbook.Rollback) (list []runbook.Past) {
	for _, rb := range rollbacks {
		list = append(list, runbook.Past{
			ID: rb.ID, At: rb.Request.At, By: rb.Request.By, Reason: rb.Request.Reason, From: rb.Plan.Running, To: rb.Plan.Target.Name(), Outcome: rb.Outcome,
		})
	}
	return list
}
