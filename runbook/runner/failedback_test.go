package runner

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/internal/standin"
	"rollbackbot/runbook"
	"rollbackbot/runbook/preflight"
)

// Trying a deployment again is for the host on which it failed: what is right already is left alone.
func TestRetry_TheFailedHostOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "deploy@one", "deploy@two")
		w.failsUp("deploy@two", 1)
		rb := w.run(goingWell)
		if run, _ := rb.Step(runbook.StepDeploy); rb.Outcome != runbook.Succeeded || run.Attempt != 2 {
			t.Errorf("outcome %s after %d attempts: %s", rb.Outcome, run.Attempt, rb.Why)
		}
		for host, want := range map[runbook.Host]int{"deploy@one": 1, "deploy@two": 2} {
			if got := len(w.hosts[host].UpsRun()); got != want {
				t.Errorf("%d `up` on %s, want %d", got, host, want)
			}
		}
		w.wantRunning(w.v1)
	})
}

// A host that lost a container since is not left alone.
func TestRetry_WhatIsNotRightAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "deploy@one", "deploy@two")
		w.failsUp("deploy@two", 1)
		r, p := w.start(0)
		rb, err := r.Request(t.Context(), w.request(), "")
		if err != nil {
			t.Fatal(err)
		}
		if err := w.click(r, rb, runbook.SignoffInPlace, "ULEAD"); err != nil {
			t.Fatal(err)
		}
		for w.only().Question() == nil {
			time.Sleep(time.Second)
		}
		one := w.hosts["deploy@one"]
		one.Set(func(s *standin.State) { s.Containers["worker"] = nil })
		w.play(r, p, goingWell)
		w.stop(r, p)
		if rb := w.only(); rb.Outcome != runbook.Succeeded || len(one.UpsRun()) != 2 {
			t.Errorf("outcome %s with %d `up` on the host that lost a container: %s", rb.Outcome, len(one.UpsRun()), rb.Why)
		}
		w.wantRunning(w.v1)
	})
}

// After a rollback that failed, with the hosts half way, the next one goes to the known-good release before, and says so;
// until the release that it failed to go to is seen healthy long enough again.
func TestPrevious_NotWhereARollbackJustFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newEmptyWorld(t, runbooktest.NewMemoryStore(), "deploy@one", "deploy@two")
		w.app.Health.URLs = []string{"http://{host}/health"}
		v0 := runbooktest.Release(0)
		w.onAll(func(s *standin.State) {
			for _, image := range v0 {
				s.Here[image] = true
			}
		})
		for version, images := range []map[string]runbook.Image{v0, w.v1} {
			w.note(runbook.Deployed{Images: images, Version: []string{"v0", "v1"}[version], Migration: runbook.MigrationNone}, runbook.Observed{Images: images}, runbook.Verified{Images: images})
		}
		w.note(runbook.Deployed{Images: w.v2, Version: "v2", Migration: runbook.MigrationNone}, runbook.Observed{Images: w.v2})
		w.lab.SetSick(w.v1["api"], true)
		rb := w.run(answers{runbook.AskConfirm: {"UONCALL", runbook.Confirm}, runbook.AskSignoff: {"ULEAD", runbook.SignoffInPlace}, runbook.AskFailed: {"UONCALL", runbook.Abort}})
		if rb.Outcome != runbook.Aborted || rb.Plan.Target.Version != "v1" {
			t.Fatalf("the first went to %s and ended as %s: %s", rb.Plan.Target.Version, rb.Outcome, rb.Why)
		}
		plan := func(release string) runbook.Plan {
			t.Helper()
			request := w.request()
			request.Release = release
			plan, err := preflight.Planner{Hosts: w.lab, Journal: w.journal}.Plan(t.Context(), w.app, request)
			if err != nil {
				t.Fatal(err)
			}
			return plan
		}
		second := plan("")
		if warned := strings.Join(second.Warnings, "\n"); second.Target.Version != "v0" || !strings.Contains(warned, "v1 is passed over, since the rollback "+rb.ID+" to it failed; `to v1`") {
			t.Errorf("the second goes to %s, and warns of %q", second.Target.Version, warned)
		}
		if named := plan("v1"); named.Target.Version != "v1" || named.Target.FailedBack != rb.ID || strings.Contains(strings.Join(named.Warnings, "\n"), "passed over") {
			t.Errorf("where v1 is named it goes to %+v, and warns of %q", named.Target, named.Warnings)
		}
		w.note(runbook.Verified{Images: w.v1})
		if healed := plan(""); healed.Target.Version != "v1" {
			t.Errorf("after v1 was seen healthy again it goes to %s", healed.Target.Version)
		}
	})
}
