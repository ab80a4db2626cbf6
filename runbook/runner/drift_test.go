package runner

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/internal/standin"
	"rollbackbot/runbook"
)

// drifted are the texts of all drift that was journalled, in order.
func (w *world) drifted() (texts []string) {
	for _, e := range w.events() {
		if fact, ok := e.Fact.(runbook.Drifted); ok {
			for _, p := range fact.Points {
				texts = append(texts, string(p.Host)+": "+p.Text)
			}
		}
	}
	return texts
}

// afterRollback notes a rollback from v2 to v1 that ended well.
func (w *world) afterRollback() {
	w.t.Helper()
	images := func(host runbook.Host) runbook.HostPlan {
		h := runbook.HostPlan{Host: host}
		for _, s := range w.app.Services {
			h.Services = append(h.Services, runbook.ServicePlan{Service: s.Name, Variable: s.Variable, From: w.v2[s.Name], To: w.v1[s.Name]})
		}
		return h
	}
	var plan runbook.Plan
	for _, host := range w.app.Hosts {
		plan.Hosts = append(plan.Hosts, images(host))
	}
	for _, fact := range []runbook.Fact{runbook.Requested{Plan: plan}, runbook.Quarantined{Images: []runbook.Image{w.v2["api"]}}, runbook.Ended{Outcome: runbook.Succeeded}} {
		if _, err := w.journal.Append(w.t.Context(), runbook.Entry{App: "shop", Rollback: "rb-1", At: time.Now(), Facts: []runbook.Fact{fact}}); err != nil {
			w.t.Fatal(err)
		}
	}
}

func TestDrift(t *testing.T) {
	pin := func(w *world, variable, value string) {
		w.hosts["deploy@one"].Set(func(s *standin.State) { s.Pins[variable] = value })
	}
	unpin := func(w *world) {
		w.hosts["deploy@one"].Set(func(s *standin.State) { clear(s.Pins) })
	}
	for _, c := range []struct {
		name     string
		rollback bool
		change   func(w *world)
		want     []string // what each text holds
	}{
		{"nothing", false, func(*world) {}, nil},
		{"a host runs something else than its peers", false, func(w *world) {
			w.hosts["deploy@one"].Set(func(s *standin.State) { s.Deploy(map[string]runbook.Image{"web": w.v2["web"]}) })
		}, []string{"deploy@one: web runs ghcr.io/acme/shop/web@sha256:7765"}},
		{"a pin is changed and nothing brought up", false, func(w *world) {
			pin(w, "API_IMAGE", w.v2["api"].String())
		}, []string{"deploy@one: API_IMAGE in the pins file says ghcr.io/acme/shop/api@sha256:"}},
		{"a pin is a tag", false, func(w *world) {
			pin(w, "API_IMAGE", "ghcr.io/acme/shop/api:latest")
		}, nil},
		{"there are no pins", false, unpin, nil},
		{"the rollback's pin is taken out", true, unpin,
			[]string{"somebody took API_IMAGE out", "somebody took WORKER_IMAGE out", "somebody took WEB_IMAGE out"}},
		{"the rollback's pin is changed", true, func(w *world) {
			pin(w, "API_IMAGE", runbooktest.Release(3)["api"].String())
		}, []string{"deploy@one: somebody changed API_IMAGE, which rollback rb-1 wrote"}},
		{"everywhere something else runs than the rollback pinned", true, func(w *world) {
			w.onAll(func(s *standin.State) { put(s, "web", runbooktest.Release(3)["web"]) })
		}, []string{"deploy@one: web runs ghcr.io/acme/shop/web@sha256:", "deploy@three: web runs", "deploy@two: web runs"}},
		{"an ordinary deployment after a rollback", true, func(w *world) { w.deploy(runbooktest.Release(3)) }, nil},
		{"what the rollback took away is deployed again", true, func(w *world) { w.deploy(w.v2) },
			[]string{"which rollback rb-1 took away", "which rollback rb-1 took away", "which rollback rb-1 took away"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, stop := observed(t, "deploy@one", "deploy@three", "deploy@two")
				w.deploy(w.v1)
				time.Sleep(15 * time.Minute)
				if c.rollback {
					w.afterRollback()
					time.Sleep(5 * time.Minute)
				}
				c.change(w)
				time.Sleep(9 * time.Minute)
				if got := w.drifted(); len(got) != 0 {
					t.Errorf("said after 9 minutes, while somebody may be deploying: %q", got)
				}
				time.Sleep(time.Hour)
				stop()
				_, again := w.observeOn()
				time.Sleep(time.Hour)
				again()
				got := w.drifted()
				if len(got) != len(c.want) {
					t.Fatalf("after two hours and a restart: %q, want %d", got, len(c.want))
				}
				for i, words := range c.want {
					if !strings.Contains(got[i], words) {
						t.Errorf("%q lacks %q", got[i], words)
					}
				}
				if posts := w.bulletins("drift-"); len(c.want) > 0 && len(posts) != 1 || len(c.want) == 0 && len(posts) != 0 {
					t.Errorf("posted: %v", posts)
				}
				for _, text := range got {
					if strings.Contains(text, "hunter2") {
						t.Errorf("a secret is in %q", text)
					}
				}
			})
		})
	}
}

// A deployment that goes host by host, slowly, is no drift.
func TestDrift_RollingDeploymentIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, stop := observed(t, "deploy@four", "deploy@one", "deploy@three", "deploy@two")
		defer stop()
		w.deploy(w.v1)
		time.Sleep(15 * time.Minute)
		for _, name := range w.app.Hosts {
			w.hosts[name].Set(func(s *standin.State) { s.Deploy(runbooktest.Release(3)) })
			time.Sleep(8 * time.Minute)
		}
		time.Sleep(30 * time.Minute)
		if got := w.drifted(); len(got) != 0 {
			t.Errorf("drift: %q", got)
		}
	})
}

// bulletins are the keys of the bulletins of a kind that were posted.
func (w *world) bulletins(kind string) (keys []string) {
	w.slack.mu.Lock()
	defer w.slack.mu.Unlock()
	for _, n := range w.slack.posts {
		if n.Kind == runbook.NoticeBulletin && strings.HasPrefix(n.Key, kind) {
			keys = append(keys, n.Key)
		}
	}
	return keys
}
