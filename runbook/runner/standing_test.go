package runner

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
)

func (w *world) standing(r *Runner) runbook.Standing {
	w.t.Helper()
	s, err := r.Standing(w.t.Context(), "shop")
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// An app's standing from before a rollback to after it: what is open, what came of it, and where the postmortem is.
func TestStanding_FollowsARollback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := withTickets(newWorld(t), &fakeTickets{})
		r, p := w.start(0)
		s := w.standing(r)
		if s.App != "shop" || s.Open != nil || s.Last != nil || s.Quarantines != nil || s.Running == nil || s.Running.Version != "v2" || s.Default == nil || s.Default.Version != "v1" {
			t.Errorf("before it stands as %+v", s)
		}
		opened, err := r.Request(t.Context(), w.request(), "")
		if err != nil {
			t.Fatal(err)
		}
		if s = w.standing(r); s.Open == nil || s.Open.ID != opened.ID || s.Last != nil {
			t.Errorf("with a rollback open it stands as %+v", s)
		}
		w.play(r, p, goingWell)
		s = w.standing(r)
		if s.Open != nil || s.Last == nil || s.Last.ID != opened.ID || s.Last.Outcome != runbook.Succeeded {
			t.Fatalf("after it it stands as %+v", s)
		}
		var names []string
		for _, image := range s.Quarantines[0].Images {
			names = append(names, image.String())
		}
		want := []string{w.v2["api"].String(), w.v2["web"].String(), w.v2["worker"].String()}
		q := s.Quarantines[0]
		if len(s.Quarantines) != 1 || q.Rollback != opened.ID || !q.At.Equal(opened.Request.At) || !slices.Equal(names, want) ||
			q.Ticket.URL != "https://github.com/acme/shop/issues/1" || q.Record.TS == "" {
			t.Errorf("in quarantine are %+v", s.Quarantines)
		}
		// Somebody deploys a third release, and the next rollback is open beside the last one that ended.
		third := runbooktest.Release(3)
		w.deploy(third)
		w.note(runbook.Observed{Images: third})
		again, err := r.Request(t.Context(), w.request(), "")
		if err != nil {
			t.Fatal(err)
		}
		if s = w.standing(r); s.Open == nil || s.Open.ID != again.ID || s.Last == nil || s.Last.ID != opened.ID {
			t.Errorf("with another one open it stands as %+v", s)
		}
		if _, err := r.Standing(t.Context(), "blog"); err == nil {
			t.Error("an app that there isn't stands somehow")
		}
		w.stop(r, p)
	})
}

func TestHistory_QuarantinesByRollback(t *testing.T) {
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	var events []runbook.Event
	add := func(rollback string, facts ...runbook.Fact) {
		at = at.Add(time.Minute)
		for _, fact := range facts {
			events = append(events, runbook.Event{App: "shop", Rollback: rollback, At: at, Fact: fact})
		}
	}
	add("", runbook.Observed{Images: runbooktest.Release(1)}, runbook.Observed{Images: runbooktest.Release(2)})
	for _, id := range []string{"rb-b", "rb-a"} {
		add(id, runbook.Requested{Request: runbook.Request{App: "shop", By: "UONCALL", At: at}})
	}
	stranger := runbook.Image{Name: "ghcr.io/acme/shop/api", Digest: runbook.Digest(fmt.Sprintf("sha256:%064x", 99))}
	add("rb-b", runbook.Quarantined{Images: []runbook.Image{runbooktest.Image("web", 1), runbooktest.Image("api", 1)}})
	add("rb-a", runbook.Quarantined{Images: []runbook.Image{runbooktest.Image("api", 2), runbooktest.Image("web", 2)}})
	add("rb-c", runbook.Quarantined{Images: []runbook.Image{stranger}})
	add("", runbook.Lifted{Digest: runbooktest.Image("web", 2).Digest})
	got := ""
	for _, q := range history.New(events).Quarantines() {
		got += fmt.Sprint(q.Rollback, " ", q.At.IsZero(), " ", q.Images, "; ")
	}
	nameless := runbook.Image{Digest: stranger.Digest}
	want := fmt.Sprint("rb-a false ", []runbook.Image{runbooktest.Image("api", 2)}, "; rb-b false ", []runbook.Image{runbooktest.Image("api", 1), runbooktest.Image("web", 1)}, "; rb-c true ", []runbook.Image{nameless}, "; ")
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if q := history.New(nil).Quarantines(); q != nil {
		t.Errorf("of nothing: %v", q)
	}
}
