package runbook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// world is everything around the bot: it outlives each of the bot's processes.
type world struct {
	t       *testing.T
	app     App
	hosts   map[Host]*fakeHost
	journal *memoryJournal
	slack   *fakeSlack
	people  fakePeople
	health  fakeHealth
	policy  Policy
	inbox   Inbox
	v1, v2  map[string]Image
}

func image(service string, version int) Image {
	return Image{Name: "ghcr.io/acme/shop/" + service, Digest: Digest("sha256:" + fmt.Sprintf("%s%060d", hexOf(service), version))}
}

func hexOf(s string) string { return fmt.Sprintf("%x", s[:2]) }

func release(version int) map[string]Image {
	return map[string]Image{"api": image("api", version), "worker": image("worker", version), "web": image("web", version)}
}

func newWorld(t *testing.T, names ...Host) *world {
	if len(names) == 0 {
		names = []Host{"deploy@one"}
	}
	w := &world{
		t: t, journal: newMemoryJournal(), slack: &fakeSlack{}, hosts: map[Host]*fakeHost{}, v1: release(1), v2: release(2),
		people: fakePeople{"UONCALL": {Requester: true}, "ULEAD": {Lead: true}, "UBOTH": {Lead: true, Requester: true}, "UOTHER": {}},
		app: App{
			Name: "shop", Hosts: names, Dir: "/opt/shop", ComposeFile: "infra/docker-compose.prod.yml",
			Docker: []string{"docker"}, Compose: []string{"docker", "compose"},
			Services:  []Service{{"api", "API_IMAGE"}, {"worker", "WORKER_IMAGE"}, {"web", "WEB_IMAGE"}},
			Health:    Health{URLs: []string{"https://api.example.com/health"}, Attempts: 12, Interval: 10 * time.Second},
			ErrorRate: ErrorRate{Window: 5 * time.Minute}, VerifyAfter: 10 * time.Minute,
		},
	}
	for _, name := range names {
		w.hosts[name] = newFakeHost(t, w.app, name, w.v2, w.v1)
	}
	w.health = fakeHealth{hosts: w.hosts, sick: map[string]bool{w.v2["api"].String(): true}}
	w.note(Deployed{Images: w.v1, Version: "v1", Migration: MigrationNone}, Observed{Images: w.v1}, Verified{Images: w.v1},
		Deployed{Images: w.v2, Version: "v2", Migration: MigrationYes}, Observed{Images: w.v2})
	return w
}

func (w *world) note(facts ...Fact) {
	w.t.Helper()
	for _, fact := range facts {
		time.Sleep(time.Minute)
		if _, err := w.journal.Append(w.t.Context(), Entry{App: "shop", At: time.Now(), Facts: []Fact{fact}}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// start starts a process that dies at its point dieAt; 0 lives for ever.
func (w *world) start(dieAt int) (*Runner, *process) {
	w.t.Helper()
	ctx, kill := context.WithCancel(w.t.Context())
	p := &process{dieAt: dieAt, kill: kill}
	r := &Runner{
		Apps: []App{w.app}, Journal: mortalJournal{w.journal, p}, Hosts: fakeHosts{w.hosts, p}, Health: w.health,
		Directory: w.people, Announcer: mortalSlack{w.slack, p}, Policy: w.policy, SignoffTimeout: 30 * time.Minute, Inbox: w.inbox,
	}
	if err := r.Start(ctx); err != nil && !p.isDead() {
		w.t.Fatalf("start: %v", err)
	}
	return r, p
}

func (w *world) stop(r *Runner, p *process) {
	p.kill()
	r.Wait()
}

func (w *world) request() Request {
	return Request{App: "shop", Reason: "checkout answers 500", Migration: "yes", By: "UONCALL", At: time.Now().UTC()}
}

func (w *world) click(r *Runner, rb Rollback, answer Answer, by string) error {
	plan := rb.Going().Hash()
	if q := rb.Question(); q != nil {
		plan = q.PlanFor(answer)
	}
	return r.Answer(w.t.Context(), Click{Rollback: rb.ID, Plan: plan, Answer: answer, By: by})
}

// only gives the world's one rollback as its journal tells it.
func (w *world) only() Rollback {
	w.t.Helper()
	events, _ := w.journal.Events(w.t.Context(), "shop", "", 0)
	all, err := foldAll(events)
	if err != nil {
		w.t.Fatalf("the journal can't be folded: %v", err)
	}
	if len(all) != 1 {
		w.t.Fatalf("%d rollbacks, want 1", len(all))
	}
	return all[0]
}

// answers are what the people of a test press, by the question.
type answers map[QuestionKind]struct {
	by     string
	answer Answer
}

var goingWell = answers{
	AskSignoff:   {"ULEAD", SignoffInPlace},
	AskConfirm:   {"UONCALL", Confirm},
	AskErrorRate: {"UONCALL", ErrorRateBaseline},
	AskFailed:    {"UONCALL", Retry},
}

// play lets people answer until the rollback has ended and everything is said, or the process is dead.
func (w *world) play(r *Runner, p *process, people answers) {
	for range 5000 {
		time.Sleep(time.Second)
		synctest.Wait()
		if p.isDead() {
			return
		}
		rb := w.only()
		if rb.State == StateEnded && rb.Published {
			return
		}
		if q := rb.Question(); q != nil {
			if a, ok := people[q.Kind]; ok && slices.Contains(q.Answers, a.answer) {
				if err := w.click(r, rb, a.answer, a.by); err != nil && !p.isDead() && !errors.Is(err, ErrUncertain) {
					w.t.Errorf("%s by %s: %v", a.answer, a.by, err)
					return
				}
			}
		}
	}
	w.t.Error("the rollback came to no end")
}

// run is a whole rollback in one process.
func (w *world) run(people answers) Rollback {
	w.t.Helper()
	r, p := w.start(0)
	if _, err := r.Request(w.t.Context(), w.request(), ""); err != nil {
		w.t.Fatalf("request: %v", err)
	}
	w.play(r, p, people)
	w.stop(r, p)
	return w.only()
}

func (w *world) wantRunning(images map[string]Image) {
	w.t.Helper()
	for name, h := range w.hosts {
		for service, want := range images {
			if got := h.containers[service]; !slices.Equal(got, []string{want.String()}) {
				w.t.Errorf("%s runs %s for %s, want %s", name, got, service, want)
			}
		}
		for _, pin := range ReadPins([]byte(h.env), w.app) {
			service := strings.ToLower(strings.TrimSuffix(pin.Variable, "_IMAGE"))
			if pin.Value != images[service].String() {
				w.t.Errorf("%s: pin %s is %s, want %s", name, pin.Variable, pin.Value, images[service])
			}
		}
		if !strings.HasPrefix(h.env, "# the shop\nSECRET=hunter2\n") {
			w.t.Errorf("%s: other lines of the file of the pins changed: %q", name, h.env)
		}
	}
}

func TestRollback_FromRequestToRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "deploy@one", "deploy@two")
		delete(w.hosts["deploy@two"].images, w.v1["web"].String())
		rb := w.run(goingWell)
		if rb.Outcome != Succeeded {
			t.Errorf("outcome %s (%s), want succeeded", rb.Outcome, rb.Why)
		}
		w.wantRunning(w.v1)
		if n := w.slack.count("record"); n != 1 {
			t.Errorf("%d records, want 1", n)
		}
		record := rb.Record()
		if record.Migration != StateLeftInPlace || record.SignedOffBy != "ULEAD" || record.Owner != "UONCALL" || record.To["api"] != w.v1["api"] || record.From["api"] != w.v2["api"] {
			t.Errorf("the record is %+v", record)
		}
		history := NewHistory(w.journal.events["shop"])
		if history.Quarantined(w.v2["api"].Digest) != rb.ID || history.Quarantined(w.v1["api"].Digest) != "" {
			t.Errorf("quarantined are %v", history.Blocked())
		}
		for name, h := range w.hosts {
			if h.lease["until"] != "0" {
				t.Errorf("%s: the lease was not given back: %v", name, h.lease)
			}
		}
	})
}

// Killed at every point of its life, before and after each append and each effect, and started again.
func TestRollback_KilledAnywhere(t *testing.T) {
	life := 0
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r, p := w.start(0)
		if _, err := r.Request(t.Context(), w.request(), ""); err != nil {
			t.Fatal(err)
		}
		w.play(r, p, goingWell)
		w.stop(r, p)
		life = p.points
	})
	if life < 50 {
		t.Fatalf("a whole life has only %d points", life)
	}
	for at := 1; at <= life; at++ {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { killedAt(t, at) })
		})
	}
	t.Logf("%d points, one record each", life)
}

func killedAt(t *testing.T, at int) {
	w := newWorld(t)
	delete(w.hosts["deploy@one"].images, w.v1["worker"].String())
	r, p := w.start(at)
	_, err := r.Request(t.Context(), w.request(), "")
	if err == nil {
		w.play(r, p, goingWell)
	}
	w.stop(r, p)
	r, p = w.start(0)
	if id, _ := w.journal.Open(t.Context(), "shop"); err != nil && id == "" {
		// The request died before it was written: nobody was told that it was taken, and it is asked for again.
		if _, err := r.Request(t.Context(), w.request(), ""); err != nil {
			t.Fatalf("request again: %v", err)
		}
	}
	w.play(r, p, goingWell)
	w.stop(r, p)
	rb := w.only()
	if rb.Outcome != Succeeded {
		t.Errorf("outcome %s (%s), want succeeded", rb.Outcome, rb.Why)
	}
	w.wantRunning(w.v1)
	for _, key := range []string{"request", "record"} {
		if n := w.slack.count(key); n != 1 {
			t.Errorf("%d of %s, want 1", n, key)
		}
	}
	if lease := w.hosts["deploy@one"].lease; lease["until"] != "0" {
		t.Errorf("the lease was not given back: %v", lease)
	}
	if ups := w.hosts["deploy@one"].ups; !slices.IsSorted(ups) {
		t.Errorf("an older owner's up ran after a newer one's: %v", ups)
	}
}
