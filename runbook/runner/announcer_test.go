package runner

import (
	"context"
	"errors"
	"testing"
	"time"

	"rollbackbot/runbook"
)

// refusingSlack refuses one notice for ever, as Slack does with a message that it takes for malformed.
type refusingSlack struct {
	*fakeSlack
	kind runbook.NoticeKind
}

var errInvalid = errors.New("invalid_blocks")

func (s refusingSlack) Post(ctx context.Context, n runbook.Notice) (runbook.Post, error) {
	if n.Kind == s.kind {
		return runbook.Post{}, errInvalid
	}
	return s.fakeSlack.Post(ctx, n)
}

func TestPublisher_ARefusedMessageSilencesNoOther(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		r, p := w.start(0)
		r.Announcer = refusingSlack{w.slack, runbook.NoticePlan}
		rb, err := r.Request(t.Context(), w.request(), "")
		if err != nil {
			t.Fatal(err)
		}
		if err := w.click(r, rb, runbook.SignoffInPlace, "ULEAD"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(8 * time.Minute)
		if n := w.slack.count("question-2"); n != 1 {
			t.Errorf("the error-rate question was posted %d times, want once", n)
		}
		if err := w.click(r, w.only(), runbook.ErrorRateBaseline, "UONCALL"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Minute)
		if n := w.slack.count("record"); n != 1 {
			t.Errorf("the record was posted %d times, want once", n)
		}
		w.stop(r, p)
	})
}

// A process that is killed every two seconds brings two messages up to date at the most. What one life has settled the
// next ones don't begin again, so that all is said in the end, and what was said costs no later start a call.
func TestPublisher_GoesOnWhereItWasKilled(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		r, p := w.start(0)
		rb, err := r.Request(t.Context(), w.request(), "")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Until(rb.Question().Deadline) - time.Minute) // every stage of nobody answering is told
		if err := w.click(r, rb, runbook.SignoffInPlace, "ULEAD"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(8 * time.Minute)
		w.slack.mu.Lock()
		w.slack.down = true
		w.slack.mu.Unlock()
		if err := w.click(r, w.only(), runbook.ErrorRateBaseline, "UONCALL"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Minute)
		w.stop(r, p)
		w.slack.down = false
		if rb = w.only(); rb.State != runbook.StateEnded || len(rb.Posts) < 5 {
			t.Fatalf("%s with %d messages: this test needs an ended rollback with many", rb.State, len(rb.Posts))
		}

		lives := 0
		for ; !w.only().Published && lives < 20; lives++ {
			r, p = w.start(0)
			time.Sleep(2 * time.Second)
			w.stop(r, p)
		}
		if !w.only().Published {
			t.Fatalf("nothing is over after %d lives of two seconds", lives)
		}
		said := len(w.slack.lives)
		r, p = w.start(0)
		time.Sleep(time.Minute)
		w.stop(r, p)
		if n := len(w.slack.lives) - said; n != 0 {
			t.Errorf("%d updates of a rollback about which everything was said, want none", n)
		}
	})
}
