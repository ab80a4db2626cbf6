package runner

import (
	"strings"
	"testing"
	"time"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
)

// What the history says of when the failed release came up, and of the time before.
func TestBaseline_WhenTheFailedReleaseCameUp(t *testing.T) {
	noon := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	type fact struct {
		minute int
		fact   runbook.Fact
	}
	noted := func(minute, version int) fact {
		return fact{minute, runbook.Deployed{Images: runbooktest.Release(version)}}
	}
	seen := func(minute, version, after int) fact {
		return fact{minute, runbook.Observed{Images: runbooktest.Release(version), After: at(after)}}
	}
	found := func(minute, version int) fact {
		return fact{minute, runbook.Observed{Images: runbooktest.Release(version)}}
	}
	mixed := func(minute int) fact { return fact{minute, runbook.Diverged{Detail: "a host runs something else"}} }
	for _, c := range []struct {
		name        string
		facts       []fact
		from, until int
		problem     string
	}{
		{name: "seen to come up", facts: []fact{found(-600, 1), seen(0, 2, -1)}, from: -61, until: -1},
		{name: "noted, then seen", facts: []fact{found(-600, 1), noted(-2, 2), seen(0, 2, -1)}, from: -62, until: -2},
		{name: "seen, then noted", facts: []fact{found(-600, 1), seen(0, 2, -1), noted(5, 2)}, from: -61, until: -1},
		{name: "noted late, and it was gone between two looks", facts: []fact{found(-600, 1), noted(-2, 2), seen(0, 2, -9)}, from: -69, until: -9},
		{name: "noted, and the bot was away", facts: []fact{noted(-600, 1), noted(-5, 2), found(0, 2)}, from: -65, until: -5},
		{name: "one host after the other", facts: []fact{found(-600, 1), mixed(-3), seen(0, 2, -4)}, from: -64, until: -4},
		{name: "a host was away for a while", facts: []fact{found(-600, 1), seen(-90, 2, -91), mixed(-50), found(-40, 2)}, from: -151, until: -91},
		{name: "the release before ran for ten minutes only", facts: []fact{found(-600, 1), seen(-90, 3, -91), seen(-11, 1, -40), seen(0, 2, -1)}, from: -11, until: -1},
		{name: "the release before is only noted", facts: []fact{noted(-20, 1), noted(-5, 2), found(0, 2)}, from: -20, until: -5},
		{name: "its last time counts", facts: []fact{found(-900, 1), seen(-600, 2, -601), seen(-300, 1, -301), seen(0, 2, -1)}, from: -61, until: -1},

		{name: "it ran already", facts: []fact{found(0, 2)}, problem: "nobody saw"},
		{name: "it came up while the bot was away", facts: []fact{found(-600, 1), found(0, 2)}, problem: "nobody saw"},
		{name: "noted after it was found", facts: []fact{found(-600, 1), found(0, 2), noted(3, 2)}, problem: "nobody saw"},
		{name: "never seen, never noted", facts: []fact{found(-600, 1)}, problem: "nobody saw"},
		{name: "no history", problem: "nobody saw"},
		{name: "both at once", facts: []fact{noted(-5, 1), noted(-5, 2)}, from: -5, until: -5, problem: "did not run long enough"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var events []runbook.Event
			for _, f := range c.facts {
				events = append(events, runbook.Event{App: "shop", At: at(f.minute), Fact: f.fact})
			}
			from, until, problem := history.New(events).BaselineRange(planFrom(runbooktest.Release(2)))
			if (problem == "") != (c.problem == "") || !strings.Contains(problem, c.problem) {
				t.Fatalf("the problem is %q, want %q", problem, c.problem)
			}
			// What came later is later by a microsecond, whatever a clock said.
			if problem == "" && (from.Sub(at(c.from)).Abs() > time.Second || until.Sub(at(c.until)).Abs() > time.Second) {
				t.Errorf("from %s until %s, want %s until %s", from, until, at(c.from), at(c.until))
			}
		})
	}
}

// planFrom is a plan that goes from a release to the first one on one host.
func planFrom(images map[string]runbook.Image) runbook.Plan {
	p := runbook.Plan{App: "shop", Target: runbook.Release{Images: runbooktest.Release(1)}, Hosts: []runbook.HostPlan{{Host: "deploy@one"}}}
	for service, image := range images {
		p.Hosts[0].Services = append(p.Hosts[0].Services, runbook.ServicePlan{Service: service, From: image, To: runbooktest.Release(1)[service]})
	}
	return p
}

func TestBaseline_MixedHostsHaveNone(t *testing.T) {
	h := history.New([]runbook.Event{{App: "shop", At: time.Now(), Fact: runbook.Deployed{Images: runbooktest.Release(2)}}})
	mixed, left, unknown := planFrom(runbooktest.Release(2)), planFrom(runbooktest.Release(2)), planFrom(runbooktest.Release(2))
	mixed.Hosts = append(mixed.Hosts, planFrom(runbooktest.Release(3)).Hosts...)
	left.Excluded = []runbook.ExcludedHost{{Host: "deploy@two"}}
	unknown.Hosts[0].Services[0].From = runbook.Image{}
	for name, p := range map[string]runbook.Plan{"mixed": mixed, "left out": left, "unknown": unknown} {
		if _, _, problem := h.BaselineRange(p); problem == "" {
			t.Errorf("%s: there is a baseline", name)
		}
	}
}

// The observer says when another release was last seen to run, also where a look failed in between; the first look of a
// process saw nothing come up.
func TestObserver_SaysSinceWhenAReleaseMayRun(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *world) {
		w, stop := observed(t)
		defer stop()
		w.deploy(w.v1)
		time.Sleep(30 * time.Minute)
		w.down("deploy@one", true)
		left := time.Now()
		time.Sleep(10 * time.Minute)
		w.deploy(w.v2)
		w.down("deploy@one", false)
		time.Sleep(5 * time.Minute)
		var last runbook.Observed
		for _, e := range w.events() {
			if fact, ok := e.Fact.(runbook.Observed); ok {
				last = fact
			}
		}
		if runbook.ReleaseID(last.Images) != runbook.ReleaseID(w.v2) || last.After.IsZero() || last.After.After(left) || left.Sub(last.After) > 2*time.Minute {
			t.Errorf("what was seen last is %+v; v1 was last seen before %s", last, left)
		}
	})
}
