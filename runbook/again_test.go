package runbook

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// listened are hosts whose commands are written down.
type listened struct {
	Hosts
	mu    sync.Mutex
	lines []string
}

func (l *listened) Target(host Host) Target { return listenedTarget{l, l.Hosts.Target(host)} }

type listenedTarget struct {
	all    *listened
	target Target
}

func (t listenedTarget) Run(ctx context.Context, cmd Command) (Result, error) {
	t.all.mu.Lock()
	t.all.lines = append(t.all.lines, strings.Join(cmd.Args, " "))
	t.all.mu.Unlock()
	return t.target.Run(ctx, cmd)
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
		var before *Plan
		for _, again := range []bool{false, true} {
			hosts := &listened{Hosts: fakeHosts{w.hosts, &process{}}}
			plan, err := Planner{Hosts: hosts, Journal: w.journal, Before: before}.Plan(t.Context(), w.app, w.request())
			if err != nil {
				t.Fatal(err)
			}
			before = &plan
			plans[again], compose[again] = plan.Hash(), hosts.count("docker compose")
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
		hosts := &listened{Hosts: fakeHosts{w.hosts, &process{}}}
		x := &execution{
			app: w.app, hosts: hosts, rollback: func() Rollback { return Rollback{} },
			note: func(context.Context, ...Fact) error { return nil },
		}
		h := HostPlan{Host: w.app.Hosts[0], Project: "shop"}
		for range 3 {
			sight, err := x.look(t.Context(), h)
			if err != nil || !sight.runs(w.v2) {
				t.Fatalf("saw %+v, %v; want v2", sight.Running, err)
			}
		}
		if n := hosts.count("docker image inspect"); n != 1 {
			t.Errorf("docker was asked %d times what the images are, want once", n)
		}
		api := w.v1["api"].String()
		w.hosts[h.Host].containers["api"] = []string{api}
		if sight, err := x.look(t.Context(), h); err != nil || sight.Running[0].Image != w.v1["api"] {
			t.Errorf("saw %+v, %v; want the api of v1", sight.Running, err)
		}
		// What was there a moment ago is inspected while docker lists; what isn't there any more is no answer.
		w.hosts[h.Host].containers["api"], w.hosts[h.Host].containers["web"] = []string{api, api}, nil
		if sight, err := x.look(t.Context(), h); err != nil || sight.Running[0].Containers != 2 || !sight.down() {
			t.Errorf("saw %+v, %v; want two containers of api and none of web", sight.Running, err)
		}
	})
}

// What something else runs by now than the plan before says is asked for once more.
func TestPlanner_AgainWhereSomethingElseRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		planner := Planner{Hosts: fakeHosts{w.hosts, &process{}}, Journal: w.journal}
		first, err := planner.Plan(t.Context(), w.app, w.request())
		if err != nil {
			t.Fatal(err)
		}
		w.hosts[w.app.Hosts[0]].containers["api"] = []string{release(7)["api"].String()}
		w.hosts[w.app.Hosts[0]].images[release(7)["api"].String()] = true
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
		planner := Planner{Hosts: fakeHosts{w.hosts, &process{}}, Journal: w.journal}
		first, err := planner.Plan(t.Context(), w.app, w.request())
		if err != nil {
			t.Fatal(err)
		}
		stale := first
		stale.Hosts = []HostPlan{first.Hosts[0]}
		stale.Hosts[0].Project = "renamed"
		planner.Before = &stale
		again, err := planner.Plan(t.Context(), w.app, w.request())
		if err != nil || again.Hash() != first.Hash() {
			t.Errorf("the plan is %s, %v; want %s", again.Hash(), err, first.Hash())
		}
	})
}
