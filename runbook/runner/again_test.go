package runner

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"rollbackbot/internal/compose"
	"rollbackbot/internal/runbooktest"
	"rollbackbot/runbook"
	"rollbackbot/runbook/preflight"
)

// listened is a host whose commands are written down.
type listened struct {
	compose.Shell
	mu    sync.Mutex
	lines []string
}

func (l *listened) Run(ctx context.Context, cmd runbook.Command, stdin []byte) (status int, stdout, stderr []byte, err error) {
	l.mu.Lock()
	l.lines = append(l.lines, strings.Join(cmd.Args, " "))
	l.mu.Unlock()
	return l.Shell.Run(ctx, cmd, stdin)
}

// listen gives a world's host with its commands written down.
func (w *world) listen() (*listened, runbook.Hosts) {
	l := &listened{Shell: w.hosts[w.app.Hosts[0]]}
	return l, &compose.Hosts{Shell: func(runbook.Host) compose.Shell { return l }}
}

// count is how many commands hold the words.
func (l *listened) count(words string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		if strings.Contains(line, words) {
			n++
		}
	}
	return n
}

func TestPlanner_AgainGivesTheSamePlanForLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		plans, compose := map[bool]string{}, map[bool]int{}
		var before *runbook.Plan
		for _, again := range []bool{false, true} {
			heard, hosts := w.listen()
			plan, err := preflight.Planner{Hosts: hosts, Journal: w.journal, Before: before}.Plan(t.Context(), w.app, w.request())
			if err != nil {
				t.Fatal(err)
			}
			before = &plan
			plans[again], compose[again] = plan.Hash(), heard.count("docker compose")
		}
		if plans[true] != plans[false] {
			t.Errorf("made again, the plan is %s, was %s", plans[true], plans[false])
		}
		// What is left are the stack with placeholders and compose's hashes of what runs.
		if compose[true] != 2 || compose[false] != 5 {
			t.Errorf("%d calls of compose, and %d when made again; want 5 and 2", compose[false], compose[true])
		}
	})
}

func TestLook_AsksOnceWhatAnImageIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		heard, hosts := w.listen()
		x := &execution{
			app: w.app, hosts: hosts, rollback: func() runbook.Rollback { return runbook.Rollback{} },
			note: func(context.Context, ...runbook.Fact) error { return nil },
		}
		h := runbook.HostPlan{Host: w.app.Hosts[0], Project: "shop"}
		for range 3 {
			view, err := x.look(t.Context(), h)
			if err != nil || !view.Runs(w.v2) {
				t.Fatalf("saw %+v, %v; want v2", view.Services, err)
			}
		}
		if n := heard.count("docker image inspect"); n != 1 {
			t.Errorf("docker was asked %d times what the images are, want once", n)
		}
		api := w.v1["api"].String()
		w.hosts[h.Host].containers["api"] = []string{api}
		if view, err := x.look(t.Context(), h); err != nil || view.Services[0].Image != w.v1["api"] {
			t.Errorf("saw %+v, %v; want the api of v1", view.Services, err)
		}
		// What was there a moment ago is inspected while docker lists; what isn't there any more is no answer.
		w.hosts[h.Host].containers["api"], w.hosts[h.Host].containers["web"] = []string{api, api}, nil
		if view, err := x.look(t.Context(), h); err != nil || view.Services[0].Containers != 2 || !view.Stopped() {
			t.Errorf("saw %+v, %v; want two containers of api and none of web", view.Services, err)
		}
	})
}

// What something else runs by now than the plan before says is asked for once more.
func TestPlanner_AgainWhereSomethingElseRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		planner := preflight.Planner{Hosts: newFakeHosts(w.hosts, &process{}), Journal: w.journal}
		first, err := planner.Plan(t.Context(), w.app, w.request())
		if err != nil {
			t.Fatal(err)
		}
		w.hosts[w.app.Hosts[0]].containers["api"] = []string{runbooktest.Release(7)["api"].String()}
		w.hosts[w.app.Hosts[0]].images[runbooktest.Release(7)["api"].String()] = true
		want, err := planner.Plan(t.Context(), w.app, w.request())
		if err != nil {
			t.Fatal(err)
		}
		planner.Before = &first
		if got, err := planner.Plan(t.Context(), w.app, w.request()); err != nil || got.Hash() != want.Hash() || got.Hash() == first.Hash() {
			t.Errorf("made again the plan is %s, %v; want %s", got.Hash(), err, want.Hash())
		}
	})
}

// A project that has another name by now than in the plan before is looked for under that one.
func TestPlanner_AgainUnderAnotherProject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		planner := preflight.Planner{Hosts: newFakeHosts(w.hosts, &process{}), Journal: w.journal}
		first, err := planner.Plan(t.Context(), w.app, w.request())
		if err != nil {
			t.Fatal(err)
		}
		stale := first
		stale.Hosts = []runbook.HostPlan{first.Hosts[0]}
		stale.Hosts[0].Project = "renamed"
		planner.Before = &stale
		again, err := planner.Plan(t.Context(), w.app, w.request())
		if err != nil || again.Hash() != first.Hash() {
			t.Errorf("the plan is %s, %v; want %s", again.Hash(), err, first.Hash())
		}
	})
}
