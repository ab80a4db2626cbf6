package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/runbook"
)

// waitingWorld has deputies and break-glass, and a question of half an hour: reminded after 10 minutes, the deputies
// asked after 20, break-glass opened after 25.
func waitingWorld(w *world) {
	w.policy = runbook.Policy{Deputies: true, BreakGlass: true}
	w.roster = fakeRoster{runbook.RoleLead: {"ULEAD", "UBOTH"}, runbook.RoleDeputy: {"UDEPUTY", "ULEAD"}}
}

func (w *world) requests(r *Runner) runbook.Rollback {
	w.t.Helper()
	rb, err := r.Request(w.t.Context(), w.request(), "")
	if err != nil {
		w.t.Fatal(err)
	}
	return rb
}

// keys are the keys of what was posted about the waiting, in its order.
func (w *world) keys() (keys []string) {
	w.slack.mu.Lock()
	defer w.slack.mu.Unlock()
	for _, n := range w.slack.posts {
		if n.Kind == runbook.NoticeWaiting || n.Kind == runbook.NoticeAsked || n.Kind == runbook.NoticeBroken {
			keys = append(keys, n.Key)
		}
	}
	slices.Sort(keys)
	return keys
}

func (w *world) wantKeys(when string, want ...string) {
	w.t.Helper()
	slices.Sort(want)
	if got := w.keys(); !slices.Equal(got, want) {
		w.t.Errorf("%s the messages are %q, want %q", when, got, want)
	}
}

func (w *world) refusedJournalled(by string) (why []string) {
	for _, e := range w.events() {
		if no, ok := e.Fact.(runbook.Refused); ok && no.By == by {
			why = append(why, no.Why)
		}
	}
	return why
}

// Who may click what, when: at each moment each person on each answer.
func TestWaiting_WhoMayWhen(t *testing.T) {
	const no, alone, half = "-", "alone", "half"
	minute := func(m int) time.Duration { return time.Duration(m)*time.Minute + time.Second }
	for _, c := range []struct {
		by     string
		answer runbook.Answer
		want   [4]string // once asked, reminded, the deputies asked, break-glass opened
	}{
		{"ULEAD", runbook.SignoffInPlace, [4]string{alone, alone, alone, alone}},
		{"ULEAD", runbook.SignoffReject, [4]string{alone, alone, alone, alone}},
		{"UDEPUTY", runbook.SignoffNone, [4]string{no, no, alone, alone}},
		{"UDEPUTY", runbook.SignoffReject, [4]string{no, no, alone, alone}},
		{"USECOND", runbook.SignoffReverted, [4]string{no, no, no, half}},
		{"USECOND", runbook.SignoffReject, [4]string{no, no, no, no}},
		{"UONCALL", runbook.SignoffInPlace, [4]string{no, no, no, half}}, // the requester
		{"UGUEST", runbook.SignoffInPlace, [4]string{no, no, no, no}},
		{"UOTHER", runbook.SignoffInPlace, [4]string{no, no, no, no}},
		{"UDEPUTY", runbook.RollForward, [4]string{no, no, no, no}},
		{"UDEPUTY", runbook.Confirm, [4]string{no, no, no, no}},
	} {
		for i, after := range []time.Duration{time.Second, minute(10), minute(20), minute(25)} {
			t.Run(fmt.Sprint(c.by, " ", c.answer, " after ", after), func(t *testing.T) {
				inBubble(t, func(t *testing.T, w *world) {
					waitingWorld(w)
					r, p := w.start(0)
					w.requests(r)
					time.Sleep(after)
					err := w.click(r, w.only(), c.answer, c.by)
					rb, got := w.only(), no
					switch {
					case err == nil && rb.Questions[0].Answer == c.answer && rb.Questions[0].By == c.by:
						got = alone
					case err == nil && rb.Question() != nil && rb.Question().Half(c.by) != nil:
						got = half
					}
					if got != c.want[i] || (got == no) != (len(w.refusedJournalled(c.by)) == 1) {
						t.Errorf("got %s (%v), journalled refusals %q; want %s", got, err, w.refusedJournalled(c.by), c.want[i])
					}
					w.stop(r, p)
				})
			})
		}
	}
}

// What was set up not at all, or in part.
func TestWaiting_WithoutDeputiesAndBreakGlass(t *testing.T) {
	for name, c := range map[string]struct {
		policy runbook.Policy
		want   []string // the stages by the end
	}{
		"neither":     {runbook.Policy{}, []string{"reminded"}},
		"deputies":    {runbook.Policy{Deputies: true}, []string{"reminded", "deputies_asked"}},
		"break-glass": {runbook.Policy{BreakGlass: true}, []string{"reminded", "break_glass_opened"}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				w.policy = c.policy
				r, p := w.start(0)
				rb := w.requests(r)
				time.Sleep(20*time.Minute + time.Second) // break-glass comes in the deputies' stead
				var got []string
				for _, e := range w.events() {
					if e.Rollback == rb.ID && slices.Contains([]string{"reminded", "deputies_asked", "break_glass_opened"}, e.Fact.Kind()) {
						got = append(got, e.Fact.Kind())
					}
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("it came to %q, want %q", got, c.want)
				}
				time.Sleep(15 * time.Minute)
				if rb := w.only(); rb.Outcome != runbook.Expired {
					t.Errorf("outcome %s", rb.Outcome)
				}
				w.stop(r, p)
			})
		})
	}
}

// A restart between any two stages goes on where it was; nobody is told twice.
func TestWaiting_RestartBetweenTheStages(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		waitingWorld(w)
		r, p := w.start(0)
		w.requests(r)
		again := func(after time.Duration) {
			time.Sleep(after)
			w.stop(r, p)
			r, p = w.start(0)
			time.Sleep(5 * time.Second)
		}
		again(time.Minute)
		want := []string{"asked-1-ULEAD", "asked-1-UBOTH"}
		w.wantKeys("once asked", want...)
		again(9*time.Minute + time.Second)
		want = append(want, "waiting-1-reminder", "reminder-1-ULEAD", "reminder-1-UBOTH")
		w.wantKeys("after a third", want...)
		again(10 * time.Minute)
		want = append(want, "waiting-1-deputies", "deputies-1-UDEPUTY")
		w.wantKeys("after two thirds", want...)
		again(5 * time.Minute)
		want = append(want, "waiting-1-break_glass")
		w.wantKeys("after five sixths", want...)
		if err := w.click(r, w.only(), runbook.SignoffInPlace, "USECOND"); err != nil {
			t.Fatal(err)
		}
		again(time.Second)
		if err := w.click(r, w.only(), runbook.SignoffInPlace, "UONCALL"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second) // an update may be under way
		w.wantKeys("signed off by two", append(want, "broken-1-ULEAD", "broken-1-UBOTH")...)
		time.Sleep(30 * time.Second)
		rb := w.only()
		if got := rb.Record().SignedOffBy; got != "USECOND,UONCALL" || rb.MigrationState() != runbook.StateLeftInPlace {
			t.Errorf("signed off by %s: %s", got, rb.MigrationState())
		}
		for _, key := range want {
			if w.slack.openIn(key) {
				t.Errorf("%s still has its buttons", key)
			}
		}
		w.stop(r, p)
	})
}

// What passed while nobody was there happens at once, and only the last of it is told.
func TestWaiting_MissedMoments(t *testing.T) {
	for _, c := range []struct {
		after time.Duration
		want  []string
	}{
		{12 * time.Minute, []string{"waiting-1-reminder", "reminder-1-ULEAD", "reminder-1-UBOTH"}},
		{21 * time.Minute, []string{"waiting-1-deputies", "deputies-1-UDEPUTY"}},
		{26 * time.Minute, []string{"waiting-1-break_glass", "deputies-1-UDEPUTY"}},
		{31 * time.Minute, nil},
	} {
		t.Run(c.after.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				waitingWorld(w)
				r, p := w.start(0)
				w.requests(r)
				time.Sleep(time.Minute)
				w.stop(r, p)
				time.Sleep(c.after - time.Minute)
				r, p = w.start(0)
				time.Sleep(10 * time.Second)
				w.wantKeys("after the night", append(c.want, "asked-1-ULEAD", "asked-1-UBOTH")...)
				if rb := w.only(); (rb.Outcome == runbook.Expired) != (c.want == nil) {
					t.Errorf("outcome %q", rb.Outcome)
				}
				w.stop(r, p)
			})
		})
	}
}

func TestBreakGlass_TwoAtOnceCountOnceEach(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		waitingWorld(w)
		r, p := w.start(0)
		w.requests(r)
		time.Sleep(25*time.Minute + time.Second)
		rb := w.only()
		var both sync.WaitGroup
		for _, by := range []string{"UONCALL", "USECOND"} {
			both.Go(func() {
				if err := w.click(r, rb, runbook.SignoffNone, by); err != nil {
					t.Errorf("%s: %v", by, err)
				}
			})
		}
		both.Wait()
		q := w.only().Questions[0]
		if len(q.Halves) != 2 || len(q.Together) != 2 || q.Answer != runbook.SignoffNone {
			t.Errorf("the question is %+v", q)
		}
		w.stop(r, p)
	})
}

// One person never makes two: whoever clicks again, states no reason, or says something else than the first.
func TestBreakGlass_NeverOneAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		waitingWorld(w)
		r, p := w.start(0)
		w.requests(r)
		time.Sleep(25*time.Minute + time.Second)
		rb := w.only()
		wordless := w.clickOn(rb, runbook.SignoffInPlace, "UONCALL")
		wordless.Reason = " \n"
		var no *runbook.RefusedError
		if err := r.Answer(t.Context(), wordless); !errors.As(err, &no) || !strings.Contains(no.Why, "reason") {
			t.Errorf("without a reason: %v", err)
		}
		for range 3 {
			if err := w.click(r, rb, runbook.SignoffInPlace, "UONCALL"); err != nil {
				t.Errorf("the same again: %v", err)
			}
		}
		if err := w.click(r, rb, runbook.SignoffNone, "USECOND"); !errors.As(err, &no) || !strings.Contains(no.Why, "something else") {
			t.Errorf("something else about the migration: %v", err)
		}
		stale := w.clickOn(rb, runbook.SignoffInPlace, "USECOND")
		stale.Plan = strings.Repeat("0", 64)
		if err := r.Answer(t.Context(), stale); !errors.As(err, &no) {
			t.Errorf("on another plan: %v", err)
		}
		if q := w.only().Question(); q == nil || len(q.Halves) != 1 {
			t.Errorf("the question is %+v", q)
		}
		// The first thinks better of it; then both say the same.
		if err := w.click(r, rb, runbook.SignoffNone, "UONCALL"); err != nil {
			t.Error(err)
		}
		if err := w.click(r, rb, runbook.SignoffNone, "USECOND"); err != nil {
			t.Error(err)
		}
		if got := w.only().Signoff.People(); !slices.Equal(got, []string{"UONCALL", "USECOND"}) {
			t.Errorf("signed off by %q", got)
		}
		w.stop(r, p)
	})
}

// A lead's word counts alone to the last, and a half of a signature is none.
func TestBreakGlass_ALeadAfterAHalf(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		waitingWorld(w)
		r, p := w.start(0)
		w.requests(r)
		time.Sleep(25*time.Minute + time.Second)
		if err := errors.Join(w.click(r, w.only(), runbook.SignoffNone, "USECOND"), w.click(r, w.only(), runbook.SignoffReject, "ULEAD")); err != nil {
			t.Error(err)
		}
		time.Sleep(30 * time.Second)
		if rb := w.only(); rb.Outcome != runbook.Rejected || rb.Record().SignedOffBy != "" {
			t.Errorf("outcome %s, signed off by %q", rb.Outcome, rb.Record().SignedOffBy)
		}
		w.stop(r, p)
	})
}

// A new plan voids what was signed, and everybody is asked from the beginning.
func TestWaiting_ANewPlanBeginsAnew(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		waitingWorld(w)
		r, p := w.start(0)
		w.requests(r)
		w.deploy(runbooktest.Release(3))
		time.Sleep(25*time.Minute + time.Second)
		if err := errors.Join(w.click(r, w.only(), runbook.SignoffNone, "USECOND"), w.click(r, w.only(), runbook.SignoffNone, "UONCALL")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		rb := w.only()
		q := rb.Question()
		if q == nil || q.ID != 2 || q.Stage() != runbook.StageAsked || len(q.Halves) != 0 || rb.Record().SignedOffBy != "" {
			t.Fatalf("the question is %+v, signed off by %q", q, rb.Record().SignedOffBy)
		}
		if w.slack.count("asked-2-ULEAD") != 1 || w.slack.openIn("asked-1-ULEAD") {
			t.Errorf("the leads have %q", w.keys())
		}
		time.Sleep(10 * time.Minute)
		if w.slack.count("waiting-2-reminder") != 1 {
			t.Errorf("after a third of the new question's time there are %q", w.keys())
		}
		w.stop(r, p)
	})
}

// People who can't be written to, and a Slack that fails for one of them, hold nothing up.
func TestWaiting_PrivateMessagesHoldNothingUp(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		waitingWorld(w)
		w.roster = fakeRoster{runbook.RoleLead: {"UGONE", "UFAILS", "ULEAD"}}
		w.slack.away = map[string]error{"UGONE": runbook.ErrUnreachable, "UFAILS": errSlack}
		r, p := w.start(0)
		w.requests(r)
		time.Sleep(5 * time.Second)
		w.wantKeys("soon", "asked-1-ULEAD")
		if err := w.click(r, w.only(), runbook.SignoffReject, "ULEAD"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		rb := w.only()
		if rb.Outcome != runbook.Rejected || w.slack.count("record") != 1 || w.slack.openIn("asked-1-ULEAD") || !rb.Posts["asked-1-UGONE"].Settled {
			t.Errorf("outcome %s, %d records, posts %+v", rb.Outcome, w.slack.count("record"), rb.Posts)
		}
		w.slack.mu.Lock()
		w.slack.away = nil
		w.slack.mu.Unlock()
		time.Sleep(2 * time.Minute)
		if rb = w.only(); !rb.Published || w.slack.openIn("asked-1-UFAILS") {
			t.Errorf("once Slack answers again: published %t, %q", rb.Published, w.keys())
		}
		w.stop(r, p)
	})
}

// fails is a roster that can't be read so many times.
type fails struct {
	fakeRoster
	mu    sync.Mutex
	times int
}

func (f *fails) read() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.times--; f.times >= 0 {
		return errSlack
	}
	return nil
}

func (f *fails) Members(ctx context.Context, role runbook.Role, most int) ([]string, error) {
	if err := f.read(); err != nil {
		return nil, err
	}
	return f.fakeRoster.Members(ctx, role, most)
}

func TestWaiting_WhoTheyAreIsFoundOutLater(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		waitingWorld(w)
		w.roster = &fails{fakeRoster: fakeRoster{runbook.RoleLead: {"ULEAD"}}, times: 8}
		r, p := w.start(0)
		w.requests(r)
		time.Sleep(9 * time.Minute)
		w.wantKeys("once they could be read", "asked-1-ULEAD")
		w.stop(r, p)
	})
}

// Who asked for a rollback isn't asked to sign it off, and nobody is asked twice for two roles.
func TestWaiting_WhoIsWrittenTo(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		waitingWorld(w)
		w.roster = fakeRoster{runbook.RoleLead: {"ULEAD", "UONCALL", "ULEAD"}}
		r, p := w.start(0)
		w.requests(r)
		time.Sleep(5 * time.Second)
		w.wantKeys("soon", "asked-1-ULEAD")
		w.stop(r, p)
	})
}

// Where going back is for a lead to sign, leads are asked and reminded; nobody stands in for them.
func TestWaiting_RollForwardStaysALeads(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		waitingWorld(w)
		w.failsUp("deploy@one", 1)
		r, p := w.start(0)
		w.requests(r)
		if err := w.click(r, w.only(), runbook.SignoffInPlace, "ULEAD"); err != nil {
			t.Fatal(err)
		}
		for q := w.only().Question(); q == nil || q.Kind != runbook.AskFailed; q = w.only().Question() {
			time.Sleep(time.Second)
		}
		time.Sleep(29 * time.Minute)
		rb := w.only()
		if q := rb.Question(); q == nil || q.Stage() != runbook.StageReminded || len(q.Addressed[runbook.RoleLead]) != 2 {
			t.Errorf("the question is %+v", q)
		}
		for key, n := range map[string]int{"asked-2-ULEAD": 1, "reminder-2-ULEAD": 1, "waiting-2-reminder": 1, "deputies-2-UDEPUTY": 0} {
			if got := w.slack.count(key); got != n {
				t.Errorf("%d of %s, want %d", got, key, n)
			}
		}
		var no *runbook.RefusedError
		if err := w.click(r, rb, runbook.RollForward, "UDEPUTY"); !errors.As(err, &no) {
			t.Errorf("rolled forward by a deputy: %v", err)
		}
		if err := w.click(r, rb, runbook.RollForward, "UBOTH"); err != nil {
			t.Errorf("rolled forward by a lead: %v", err)
		}
		w.stop(r, p)
	})
}

// Where no lead is needed, the requester is reminded, and nobody else is written to.
func TestWaiting_TheRequesterIsReminded(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		waitingWorld(w)
		w.note(runbook.Deployed{Images: w.v2, Version: "v2", Migration: runbook.MigrationNone})
		r, p := w.start(0)
		if rb := w.requests(r); rb.Question().Kind != runbook.AskConfirm {
			t.Fatalf("the question is %+v", rb.Question())
		}
		time.Sleep(29 * time.Minute)
		w.wantKeys("by the end", "reminder-1-UONCALL")
		time.Sleep(2 * time.Minute)
		if rb := w.only(); rb.Outcome != runbook.Expired || w.slack.openIn("reminder-1-UONCALL") || !rb.Published {
			t.Errorf("outcome %s, published %t", rb.Outcome, rb.Published)
		}
		w.stop(r, p)
	})
}
