package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/runbook"
	"rollbackbot/runbook/postmortem"
)

// fakeTickets is a GitHub that keeps what was opened.
type fakeTickets struct {
	mu       sync.Mutex
	public   bool
	tickets  []runbook.Ticket
	updates  []runbook.Ticket
	lose     int   // so many answers of Open are lost after the ticket was taken
	fails    error // what every call answers; nil: it works
	finds    int   // calls of Find
	findFail error
}

var errGitHub = errors.New("GitHub doesn't answer")

func (f *fakeTickets) Public(context.Context, string) (bool, error) { return f.public, f.failing() }

func (f *fakeTickets) failing() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fails
}

func (f *fakeTickets) Open(_ context.Context, _ string, t runbook.Ticket) (runbook.OpenedTicket, error) {
	time.Sleep(50 * time.Millisecond)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fails != nil {
		return runbook.OpenedTicket{}, f.fails
	}
	f.tickets = append(f.tickets, t)
	if f.lose > 0 {
		f.lose--
		return runbook.OpenedTicket{}, errGitHub
	}
	return f.opened(len(f.tickets)), nil
}

func (f *fakeTickets) opened(n int) runbook.OpenedTicket {
	return runbook.OpenedTicket{Number: n, URL: fmt.Sprint("https://github.com/acme/shop/issues/", n)}
}

func (f *fakeTickets) Find(_ context.Context, _, rollback string, _ time.Time) (runbook.OpenedTicket, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.finds++
	if err := errors.Join(f.fails, f.findFail); err != nil {
		return runbook.OpenedTicket{}, false, err
	}
	for i, t := range f.tickets {
		if strings.Contains(t.Body, postmortem.TicketMarker(rollback)) {
			return f.opened(i + 1), true, nil
		}
	}
	return runbook.OpenedTicket{}, false, nil
}

func (f *fakeTickets) Update(_ context.Context, _ string, _ int, t runbook.Ticket) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fails == nil {
		f.updates = append(f.updates, t)
	}
	return "", f.fails
}

func (f *fakeTickets) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// state is what was opened, and how often it was looked for.
func (f *fakeTickets) state() (tickets []runbook.Ticket, finds int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.tickets), f.finds
}

// mortalTickets is GitHub as one process sees it.
type mortalTickets struct {
	*fakeTickets
	process *process
}

func (m mortalTickets) Open(ctx context.Context, repository string, t runbook.Ticket) (runbook.OpenedTicket, error) {
	return around(m.process, func() (runbook.OpenedTicket, error) { return m.fakeTickets.Open(ctx, repository, t) })
}

func (m mortalTickets) Update(ctx context.Context, repository string, number int, t runbook.Ticket) (string, error) {
	return around(m.process, func() (string, error) { return m.fakeTickets.Update(ctx, repository, number, t) })
}

// leftOpen says what of the follow-up did not come about: a ticket or the file, once, and the owner's word or the leads told.
func (w *world) leftOpen(rb runbook.Rollback) (problems []string) {
	if !rb.Touched() || len(rb.FollowUp.Askings) == 0 { // an older version ended it
		return nil
	}
	if a := rb.Asking(); a.AcceptedAt.IsZero() != w.silent || a.Overdue != w.silent {
		problems = append(problems, fmt.Sprintf("the owner's state is %+v", *a))
	}
	want := []string{"owner-1"}
	if w.silent {
		want = append(want, "owner-1-reminder", "owner-1-overdue")
	}
	switch {
	case w.tickets == nil:
		want = append(want, "postmortem")
	case len(w.tickets.tickets) != 1 || rb.FollowUp.Ticket.Number != 1:
		problems = append(problems, fmt.Sprintf("%d tickets, and the journal knows of %+v", len(w.tickets.tickets), rb.FollowUp.Ticket))
	}
	for _, key := range want {
		if n := w.slack.count(key); n != 1 {
			problems = append(problems, fmt.Sprintf("%d of %s, want 1", n, key))
		}
	}
	return problems
}

// ended plays a rollback to its end, with an owner who doesn't answer, and leaves the process running.
func (w *world) ended() (runbook.Rollback, *Runner, *process) {
	w.t.Helper()
	w.silent = true
	r, p := w.start(0)
	if _, err := r.Request(w.t.Context(), w.request(), ""); err != nil {
		w.t.Fatal(err)
	}
	for range 3600 {
		rb := w.only()
		if rb.State == runbook.StateEnded && rb.Published {
			return rb, r, p
		}
		if answer, by := goingWell.next(rb, "", true); answer != "" {
			_ = w.click(r, rb, answer, by)
		}
		time.Sleep(time.Second)
	}
	w.t.Fatal("it came to no end")
	return runbook.Rollback{}, nil, nil
}

func withTickets(w *world, f *fakeTickets) *world {
	w.tickets, w.app.Repository = f, "acme/shop"
	return w
}

func TestTicket_IsOpenedOnceThoughItsAnswerIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := withTickets(newWorld(t), &fakeTickets{lose: 1})
		rb, r, p := w.ended()
		time.Sleep(time.Minute)
		rb = w.only()
		if tickets, finds := w.tickets.state(); len(tickets) != 1 || rb.FollowUp.Ticket.Number != 1 || finds == 0 {
			t.Errorf("%d tickets after %d looks; the journal has %+v", len(tickets), finds, rb.FollowUp.Ticket)
		}
		if w.slack.count("postmortem") != 0 {
			t.Error("there is a file beside the ticket")
		}
		w.stop(r, p)
	})
}

// Nothing is opened while nobody can tell whether it is there; and nobody waits for it.
func TestTicket_IsNotRepeatedWhileItCanNotBeLookedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := withTickets(newWorld(t), &fakeTickets{lose: 1, findFail: errGitHub})
		_, r, p := w.ended()
		time.Sleep(5 * time.Minute)
		if tickets, finds := w.tickets.state(); len(tickets) != 1 || finds < 3 {
			t.Errorf("%d tickets, %d looks", len(tickets), finds)
		}
		time.Sleep(20 * time.Minute)
		if rb := w.only(); !rb.FollowUp.Ticket.Forgone || !strings.Contains(rb.FollowUp.Ticket.Why, "not known") || w.slack.count("postmortem") != 1 {
			t.Errorf("the journal has %+v; %d files", rb.FollowUp.Ticket, w.slack.count("postmortem"))
		}
		w.stop(r, p)
	})
}

func TestTicket_Refused(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		wait time.Duration
		why  string
	}{
		"denied":       {&runbook.DeniedError{Why: "the token is wrong", Err: errGitHub}, 10 * time.Second, "the token is wrong"},
		"limited":      {&runbook.RetryError{After: time.Hour, Err: errors.New("no more calls")}, 10 * time.Second, "no more calls"},
		"out of reach": {errGitHub, 17 * time.Minute, "doesn't answer"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := withTickets(newWorld(t), &fakeTickets{fails: c.err})
				rb, r, p := w.ended()
				if w.slack.count("record") != 1 {
					t.Error("the record waits for the ticket")
				}
				time.Sleep(c.wait)
				rb = w.only()
				if !rb.FollowUp.Ticket.Forgone || !strings.Contains(rb.FollowUp.Ticket.Why, c.why) || w.slack.count("postmortem") != 1 {
					t.Errorf("the journal has %+v; %d files", rb.FollowUp.Ticket, w.slack.count("postmortem"))
				}
				w.stop(r, p)
			})
		})
	}
}

func TestTicket_ComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := withTickets(newWorld(t), &fakeTickets{fails: errGitHub})
		_, r, p := w.ended()
		time.Sleep(5 * time.Minute)
		w.tickets.set(func() { w.tickets.fails = nil })
		time.Sleep(2 * time.Minute)
		if rb := w.only(); rb.FollowUp.Ticket.Number != 1 || w.slack.count("postmortem") != 0 {
			t.Errorf("the journal has %+v", rb.FollowUp.Ticket)
		}
		w.stop(r, p)
	})
}

// The app is free as soon as its rollback has ended: the follow-up holds nothing.
func TestFollowUp_KeepsNoOtherRollbackOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		first, r, p := w.ended()
		w.deploy(runbooktest.Release(3))
		w.note(runbook.Deployed{Images: runbooktest.Release(3), Version: "v3", Migration: runbook.MigrationYes}, runbook.Observed{Images: runbooktest.Release(3)})
		second, err := r.Request(t.Context(), w.request(), "")
		if err != nil {
			t.Fatalf("the second request: %v", err)
		}
		// Both what is said of the first, and what is done for the second, are written.
		if err := r.Answer(t.Context(), runbook.Click{Rollback: first.ID, Answer: runbook.AcceptOwner, By: "UONCALL"}); err != nil {
			t.Errorf("accept the first: %v", err)
		}
		if err := w.click(r, second, runbook.SignoffReject, "ULEAD"); err != nil {
			t.Errorf("reject the second: %v", err)
		}
		time.Sleep(time.Minute)
		all := w.rollbacks()
		if len(all) != 2 || all[0].Asking().AcceptedAt.IsZero() || all[1].Outcome != runbook.Rejected {
			t.Errorf("the rollbacks are %+v", all)
		}
		if all[1].Asking() != nil {
			t.Error("a rollback that replaced nothing has a follow-up")
		}
		w.stop(r, p)
	})
}

func TestFollowUp_IsHandedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := withTickets(newWorld(t), &fakeTickets{})
		rb, r, p := w.ended()
		over := func(to, by string) error {
			return r.HandOver(t.Context(), runbook.HandOver{Rollback: rb.ID, To: to, By: by})
		}
		var no *runbook.RefusedError
		for _, c := range [][2]string{{"UOTHER", "UOTHER"}, {"UGUEST", "UONCALL"}, {"UOTHER", "UGUEST"}} {
			if err := over(c[0], c[1]); !errors.As(err, &no) {
				t.Errorf("to %s by %s: %v, want refused", c[0], c[1], err)
			}
		}
		for range 2 { // twice is once
			if err := over("UOTHER", "UONCALL"); err != nil {
				t.Errorf("by its owner: %v", err)
			}
		}
		if err := r.Answer(t.Context(), runbook.Click{Rollback: rb.ID, Answer: runbook.AcceptOwner, By: "UONCALL"}); !errors.As(err, &no) {
			t.Errorf("accepted by who handed it over: %v", err)
		}
		for range 2 {
			if err := r.Answer(t.Context(), runbook.Click{Rollback: rb.ID, Answer: runbook.AcceptOwner, By: "UOTHER"}); err != nil {
				t.Errorf("accepted by the new owner: %v", err)
			}
		}
		time.Sleep(time.Minute)
		rb = w.only()
		if rb.Owner() != "UOTHER" || rb.Record().Owner != "UOTHER" || len(rb.FollowUp.Askings) != 2 || rb.Asking().AcceptedAt.IsZero() || !rb.Over() {
			t.Errorf("the follow-up is %+v", rb.FollowUp)
		}
		if r.owner(rb.ID) != nil || r.UnderWay() {
			t.Error("somebody still carries it")
		}
		if last := w.tickets.updates[len(w.tickets.updates)-1]; !strings.Contains(last.Body, "**`UOTHER`** (accepted at ") || rb.FollowUp.Ticket.Owner != "UOTHER" {
			t.Errorf("the ticket says %s", last.Body)
		}
		if w.slack.count("owner-1") != 1 || w.slack.count("owner-2") != 1 {
			t.Errorf("asked %d and %d times", w.slack.count("owner-1"), w.slack.count("owner-2"))
		}
		// Long after, it can still be given on, and the new owner is asked.
		time.Sleep(24 * time.Hour)
		if err := over("ULEAD", "ULEAD"); err != nil {
			t.Errorf("taken by a lead: %v", err)
		}
		time.Sleep(time.Minute)
		if w.slack.count("owner-3") != 1 || w.only().Owner() != "ULEAD" {
			t.Errorf("%d messages to the third owner, who is %s", w.slack.count("owner-3"), w.only().Owner())
		}
		w.stop(r, p)
	})
}

func TestFollowUp_TimersSurviveARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		rb, r, p := w.ended()
		time.Sleep(59 * time.Minute)
		w.stop(r, p)
		if w.slack.count("owner-1-reminder") != 0 {
			t.Error("reminded before the hour was over")
		}
		r, p = w.start(0)
		time.Sleep(2 * time.Minute)
		if w.slack.count("owner-1-reminder") != 1 || w.slack.count("owner-1-overdue") != 0 {
			t.Errorf("an hour after: %d reminders, %d overdue", w.slack.count("owner-1-reminder"), w.slack.count("owner-1-overdue"))
		}
		w.stop(r, p)
		time.Sleep(3 * time.Hour)
		r, p = w.start(0)
		time.Sleep(time.Minute)
		if w.slack.count("owner-1-reminder") != 1 || w.slack.count("owner-1-overdue") != 1 || w.slack.count("owner-1") != 1 {
			t.Errorf("after a long night: %d reminders, %d overdue", w.slack.count("owner-1-reminder"), w.slack.count("owner-1-overdue"))
		}
		if err := r.Answer(t.Context(), runbook.Click{Rollback: rb.ID, Answer: runbook.AcceptOwner, By: "UONCALL"}); err != nil {
			t.Errorf("late is not too late: %v", err)
		}
		time.Sleep(time.Minute)
		if rb = w.only(); rb.Asking().AcceptedAt.IsZero() || !rb.Over() {
			t.Errorf("the follow-up is %+v", rb.FollowUp)
		}
		w.stop(r, p)
	})
}
