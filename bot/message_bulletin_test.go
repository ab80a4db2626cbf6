package bot

import (
	"testing"
	"time"

	"rollbackbot/runbook"
)

func testEvidence(health runbook.Held, detail string) []runbook.Criterion {
	return []runbook.Criterion{
		{Name: runbook.CriterionHealth, Held: health, Detail: detail},
		{Name: runbook.CriterionErrorRate, Held: runbook.HeldNotMeasured, Detail: "nothing that measures it is configured"},
		{Name: runbook.CriterionRegression, Held: runbook.HeldByPeople, Detail: "whoever asks says so in the reason"},
		{Name: runbook.CriterionDecision, Held: runbook.HeldByPeople, Detail: "whoever asks, and whoever signs off, decides it"},
	}
}

const (
	failingSoFar = "v2 is failing for 3m10s so far, since 11:56:50 UTC: https://api.example.com/health answers 503"
	failingLong  = "v2 has been failing for 12m10s, since 11:47:50 UTC: https://api.example.com/health answers 503"
)

// evidenceStates are those messages in which the runbook's criteria stand.
func evidenceStates(t *testing.T, all map[string]Message) {
	short := newStory(t)
	short.plan.Evidence = testEvidence(runbook.HeldNo, failingSoFar)
	all["request_evidence_short"] = short.requested().requestMessage()
	all["private_plan_evidence"] = PlanMessage(short.plan, "", short.request())
	long := newStory(t)
	long.plan.Evidence = testEvidence(runbook.HeldYes, failingLong)
	all["request_evidence"] = long.requested().requestMessage()
	all["record_evidence"] = long.answer(runbook.SignoffReject, "U0LEAD").end(runbook.Rejected, "the engineering lead decided not to roll back").record()
}

func testBulletins() (drift, suggestion runbook.Bulletin) {
	services := []string{"api", "worker", "web"}
	running := runbook.Release{ID: runbook.ReleaseID(imagesOf(services, 2)), Version: "v2", Images: imagesOf(services, 2), UpAt: asked.Add(-13 * time.Minute), LastLiveAt: asked.Add(-13 * time.Minute)}
	target := runbook.Release{ID: runbook.ReleaseID(imagesOf(services, 1)), Version: "v1", Images: imagesOf(services, 1), VerifiedAt: asked.Add(-49 * time.Hour), LastLiveAt: asked.Add(-50 * time.Hour)}
	drift = runbook.Bulletin{App: "shop", Key: "drift-1", At: asked, Drift: &runbook.Drifted{Key: "drift-1", Points: []runbook.DriftPoint{
		{Key: "1", Host: "deploy@two", Text: "web runs ghcr.io/acme/shop/web@sha256:000265000000, and not ghcr.io/acme/shop/web@sha256:000165000000 as deploy@one, deploy@three"},
		{Key: "2", Host: "deploy@two", Text: "somebody changed WEB_IMAGE, which rollback rb-7q2mzk4x wrote to infra/.env: it says <!channel> now"},
	}}}
	suggestion = runbook.Bulletin{App: "shop", Key: "suggestion-" + running.ID, At: asked, Running: running, Target: target,
		Suggestion: &runbook.Suggested{Release: running.ID, Target: target.ID, Evidence: testEvidence(runbook.HeldYes, failingLong)}}
	return drift, suggestion
}

func bulletins(_ *testing.T, all map[string]Message) {
	drift, suggestion := testBulletins()
	all["bulletin_drift"], all["bulletin_suggestion"] = bulletinMessage(drift), bulletinMessage(suggestion)
	all["checkup_wrong"] = examinationMessage(testExamination())
	all["checkup_well"] = examinationMessage(runbook.Examination{At: asked})
	suggestion.Withdrawn = "another release runs now: v3"
	all["bulletin_suggestion_withdrawn"] = bulletinMessage(suggestion)
}

func testExamination() runbook.Examination {
	return runbook.Examination{At: asked, Examined: runbook.Examined{Notice: "checkup-000001-a", More: 2, Wrong: []runbook.Trouble{
		{About: "channel membership", Seen: "the bot is not in <!channel>", Remedy: "Invite it: /invite @rollbackbot"},
		{About: "shop on deploy@web-1", Seen: "only 812 MiB are free on docker's disk", Remedy: "Make room: docker image prune"},
	}}}
}

// A button's value is taken only as the bot wrote it.
func TestSuggestion_DecodesItsOwnAlone(t *testing.T) {
	good := encodeSuggestion(suggestionValue{App: "shop", Release: "r-1"})
	if v, err := decodeSuggestion(good); err != nil || v.App != "shop" || v.Release != "r-1" {
		t.Errorf("%q reads as %+v, %v", good, v, err)
	}
	for _, text := range []string{"", "{}", good + " ", good + good, `{"app":"shop"}`, `{"app":"shop","release":""}`, `{"release":"r-1","app":"shop"}`, `{"app":"shop","release":"r-1","plan":"x"}`} {
		if v, err := decodeSuggestion(text); err == nil {
			t.Errorf("%q reads as %+v", text, v)
		}
	}
}
