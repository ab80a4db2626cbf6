package runner

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"rollbackbot/runbook"
)

// nobodyKnows is a Directory that can't be read, as with Slack down.
type nobodyKnows struct{ runbook.Directory }

func (nobodyKnows) Roles(context.Context, string) (runbook.Roles, error) {
	return runbook.Roles{}, errors.New("Slack doesn't answer")
}

func TestRequestAs_GoesOnWithoutADirectory(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		r, p := w.start(0)
		r.Directory = nobodyKnows{}
		request := w.request()
		request.ID = runbook.NewID()
		if _, err := r.Request(t.Context(), request, ""); err == nil || !strings.Contains(err.Error(), "Slack doesn't answer") {
			t.Errorf("Request: %v, want the directory's error", err)
		}
		plan, _, err := r.Plan(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		asks := runbook.Roles{Person: request.By, Requester: true}
		rb, err := r.RequestAs(t.Context(), asks, request, "")
		if err != nil {
			t.Fatal(err)
		}
		if rb.ID != request.ID || rb.Plan.Hash() != plan.Hash() {
			t.Errorf("rollback %s with plan %s, want %s with %s", rb.ID, rb.Plan.Hash(), request.ID, plan.Hash())
		}
		if _, err := w.journal.Put(t.Context(), runbook.Delivery{Key: "three", Kind: "test", Body: []byte("{}"), At: time.Now().UTC()}); err != nil {
			t.Fatal(err)
		}
		abort := runbook.Click{Rollback: rb.ID, Answer: runbook.Abort, By: "UOTHER", Cause: "three"}
		var no *runbook.RefusedError
		if err := r.AnswerAs(t.Context(), runbook.Roles{Person: "UOTHER"}, abort); !errors.As(err, &no) {
			t.Errorf("a stranger's abort: %v, want a refusal", err)
		}
		abort.By, abort.Cause = request.By, ""
		if err := r.AnswerAs(t.Context(), asks, abort); err != nil {
			t.Error(err)
		}
		w.stop(r, p)
		if rb := w.only(); rb.AbortedBy != request.By {
			t.Errorf("aborted by %q, want %q", rb.AbortedBy, request.By)
		}
		var refusals []string
		for _, e := range w.events() {
			if fact, ok := e.Fact.(runbook.Refused); ok {
				refusals = append(refusals, e.Cause+" "+fact.By)
			}
		}
		if strings.Join(refusals, "; ") != "three UOTHER" {
			t.Errorf("refusals %q, want the stranger's alone", refusals)
		}
	})
}

func TestRequestAs_AnIDCountsOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		r, p := w.start(0)
		request := w.request()
		request.ID = runbook.NewID()
		asks := runbook.Roles{Person: request.By, Requester: true}
		rb, err := r.RequestAs(t.Context(), asks, request, "")
		if err != nil {
			t.Fatal(err)
		}
		if err := r.AnswerAs(t.Context(), asks, runbook.Click{Rollback: rb.ID, Answer: runbook.Abort, By: request.By}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // in the bubble: nothing is left that could go on
		for id, want := range map[string]string{request.ID: "counts once", "rb-1": "can't be the ID", "drill-abcdefgh": "can't be the ID", "rb-abc\ndefg": "can't be the ID"} {
			request.ID = id
			var no *runbook.RefusedError
			if _, err := r.RequestAs(t.Context(), asks, request, ""); !errors.As(err, &no) || !strings.Contains(no.Why, want) {
				t.Errorf("%q: %v, want a refusal with %q", id, err, want)
			}
		}
		request.ID = runbook.NewID()
		if _, err := r.RequestAs(t.Context(), asks, request, ""); err != nil {
			t.Errorf("a new ID: %v", err)
		}
		w.stop(r, p)
	})
}
