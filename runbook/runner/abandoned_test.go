package runner

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/runbook"
)

// An app that was taken out of ROLLBACK_APPS while a rollback of it is open: nothing is done, which is said at the start
// and to whoever clicks; with the app back, the rollback goes on.
func TestRollback_ItsAppIsNotConfiguredAnyMore(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		r, p := w.start(0)
		rb, err := r.Request(t.Context(), w.request(), "")
		if err != nil {
			t.Fatal(err)
		}
		w.stop(r, p)

		var problems []error
		r = &Runner{Journal: w.journal, Directory: w.people, SignoffTimeout: time.Minute, Problem: func(id string, err error) {
			if id == rb.ID {
				problems = append(problems, err)
			}
		}}
		ctx, end := context.WithCancel(t.Context())
		if err := r.Start(ctx); err != nil {
			t.Fatal(err)
		}
		var abandoned *runbook.AbandonedError
		if len(problems) != 1 || !errors.As(problems[0], &abandoned) || abandoned.App != "shop" {
			t.Errorf("at its start it said %v", problems)
		}
		var no *runbook.RefusedError
		if err := w.click(r, rb, runbook.SignoffInPlace, "ULEAD"); !errors.As(err, &no) || !strings.Contains(no.Why, "ROLLBACK_APPS") {
			t.Errorf("a click was answered by %v", err)
		}
		end()
		r.Wait()
		if ups := w.hosts["deploy@one"].UpsRun(); len(ups) > 0 || w.only().State != runbook.StateRequested {
			t.Errorf("%d ups, and the rollback is %s", len(ups), w.only().State)
		}

		r, p = w.start(0)
		if abandoned, err := r.Abandoned(t.Context()); err != nil || len(abandoned) > 0 {
			t.Errorf("with the app back, abandoned are %v, %v", abandoned, err)
		}
		w.play(r, p, goingWell)
		w.stop(r, p)
		if rb := w.only(); rb.Outcome != runbook.Succeeded {
			t.Errorf("outcome %s (%s), want succeeded", rb.Outcome, rb.Why)
		}
	})
}

// A host that was taken out of HOSTS: until something was changed, the plan is made anew without it and signed anew;
// from then on the rollback ends what it began, on every host that its plan names.
func TestRollback_AHostIsNotConfiguredAnyMore(t *testing.T) {
	for _, row := range []struct {
		name   string
		until  func(runbook.Rollback) bool
		asked  bool
		second func(*world) map[string]runbook.Image // what the host that was taken out runs in the end
	}{
		{"before the sign-off", func(rb runbook.Rollback) bool { return rb.State == runbook.StateRequested }, true, func(w *world) map[string]runbook.Image { return w.v2 }},
		{"once containers were replaced", runbook.Rollback.Touched, false, func(w *world) map[string]runbook.Image { return w.v1 }},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "deploy@one", "deploy@two")
				r, p := w.start(0)
				first, err := r.Request(t.Context(), w.request(), "")
				if err != nil {
					t.Fatal(err)
				}
				if !row.until(first) {
					if err := w.click(r, first, runbook.SignoffInPlace, "ULEAD"); err != nil {
						t.Fatal(err)
					}
				}
				for !row.until(w.only()) {
					time.Sleep(10 * time.Millisecond)
				}
				w.stop(r, p)
				w.app.Hosts = w.app.Hosts[:1]
				if row.asked { // and out of the balancer: the others are asked by their names
					w.app.Health.URLs = []string{"http://{host}/health"}
				}
				r, p = w.start(0)
				w.play(r, p, goingWell)
				w.stop(r, p)
				rb := w.only()
				if rb.Outcome != runbook.Succeeded {
					t.Errorf("outcome %s (%s), want succeeded", rb.Outcome, rb.Why)
				}
				if replanned := rb.Plan.Hash() != first.Plan.Hash(); replanned != row.asked {
					t.Errorf("signed anew: %t, want %t", replanned, row.asked)
				}
				for service, want := range row.second(w) {
					if got := w.runsNow("deploy@two", service); !slices.Equal(got, []runbook.Image{want}) {
						t.Errorf("deploy@two runs %s for %s, want %s", got, service, want)
					}
				}
			})
		})
	}
}
