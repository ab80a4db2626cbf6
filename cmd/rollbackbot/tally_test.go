package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"rollbackbot/runbook"
)

func TestTally_PhasesOfARollback(t *testing.T) {
	var counted tally
	began := time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)
	hear := func(after time.Duration, fact runbook.Fact) {
		counted.hear(runbook.Event{App: "shop", Rollback: "rb-1", At: began.Add(after), Fact: fact})
	}
	hear(0, runbook.Requested{})
	hear(time.Minute, runbook.Answered{Answer: runbook.SignoffNone})
	hear(time.Minute, runbook.StepStarted{Step: runbook.StepDeploy, Attempt: 1})
	hear(90*time.Second, runbook.StepFinished{Step: runbook.StepDeploy, Attempt: 1})
	hear(100*time.Second, runbook.StepStarted{Step: runbook.StepDeploy, Attempt: 2})
	hear(95*time.Second, runbook.StepFinished{Step: runbook.StepDeploy, Attempt: 2}) // the clock was put back
	hear(200*time.Second, runbook.Answered{Answer: runbook.Retry})
	hear(300*time.Second, runbook.Ended{Outcome: runbook.Succeeded})
	for p, want := range map[phase]phaseTime{
		phaseSignoff: {1, time.Minute}, phase(runbook.StepDeploy): {2, 30 * time.Second}, phaseAll: {1, 5 * time.Minute}, phase(runbook.StepHealth): {},
	} {
		if got := counted.spent("shop", p); got != want {
			t.Errorf("%s: %v, want %v", p, got, want)
		}
	}
	if got := counted.spent("blog", phaseAll); got != (phaseTime{}) {
		t.Errorf("another app's: %v", got)
	}
	if len(counted.began) != 0 {
		t.Errorf("after the end there are still %v", counted.began)
	}
}

// What began elsewhere, or before this process lost the journal for a while, is not counted.
func TestTally_WhatItDidNotSeeBegin(t *testing.T) {
	var counted tally
	at := time.Now()
	counted.hear(runbook.Event{App: "shop", Rollback: "rb-1", At: at, Fact: runbook.StepFinished{Step: runbook.StepHealth}})
	counted.hear(runbook.Event{App: "shop", Rollback: "rb-1", At: at, Fact: runbook.Requested{}})
	counted.forget()
	counted.hear(runbook.Event{App: "shop", Rollback: "rb-1", At: at.Add(time.Hour), Fact: runbook.Ended{}})
	for _, p := range phases {
		if got := counted.spent("shop", p); got.runs != 0 {
			t.Errorf("%s: %v", p, got)
		}
	}
}

func TestTally_QuarantineHits(t *testing.T) {
	var counted tally
	status := http.StatusLocked
	handler := counted.atGate(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	ask := func(method string) {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest(method, "/v1", nil))
		if answer.Code != status {
			t.Errorf("%s: %d came through, want %d", method, answer.Code, status)
		}
	}
	ask(http.MethodGet)
	ask(http.MethodGet)
	ask(http.MethodPost)
	status = http.StatusOK
	ask(http.MethodGet)
	if allowed, deployed := counted.quarantineHits(doorAllowed), counted.quarantineHits(doorDeployed); allowed != 2 || deployed != 1 {
		t.Errorf("%d and %d, want 2 and 1", allowed, deployed)
	}
}

func TestWaitedFor(t *testing.T) {
	at := time.Now()
	for want, q := range map[string]runbook.Asking{
		"requester":            {Question: runbook.Question{Kind: runbook.AskConfirm}},
		"requesters_and_leads": {Question: runbook.Question{Kind: runbook.AskErrorRate}},
		"leads":                {Question: runbook.Question{Kind: runbook.AskSignoff}, Waiting: runbook.Waiting{RemindedAt: at}},
		"deputies":             {Question: runbook.Question{Kind: runbook.AskSignoff}, Waiting: runbook.Waiting{DeputiesAt: at}},
		"two_requesters":       {Question: runbook.Question{Kind: runbook.AskSignoff}, Waiting: runbook.Waiting{DeputiesAt: at, BreakGlassAt: at}},
	} {
		if got := waitedFor(q); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
