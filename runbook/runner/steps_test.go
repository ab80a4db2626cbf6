package runner

import (
	"testing"
	"time"

	"rollbackbot/runbook"
)

// The steps that there are are those that a rollback asks for, in the runbook's order.
func TestSteps_AreThoseOfTheRunbook(t *testing.T) {
	at := time.Date(2026, 5, 4, 3, 0, 0, 0, time.UTC)
	var rb runbook.Rollback
	seq := int64(0)
	apply := func(fact runbook.Fact) {
		t.Helper()
		seq++
		next, err := rb.Apply(runbook.Event{App: "shop", Rollback: "rb-one", Seq: seq, At: at, Fact: fact})
		if err != nil {
			t.Fatal(err)
		}
		rb = next
	}
	apply(runbook.Requested{Request: runbook.Request{App: "shop"}, Question: runbook.Question{ID: 1, Kind: runbook.AskConfirm, Answers: []runbook.Answer{runbook.Confirm}}})
	apply(runbook.Answered{Question: 1, Answer: runbook.Confirm, By: "UONCALL"})
	for i, step := range steps {
		next := rb.Next()
		if next.Step != step.Name() || next.Step.Title() == "" || stepNamed(next.Step) != step {
			t.Fatalf("step %d is %q, titled %q; want %s", i+1, next.Step, next.Step.Title(), step.Name())
		}
		apply(runbook.StepStarted{Step: next.Step, Attempt: 1})
		apply(runbook.StepFinished{Step: next.Step, Attempt: 1, Outcome: runbook.StepOutcome{Verdict: runbook.Passed}})
	}
	if next := rb.Next(); next.End != runbook.Succeeded {
		t.Errorf("after the last step it does %+v, want its end", next)
	}
}
