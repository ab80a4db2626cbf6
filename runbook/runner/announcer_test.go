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
