package runner

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/internal/standin"
	"rollbackbot/runbook"
	"rollbackbot/runbook/preflight"
)

// listened are hosts, and the methods that were called of them.
type listened struct {
	runbook.Hosts
	mu     sync.Mutex
	called []string
}

func listen(hosts runbook.Hosts) *listened {
	l := &listened{}
	l.Hosts = hooked{hosts, func(_ runbook.Host, method string, do func() error) error {
		l.mu.Lock()
		l.called = append(l.called, method)
		l.mu.Unlock()
		return do()
	}}
	return l
}

// methods are those that were called, each as often as it was.
func (l *listened) methods() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(slices.Values(l.called))
}

// What was proven for the plan before isn't asked again: the step that acts proves it anyway.
func TestPlanner_AgainGivesTheSamePlanForLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		plan := func(before *runbook.Plan, want ...string) runbook.Plan {
			t.Helper()
			hosts := listen(w.lab)
			plan, err := preflight.Planner{Hosts: hosts, Journal: w.journal, Before: before}.Plan(t.Context(), w.app, w.request())
			if err != nil {
				t.Fatal(err)
			}
			if got := hosts.methods(); !slices.Equal(got, want) {
				t.Errorf("asked were %v, want %v", got, want)
			}
			return plan
		}
		first := plan(nil, "Images", "Lock", "Pins", "Preflight", "Prove")
		if again := plan(&first, "Pins", "Preflight"); again.Hash() != first.Hash() {
			t.Errorf("made again, the plan is %s, was %s", again.Hash(), first.Hash())
		}
	})
}

// What something else runs by now than the plan before says is asked for once more.
func TestPlanner_AgainWhereSomethingElseRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		planner := preflight.Planner{Hosts: w.lab, Journal: w.journal}
		first, err := planner.Plan(t.Context(), w.app, w.request())
		if err != nil {
			t.Fatal(err)
		}
		w.hosts[w.app.Hosts[0]].Set(func(s *standin.State) { put(s, "api", runbooktest.Release(7)["api"]) })
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
		planner := preflight.Planner{Hosts: w.lab, Journal: w.journal}
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
