package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/internal/standin"
	"rollbackbot/runbook"
	"rollbackbot/runbook/hostlock"
	"rollbackbot/runbook/outbox"
)

// course is a way that a rollback may take, and where it has to end however often it is killed.
type course struct {
	name    string
	prepare func(*world)
	asked   func(*world, *Runner) // happens once it was asked for
	people  answers
	outcome runbook.Outcome
	forward bool // what ran before runs in the end, and the pins say so
}

// courses are all the ways. The first is the whole runbook, from the request to the record.
var courses = []course{
	{
		name: "it goes well", people: goingWell, outcome: runbook.Succeeded,
		prepare: func(w *world) {
			w.prune("deploy@one", w.v1["worker"])
			w.tickets, w.app.Repository = &fakeTickets{}, "acme/shop"
		},
	}, {
		name: "up fails and is tried again", people: goingWell, outcome: runbook.Succeeded,
		prepare: func(w *world) { w.failsUp("deploy@one", 1) },
	}, {
		name: "a lead goes forward", outcome: runbook.RolledForward, forward: true,
		people: answers{
			runbook.AskSignoff: {"ULEAD", runbook.SignoffInPlace}, runbook.AskFailed: {"ULEAD", runbook.RollForward}, runbook.AskErrorRate: {"UONCALL", runbook.ErrorRateBaseline},
		},
		prepare: func(w *world) { w.sick(w.v1["api"]) },
	}, {
		name: "it is stopped before up", outcome: runbook.Aborted, forward: true,
		people: answers{runbook.AskSignoff: {"ULEAD", runbook.SignoffInPlace}, runbook.AskFailed: {"UONCALL", runbook.Abort}},
		// A variable that the login shell sets meanwhile wins over the pins, which is found out after they are written.
		prepare: func(w *world) { w.exports("WEB_IMAGE", w.v2["web"]) },
	}, {
		name: "it is stopped after up", people: answers{runbook.AskSignoff: {"ULEAD", runbook.SignoffInPlace}}, outcome: runbook.Aborted,
		prepare: func(w *world) { w.abortIn = runbook.StepErrorRate },
	}, {
		name: "Prometheus judges the error rate", people: signsOff, outcome: runbook.Succeeded,
		prepare: func(w *world) { newFakeRate(w) },
	}, {
		name: "the repository tells late what it knows", people: goingWell, outcome: runbook.Succeeded,
		prepare: func(w *world) { withSource(w, "db/migrations/drop.sql").judging = 10 * time.Second },
	}, {
		name: "nobody signs off", outcome: runbook.Expired, forward: true,
	}, {
		name: "nobody answers until break-glass", people: answers{breaksGlass: {"", runbook.SignoffInPlace}}, outcome: runbook.Aborted,
		prepare: func(w *world) {
			w.roster, w.policy, w.abortIn = fakeRoster{runbook.RoleLead: {"ULEAD"}, runbook.RoleDeputy: {"UDEPUTY"}}, runbook.Policy{Deputies: true, BreakGlass: true}, runbook.StepErrorRate
			w.private = []string{"asked-1-ULEAD", "broken-1-ULEAD", "deputies-1-UDEPUTY"}
		},
	}, {
		name: "the owner keeps silent", people: goingWell, outcome: runbook.Succeeded,
		prepare: func(w *world) { w.silent = true },
	}, {
		name: "nobody judges the error rate", people: answers{runbook.AskSignoff: {"ULEAD", runbook.SignoffInPlace}}, outcome: runbook.Unconfirmed,
	},
}

// Killed at every point of its life, before and after each write and each effect, and started again.
func TestCrash_InMemory(t *testing.T) {
	for _, c := range courses {
		t.Run(c.name, func(t *testing.T) {
			c.crash(t, "memory", func(*testing.T) runbooktest.Store { return runbooktest.NewMemoryStore() })
		})
	}
}

// allKillsVariable, when set, has every course taken on every store. Without it the stores see the first one.
const allKillsVariable = "ROLLBACKBOT_TEST_ALL_KILLS"

// CrashOn is that on the stores of open, each of them empty. They may live outside of the bubble.
func CrashOn(t *testing.T, name string, open func(*testing.T) runbooktest.Store) {
	for i, c := range courses {
		if i == 0 || os.Getenv(allKillsVariable) != "" {
			t.Run(c.name, func(t *testing.T) { c.crash(t, name, open) })
		}
	}
}

// crash plays the course once unharmed, which shows how many points there are, and then dies at each; under the
// race detector at some of them.
func (c course) crash(t *testing.T, store string, open func(*testing.T) runbooktest.Store) {
	var mu sync.Mutex
	points, lost, doubled := 0, 0, 0
	play := func(t *testing.T, at int) {
		s := open(t)
		synctest.Test(t, func(t *testing.T) {
			w := newCrashWorld(t, s)
			life := c.killedAt(w, at)
			missing, twice := w.lost(c), w.doubled()
			for _, problem := range append(missing, twice...) {
				t.Error(problem)
			}
			mu.Lock()
			defer mu.Unlock()
			points, lost, doubled = max(points, life), lost+min(len(missing), 1), doubled+min(len(twice), 1)
		})
	}
	t.Run("unharmed", func(t *testing.T) { play(t, 0) })
	life, killed, parted := points, 0, pointsParted
	if os.Getenv(allKillsVariable) != "" {
		parted = 1
	}
	t.Run("killed", func(t *testing.T) {
		for at := 1; at <= life; at += parted {
			killed++
			t.Run(fmt.Sprint(at), func(t *testing.T) {
				t.Parallel()
				play(t, at)
			})
		}
	})
	t.Logf("%s: %s: killed at %d of %d points, %d lost, %d doubled", store, c.name, killed, life, lost, doubled)
	if life < 30 {
		t.Errorf("a whole life has only %d points", life)
	}
}

// newCrashWorld is one with short waits: in longer ones nothing happens but that messages tick and leases are renewed.
func newCrashWorld(t *testing.T, store runbooktest.Store) *world {
	w := newWorldOn(t, store)
	w.timeout, w.app.ErrorRate.Window = 2*time.Minute, 20*time.Second
	w.app.Health.Attempts, w.app.Health.Interval = 3, 2*time.Second
	return w
}

// killedAt plays a rollback whose first process dies at a point, and gives how many points that one passed.
func (c course) killedAt(w *world, at int) int {
	if c.prepare != nil {
		c.prepare(w)
	}
	r, p := w.start(at)
	w.asks(r, p)
	if c.asked != nil {
		c.asked(w, r)
	}
	w.play(r, p, c.people)
	w.stop(r, p)
	points := p.passed()
	if !p.isDead() {
		return points
	}
	r, p = w.start(0)
	w.workOff(r, p)
	if len(w.rollbacks()) == 0 {
		w.asks(r, p) // nothing was acknowledged, and so people say it again
	}
	w.play(r, p, c.people)
	w.stop(r, p)
	return points
}

// saying is what a person said, as the inbox keeps it.
type saying struct {
	Request *runbook.Request `json:",omitempty"`
	Click   *runbook.Click   `json:",omitempty"`
}

func (w *world) asks(r *Runner, p *process) {
	w.t.Helper()
	request := w.request()
	if err := w.says(r, p, saying{Request: &request}); err != nil && !p.isDead() {
		w.t.Fatalf("request: %v", err)
	}
}

// says has a person say something, as the adapter does it: what they said is stored, which acknowledges it, and then
// dealt with.
func (w *world) says(r *Runner, p *process, s saying) error {
	w.said++
	body, err := json.Marshal(s)
	if err != nil {
		return err
	}
	d := runbook.Delivery{Key: fmt.Sprintf("saying-%d", w.said), Kind: "saying", Body: body, At: time.Now().UTC()}
	inbox := mortalStore{w.journal, p}
	if _, err := inbox.Put(w.t.Context(), d); err != nil {
		return err
	}
	return w.deal(r, inbox, d)
}

func (w *world) deal(r *Runner, inbox runbook.Inbox, d runbook.Delivery) error {
	var s saying
	if err := json.Unmarshal(d.Body, &s); err != nil {
		return err
	}
	var err error
	if s.Request != nil {
		_, err = r.Request(w.t.Context(), *s.Request, d.Key)
	} else {
		s.Click.Cause = d.Key
		err = r.Answer(w.t.Context(), *s.Click)
	}
	return errors.Join(err, inbox.Done(w.t.Context(), d.Key))
}

// workOff deals with what a former process was told and did not get to.
func (w *world) workOff(r *Runner, p *process) {
	w.t.Helper()
	pending, err := w.journal.Pending(w.t.Context())
	for _, d := range pending {
		err = errors.Join(err, w.deal(r, mortalStore{w.journal, p}, d))
	}
	if err != nil {
		w.t.Errorf("what was left in the inbox: %v", err)
	}
}

// verifier is a store whose chain can be proven.
type verifier interface {
	Verify(ctx context.Context, app string) error
}

// lost says what did not come of a rollback.
func (w *world) lost(c course) (problems []string) {
	w.t.Helper()
	rb, images := w.only(), w.v1
	if c.forward {
		images = w.v2
	}
	if rb.Outcome != c.outcome || !rb.Published {
		problems = append(problems, fmt.Sprintf("outcome %s (%s), published: %t; want %s", rb.Outcome, rb.Why, rb.Published, c.outcome))
	}
	problems = append(problems, w.unlike(images)...)
	for _, key := range []string{"request", "record"} {
		if w.slack.count(key) == 0 {
			problems = append(problems, "there is no "+key)
		}
	}
	for _, n := range outbox.Decorations(rb, runbook.Live{}) {
		if w.slack.count(n.Key) == 0 {
			problems = append(problems, "there is no "+n.Key)
		}
	}
	for _, key := range w.private {
		if w.slack.count(key) != 1 || !rb.Posts[key].Settled || w.slack.openIn(key) {
			problems = append(problems, fmt.Sprintf("%d of %s, settled: %t, still open: %t", w.slack.count(key), key, rb.Posts[key].Settled, w.slack.openIn(key)))
		}
	}
	problems = append(problems, w.leftOpen(rb)...)
	for name, h := range w.hosts {
		if lease := leaseOn(h); lease != nil && !lease.Until.IsZero() {
			problems = append(problems, fmt.Sprintf("%s: the lease was not given back: %+v", name, lease))
		}
	}
	if pending, err := w.journal.Pending(w.t.Context()); err != nil || len(pending) > 0 {
		problems = append(problems, fmt.Sprintf("left in the inbox: %v, %v", pending, err))
	}
	if store, ok := w.journal.(verifier); ok {
		if err := store.Verify(w.t.Context(), "shop"); err != nil {
			problems = append(problems, err.Error())
		}
	}
	return problems
}

// doubled says what was done more than once.
func (w *world) doubled() (problems []string) {
	posts, facts := map[string]int{}, map[string]int{}
	for _, n := range w.slack.posts {
		posts[n.Key]++
	}
	for _, e := range w.events() {
		switch fact := e.Fact.(type) {
		case runbook.Requested, runbook.Ended, runbook.AbortRequested, runbook.Refused, runbook.Reminded, runbook.DeputiesAsked, runbook.BreakGlassOpened, runbook.OwnerAsked, runbook.OwnerAccepted, runbook.OwnerReminded, runbook.OwnerOverdue, runbook.TicketIntended, runbook.TicketOpened, runbook.TicketForgone: // a click that was dealt with twice would be refused
			facts[fact.Kind()]++
		case runbook.Addressed:
			facts[fmt.Sprint("whom to write to as ", fact.Role, " about ", fact.Question)]++
		case runbook.HalfSigned:
			facts["the signature of "+fact.By]++
		case runbook.NoticeSettled:
			facts["settled "+fact.Key]++
		case runbook.Answered:
			facts[fmt.Sprint("the answer to question ", fact.Question)]++
		}
	}
	for _, counted := range []map[string]int{posts, facts} {
		for what, n := range counted {
			if n > 1 || what == (runbook.Refused{}).Kind() {
				problems = append(problems, fmt.Sprintf("%d of %s", n, what))
			}
		}
	}
	for name, h := range w.hosts {
		if !slices.IsSorted(h.UpsRun()) {
			problems = append(problems, fmt.Sprintf("%s: an older owner's up ran after a newer one's: %v", name, h.UpsRun()))
		}
	}
	return problems
}

// PlayAll plays every course unharmed, each on the store that open gives for its name, with the hosts as through gives
// them.
func PlayAll(t *testing.T, through func(runbook.Hosts) runbook.Hosts, open func(t *testing.T, name string) runbooktest.Store) {
	for _, c := range slices.Concat(courses, quietCourses) {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, c.name)
			synctest.Test(t, func(t *testing.T) {
				w := newCrashWorld(t, s)
				w.through = through
				c.killedAt(w, 0)
				for _, problem := range w.lost(c) {
					t.Error(problem)
				}
			})
		})
	}
}

// observedMuch is what an observer may note of releases beside that they run.
func (w *world) observedMuch() {
	v1, v2 := runbook.ReleaseID(w.v1), runbook.ReleaseID(w.v2)
	w.note(runbook.Observed{Images: w.v2, ConfigHashes: map[string][]string{"api": {strings.Repeat("a1", 32)}}, Hosts: w.app.Hosts},
		runbook.Reconfigured{Images: w.v2, ConfigHashes: map[string][]string{"api": {strings.Repeat("b2", 32)}}},
		runbook.HealthChanged{Images: w.v2, Reason: "https://api.example.com/health answers 503"},
		runbook.Suggested{Release: v2, Target: v1, Evidence: []runbook.Criterion{{Name: runbook.CriterionHealth, Held: runbook.HeldYes, Detail: "v2 has been failing for 6m0s"}}},
		runbook.HealthChanged{Images: w.v2, Healthy: true},
		runbook.NoticeClosed{Key: runbook.SuggestionKey(v2)},
		runbook.Drifted{Key: "drift-1", Points: []runbook.DriftPoint{{Key: "1", Host: w.app.Hosts[0], Text: "api runs another image"}}},
		runbook.ImagesChecked{Release: v1, Images: w.v1, Hosts: []runbook.ImagesOnHost{{Host: w.app.Hosts[0]}}},
		runbook.Described{Images: w.v2, Labels: map[string]runbook.Build{"api": {Version: "2.0", Commit: "3f2c1ab0"}}, Commit: "3f2c1ab0", Author: "ana"},
		runbook.Examined{Notice: "checkup-000001-0123456789ab", Wrong: []runbook.Trouble{{About: "disk", Seen: "it is full", Remedy: "Make room"}}, More: 1},
		runbook.NoticeIntended{Key: "checkup-000001-0123456789ab"}, runbook.NoticePosted{Key: "checkup-000001-0123456789ab", Channel: "C1", TS: "1"})
}

// lockedByHand has somebody take the app's lock in a terminal, somebody else in vain, and the first give it back.
func (w *world) lockedByHand() {
	w.t.Helper()
	ana, ben := w.byHand("ana@laptop"), w.byHand("ben@laptop")
	if _, err := ana.Take(w.t.Context(), "moving the disk", time.Hour); err != nil {
		w.t.Error(err)
	}
	if _, err := ben.Take(w.t.Context(), "deploying", time.Hour); !errors.Is(err, hostlock.ErrNotLocked) {
		w.t.Errorf("a lock that is held was taken: %v", err)
	}
	w.note(runbook.LockRefused{By: "ben@laptop", Why: "a host went away in between"}) // in a moment that no fake can wait for
	if _, err := ana.GiveBack(w.t.Context(), false); err != nil {
		w.t.Error(err)
	}
}

// quietCourses have no points that others don't have.
var quietCourses = []course{
	{
		name: "a lead rejects it", people: answers{runbook.AskSignoff: {"ULEAD", runbook.SignoffReject}}, outcome: runbook.Rejected, forward: true,
		prepare: func(w *world) {
			w.note(runbook.Diverged{Detail: "deploy@one: web runs an unknown image"}, runbook.Lifted{Digest: w.v2["web"].Digest, Cause: "a postmortem", By: "ULEAD"})
			w.observedMuch()
			w.lockedByHand()
		},
		asked: func(w *world, r *Runner) {
			var no *runbook.RefusedError
			if err := w.click(r, w.only(), runbook.SignoffInPlace, "UOTHER"); !errors.As(err, &no) {
				w.t.Errorf("signed off by somebody who may not: %v", err)
			}
		},
	}, {
		name: "somebody deploys before the sign-off", people: goingWell, outcome: runbook.Succeeded,
		asked: func(w *world, _ *Runner) { w.deploy(runbooktest.Release(3)) },
	},
	{
		name: "its ticket is on GitHub", people: goingWell, outcome: runbook.Succeeded,
		prepare: func(w *world) { w.tickets, w.app.Repository = &fakeTickets{}, "acme/shop" },
	},
	{
		name: "it fails and nobody decides", people: answers{runbook.AskSignoff: {"ULEAD", runbook.SignoffInPlace}}, outcome: runbook.Failed,
		prepare: func(w *world) { w.sick(w.v1["api"]) },
	},
}

// FinishOn makes a world in which everything is as the store's journal says, and has the bot finish what is under way
// there: it succeeds, by the plan that is there, with one record. The bot sees the hosts as through gives them.
func FinishOn(t *testing.T, store runbooktest.Store, through func(runbook.Hosts) runbook.Hosts) {
	synctest.Test(t, func(t *testing.T) {
		w := newEmptyWorld(t, store)
		w.through, w.timeout = through, time.Hour // for questions of ours: those of the journal have their own deadline
		events := w.events()
		time.Sleep(time.Until(events[len(events)-1].At))
		w.standAt(w.only())
		r, p := w.start(0)
		w.play(r, p, goingWell)
		w.stop(r, p)
		for _, problem := range append(w.lost(courses[0]), w.doubled()...) {
			t.Error(problem)
		}
		for _, e := range w.events()[len(events):] {
			if fact, ok := e.Fact.(runbook.Replanned); ok {
				t.Errorf("made again, the plan is another one: %s", fact.Why)
			}
		}
	})
}

// standAt makes hosts and Slack what a rollback has made of them.
func (w *world) standAt(rb runbook.Rollback) {
	w.deploy(rb.Plan.From())
	for _, plan := range rb.Plan.Hosts {
		w.hosts[plan.Host].Set(func(s *standin.State) {
			state := rb.Hosts[plan.Host]
			s.PinsFile = plan.EnvFile
			if state.Epoch > 0 {
				s.Lease = &standin.Lease{
					Rollback: rb.ID, Epoch: state.Epoch, Holder: rb.Request.By, Since: rb.Request.At.Format(time.RFC3339), Reason: rb.Request.Reason,
				}
				if rb.State != runbook.StateEnded {
					s.Lease.Until = time.Now().Add(runbook.LeaseTime)
				}
			}
			if state.PinsProven {
				for _, pin := range plan.Pins() {
					s.Pins[pin.Variable] = pin.Value
				}
			}
			if run, _ := rb.Step(runbook.StepDeploy); run.Verdict == runbook.Passed {
				for service, image := range w.v1 {
					put(s, service, image)
				}
			}
		})
	}
	for key, post := range rb.Posts {
		if post.TS != "" {
			w.slack.posts = append(w.slack.posts, runbook.Notice{Key: key, Rollback: rb})
		}
	}
}
