package runner

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/internal/compose"
	"rollbackbot/internal/runbooktest"
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
	one := func(w *world) *fakeHost { return w.hosts["deploy@one"] }
	for _, c := range []struct {
		name     string
		rollback bool
		change   func(w *world)
		want     []string // what each text holds
	}{
		{"nothing", false, func(*world) {}, nil},
		{"a host runs something else than its peers", false, func(w *world) {
			one(w).containers["web"], one(w).env = []string{w.v2["web"].String()}, string(compose.EditPins([]byte(one(w).env), []runbook.Pin{{Variable: "WEB_IMAGE", Value: w.v2["web"].String()}}))
		}, []string{"deploy@one: web runs ghcr.io/acme/shop/web@sha256:7765"}},
		{"a pin is changed and nothing brought up", false, func(w *world) {
			one(w).env = string(compose.EditPins([]byte(one(w).env), []runbook.Pin{{Variable: "API_IMAGE", Value: w.v2["api"].String()}}))
		}, []string{"deploy@one: API_IMAGE in the pins file says ghcr.io/acme/shop/api@sha256:"}},
		{"a pin is a tag", false, func(w *world) {
			one(w).env = string(compose.EditPins([]byte(one(w).env), []runbook.Pin{{Variable: "API_IMAGE", Value: "ghcr.io/acme/shop/api:latest"}}))
		}, nil},
		{"there are no pins", false, func(w *world) { one(w).env = "SECRET=hunter2\n" }, nil},
		{"the rollback's pin is taken out", true, func(w *world) { one(w).env = "SECRET=hunter2\n" },
			[]string{"somebody took API_IMAGE out", "somebody took WORKER_IMAGE out", "somebody took WEB_IMAGE out"}},
		{"the rollback's pin is changed", true, func(w *world) {
			one(w).env = string(compose.EditPins([]byte(one(w).env), []runbook.Pin{{Variable: "API_IMAGE", Value: runbooktest.Release(3)["api"].String()}}))
		}, []string{"deploy@one: somebody changed API_IMAGE, which rollback rb-1 wrote"}},
		{"everywhere something else runs than the rollback pinned", true, func(w *world) {
			for _, h := range w.hosts {
				ref := runbooktest.Release(3)["web"].String()
				h.containers["web"], h.images[ref] = []string{ref}, true
			}
		}, []string{"deploy@one: web runs ghcr.io/acme/shop/web@sha256:", "deploy@three: web runs", "deploy@two: web runs"}},
		{"an ordinary deployment after a rollback", true, func(w *world) { w.deployLocked(runbooktest.Release(3)) }, nil},
		{"what the rollback took away is deployed again", true, func(w *world) { w.deployLocked(w.v2) },
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
				for _, h := range w.hosts {
					h.mu.Lock()
				}
				c.change(w)
				for _, h := range w.hosts {
					h.mu.Unlock()
				}
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

// deployLocked is deploy for whoever holds the hosts' locks.
func (w *world) deployLocked(images map[string]runbook.Image) {
	for _, h := range w.hosts {
		for service, image := range images {
			h.containers[service], h.images[image.String()] = []string{image.String()}, true
		}
		h.env = string(compose.EditPins([]byte(h.env), pinsOf(w.app, images)))
	}
}

// A deployment that goes host by host, slowly, is no drift.
func TestDrift_RollingDeploymentIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, stop := observed(t, "deploy@four", "deploy@one", "deploy@three", "deploy@two")
		defer stop()
		w.deploy(w.v1)
		time.Sleep(15 * time.Minute)
		all := w.hosts
		for _, name := range w.app.Hosts {
			w.hosts = map[runbook.Host]*fakeHost{name: all[name]}
			w.deploy(runbooktest.Release(3))
			w.hosts = all
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
