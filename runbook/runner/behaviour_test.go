package runner

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/internal/standin"
	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
	"rollbackbot/runbook/preflight"
)

// inBubble runs a test in a bubble, where half an hour of waiting takes none.
func inBubble(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newWorld(t)) })
}

func TestSignoff_WhoMayPressWhat(t *testing.T) {
	rb := runbook.Rollback{Request: runbook.Request{By: "UASKED"}}
	lead, requester, other := runbook.Roles{Person: "ULEAD", Lead: true}, runbook.Roles{Person: "UREQ", Requester: true}, runbook.Roles{Person: "UOTHER"}
	asked, askedLead := runbook.Roles{Person: "UASKED", Requester: true}, runbook.Roles{Person: "UASKED", Lead: true, Requester: true}
	guest := runbook.Roles{Person: "UGUEST", Lead: true, Barred: "a guest"}
	for _, row := range []struct {
		answer runbook.Answer
		may    []runbook.Roles
		mayNot []runbook.Roles
	}{
		{runbook.Confirm, []runbook.Roles{asked, askedLead}, []runbook.Roles{lead, requester, other, guest}},
		{runbook.SignoffInPlace, []runbook.Roles{lead}, []runbook.Roles{asked, askedLead, requester, other, guest}},
		{runbook.SignoffReverted, []runbook.Roles{lead}, []runbook.Roles{asked, askedLead, requester, other, guest}},
		{runbook.SignoffNone, []runbook.Roles{lead}, []runbook.Roles{asked, askedLead, requester, other, guest}},
		{runbook.SignoffReject, []runbook.Roles{lead}, []runbook.Roles{asked, askedLead, requester, other, guest}},
		{runbook.RollForward, []runbook.Roles{lead}, []runbook.Roles{asked, askedLead, requester, other, guest}},
		{runbook.ErrorRateBaseline, []runbook.Roles{lead, requester, asked}, []runbook.Roles{other, guest}},
		{runbook.ErrorRateElevated, []runbook.Roles{lead, requester, asked}, []runbook.Roles{other, guest}},
		{runbook.Retry, []runbook.Roles{lead, requester, asked}, []runbook.Roles{other, guest}},
		{runbook.Abort, []runbook.Roles{lead, asked}, []runbook.Roles{requester, other, guest}},
		{"format_the_disk", nil, []runbook.Roles{lead, asked, guest}},
	} {
		for _, roles := range row.may {
			if err := (runbook.Policy{}).MayAnswer(rb, row.answer, roles); err != nil {
				t.Errorf("%s by %+v: %v", row.answer, roles, err)
			}
		}
		for _, roles := range row.mayNot {
			if err := (runbook.Policy{}).MayAnswer(rb, row.answer, roles); err == nil {
				t.Errorf("%s by %+v was let through", row.answer, roles)
			}
		}
	}
	if err := (runbook.Policy{SelfSignoff: true}).MayAnswer(rb, runbook.SignoffInPlace, askedLead); err != nil {
		t.Errorf("with ROLLBACK_SELF_SIGNOFF: %v", err)
	}
}

func TestAnswer_ARefusedClickIsJournalledAndChangesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		r, p := w.start(0)
		defer w.stop(r, p)
		rb, err := r.Request(t.Context(), w.request(), "")
		if err != nil {
			t.Fatal(err)
		}
		for _, by := range []string{"UONCALL", "UOTHER", "USTRANGER"} {
			var no *runbook.RefusedError
			if err := w.click(r, rb, runbook.SignoffInPlace, by); !errors.As(err, &no) {
				t.Errorf("%s signed off: %v", by, err)
			}
		}
		stale := runbook.Click{Rollback: rb.ID, Plan: strings.Repeat("0", 64), Answer: runbook.SignoffInPlace, By: "ULEAD"}
		var no *runbook.RefusedError
		if err := r.Answer(t.Context(), stale); !errors.As(err, &no) || !strings.Contains(no.Why, "plan has changed") {
			t.Errorf("a click on another plan: %v", err)
		}
		refusals := 0
		for _, e := range w.events() {
			if _, ok := e.Fact.(runbook.Refused); ok && e.Rollback == rb.ID {
				refusals++
			}
		}
		if refusals != 4 {
			t.Errorf("%d refusals journalled, want 4", refusals)
		}
		if now := w.only(); now.State != runbook.StateRequested {
			t.Errorf("the state is %s", now.State)
		}
		if ups := w.hosts["deploy@one"].UpsRun(); len(ups) > 0 {
			t.Errorf("something ran: %v", ups)
		}
	})
}

func TestAnswer_TwiceIsOnceAndAContradictionIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		r, p := w.start(0)
		defer w.stop(r, p)
		rb, _ := r.Request(t.Context(), w.request(), "")
		for range 3 {
			if err := w.click(r, rb, runbook.SignoffInPlace, "ULEAD"); err != nil {
				t.Errorf("the same click again: %v", err)
			}
		}
		if err := w.click(r, rb, runbook.SignoffReject, "ULEAD"); err == nil {
			t.Error("a contradiction was taken")
		}
		if err := w.click(r, rb, runbook.SignoffInPlace, "UBOTH"); err == nil {
			t.Error("a second lead's sign-off was taken")
		}
	})
}

func TestRollback_NobodySignsOff(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		rb := w.run(nil)
		if rb.Outcome != runbook.Expired || w.slack.count("record") != 1 {
			t.Errorf("outcome %s, %d records", rb.Outcome, w.slack.count("record"))
		}
		if lasted := rb.EndedAt.Sub(rb.Request.At); lasted < 30*time.Minute || lasted > 31*time.Minute {
			t.Errorf("it waited for %s", lasted)
		}
		w.wantRunning(w.v2)
	})
}

func TestRollback_Rejected(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		rb := w.run(answers{runbook.AskSignoff: {"ULEAD", runbook.SignoffReject}})
		if rb.Outcome != runbook.Rejected || rb.MigrationState() != runbook.StateUnknown {
			t.Errorf("outcome %s, migration %s", rb.Outcome, rb.MigrationState())
		}
		w.wantRunning(w.v2)
	})
}

func TestRollback_ErrorRateJudgedByNobody(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		people := answers{runbook.AskSignoff: {"ULEAD", runbook.SignoffReverted}}
		if rb := w.run(people); rb.Outcome != runbook.Unconfirmed || rb.MigrationState() != runbook.StateReverted {
			t.Errorf("outcome %s, migration %s", rb.Outcome, rb.MigrationState())
		}
		w.wantRunning(w.v1)
	})
}

func TestRollback_ErrorRateStillElevated(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		people := answers{runbook.AskSignoff: {"ULEAD", runbook.SignoffInPlace}, runbook.AskErrorRate: {"UONCALL", runbook.ErrorRateElevated}}
		rb := w.run(people)
		if rb.Outcome != runbook.Failed || !strings.Contains(rb.Why, "elevated") {
			t.Errorf("outcome %s: %s", rb.Outcome, rb.Why)
		}
	})
}

func TestRollback_NoLeadNeededTheRequesterConfirms(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.note(runbook.Deployed{Images: w.v2, Version: "v2", Migration: runbook.MigrationNone})
		r, p := w.start(0)
		rb, err := r.Request(t.Context(), w.request(), "")
		if err != nil || rb.Question().Kind != runbook.AskConfirm {
			t.Fatalf("%v, asked %+v", err, rb.Question())
		}
		time.Sleep(time.Minute)
		if len(w.hosts["deploy@one"].UpsRun()) > 0 {
			t.Error("it ran on the mere command")
		}
		w.play(r, p, goingWell)
		w.stop(r, p)
		if rb = w.only(); rb.Outcome != runbook.Succeeded || rb.MigrationState() != runbook.StateNone {
			t.Errorf("outcome %s, migration %s", rb.Outcome, rb.MigrationState())
		}
	})
}

func TestPolicy_WhatProvesThatThereWasNoMigration(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		planner := preflight.Planner{Hosts: w.lab, Journal: w.journal}
		needs := func(request runbook.Request) string {
			t.Helper()
			plan, err := planner.Plan(t.Context(), w.app, request)
			if err != nil {
				t.Fatal(err)
			}
			return runbook.Policy{}.NeedsLead(plan)
		}
		said := w.request()
		said.Migration = "none"
		if needs(said) == "" {
			t.Error("the requester's word was taken for a proof")
		}
		w.note(runbook.Deployed{Images: w.v2, Version: "v2", Migration: runbook.MigrationNone})
		if why := needs(w.request()); why != "" {
			t.Errorf("a note says none, and yet: %s", why)
		}
		exact := w.request()
		exact.Images = w.v1
		if needs(exact) == "" {
			t.Error("a target given image by image was taken for a proof")
		}
		if (runbook.Policy{SignoffAlways: true}).NeedsLead(runbook.Plan{Migration: runbook.MigrationFacts{None: true}}) == "" {
			t.Error("ROLLBACK_SIGNOFF=always asks nobody")
		}
	})
}

func TestRollback_SomebodyDeploysWhileTheLeadSleeps(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		r, p := w.start(0)
		rb, _ := r.Request(t.Context(), w.request(), "")
		h := w.hosts["deploy@one"]
		v3 := runbooktest.Release(3)
		w.deploy(v3)
		if err := w.click(r, rb, runbook.SignoffInPlace, "ULEAD"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		now := w.only()
		if now.State != runbook.StateRequested || now.Plan.Hash() == rb.Plan.Hash() || now.Signoff.By != "" {
			t.Errorf("the sign-off was not voided: %s, signed by %q", now.State, now.Signoff.By)
		}
		if len(h.UpsRun()) > 0 {
			t.Errorf("something ran on a plan that was not true any more: %v", h.UpsRun())
		}
		if err := w.click(r, rb, runbook.SignoffInPlace, "ULEAD"); err == nil {
			t.Error("a click on the old plan counted")
		}
		w.play(r, p, goingWell)
		w.stop(r, p)
		if rb = w.only(); rb.Outcome != runbook.Succeeded || rb.Plan.From()["api"] != v3["api"] {
			t.Errorf("outcome %s from %s", rb.Outcome, rb.Plan.From()["api"])
		}
		w.wantRunning(w.v1)
	})
}

func TestRollback_AbortBeforeUpPutsThePinsBack(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := w.hosts["deploy@one"]
		before := pinsFile(h)
		w.exports("WEB_IMAGE", w.v2["web"]) // wins over the pins, which is found out after they are written
		rb := w.run(answers{runbook.AskSignoff: {"ULEAD", runbook.SignoffInPlace}, runbook.AskFailed: {"UONCALL", runbook.Abort}})
		if rb.Outcome != runbook.Aborted || pinsFile(h) != before || len(h.UpsRun()) > 0 {
			t.Errorf("outcome %s, %d ups, pins back: %v", rb.Outcome, len(h.UpsRun()), pinsFile(h) == before)
		}
	})
}

func TestRollback_AbortWhileWatching(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		r, p := w.start(0)
		rb, _ := r.Request(t.Context(), w.request(), "")
		if err := w.click(r, rb, runbook.SignoffInPlace, "ULEAD"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if err := w.click(r, w.only(), runbook.Abort, "UONCALL"); err != nil {
			t.Fatal(err)
		}
		w.play(r, p, nil)
		w.stop(r, p)
		if rb = w.only(); rb.Outcome != runbook.Aborted || !strings.Contains(rb.Why, "stay as they are") {
			t.Errorf("outcome %s: %s", rb.Outcome, rb.Why)
		}
		w.wantRunning(w.v1)
	})
}

func TestRollback_UpFailsAndIsTriedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.failsUp("deploy@one", 1)
		rb := w.run(goingWell)
		if rb.Outcome != runbook.Succeeded {
			t.Errorf("outcome %s: %s", rb.Outcome, rb.Why)
		}
		if run, _ := rb.Step(runbook.StepDeploy); run.Attempt != 2 {
			t.Errorf("it was deployed in %d attempts", run.Attempt)
		}
		w.wantRunning(w.v1)
	})
}

func TestRollback_TheOldImageIsSickTooAndALeadGoesForward(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.lab.SetSick(w.v1["api"], true)
		rb := w.run(answers{runbook.AskSignoff: {"ULEAD", runbook.SignoffInPlace}, runbook.AskFailed: {"ULEAD", runbook.RollForward}})
		// v2 is as sick as v1: going forward fails as well, and nothing is left but to say so.
		if rb.Outcome != runbook.Failed || rb.Direction != runbook.Forward {
			t.Errorf("outcome %s, direction %q: %s", rb.Outcome, rb.Direction, rb.Why)
		}
		w.wantRunning(w.v2)
	})
}

func TestRollback_Forward(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.sick(w.v1["api"])
		rb := w.run(answers{runbook.AskSignoff: {"ULEAD", runbook.SignoffInPlace}, runbook.AskFailed: {"ULEAD", runbook.RollForward}, runbook.AskErrorRate: {"UONCALL", runbook.ErrorRateBaseline}})
		if rb.Outcome != runbook.RolledForward {
			t.Errorf("outcome %s: %s", rb.Outcome, rb.Why)
		}
		w.wantRunning(w.v2)
	})
}

func TestRollback_AHostThatCantBeReachedIsLeftOutByName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "deploy@one", "deploy@two")
		w.down("deploy@two", true)
		w.note(runbook.Deployed{Images: w.v2, Version: "v2", Migration: runbook.MigrationNone})
		r, p := w.start(0)
		rb, err := r.Request(t.Context(), w.request(), "")
		if err != nil {
			t.Fatal(err)
		}
		if len(rb.Plan.Excluded) != 1 || rb.Question().Kind != runbook.AskSignoff {
			t.Errorf("excluded %v, asked %s", rb.Plan.Excluded, rb.Question().Kind)
		}
		w.play(r, p, goingWell)
		w.stop(r, p)
		if got := w.runsNow("deploy@two", "api"); !slices.Equal(got, []runbook.Image{w.v2["api"]}) {
			t.Errorf("the host that was left out runs %s", got)
		}
	})
}

func TestRollback_SecondHostIsNotTouchedBeforeTheFirstIsHealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "deploy@one", "deploy@two")
		w.app.Health.URLs = []string{"http://{host}/health"}
		w.lab.SetSick(w.v1["api"], true)
		w.run(answers{runbook.AskSignoff: {"ULEAD", runbook.SignoffInPlace}})
		if ups := w.hosts["deploy@two"].UpsRun(); len(ups) > 0 {
			t.Errorf("the second host was touched: %v", ups)
		}
	})
}

func TestRollback_AnotherHoldsTheHost(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.leased("deploy@one", standin.Lease{Rollback: "lock", Epoch: 7, Until: longAfter, Holder: "CI of shop", Since: "2026-01-01T03:00:00Z", Reason: "deploying v4"})
		rb := w.run(answers{runbook.AskSignoff: {"ULEAD", runbook.SignoffInPlace}})
		if rb.Outcome != runbook.Failed || !strings.Contains(rb.Why, "CI of shop") || !strings.Contains(rb.Why, "deploying v4") {
			t.Errorf("outcome %s: %s", rb.Outcome, rb.Why)
		}
		w.wantRunning(w.v2)
	})
}

func TestRollback_AnOldDatabaseDoesNotLockItselfOut(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.leased("deploy@one", standin.Lease{Rollback: "rb-old", Epoch: 41})
		if rb := w.run(goingWell); rb.Outcome != runbook.Succeeded || rb.Hosts["deploy@one"].Epoch <= 41 {
			t.Errorf("outcome %s with epoch %d", rb.Outcome, rb.Hosts["deploy@one"].Epoch)
		}
	})
}

func TestRollback_TheLeaseIsRemovedUnderWay(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		r, p := w.start(0)
		rb, _ := r.Request(t.Context(), w.request(), "")
		h := w.hosts["deploy@one"]
		w.failsUp("deploy@one", 1)
		if err := w.click(r, rb, runbook.SignoffInPlace, "ULEAD"); err != nil {
			t.Fatal(err)
		}
		for w.only().Question() == nil {
			time.Sleep(time.Second)
		}
		h.Set(func(s *standin.State) { s.Lease = nil })
		ups := len(h.UpsRun())
		if err := w.click(r, w.only(), runbook.Retry, "UONCALL"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if q := w.only().Question(); q == nil || !strings.Contains(q.Text, "gone") || len(h.UpsRun()) != ups {
			t.Errorf("it acted in the dark: %d ups, asked %+v", len(h.UpsRun()), q)
		}
		w.play(r, p, goingWell)
		w.stop(r, p)
	})
}

func TestRollback_SlackIsAwayInTheMiddle(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		r, p := w.start(0)
		rb, _ := r.Request(t.Context(), w.request(), "")
		if err := w.click(r, rb, runbook.SignoffInPlace, "ULEAD"); err != nil {
			t.Fatal(err)
		}
		w.slack.mu.Lock()
		w.slack.down = true
		w.slack.mu.Unlock()
		time.Sleep(10 * time.Minute)
		w.wantRunning(w.v1)
		w.slack.mu.Lock()
		w.slack.down, w.slack.lose = false, 2
		w.slack.mu.Unlock()
		w.play(r, p, goingWell)
		w.stop(r, p)
		if n := w.slack.count("record"); n != 1 {
			t.Errorf("%d records, want 1", n)
		}
	})
}

func TestRequest_WhatGetsNoFurther(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		r, p := w.start(0)
		defer w.stop(r, p)
		for _, row := range []struct {
			name   string
			change func(*runbook.Request)
			want   string
		}{
			{"a stranger", func(q *runbook.Request) { q.By = "USTRANGER" }, "can't ask"},
			{"somebody without rights", func(q *runbook.Request) { q.By = "UOTHER" }, "ROLLBACK_REQUESTERS"},
			{"an unknown app", func(q *runbook.Request) { q.App = "shoop" }, "there are: shop"},
			{"an unknown release", func(q *runbook.Request) { q.Release = "v9" }, "v1"},
			{"what runs already", func(q *runbook.Request) { q.Release = "v2" }, "runs v2 already"},
			{"a short prefix", func(q *runbook.Request) { q.Release = "sha256:abc" }, "12 digits"},
			{"a foreign repository", func(q *runbook.Request) {
				q.Images = runbooktest.Release(1)
				q.Images["api"] = runbook.Image{Name: "evil.example/api", Digest: q.Images["api"].Digest}
			}, "no repository that api runs now"},
			{"an image for one service only", func(q *runbook.Request) { q.Images = map[string]runbook.Image{"api": runbooktest.Image("api", 1)} }, "every service"},
			{"an image that is nowhere", func(q *runbook.Request) { q.Images = runbooktest.Release(8) }, "neither on this host nor in the registry"},
		} {
			request := w.request()
			row.change(&request)
			if _, err := r.Request(t.Context(), request, ""); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("%s: got %v, want something about %q", row.name, err, row.want)
			}
		}
		if n := w.slack.count("request"); n != 0 {
			t.Errorf("%d requests were posted", n)
		}
		if _, err := r.Request(t.Context(), w.request(), ""); err != nil {
			t.Fatal(err)
		}
		var busy *runbook.BusyError
		if _, err := r.Request(t.Context(), w.request(), ""); !errors.As(err, &busy) {
			t.Errorf("a second one for the same app: %v", err)
		}
	})
}

// A registry that can't be asked ends no request: who signs is told, and the fetch while they decide tells.
func TestRequest_ARegistryThatCantBeAsked(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.onAll(func(s *standin.State) {
			delete(s.Here, w.v1["api"])
			s.Unasked = true
		})
		r, p := w.start(0)
		defer w.stop(r, p)
		rb, err := r.Request(t.Context(), w.request(), "")
		if err != nil {
			t.Fatal(err)
		}
		warned := strings.Join(rb.Plan.Warnings, "\n")
		if !strings.Contains(warned, "only the fetch will tell") || !strings.Contains(warned, "how much room") {
			t.Errorf("it warns of %q", rb.Plan.Warnings)
		}
		time.Sleep(time.Minute)
		for _, host := range w.app.Hosts {
			if !w.has(host, w.v1["api"]) {
				t.Errorf("%s has no api while the lead decides", host)
			}
		}
	})
}

func TestHistory_PreviousIsTheLastKnownGoodOne(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		if rb := w.run(goingWell); rb.Outcome != runbook.Succeeded {
			t.Fatalf("outcome %s", rb.Outcome)
		}
		v3 := runbooktest.Release(3)
		w.note(runbook.Observed{Images: w.v1}, runbook.Deployed{Images: v3, Version: "v3"}, runbook.Observed{Images: v3})
		history := history.New(w.events())
		got, err := history.Choose(w.app, runbook.Request{}, []map[string]runbook.Image{v3})
		if err != nil || got.Version != "v1" {
			t.Errorf("previous of v3 is %s, %v: v2 was rolled back", got.Name(), err)
		}
		if _, err := history.Choose(w.app, runbook.Request{Release: "v2"}, []map[string]runbook.Image{v3}); err == nil || !strings.Contains(err.Error(), "quarantined") {
			t.Errorf("v2 can be chosen by its name: %v", err)
		}
	})
}
