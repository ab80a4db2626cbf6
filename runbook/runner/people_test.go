package runner

import (
	"errors"
	"testing"
	"time"

	"rollbackbot/runbook"
)

func TestAnswer_ToAnotherQuestionThanTheOneThatIsOpen(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.failsUp("deploy@one", 2)
		r, p := w.start(0)
		rb, _ := r.Request(t.Context(), w.request(), "")
		if err := w.click(r, rb, runbook.SignoffInPlace, "ULEAD"); err != nil {
			t.Fatal(err)
		}
		wait := func(id int64) runbook.Rollback {
			for {
				if rb := w.only(); rb.Question() != nil && rb.Question().ID == id {
					return rb
				}
				time.Sleep(time.Second)
			}
		}
		if err := w.click(r, wait(2), runbook.Retry, "UONCALL"); err != nil {
			t.Fatal(err)
		}
		rb = wait(3)
		late := runbook.Click{Rollback: rb.ID, Question: 2, Plan: rb.Question().Plan, Answer: runbook.Retry, By: "UBOTH"}
		var no *runbook.RefusedError
		if err := r.Answer(t.Context(), late); !errors.As(err, &no) {
			t.Errorf("a word on the first failure counted for the second: %v", err)
		}
		w.stop(r, p)
	})
}
