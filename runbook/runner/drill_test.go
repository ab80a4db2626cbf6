package runner

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/internal/drill"
	"rollbackbot/internal/runbooktest"
	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
)

// drilled plays a whole drill in a world, with a journal of its own, and gives what it printed.
func (w *world) drilled(people answers) (rb runbook.Rollback, printed []string) {
	w.t.Helper()
	own := runbooktest.NewMemoryStore()
	var mu sync.Mutex
	hosts := &drill.Hosts{Hosts: w.lab, Print: func(host runbook.Host, command string) {
		mu.Lock()
		defer mu.Unlock()
		printed = append(printed, string(host)+": "+command)
	}}
	ctx, stop := context.WithCancel(w.t.Context())
	r := &Runner{
		Apps: []runbook.App{w.app}, Journal: own, Past: w.journal, Drill: true, Hosts: hosts, Health: w.lab.Health(), ErrorRate: w.rate,
		Directory: w.people, Announcer: w.slack, Policy: w.policy, SignoffTimeout: w.timeout,
	}
	if err := r.Start(ctx); err != nil {
		w.t.Fatal(err)
	}
	defer r.Wait()
	defer stop()
	opened, err := r.Request(w.t.Context(), w.request(), "")
	if err != nil {
		w.t.Fatal(err)
	}
	for range 3600 {
		if rb, err = r.Status(w.t.Context(), opened.ID); err != nil {
			w.t.Fatal(err)
		}
		if rb.State == runbook.StateEnded && rb.Over() {
			return rb, printed
		}
		if answer, by := people.next(rb, w.abortIn, true); answer != "" {
			_ = r.Answer(w.t.Context(), w.clickOn(rb, answer, by))
		}
		time.Sleep(time.Second)
	}
	w.t.Fatalf("the drill came to no end: %+v", rb.Question())
	return rb, nil
}

// hostStates is all that a rollback could change on a host.
func (w *world) hostStates() string {
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(w.hosts)) {
		fmt.Fprintln(&out, w.hosts[name])
	}
	return out.String()
}

// A drill goes the whole way on hosts that stay as they are, and on a journal that stays as it is.
func TestDrill_ChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "deploy@one", "deploy@two")
		w.sick() // a healthy app: people practise in peace
		w.prune("deploy@two", w.v1["web"])
		hosts, events := w.hostStates(), len(w.events())
		rb, printed := w.drilled(goingWell)
		if rb.Outcome != runbook.Succeeded || !rb.Drill() || !runbook.IsDrill(rb.ID) || len(rb.FollowUp.Askings) != 0 {
			t.Errorf("the drill %s ended as %s (%s), with %d asked to follow up", rb.ID, rb.Outcome, rb.Why, len(rb.FollowUp.Askings))
		}
		if after := w.hostStates(); after != hosts {
			t.Errorf("the hosts were\n%s\nand are\n%s", hosts, after)
		}
		if now := len(w.events()); now != events {
			t.Errorf("the app's journal has %d events, %d before", now, events)
		}
		if history := history.New(w.events()); len(history.Blocked()) != 0 || len(history.Rollbacks()) != 0 {
			t.Errorf("the history knows of it: %v %v", history.Blocked(), history.Rollbacks())
		}
		for _, want := range []string{
			"deploy@two: cd /opt/shop && standin fetch " + w.v1["web"].String(),
			"deploy@one: write /opt/shop/pins, with API_IMAGE=" + w.v1["api"].String() + " WORKER_IMAGE=",
			"deploy@one: cd /opt/shop && standin up api worker web",
			"deploy@two: cd /opt/shop && standin up api worker web",
		} {
			if !slices.ContainsFunc(printed, func(line string) bool { return strings.HasPrefix(line, want) }) {
				t.Errorf("it didn't print %q, but:\n%s", want, strings.Join(printed, "\n"))
			}
		}
		if strings.Contains(strings.Join(printed, "\n"), "hunter2") {
			t.Error("it printed a secret of the pins file")
		}
		if text := strings.Join(rb.NotProven(), "\n"); !strings.Contains(text, "the images that hosts lack, 1 in all") || !strings.Contains(text, "no container was replaced") {
			t.Errorf("it says that it didn't prove %q", text)
		}
		if n := w.slack.count("record"); n != 1 {
			t.Errorf("%d records, want 1", n)
		}
	})
}

// It goes wrong where a rollback tonight would: somebody holds the lock, the app is sick, nobody signs off.
func TestDrill_GoesWrongAsARollbackWould(t *testing.T) {
	for name, c := range map[string]struct {
		make   func(w *world)
		people answers
		want   runbook.Outcome
		why    string
	}{
		"locked": {func(w *world) {
			lease := runbook.Lease{Rollback: "lock:ci", Epoch: 7, Holder: "ci", Since: time.Now(), Reason: "deploying", For: 10 * time.Hour}
			if err := w.lab.On(w.app, "deploy@one").Take(w.t.Context(), lease, true, 0); err != nil {
				w.t.Fatal(err)
			}
		}, answers{runbook.AskSignoff: goingWell[runbook.AskSignoff]}, runbook.Failed, "held by ci"},
		"sick":    {func(*world) {}, answers{runbook.AskSignoff: goingWell[runbook.AskSignoff]}, runbook.Failed, "answers 503"},
		"asleep":  {func(*world) {}, answers{}, runbook.Expired, "nobody signed off"},
		"decided": {func(*world) {}, answers{runbook.AskSignoff: {"ULEAD", runbook.SignoffReject}}, runbook.Rejected, "decided not to"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				if name != "sick" {
					w.sick()
				}
				c.make(w)
				before := w.hostStates()
				rb, _ := w.drilled(c.people)
				if rb.Outcome != c.want || !strings.Contains(rb.Why, c.why) {
					t.Errorf("it ended as %s: %s; want %s, because %q", rb.Outcome, rb.Why, c.want, c.why)
				}
				if after := w.hostStates(); after != before {
					t.Errorf("the hosts were\n%s\nand are\n%s", before, after)
				}
			})
		})
	}
}

// No real rollback's ID is taken for a drill's.
func TestNewID_NeverADrills(t *testing.T) {
	for range 10_000 {
		if id := runbook.NewID(); runbook.IsDrill(id) || strings.Contains(id, "l") {
			t.Fatal(id)
		}
	}
	if id := (&Runner{Drill: true}).newID(); !runbook.IsDrill(id) || len(id) != len("rb-drill")+8 {
		t.Error(id)
	}
}
