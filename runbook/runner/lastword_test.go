package runner

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"rollbackbot/runbook"
)

// slowInbox has deliveries that somebody is about to deal with.
type slowInbox struct {
	mu      sync.Mutex
	pending []runbook.Delivery
	err     error
}

func (i *slowInbox) Put(_ context.Context, d runbook.Delivery) (bool, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.pending = append(i.pending, d)
	return true, nil
}

func (i *slowInbox) Pending(context.Context) ([]runbook.Delivery, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.pending, i.err
}

func (i *slowInbox) Done(context.Context, string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.pending = nil
	return nil
}

func (i *slowInbox) fail(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.err = err
}

// asked is a rollback whose sign-off is open, with an inbox.
func (w *world) asked() (*Runner, *process, runbook.Rollback, *slowInbox) {
	w.t.Helper()
	inbox := &slowInbox{}
	w.inbox = inbox
	r, p := w.start(0)
	rb, err := r.Request(w.t.Context(), w.request(), "")
	if err != nil {
		w.t.Fatal(err)
	}
	return r, p, rb, inbox
}

// pressed is the lead's click on the sign-off, as it arrived at an instant.
func pressed(rb runbook.Rollback, at time.Time) runbook.Click {
	return runbook.Click{Rollback: rb.ID, Question: 1, Plan: rb.Plan.Hash(), Answer: runbook.SignoffInPlace, By: "ULEAD", At: at}
}

// A click was acknowledged a second before its deadline, and the process died before it read it. The next one starts an
// hour later.
func TestDeadline_AClickFromBeforeCountsAfterARestart(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		r, p, rb, inbox := w.asked()
		deadline := rb.Question().Deadline
		time.Sleep(time.Until(deadline) - time.Second)
		w.stop(r, p)
		at := time.Now()
		_, _ = inbox.Put(t.Context(), runbook.Delivery{Key: "1.1", At: at})
		time.Sleep(time.Hour)

		r, p = w.start(0)
		defer func() { w.stop(r, p) }()
		time.Sleep(20 * time.Second) // Slack is slow to say who the person is
		if got := w.only(); got.Question() == nil {
			t.Fatalf("it expired with a click from before its deadline in the inbox: %s", got.Outcome)
		}
		if err := r.Answer(t.Context(), pressed(rb, at)); err != nil {
			t.Fatalf("the click from before the deadline: %v", err)
		}
		_ = inbox.Done(t.Context(), "1.1")
		time.Sleep(time.Second)
		if got := w.only(); got.Signoff.By != "ULEAD" {
			t.Errorf("signed off by %q", got.Signoff.By)
		}
	})
}

// An answer that came in time may be stored a moment after the deadline.
func TestDeadline_AClickThatIsBeingStoredCounts(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		r, p, rb, inbox := w.asked()
		defer w.stop(r, p)
		deadline := rb.Question().Deadline
		time.Sleep(time.Until(deadline) + 2*time.Second)
		at := deadline.Add(-time.Millisecond)
		_, _ = inbox.Put(t.Context(), runbook.Delivery{Key: "1.1", At: at})
		time.Sleep(10 * time.Second)
		if err := r.Answer(t.Context(), pressed(rb, at)); err != nil {
			t.Errorf("the click from before the deadline: %v", err)
		}
	})
}

func TestDeadline_AClickFromAfterDoesNotCount(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		r, p, rb, inbox := w.asked()
		defer w.stop(r, p)
		deadline := rb.Question().Deadline
		_, _ = inbox.Put(t.Context(), runbook.Delivery{Key: "1.1", At: deadline}) // which keeps the question open
		time.Sleep(time.Until(deadline) + 5*time.Second)
		var no *runbook.RefusedError
		if err := r.Answer(t.Context(), pressed(rb, deadline.Add(time.Millisecond))); !errors.As(err, &no) {
			t.Errorf("a click from after the deadline: %v, want it refused", err)
		}
		if err := r.Answer(t.Context(), pressed(rb, time.Time{})); !errors.As(err, &no) {
			t.Errorf("an answer of now: %v, want it refused", err)
		}
		if err := r.Answer(t.Context(), pressed(rb, deadline)); err != nil {
			t.Errorf("a click at the deadline: %v", err)
		}
	})
}

// What keeps a question open: only what came before its deadline, or an inbox that can't be read, and not for ever.
func TestDeadline_IsNotPutOffForLong(t *testing.T) {
	for _, test := range []struct {
		name    string
		fill    func(i *slowInbox, deadline time.Time)
		expires time.Duration // after the deadline
	}{
		{"nothing", func(*slowInbox, time.Time) {}, storingTime},
		{"from after it", func(i *slowInbox, at time.Time) { _, _ = i.Put(context.Background(), runbook.Delivery{At: at.Add(1)}) }, storingTime},
		{"never dealt with", func(i *slowInbox, at time.Time) { _, _ = i.Put(context.Background(), runbook.Delivery{At: at}) }, 30 * time.Minute},
		{"unreadable", func(i *slowInbox, _ time.Time) { i.fail(errors.New("the disk is gone")) }, 30 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				r, p, rb, inbox := w.asked()
				defer w.stop(r, p)
				deadline := rb.Question().Deadline
				test.fill(inbox, deadline)
				time.Sleep(time.Until(deadline.Add(test.expires)) - time.Second)
				if w.only().Question() == nil {
					t.Errorf("it expired before %s were over", test.expires)
				}
				time.Sleep(2 * time.Minute)
				if got := w.only(); got.Outcome != runbook.Expired {
					t.Errorf("outcome %q", got.Outcome)
				}
			})
		})
	}
}
