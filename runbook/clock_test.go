package runbook

import (
	"testing"
	"time"
)

// fold makes one rollback's events, each at its own instant.
type fold struct {
	*testing.T
	rb  Rollback
	seq int64
}

func (f *fold) apply(at time.Time, fact Fact) {
	f.Helper()
	f.seq++
	rb, err := f.rb.Apply(Event{App: "shop", Rollback: "rb-one", Seq: f.seq, At: at, Fact: fact})
	if err != nil {
		f.Fatal(err)
	}
	f.rb = rb
}

// A clock that was put back by an hour between a failure and the question about it: the answer counts all the same, and
// nobody is asked again and again until the clock is where it was.
func TestRollback_ClockPutBack(t *testing.T) {
	now := time.Date(2026, 5, 4, 3, 0, 0, 0, time.UTC)
	f := &fold{T: t}
	f.apply(now, Requested{Request: Request{App: "shop"}, Question: Question{ID: 1, Kind: AskSignoff, Answers: []Answer{SignoffNone}}})
	f.apply(now, Answered{Question: 1, Answer: SignoffNone, By: "ULEAD"})
	f.apply(now, StepStarted{Step: StepIdentify, Attempt: 1})
	f.apply(now, StepFinished{Step: StepIdentify, Attempt: 1, Outcome: StepOutcome{Verdict: Unknown}})
	before := now.Add(-time.Hour)
	f.apply(before, Asked{Question: Question{ID: 2, Kind: AskFailed, Answers: []Answer{Retry}}})
	f.apply(before, Answered{Question: 2, Answer: Retry, By: "ULEAD"})
	if next := f.rb.Next(); next.Step != StepIdentify || next.Attempt != 2 {
		t.Errorf("next is %+v, want the step again", next)
	}
	f.apply(before, StepStarted{Step: StepIdentify, Attempt: 2})
	f.apply(before, StepFinished{Step: StepIdentify, Attempt: 2, Outcome: StepOutcome{Verdict: Passed}})
	if next := f.rb.Next(); next.Step != StepFetch {
		t.Errorf("next is %+v, want the next step", next)
	}
	f.apply(now.Add(time.Minute), Ended{Outcome: Succeeded})
	if !f.rb.EndedAt.Equal(now.Add(time.Minute)) {
		t.Errorf("ended at %v", f.rb.EndedAt)
	}
}
