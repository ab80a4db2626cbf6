package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/internal/standin"
	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
)

// world is everything around the bot: it outlives each of the bot's processes.
type world struct {
	t       *testing.T
	app     runbook.App
	lab     *standin.Lab
	hosts   map[runbook.Host]*standin.Host          // those of the lab
	through func(hosts runbook.Hosts) runbook.Hosts // how the bot sees the lab's hosts; nil: as they are
	journal runbooktest.Store
	slack   *fakeSlack
	people  fakePeople
	rate    runbook.ErrorRateChecker
	policy  runbook.Policy
	inbox   runbook.Inbox
	roster  runbook.Roster // nil: nobody is written to privately
	v1, v2  map[string]runbook.Image
	abortIn runbook.StepName // the on-call stops the rollback in this step; empty: in none
	timeout time.Duration    // of every question
	tickets *fakeTickets     // nil: there is no GitHub
	source  *fakeSource      // nil: nobody tells what lies between releases
	silent  bool             // the owner of the follow-up doesn't accept it
	said    int              // what people said so far
	private []string         // the keys of private messages that there have to be in the end
}

func newWorld(t *testing.T, names ...runbook.Host) *world {
	return newWorldOn(t, runbooktest.NewMemoryStore(), names...)
}

func newWorldOn(t *testing.T, store runbooktest.Store, names ...runbook.Host) *world {
	w := newEmptyWorld(t, store, names...)
	w.note(runbook.Deployed{Images: w.v1, Version: "v1", Migration: runbook.MigrationNone}, runbook.Observed{Images: w.v1}, runbook.Verified{Images: w.v1},
		runbook.Deployed{Images: w.v2, Version: "v2", Migration: runbook.MigrationYes}, runbook.Observed{Images: w.v2})
	return w
}

// newEmptyWorld is a world on whose hosts v2 runs, after v1. The history is what the store says.
func newEmptyWorld(t *testing.T, store runbooktest.Store, names ...runbook.Host) *world {
	if len(names) == 0 {
		names = []runbook.Host{"deploy@one"}
	}
	w := &world{
		t: t, timeout: 30 * time.Minute, journal: store, slack: &fakeSlack{}, lab: &standin.Lab{}, hosts: map[runbook.Host]*standin.Host{}, v1: runbooktest.Release(1), v2: runbooktest.Release(2),
		people: fakePeople{"UONCALL": {Requester: true}, "ULEAD": {Lead: true}, "UBOTH": {Lead: true, Requester: true}, "UOTHER": {}, "UDEPUTY": {Deputy: true}, "USECOND": {Requester: true}},
		app: runbook.App{
			Name: "shop", Hosts: names, Dir: "/opt/shop", ComposeFiles: []string{"infra/docker-compose.prod.yml"},
			Docker: []string{"docker"}, Compose: []string{"docker", "compose"},
			Services:  []runbook.Service{{Name: "api", Variable: "API_IMAGE"}, {Name: "worker", Variable: "WORKER_IMAGE"}, {Name: "web", Variable: "WEB_IMAGE"}},
			Health:    runbook.Health{URLs: []string{"https://api.example.com/health"}, Attempts: 12, Interval: 10 * time.Second},
			ErrorRate: runbook.ErrorRate{Window: 5 * time.Minute}, VerifyAfter: 10 * time.Minute,
		},
	}
	for _, name := range names {
		w.hosts[name] = w.lab.Add(w.app, name, w.v2, w.v1)
	}
	w.sick(w.v2["api"])
	t.Cleanup(w.wantMeant)
	return w
}

func (w *world) note(facts ...runbook.Fact) {
	w.t.Helper()
	for _, fact := range facts {
		time.Sleep(time.Minute)
		if _, err := w.journal.Append(w.t.Context(), runbook.Entry{App: "shop", At: time.Now(), Facts: []runbook.Fact{fact}}); err != nil {
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
		Apps: []runbook.App{w.app}, Journal: mortalStore{w.journal, p}, Hosts: mortalHosts(w.seen(), p), Health: w.lab.Health(), ErrorRate: w.rate,
		Directory: w.people, Announcer: mortalSlack{w.slack, p}, Policy: w.policy, SignoffTimeout: w.timeout, Inbox: w.inbox, Roster: w.roster, Chronicle: &history.Chronicle{},
	}
	if w.tickets != nil {
		r.Tickets = mortalTickets{w.tickets, p}
	}
	if w.source != nil {
		r.Source, r.Judge = w.source, w.source
	}
	if err := r.Start(ctx); err != nil && !p.isDead() {
		w.t.Fatalf("start: %v", err)
	}
	return r, p
}

// startOn starts a process whose journal goes through another store; the test itself reads the journal as it is.
func (w *world) startOn(through runbooktest.Store) (*Runner, *process) {
	plain := w.journal
	w.journal = through
	defer func() { w.journal = plain }()
	return w.start(0)
}

func (w *world) stop(r *Runner, p *process) {
	p.kill()
	r.Wait()
}

func (w *world) request() runbook.Request {
	return runbook.Request{App: "shop", Reason: "checkout answers 500", Migration: "yes", By: "UONCALL", At: time.Now().UTC()}
}

func (w *world) click(r *Runner, rb runbook.Rollback, answer runbook.Answer, by string) error {
	return r.Answer(w.t.Context(), w.clickOn(rb, answer, by))
}

func (w *world) clickOn(rb runbook.Rollback, answer runbook.Answer, by string) runbook.Click {
	plan := rb.Going().Hash()
	if q := rb.Question(); q != nil {
		plan = q.PlanFor(answer)
	}
	return runbook.Click{Rollback: rb.ID, Plan: plan, Answer: answer, By: by, Reason: "nobody answers, and checkout is down"}
}

func (w *world) events() []runbook.Event {
	w.t.Helper()
	events, err := w.journal.Events(w.t.Context(), "shop", "", 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return events
}

// rollbacks gives the world's rollbacks as its journal tells them.
func (w *world) rollbacks() []runbook.Rollback {
	w.t.Helper()
	all, err := foldAll(w.events())
	if err != nil {
		w.t.Fatalf("the journal can't be folded: %v", err)
	}
	return all
}

// only gives the world's one rollback.
func (w *world) only() runbook.Rollback {
	w.t.Helper()
	all := w.rollbacks()
	if len(all) != 1 {
		w.t.Fatalf("%d rollbacks, want 1", len(all))
	}
	return all[0]
}

// answers are what the people of a test press, by the question.
type answers map[runbook.QuestionKind]struct {
	by     string
	answer runbook.Answer
}

// breaksGlass is a question that only two requesters answer, once they may.
const breaksGlass runbook.QuestionKind = "break_glass"

var goingWell = answers{
	runbook.AskSignoff:   {"ULEAD", runbook.SignoffInPlace},
	runbook.AskConfirm:   {"UONCALL", runbook.Confirm},
	runbook.AskErrorRate: {"UONCALL", runbook.ErrorRateBaseline},
	runbook.AskFailed:    {"UONCALL", runbook.Retry},
}

// next is what somebody presses as things stand; "" for nothing. The on-call stops the rollback in a step; "" in none.
func (a answers) next(rb runbook.Rollback, abortIn runbook.StepName, silent bool) (answer runbook.Answer, by string) {
	if o := rb.Asking(); o != nil && o.AcceptedAt.IsZero() && !silent && rb.Posts[fmt.Sprintf("owner-%d", len(rb.FollowUp.Askings))].TS != "" {
		return runbook.AcceptOwner, o.Owner
	}
	if _, begun := rb.Step(abortIn); begun && rb.AbortedBy == "" && rb.State != runbook.StateEnded {
		return runbook.Abort, "UONCALL"
	}
	if q := rb.Question(); q != nil && a[breaksGlass].answer != "" && !q.BreakGlassAt.IsZero() && len(q.Halves) < 2 {
		return a[breaksGlass].answer, []string{"UONCALL", "USECOND"}[len(q.Halves)]
	}
	if q := rb.Question(); q != nil && slices.Contains(q.Answers, a[q.Kind].answer) {
		return a[q.Kind].answer, a[q.Kind].by
	}
	return "", ""
}

// play lets people answer until the rollback has ended and everything is said, or the process is dead.
func (w *world) play(r *Runner, p *process, people answers) {
	w.t.Helper()
	if p.isDead() {
		return
	}
	id := w.only().ID
	bedtime := time.Now().Add(5 * time.Hour)
	for before := -1; time.Now().Before(bedtime); time.Sleep(time.Second) {
		synctest.Wait()
		passed := p.passed()
		switch {
		case p.isDead():
			return
		case passed == before:
			continue // nobody has written anything
		}
		before = passed
		rb, err := r.Status(w.t.Context(), id)
		switch {
		case err != nil:
			w.t.Errorf("status: %v", err)
			return
		case rb.State == runbook.StateEnded && rb.Over():
			return
		}
		answer, by := people.next(rb, w.abortIn, w.silent)
		if answer == "" {
			continue
		}
		click := w.clickOn(rb, answer, by)
		if err := w.says(r, p, saying{Click: &click}); err != nil && !p.isDead() && !errors.Is(err, runbook.ErrUncertain) {
			w.t.Errorf("%s by %s: %v", answer, by, err)
			return
		}
	}
	w.t.Error("the rollback came to no end")
}

// run is a whole rollback in one process.
func (w *world) run(people answers) runbook.Rollback {
	w.t.Helper()
	r, p := w.start(0)
	if _, err := r.Request(w.t.Context(), w.request(), ""); err != nil {
		w.t.Fatalf("request: %v", err)
	}
	w.play(r, p, people)
	w.stop(r, p)
	return w.only()
}

func (w *world) wantRunning(images map[string]runbook.Image) {
	w.t.Helper()
	for _, problem := range w.unlike(images) {
		w.t.Error(problem)
	}
}

// unlike says where a host does not run these images, or its pins say something else.
func (w *world) unlike(images map[string]runbook.Image) (problems []string) {
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	for name, h := range w.hosts {
		for service, want := range images {
			if got := w.runsNow(name, service); !slices.Equal(got, []runbook.Image{want}) {
				problem("%s runs %s for %s, want %s", name, got, service, want)
			}
		}
		if got, want := pinsFile(h), fileWith(w.app, images); got != want {
			problem("%s: the pins file holds\n%s\nwant\n%s", name, got, want)
		}
	}
	return problems
}

func TestRollback_FromRequestToRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "deploy@one", "deploy@two")
		w.prune("deploy@two", w.v1["web"])
		rb := w.run(goingWell)
		if rb.Outcome != runbook.Succeeded {
			t.Errorf("outcome %s (%s), want succeeded", rb.Outcome, rb.Why)
		}
		w.wantRunning(w.v1)
		if n := w.slack.count("record"); n != 1 {
			t.Errorf("%d records, want 1", n)
		}
		record := rb.Record()
		if record.Migration != runbook.StateLeftInPlace || record.SignedOffBy != "ULEAD" || record.Owner != "UONCALL" || record.To["api"] != w.v1["api"] || record.From["api"] != w.v2["api"] {
			t.Errorf("the record is %+v", record)
		}
		history := history.New(w.events())
		if history.Quarantined(w.v2["api"].Digest) != rb.ID || history.Quarantined(w.v1["api"].Digest) != "" {
			t.Errorf("quarantined are %v", history.Blocked())
		}
		for name, h := range w.hosts {
			if lease := leaseOn(h); lease == nil || !lease.Until.IsZero() {
				t.Errorf("%s: the lease was not given back: %+v", name, lease)
			}
		}
	})
}
