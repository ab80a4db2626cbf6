package runner

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/runbook"
)

// forgetfulJournal writes, and loses one of its answers: nobody is told that it was written.
type forgetfulJournal struct {
	runbooktest.Store
	mu     sync.Mutex
	writes int // so far, entries without facts not counted
	loseAt int
}

func (j *forgetfulJournal) lost() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.writes++
	return j.writes == j.loseAt
}

func (j *forgetfulJournal) Append(ctx context.Context, e runbook.Entry) ([]runbook.Event, error) {
	events, err := j.Store.Append(ctx, e)
	if err == nil && len(e.Facts) > 0 && j.lost() {
		return nil, runbook.ErrUncertain
	}
	return events, err
}

func (j *forgetfulJournal) Acquire(ctx context.Context, app string, floor int64) (int64, error) {
	epoch, err := j.Store.Acquire(ctx, app, floor)
	if j.lost() {
		return 0, runbook.ErrUncertain
	}
	return epoch, err
}

// Whatever write of a rollback's life is done without an answer, it is not done again: the journal is read first.
func TestRollback_AnyWriteWithoutAnAnswer(t *testing.T) {
	anyWriteWithoutAnAnswer(t, func(*world) {}, goingWell)
}

func TestWaiting_AnyWriteWithoutAnAnswer(t *testing.T) {
	answers := maps.Clone(goingWell)
	delete(answers, runbook.AskSignoff)
	answers[breaksGlass] = struct {
		by     string
		answer runbook.Answer
	}{"", runbook.SignoffInPlace}
	anyWriteWithoutAnAnswer(t, func(w *world) {
		waitingWorld(w)
		w.timeout, w.app.ErrorRate.Window = 2*time.Minute, 20*time.Second
	}, answers)
}

func anyWriteWithoutAnAnswer(t *testing.T, prepare func(*world), people answers) {
	t.Helper()
	life := 1
	for at := 1; at <= life; at++ {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				prepare(w)
				journal := &forgetfulJournal{Store: w.journal, loseAt: at}
				r, p := w.startOn(journal)
				_, err := r.Request(t.Context(), w.request(), "")
				if err != nil && at > 1 {
					t.Fatal(err)
				}
				if err != nil { // its Acquire: nothing was opened, and that is what was said
					_, err = r.Request(t.Context(), w.request(), "")
				}
				if err != nil {
					t.Fatal(err)
				}
				w.play(r, p, people)
				w.stop(r, p)
				life = max(life, journal.writes)
				wantOnceEach(t, w)
			})
		})
	}
	if life < 30 {
		t.Errorf("a whole life has only %d writes", life)
	}
}

// wantOnceEach fails the test unless the rollback succeeded, and its journal says no thing twice that happens once.
func wantOnceEach(t *testing.T, w *world) {
	t.Helper()
	if rb := w.only(); rb.Outcome != runbook.Succeeded {
		t.Errorf("outcome %s (%s), want succeeded", rb.Outcome, rb.Why)
	}
	w.wantRunning(w.v1)
	if n := w.slack.count("record"); n != 1 {
		t.Errorf("%d records, want 1", n)
	}
	seen := map[string]bool{}
	for _, e := range w.events() {
		var what string
		switch fact := e.Fact.(type) {
		case runbook.StepStarted:
			what = fmt.Sprint(fact.Step, " attempt ", fact.Attempt)
		case runbook.StepFinished:
			what = fmt.Sprint(fact.Step, " ended, attempt ", fact.Attempt)
		case runbook.Asked:
			what = fmt.Sprint("question ", fact.Question.ID)
		case runbook.Answered:
			what = fmt.Sprint("answer to ", fact.Question)
		case runbook.CommandStarted:
			what = fact.Job
		case runbook.HalfSigned:
			what = "the signature of " + fact.By
		case runbook.Addressed:
			what = fmt.Sprint("whom to write to as ", fact.Role)
		case runbook.NoticeSettled:
			what = "settled " + fact.Key
		case runbook.Requested, runbook.Ended, runbook.Reminded, runbook.DeputiesAsked, runbook.BreakGlassOpened:
			what = fact.Kind()
		}
		if what != "" && seen[what] {
			t.Errorf("journalled twice: %s", what)
		}
		seen[what] = true
	}
}
