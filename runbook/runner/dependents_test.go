package runner

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"rollbackbot/internal/drill"
	"rollbackbot/internal/standin"
	"rollbackbot/runbook"
)

// depended has a sidecar run on every host that shares something with the api, and a proxy that has to be restarted with it.
func (w *world) depended() {
	w.onAll(func(s *standin.State) {
		s.Dependents = []runbook.Dependent{{Service: "sidecar", Why: "it shares the network of api"}, {Service: "proxy", Why: "it keeps addresses", Restart: true}}
		for _, d := range s.Dependents {
			s.Containers[d.Service] = []standin.Container{{Image: w.v1["web"], Since: time.Now()}}
		}
	})
}

// jobs are the names of the jobs that a host has begun, without their epochs.
func jobs(h *standin.Host) (names []string) {
	for _, b := range h.Begun() {
		name, _, _ := strings.Cut(b.Job.Name, "-e")
		names = append(names, name)
	}
	return names
}

func TestRollback_DependentsFollow(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.depended()
		rb := w.run(goingWell)
		if rb.Outcome != runbook.Succeeded {
			t.Fatalf("outcome %s: %s", rb.Outcome, rb.Why)
		}
		h := w.hosts["deploy@one"]
		if got, want := jobs(h), []string{"up-back-1", "restart-after-up-back-1"}; !slices.Equal(got, want) {
			t.Errorf("it began %q, want %q", got, want)
		}
		plan := rb.Plan.Hosts[0]
		if !slices.Contains(plan.Up.Args, "sidecar") || !slices.Contains(plan.Restart.Args, "proxy") {
			t.Errorf("the plan's lines are %s and %s", plan.Up, plan.Restart)
		}
		view, err := h.Look(t.Context(), plan.Project)
		if behind := plan.Behind(view); err != nil || len(behind) > 0 {
			t.Errorf("%+v is behind, %v", behind, err)
		}
	})
}

// A restart that failed is tried again, and nothing else with it.
func TestRollback_ARestartFailsAndIsTriedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.depended()
		w.onAll(func(s *standin.State) { s.RestartFails = []int{1} })
		rb := w.run(goingWell)
		if rb.Outcome != runbook.Succeeded {
			t.Fatalf("outcome %s: %s", rb.Outcome, rb.Why)
		}
		if got, want := jobs(w.hosts["deploy@one"]), []string{"up-back-1", "restart-after-up-back-1", "restart-after-up-back-2"}; !slices.Equal(got, want) {
			t.Errorf("it began %q, want %q", got, want)
		}
	})
}

// What goes together with the app's containers may end in the moment in which it is to be stopped, and break the up off: it
// is begun again by itself, twice. Without dependents, and after that, a person is asked.
func TestRollback_AnUpWithDependentsBreaksOff(t *testing.T) {
	for _, c := range []struct {
		name     string
		depended bool
		fails    []int
		want     []string
	}{
		{"once", true, []int{1}, []string{"up-back-1", "up-back-1-again-1", "restart-after-up-back-1"}},
		{"twice", true, []int{1, 1}, []string{"up-back-1", "up-back-1-again-1", "up-back-1-again-2", "restart-after-up-back-1"}},
		{"three times", true, []int{1, 1, 1}, []string{"up-back-1", "up-back-1-again-1", "up-back-1-again-2", "up-back-2", "restart-after-up-back-2"}},
		{"without dependents", false, []int{1}, []string{"up-back-1", "up-back-2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				if c.depended {
					w.depended()
				}
				w.onAll(func(s *standin.State) { s.UpFails = c.fails })
				rb := w.run(goingWell)
				if rb.Outcome != runbook.Succeeded {
					t.Fatalf("outcome %s: %s", rb.Outcome, rb.Why)
				}
				if got := jobs(w.hosts["deploy@one"]); !slices.Equal(got, c.want) {
					t.Errorf("it began %q, want %q", got, c.want)
				}
			})
		})
	}
}

// Going forward again takes the dependents along.
func TestRollback_DependentsFollowForward(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.depended()
		w.lab.SetSick(w.v1["api"], true)
		rb := w.run(answers{runbook.AskSignoff: {"ULEAD", runbook.SignoffInPlace}, runbook.AskFailed: {"ULEAD", runbook.RollForward}})
		if got, want := jobs(w.hosts["deploy@one"]), []string{"up-back-1", "restart-after-up-back-1", "up-forward-1", "restart-after-up-forward-1"}; !slices.Equal(got[:min(len(got), 4)], want) {
			t.Errorf("it began %q, want %q first", got, want)
		}
		if forward := rb.Forward.Hosts[0]; !slices.Contains(forward.Up.Args, "sidecar") || !slices.Contains(forward.Restart.Args, "proxy") {
			t.Errorf("the lines of the way forward are %s and %s", forward.Up, forward.Restart)
		}
	})
}

func TestRequest_AContainerThatWouldStayOnTheFailedImage(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.onAll(func(s *standin.State) {
			s.Containers["worker"] = append(s.Containers["worker"], standin.Container{Image: w.v2["worker"], OneOff: true})
		})
		r, p := w.start(0)
		_, err := r.Request(t.Context(), w.request(), "")
		w.stop(r, p)
		var found *runbook.PreflightError
		if !errors.As(err, &found) || len(found.Problems) != 1 || found.Problems[0].Host != "deploy@one" || !strings.Contains(found.Problems[0].What, "worker") {
			t.Errorf("got %v, want the one container", err)
		}
	})
}

// A drill shows both lines, and goes its whole way.
func TestDrill_DependentsFollow(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.depended()
		var printed []string
		hosts := &drill.Hosts{Hosts: w.lab, Print: func(_ runbook.Host, command string) { printed = append(printed, command) }}
		on := hosts.On(w.app, "deploy@one")
		report, err := on.Preflight(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		plan := runbook.HostPlan{Host: "deploy@one", Services: []runbook.ServicePlan{{Service: "api", To: w.v1["api"]}}, Dependents: report.Dependents}
		plan.Commands = hosts.Commands(w.app, plan)
		time.Sleep(time.Second)
		err = errors.Join(
			on.Start(t.Context(), runbook.Lease{}, runbook.Job{Name: "up", Command: plan.Up, Up: plan.Services, Beside: plan.Replaced()}),
			on.Start(t.Context(), runbook.Lease{}, runbook.Job{Name: "restart", Command: plan.Restart, Beside: plan.Restarted()}),
		)
		view, lookErr := on.Look(t.Context(), report.Project)
		if err != nil || lookErr != nil || len(plan.Behind(view)) > 0 {
			t.Errorf("%+v is behind, %v, %v", plan.Behind(view), err, lookErr)
		}
		if want := []string{plan.Up.String(), plan.Restart.String()}; !slices.Equal(printed, want) {
			t.Errorf("it printed %q, want %q", printed, want)
		}
	})
}
