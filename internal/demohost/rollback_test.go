package demohost

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	runbookcompose "rollbackbot/internal/compose"
	"rollbackbot/internal/journal"
	"rollbackbot/internal/probe"
	"rollbackbot/runbook"
	"rollbackbot/runbook/preflight"
	"rollbackbot/runbook/runner"
	"rollbackbot/ssh"
)

// noted is a journal in which both releases were noted, as CI would have.
func noted(t *testing.T) *journal.Store {
	t.Helper()
	store, err := journal.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "journal.db"), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	for _, r := range Releases() {
		fact := runbook.Deployed{Images: r.Images, Version: r.Version, Commit: r.Commit, Migration: r.Migration}
		if _, err := store.Append(t.Context(), runbook.Entry{App: app, At: time.Now().UTC(), Facts: []runbook.Fact{fact}}); err != nil {
			t.Fatal(err)
		}
	}
	return store
}

// reached is the way to the host through real SSH.
func reached(t *testing.T, h *Host) (*ssh.Pool, runbook.Hosts) {
	t.Helper()
	pool, err := ssh.New(ssh.Config{KeyFile: h.KeyFile, KnownHosts: h.KnownHosts}, zerolog.New(zerolog.NewTestWriter(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	return pool, &runbookcompose.Hosts{Shell: func(host runbook.Host) runbookcompose.Shell { return pool.Client(host) }}
}

func TestPlan_ThroughSSH(t *testing.T) {
	h := startHost(t)
	_, hosts := reached(t, h)
	planner := preflight.Planner{Hosts: hosts, Journal: noted(t)}
	plan, err := planner.Plan(t.Context(), h.App(), runbook.Request{App: app, Release: V1})
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Hosts) != 1 || plan.Running != V2 || plan.Target.Version != V1 || plan.Migration.None {
		t.Fatalf("the plan: %+v", plan)
	}
	host := plan.Hosts[0]
	if !maps.Equal(host.From(), h.Images(V2)) || !maps.Equal(host.To(), h.Images(V1)) {
		t.Errorf("from %v to %v", host.From(), host.To())
	}
	for _, s := range host.Services {
		want := map[string]int{"api": 1, "worker": 2, "web": 1}[s.Service]
		if s.Drifted || s.Containers != want || s.Scale != 0 {
			t.Errorf("%s: drifted %v, %d containers, scale %d; want %d containers as the file says", s.Service, s.Drifted, s.Containers, s.Scale, want)
		}
	}
	if got := plan.Missing[h.Host]; !slices.Equal(got, []runbook.Image{h.Images(V1)["web"]}) {
		t.Errorf("missing are %v, want v1's web alone", got)
	}
	if len(plan.Warnings) != 1 || !strings.Contains(plan.Warnings[0], "migrate takes API_IMAGE too") {
		t.Errorf("warnings: %q, want one, of migrate", plan.Warnings)
	}
}

// TestPlan_ItsCommands runs what the plan shows, word for word, as a person would who has only the plan.
func TestPlan_ItsCommands(t *testing.T) {
	h := startHost(t)
	pool, hosts := reached(t, h)
	client, planner := pool.Client(h.Host), preflight.Planner{Hosts: hosts, Journal: noted(t)}
	plan, err := planner.Plan(t.Context(), h.App(), runbook.Request{App: app, Release: V1})
	if err != nil {
		t.Fatal(err)
	}
	run := func(cmd runbook.Command) string {
		t.Helper()
		status, stdout, stderr, err := client.Run(t.Context(), cmd, nil)
		if err != nil || status != 0 {
			t.Fatalf("%s: %v, status %d: %s", cmd, err, status, stderr)
		}
		return string(stdout)
	}
	for _, pull := range plan.Hosts[0].Pulls {
		run(pull)
	}
	if err := h.pin(V1); err != nil {
		t.Fatal(err)
	}
	if rendered := run(plan.Hosts[0].Prove); !strings.Contains(rendered, ref(V1, "worker")) || strings.Contains(rendered, ref(V2, "worker")) {
		t.Errorf("rendered: %s", rendered)
	}
	run(plan.Hosts[0].Up)
	if got := health(t, h); got != 200 {
		t.Errorf("/health answers %d, want 200", got)
	}
	if _, err := planner.Plan(t.Context(), h.App(), runbook.Request{App: app, Release: V1}); err == nil || !strings.Contains(err.Error(), "nothing to do") {
		t.Errorf("planned once more: %v", err)
	}
}

// TestRollback_FromRequestToRecord is the demo itself, with its parts but for Slack: the guard's lines under the real
// shell, the pull, the pins, up, and the health checks over HTTP.
func TestRollback_FromRequestToRecord(t *testing.T) {
	h := startHost(t)
	before, envBefore := containers(t, h), readFile(t, h.Dir, "infra", ".env")
	a := h.App()
	// The api needs its time to start: as long as it takes here, and not as long as a rollback would wait.
	a.Health.Attempts, a.Health.Interval = int(patience/time.Second), time.Second
	a.ErrorRate.Window = 200 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	_, hosts := reached(t, h)
	r := &runner.Runner{
		Apps: []runbook.App{a}, Journal: noted(t), Hosts: hosts, Health: probe.Health{}, Directory: everybody{},
		Announcer: &silence{}, SignoffTimeout: time.Hour,
		Problem: func(rollback string, err error) { t.Errorf("%s: %v", rollback, err) },
	}
	if err := r.Start(ctx); err != nil {
		t.Fatal(err)
	}
	defer r.Wait()
	defer cancel()
	request := runbook.Request{App: app, Release: V1, Reason: "the api answers 503", Migration: "yes", By: "UONCALL", At: time.Now().UTC()}
	opened, err := r.Request(ctx, request, "")
	if err != nil {
		t.Fatal(err)
	}
	var rb runbook.Rollback
	eventually(t, "the rollback has ended", func() bool {
		if rb, err = r.Status(ctx, opened.ID); err != nil {
			t.Fatal(err)
		}
		press(t, r, rb)
		return rb.State == runbook.StateEnded
	})
	if rb.Outcome != runbook.Succeeded {
		t.Errorf("it ended as %s: %s; steps %+v", rb.Outcome, rb.Why, rb.Steps)
	}
	if got := health(t, h); got != 200 {
		t.Errorf("/health answers %d, want 200", got)
	}
	after := containers(t, h)
	for name, c := range before {
		kept := name == "shop-db-1" || name == "shop-migrate-1"
		if (after[name].ID == c.ID) != kept {
			t.Errorf("%s: %s before, %s after", name, c.ID, after[name].ID)
		}
	}
	envWant := envBefore
	for service := range h.Images(V1) {
		envWant = strings.ReplaceAll(envWant, ref(V2, service), ref(V1, service))
	}
	if got := readFile(t, h.Dir, "infra", ".env"); got != envWant {
		t.Errorf("the file of the pins is\n%s\nwant\n%s", got, envWant)
	}
}

// press answers what is asked, as people would whose rollback goes well.
func press(t *testing.T, r *runner.Runner, rb runbook.Rollback) {
	t.Helper()
	q := rb.Question()
	if q == nil {
		return
	}
	click := runbook.Click{Rollback: rb.ID, By: "ULEAD"}
	switch q.Kind {
	case runbook.AskSignoff:
		click.Answer = runbook.SignoffInPlace
	case runbook.AskErrorRate:
		click.Answer = runbook.ErrorRateBaseline
	default:
		t.Fatalf("asked %s: %+v", q.Kind, rb.Steps)
	}
	click.Plan = q.PlanFor(click.Answer)
	if err := r.Answer(t.Context(), click); err != nil {
		t.Fatal(err)
	}
}

// everybody may ask and sign off.
type everybody struct{}

func (everybody) Roles(_ context.Context, person string) (runbook.Roles, error) {
	return runbook.Roles{Person: person, Lead: true, Requester: true}, nil
}

// silence takes every message and shows it to nobody.
type silence struct {
	mu    sync.Mutex
	posts int
}

func (s *silence) Post(context.Context, runbook.Notice) (runbook.Post, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.posts++
	return runbook.Post{Channel: "C1", TS: fmt.Sprint(s.posts)}, nil
}

func (*silence) Find(context.Context, runbook.Notice, time.Time) (runbook.Post, bool, error) {
	return runbook.Post{}, false, nil
}

func (*silence) Update(context.Context, runbook.Post, runbook.Notice) error { return nil }
