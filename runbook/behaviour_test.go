package runbook

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// inBubble runs a test in a bubble, where half an hour of waiting takes none.
func inBubble(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newWorld(t)) })
}

func TestSignoff_WhoMayPressWhat(t *testing.T) {
	rb := Rollback{Request: Request{By: "UASKED"}}
	lead, requester, other := Roles{Person: "ULEAD", Lead: true}, Roles{Person: "UREQ", Requester: true}, Roles{Person: "UOTHER"}
	asked, askedLead := Roles{Person: "UASKED", Requester: true}, Roles{Person: "UASKED", Lead: true, Requester: true}
	guest := Roles{Person: "UGUEST", Lead: true, Barred: "a guest"}
	for _, row := range []struct {
		answer Answer
		may    []Roles
		mayNot []Roles
	}{
		{Confirm, []Roles{asked, askedLead}, []Roles{lead, requester, other, guest}},
		{SignoffInPlace, []Roles{lead}, []Roles{asked, askedLead, requester, other, guest}},
		{SignoffReverted, []Roles{lead}, []Roles{asked, askedLead, requester, other, guest}},
		{SignoffNone, []Roles{lead}, []Roles{asked, askedLead, requester, other, guest}},
		{SignoffReject, []Roles{lead}, []Roles{asked, askedLead, requester, other, guest}},
		{RollForward, []Roles{lead}, []Roles{asked, askedLead, requester, other, guest}},
		{ErrorRateBaseline, []Roles{lead, requester, asked}, []Roles{other, guest}},
		{ErrorRateElevated, []Roles{lead, requester, asked}, []Roles{other, guest}},
		{Retry, []Roles{lead, requester, asked}, []Roles{other, guest}},
		{Abort, []Roles{lead, asked}, []Roles{requester, other, guest}},
		{"format_the_disk", nil, []Roles{lead, asked, guest}},
	} {
		for _, roles := range row.may {
			if err := (Policy{}).MayAnswer(rb, row.answer, roles); err != nil {
				t.Errorf("%s by %+v: %v", row.answer, roles, err)
			}
		}
		for _, roles := range row.mayNot {
			if err := (Policy{}).MayAnswer(rb, row.answer, roles); err == nil {
				t.Errorf("%s by %+v was let through", row.answer, roles)
			}
		}
	}
	if err := (Policy{SelfSignoff: true}).MayAnswer(rb, SignoffInPlace, askedLead); err != nil {
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
			var no *RefusedError
			if err := w.click(r, rb, SignoffInPlace, by); !errors.As(err, &no) {
				t.Errorf("%s signed off: %v", by, err)
			}
		}
		stale := Click{Rollback: rb.ID, Plan: strings.Repeat("0", 64), Answer: SignoffInPlace, By: "ULEAD"}
		var no *RefusedError
		if err := r.Answer(t.Context(), stale); !errors.As(err, &no) || !strings.Contains(no.Why, "plan has changed") {
			t.Errorf("a click on another plan: %v", err)
		}
		refusals := 0
		for _, e := range w.events() {
			if _, ok := e.Fact.(Refused); ok && e.Rollback == rb.ID {
				refusals++
			}
		}
		if refusals != 4 {
			t.Errorf("%d refusals journalled, want 4", refusals)
		}
		if now := w.only(); now.State != StateRequested {
			t.Errorf("the state is %s", now.State)
		}
		if ups := w.hosts["deploy@one"].upsRun(); len(ups) > 0 {
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
			if err := w.click(r, rb, SignoffInPlace, "ULEAD"); err != nil {
				t.Errorf("the same click again: %v", err)
			}
		}
		if err := w.click(r, rb, SignoffReject, "ULEAD"); err == nil {
			t.Error("a contradiction was taken")
		}
		if err := w.click(r, rb, SignoffInPlace, "UBOTH"); err == nil {
			t.Error("a second lead's sign-off was taken")
		}
	})
}

func TestRollback_NobodySignsOff(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		rb := w.run(nil)
		if rb.Outcome != Expired || w.slack.count("record") != 1 {
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
		rb := w.run(answers{AskSignoff: {"ULEAD", SignoffReject}})
		if rb.Outcome != Rejected || rb.MigrationState() != StateUnknown {
			t.Errorf("outcome %s, migration %s", rb.Outcome, rb.MigrationState())
		}
		w.wantRunning(w.v2)
	})
}

func TestRollback_ErrorRateJudgedByNobody(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		people := answers{AskSignoff: {"ULEAD", SignoffReverted}}
		if rb := w.run(people); rb.Outcome != Unconfirmed || rb.MigrationState() != StateReverted {
			t.Errorf("outcome %s, migration %s", rb.Outcome, rb.MigrationState())
		}
		w.wantRunning(w.v1)
	})
}

func TestRollback_ErrorRateStillElevated(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		people := answers{AskSignoff: {"ULEAD", SignoffInPlace}, AskErrorRate: {"UONCALL", ErrorRateElevated}}
		rb := w.run(people)
		if rb.Outcome != Failed || !strings.Contains(rb.Why, "elevated") {
			t.Errorf("outcome %s: %s", rb.Outcome, rb.Why)
		}
	})
}

func TestRollback_NoLeadNeededTheRequesterConfirms(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.note(Deployed{Images: w.v2, Version: "v2", Migration: MigrationNone})
		r, p := w.start(0)
		rb, err := r.Request(t.Context(), w.request(), "")
		if err != nil || rb.Question().Kind != AskConfirm {
			t.Fatalf("%v, asked %+v", err, rb.Question())
		}
		time.Sleep(time.Minute)
		if len(w.hosts["deploy@one"].upsRun()) > 0 {
			t.Error("it ran on the mere command")
		}
		w.play(r, p, goingWell)
		w.stop(r, p)
		if rb = w.only(); rb.Outcome != Succeeded || rb.MigrationState() != StateNone {
			t.Errorf("outcome %s, migration %s", rb.Outcome, rb.MigrationState())
		}
	})
}

func TestPolicy_WhatProvesThatThereWasNoMigration(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		planner := Planner{Hosts: newFakeHosts(w.hosts, &process{}), Journal: w.journal}
		needs := func(request Request) string {
			t.Helper()
			plan, err := planner.Plan(t.Context(), w.app, request)
			if err != nil {
				t.Fatal(err)
			}
			return Policy{}.needsLead(plan)
		}
		said := w.request()
		said.Migration = "none"
		if needs(said) == "" {
			t.Error("the requester's word was taken for a proof")
		}
		w.note(Deployed{Images: w.v2, Version: "v2", Migration: MigrationNone})
		if why := needs(w.request()); why != "" {
			t.Errorf("a note says none, and yet: %s", why)
		}
		exact := w.request()
		exact.Images = w.v1
		if needs(exact) == "" {
			t.Error("a target given image by image was taken for a proof")
		}
		if (Policy{SignoffAlways: true}).needsLead(Plan{Migration: MigrationFacts{None: true}}) == "" {
			t.Error("ROLLBACK_SIGNOFF=always asks nobody")
		}
	})
}

func TestRollback_SomebodyDeploysWhileTheLeadSleeps(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		r, p := w.start(0)
		rb, _ := r.Request(t.Context(), w.request(), "")
		h := w.hosts["deploy@one"]
		v3 := release(3)
		h.mu.Lock()
		for _, s := range w.app.Services {
			h.containers[s.Name] = []string{v3[s.Name].String()}
			h.images[v3[s.Name].String()] = true
			h.env = string(EditPins([]byte(h.env), []Pin{{Variable: s.Variable, Value: v3[s.Name].String()}}))
		}
		h.mu.Unlock()
		if err := w.click(r, rb, SignoffInPlace, "ULEAD"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		now := w.only()
		if now.State != StateRequested || now.Plan.Hash() == rb.Plan.Hash() || now.Signoff.By != "" {
			t.Errorf("the sign-off was not voided: %s, signed by %q", now.State, now.Signoff.By)
		}
		if len(h.upsRun()) > 0 {
			t.Errorf("something ran on a plan that was not true any more: %v", h.upsRun())
		}
		if err := w.click(r, rb, SignoffInPlace, "ULEAD"); err == nil {
			t.Error("a click on the old plan counted")
		}
		w.play(r, p, goingWell)
		w.stop(r, p)
		if rb = w.only(); rb.Outcome != Succeeded || rb.Plan.From()["api"] != v3["api"] {
			t.Errorf("outcome %s from %s", rb.Outcome, rb.Plan.From()["api"])
		}
		w.wantRunning(w.v1)
	})
}

func TestRollback_AbortBeforeUpPutsThePinsBack(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := w.hosts["deploy@one"]
		before := h.env
		h.exported["WEB_IMAGE"] = w.v2["web"].String() // wins over the pins, which is found out after they are written
		rb := w.run(answers{AskSignoff: {"ULEAD", SignoffInPlace}, AskFailed: {"UONCALL", Abort}})
		if rb.Outcome != Aborted || h.env != before || len(h.upsRun()) > 0 {
			t.Errorf("outcome %s, %d ups, pins back: %v", rb.Outcome, len(h.upsRun()), h.env == before)
		}
	})
}

func TestRollback_AbortWhileWatching(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		r, p := w.start(0)
		rb, _ := r.Request(t.Context(), w.request(), "")
		if err := w.click(r, rb, SignoffInPlace, "ULEAD"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if err := w.click(r, w.only(), Abort, "UONCALL"); err != nil {
			t.Fatal(err)
		}
		w.play(r, p, nil)
		w.stop(r, p)
		if rb = w.only(); rb.Outcome != Aborted || !strings.Contains(rb.Why, "stay as they are") {
			t.Errorf("outcome %s: %s", rb.Outcome, rb.Why)
		}
		w.wantRunning(w.v1)
	})
}

func TestRollback_UpFailsAndIsTriedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.hosts["deploy@one"].upFails = 1
		rb := w.run(goingWell)
		if rb.Outcome != Succeeded {
			t.Errorf("outcome %s: %s", rb.Outcome, rb.Why)
		}
		if run, _ := rb.Step(StepDeploy); run.Attempt != 2 {
			t.Errorf("it was deployed in %d attempts", run.Attempt)
		}
		w.wantRunning(w.v1)
	})
}

func TestRollback_TheOldImageIsSickTooAndALeadGoesForward(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.health.sick[w.v1["api"].String()] = true
		rb := w.run(answers{AskSignoff: {"ULEAD", SignoffInPlace}, AskFailed: {"ULEAD", RollForward}})
		// v2 is as sick as v1: going forward fails as well, and nothing is left but to say so.
		if rb.Outcome != Failed || rb.Direction != Forward {
			t.Errorf("outcome %s, direction %q: %s", rb.Outcome, rb.Direction, rb.Why)
		}
		w.wantRunning(w.v2)
	})
}

func TestRollback_Forward(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.health.sick = map[string]bool{w.v1["api"].String(): true}
		rb := w.run(answers{AskSignoff: {"ULEAD", SignoffInPlace}, AskFailed: {"ULEAD", RollForward}, AskErrorRate: {"UONCALL", ErrorRateBaseline}})
		if rb.Outcome != RolledForward {
			t.Errorf("outcome %s: %s", rb.Outcome, rb.Why)
		}
		w.wantRunning(w.v2)
	})
}

func TestRollback_AHostThatCantBeReachedIsLeftOutByName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "deploy@one", "deploy@two")
		w.hosts["deploy@two"].down = true
		w.note(Deployed{Images: w.v2, Version: "v2", Migration: MigrationNone})
		r, p := w.start(0)
		rb, err := r.Request(t.Context(), w.request(), "")
		if err != nil {
			t.Fatal(err)
		}
		if len(rb.Plan.Excluded) != 1 || rb.Question().Kind != AskSignoff {
			t.Errorf("excluded %v, asked %s", rb.Plan.Excluded, rb.Question().Kind)
		}
		w.play(r, p, goingWell)
		w.stop(r, p)
		if got := w.hosts["deploy@two"].containers["api"][0]; got != w.v2["api"].String() {
			t.Errorf("the host that was left out runs %s", got)
		}
	})
}

func TestRollback_SecondHostIsNotTouchedBeforeTheFirstIsHealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "deploy@one", "deploy@two")
		w.app.Health.URLs = []string{"http://{host}/health"}
		w.health.sick[w.v1["api"].String()] = true
		w.run(answers{AskSignoff: {"ULEAD", SignoffInPlace}})
		if ups := w.hosts["deploy@two"].upsRun(); len(ups) > 0 {
			t.Errorf("the second host was touched: %v", ups)
		}
	})
}

func TestRollback_AnotherHoldsTheHost(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		h := w.hosts["deploy@one"]
		h.lease = map[string]string{"rollback": "lock", "epoch": "7", "boot": "0", "until": "99999999999", "holder": "CI of shop", "since": "2026-01-01T03:00:00Z", "reason": "deploying v4"}
		rb := w.run(answers{AskSignoff: {"ULEAD", SignoffInPlace}})
		if rb.Outcome != Failed || !strings.Contains(rb.Why, "CI of shop") || !strings.Contains(rb.Why, "deploying v4") {
			t.Errorf("outcome %s: %s", rb.Outcome, rb.Why)
		}
		w.wantRunning(w.v2)
	})
}

func TestRollback_AnOldDatabaseDoesNotLockItselfOut(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.hosts["deploy@one"].lease = map[string]string{"rollback": "rb-old", "epoch": "41", "until": "0"}
		if rb := w.run(goingWell); rb.Outcome != Succeeded || rb.Hosts["deploy@one"].Epoch <= 41 {
			t.Errorf("outcome %s with epoch %d", rb.Outcome, rb.Hosts["deploy@one"].Epoch)
		}
	})
}

func TestRollback_TheLeaseIsRemovedUnderWay(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		r, p := w.start(0)
		rb, _ := r.Request(t.Context(), w.request(), "")
		h := w.hosts["deploy@one"]
		h.upFails = 1
		if err := w.click(r, rb, SignoffInPlace, "ULEAD"); err != nil {
			t.Fatal(err)
		}
		for w.only().Question() == nil {
			time.Sleep(time.Second)
		}
		h.mu.Lock()
		h.lease = nil
		h.mu.Unlock()
		ups := len(h.upsRun())
		if err := w.click(r, w.only(), Retry, "UONCALL"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if q := w.only().Question(); q == nil || !strings.Contains(q.Text, "gone") || len(h.upsRun()) != ups {
			t.Errorf("it acted in the dark: %d ups, asked %+v", len(h.upsRun()), q)
		}
		w.play(r, p, goingWell)
		w.stop(r, p)
	})
}

func TestRollback_SlackIsAwayInTheMiddle(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		r, p := w.start(0)
		rb, _ := r.Request(t.Context(), w.request(), "")
		if err := w.click(r, rb, SignoffInPlace, "ULEAD"); err != nil {
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
			change func(*Request)
			want   string
		}{
			{"a stranger", func(q *Request) { q.By = "USTRANGER" }, "can't ask"},
			{"somebody without rights", func(q *Request) { q.By = "UOTHER" }, "ROLLBACK_REQUESTERS"},
			{"an unknown app", func(q *Request) { q.App = "shoop" }, "there are: shop"},
			{"an unknown release", func(q *Request) { q.Release = "v9" }, "v1"},
			{"what runs already", func(q *Request) { q.Release = "v2" }, "runs v2 already"},
			{"a short prefix", func(q *Request) { q.Release = "sha256:abc" }, "12 digits"},
			{"a foreign repository", func(q *Request) {
				q.Images = release(1)
				q.Images["api"] = Image{Name: "evil.example/api", Digest: q.Images["api"].Digest}
			}, "no repository that api runs now"},
			{"an image for one service only", func(q *Request) { q.Images = map[string]Image{"api": image("api", 1)} }, "every service"},
			{"an image that is nowhere", func(q *Request) { q.Images = release(8) }, "neither on this host nor in the registry"},
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
		var busy *BusyError
		if _, err := r.Request(t.Context(), w.request(), ""); !errors.As(err, &busy) {
			t.Errorf("a second one for the same app: %v", err)
		}
	})
}

func TestHistory_PreviousIsTheLastKnownGoodOne(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		if rb := w.run(goingWell); rb.Outcome != Succeeded {
			t.Fatalf("outcome %s", rb.Outcome)
		}
		v3 := release(3)
		w.note(Observed{Images: w.v1}, Deployed{Images: v3, Version: "v3"}, Observed{Images: v3})
		history := NewHistory(w.events())
		got, err := history.Choose(w.app, Request{}, []map[string]Image{v3})
		if err != nil || got.Version != "v1" {
			t.Errorf("previous of v3 is %s, %v: v2 was rolled back", got.Name(), err)
		}
		if _, err := history.Choose(w.app, Request{Release: "v2"}, []map[string]Image{v3}); err == nil || !strings.Contains(err.Error(), "quarantined") {
			t.Errorf("v2 can be chosen by its name: %v", err)
		}
	})
}
