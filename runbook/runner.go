package runbook

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Runner owns the rollbacks of this process: it takes requests and answers, and carries every rollback to its record.
// Its exported fields are set before Start and not changed afterwards; its methods may be called from any goroutine.
type Runner struct {
	Apps           []App
	Journal        Journal
	Hosts          Hosts
	Health         HealthChecker
	ErrorRate      ErrorRateChecker // nil: a person is asked about every app's error rate
	Directory      Directory
	Announcer      Announcer
	Policy         Policy
	SignoffTimeout time.Duration  // the deadline of every question
	Chronicle      *Chronicle     // remembers what is known of releases, for all that asks in this process; nil: each question reads the whole journal
	Roster         Roster         // who leads and deputies are, to be written to; nil: nobody is privately
	Tickets        Tickets        // where postmortem tickets are opened; nil: nowhere
	Links          Links          // to the source; nil: none
	Source         Source         // tells what lies between two releases; nil: nobody does
	Judge          MigrationJudge // judges the migrations in between; nil: nobody does
	Contacts       Contacts       // how people are called in them; nil: by their Slack IDs
	Inbox          Inbox          // where answers come from: no question expires while one from before its deadline lies there; nil: nowhere

	// Drill says that this Runner's rollbacks are drills: their IDs say so, nothing is quarantined, and there is no
	// follow-up. Its Hosts are DrillHosts, and its Journal is its own; Past is the one that the app's history is read from.
	Drill bool
	Past  Journal // nil: Journal

	// Report gets every event after it was written, for the log; Problem what went wrong and is tried again.
	// Either may be nil.
	Report  func(Event)
	Problem func(rollback string, err error)

	base    context.Context // ends when the process stops
	gate    *gate
	running sync.WaitGroup
	herald  *herald
	opening sync.Mutex // held while a rollback is opened
	mu      sync.Mutex
	owners  map[string]*owner // by rollback ID, until everything about it is said
}

// Start takes over what a former process left under way, and returns; the rollbacks go on until ctx ends.
func (r *Runner) Start(ctx context.Context) error {
	r.base, r.gate, r.owners = ctx, newGate(), map[string]*owner{}
	r.herald = newHerald(r.Journal, r.Announcer, r.reportEvent, func(err error) { r.reportProblem(Rollback{}, err) }, r.bulletinsOf(r.Apps))
	for _, app := range r.Apps {
		rollbacks, epoch, err := r.takeOver(ctx, app.Name)
		if err != nil {
			return err
		}
		for _, rb := range rollbacks {
			o := r.own(app, rb, epoch)
			if rb.State == StateRequested && len(rb.Fetched) < len(rb.Plan.Missing) {
				o.prefetch(ctx)
			}
			o.freezeBaseline(ctx)
			o.awaitChanges(ctx)
			if rb.State == StateRequested && len(rb.Logs) < len(rb.Plan.Hosts) {
				o.readLogs(ctx)
			}
		}
	}
	r.reportAbandoned(ctx)
	r.running.Go(func() { r.herald.tell(ctx) })
	return nil
}

// takeOver gives the app's rollbacks about which something is left to be done or said, under an epoch of our own.
func (r *Runner) takeOver(ctx context.Context, app string) (left []Rollback, epoch int64, err error) {
	left, err = r.left(ctx, app)
	if err != nil || len(left) == 0 {
		return nil, 0, err
	}
	if epoch, err = r.Journal.Acquire(ctx, app, 0); err != nil {
		return nil, 0, err
	}
	// Read again: until now a former owner that still lives could write.
	left, err = r.left(ctx, app)
	return left, epoch, err
}

func (r *Runner) left(ctx context.Context, app string) ([]Rollback, error) {
	all, err := r.Rollbacks(ctx, app)
	return slices.DeleteFunc(all, func(rb Rollback) bool { return rb.State == StateEnded && rb.over() }), err
}

// UnderWay reports whether this process carries a rollback whose record is not posted. A follow-up that somebody has yet
// to accept is not under way.
func (r *Runner) UnderWay() bool {
	r.mu.Lock()
	owners := slices.Collect(maps.Values(r.owners))
	r.mu.Unlock()
	return slices.ContainsFunc(owners, func(o *owner) bool {
		rb := o.snapshot()
		return rb.State != StateEnded || rb.Posts[string(NoticeRecord)].TS == ""
	})
}

// Wait waits until everything that Start and its requests began has stopped, after ctx has ended.
func (r *Runner) Wait() { r.running.Wait() }

func (r *Runner) own(app App, rb Rollback, epoch int64) *owner {
	o := newOwner(r, app, rb, epoch)
	r.mu.Lock()
	r.owners[rb.ID] = o
	r.mu.Unlock()
	speaker := func(list func(Rollback, Live) []Notice) *publisher {
		return &publisher{
			Announcer: r.Announcer, List: list, Gate: r.gate, State: o.state, Note: o.execution.note,
			Postmortem: func(ctx context.Context, rb Rollback) (string, error) { return o.postmortem(ctx, rb, false) },
			Report:     func(err error) { r.reportProblem(rb, err) },
		}
	}
	var all sync.WaitGroup
	all.Go(func() {
		if err := o.drive(r.base); err != nil && r.base.Err() == nil {
			r.reportProblem(rb, err)
		}
	})
	all.Go(func() { o.after(r.base, speaker(notices)) })
	all.Go(func() { o.address(r.base) })
	all.Go(func() { speaker(privateNotices).beside(r.base) })
	all.Go(func() { speaker(decorations).decorate(r.base) })
	r.running.Go(func() {
		all.Wait()
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.owners, rb.ID)
	})
	return o
}

func (r *Runner) owner(id string) *owner {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.owners[id]
}

func (r *Runner) planner() Planner {
	return Planner{Hosts: r.Hosts, Journal: r.past(), Chronicle: r.Chronicle, Rate: MeasureRate(r.ErrorRate), Source: r.Source, Judge: r.Judge}
}

// App finds an app by its name.
func (r *Runner) App(name string) (App, error) {
	for _, app := range r.Apps {
		if app.Name == name {
			return app, nil
		}
	}
	return App{}, &UnknownAppError{Name: name, Apps: r.appNames()}
}

func (r *Runner) appNames() []string {
	names := make([]string, len(r.Apps))
	for i, app := range r.Apps {
		names[i] = app.Name
	}
	return names
}

// UnknownAppError says that there is no such app, and which there are.
type UnknownAppError struct {
	Name string
	Apps []string
}

func (e *UnknownAppError) Error() string {
	return fmt.Sprintf("there is no app %q; there are: %s", e.Name, orNone(e.Apps))
}

// Plan makes a plan without asking for anything.
func (r *Runner) Plan(ctx context.Context, request Request) (Plan, string, error) {
	app, err := r.App(request.App)
	if err != nil {
		return Plan{}, "", err
	}
	plan, err := r.planner().Plan(ctx, app, request)
	return plan, r.Policy.needsLead(plan), err
}

// Request asks for a rollback: it makes the plan, and opens the question of whether to go through with it. cause is
// the key of the delivery that asked. Nothing runs on the mere request. A refusal is a *RefusedError; see Planner.Plan
// for the others; *BusyError when the app has one open.
func (r *Runner) Request(ctx context.Context, request Request, cause string) (Rollback, error) {
	if _, err := r.App(request.App); err != nil {
		return Rollback{}, err
	}
	roles, err := r.Directory.Roles(ctx, request.By)
	if err != nil {
		return Rollback{}, fmt.Errorf("read who you are from Slack: %w", err)
	}
	return r.RequestAs(ctx, roles, request, cause)
}

// RequestAs is Request with the roles of request.By, for a door that reads them elsewhere and has proven who asks. A
// request that brings its rollback's ID counts once.
func (r *Runner) RequestAs(ctx context.Context, roles Roles, request Request, cause string) (Rollback, error) {
	app, err := r.App(request.App)
	if err != nil {
		return Rollback{}, err
	}
	if err := MayRequest(roles); err != nil {
		return Rollback{}, err
	}
	if err := OpenRollback(ctx, r.Journal, app.Name); err != nil {
		return Rollback{}, err
	}
	if err := r.unused(ctx, request.ID); err != nil {
		return Rollback{}, err
	}
	if request.Reason == "" {
		request.Reason = NotGiven
	}
	if request.Owner == "" {
		request.Owner = request.By
	}
	plan, err := r.planner().Plan(ctx, app, request)
	if err != nil {
		return Rollback{}, err
	}
	if request.Signed != "" && request.Signed != plan.Hash() {
		return Rollback{}, refused("The plan has changed since you signed it: look at the new one, and sign that.")
	}
	return r.open(ctx, app, request, plan, cause)
}

func (r *Runner) open(ctx context.Context, app App, request Request, plan Plan, cause string) (Rollback, error) {
	// One at a time, and only into a free app: whoever takes the epoch and is refused then would have taken it from the
	// rollback that is open, which could never write again.
	r.opening.Lock()
	defer r.opening.Unlock()
	if err := OpenRollback(ctx, r.Journal, app.Name); err != nil {
		return Rollback{}, err
	}
	if err := r.unused(ctx, request.ID); err != nil {
		return Rollback{}, err
	}
	epoch, err := r.Journal.Acquire(ctx, app.Name, 0)
	if err != nil {
		return Rollback{}, err
	}
	id := request.ID
	if id == "" {
		id = r.newID()
	}
	entry := Entry{
		App: app.Name, Rollback: id, Epoch: epoch, At: time.Now().UTC(), Actor: request.By, Cause: cause,
		Facts: []Fact{Requested{Request: request, Plan: plan, Question: r.question(1, plan)}},
	}
	events, err := r.Journal.Append(ctx, entry)
	if errors.Is(err, ErrUncertain) {
		events, err = r.settle(entry)
	}
	var open *OpenError
	switch {
	case errors.As(err, &open):
		return Rollback{}, OpenRollback(ctx, r.Journal, app.Name)
	case err != nil:
		return Rollback{}, err
	case len(events) == 0: // the delivery was dealt with before: by a process that died before it could say so
		if err := OpenRollback(ctx, r.Journal, app.Name); err != nil {
			return Rollback{}, err
		}
		return Rollback{}, refused("That request was dealt with already; `status %s` says how.", app.Name)
	}
	rb, err := Fold(events)
	if err != nil {
		return Rollback{}, err
	}
	for _, event := range events {
		r.reportEvent(event)
	}
	r.WakeOutbox() // what was suggested doesn't stand any more
	r.own(app, rb, epoch).prepare(r.base)
	return rb, nil
}

// settle finds out whether an entry that opens a rollback was written after all, and tries until that can be told or the
// process stops: a rollback that is open and that nobody carries would wait for ever. Until then no other is opened.
func (r *Runner) settle(entry Entry) ([]Event, error) {
	for wait := firstRetry; pause(r.base, wait) == nil; wait = min(2*wait, lastRetry) {
		// An empty entry waits for what may yet be written.
		if _, err := r.Journal.Append(r.base, Entry{App: entry.App, At: entry.At}); err != nil {
			r.reportProblem(Rollback{ID: entry.Rollback}, err)
			continue
		}
		events, err := r.Journal.Events(r.base, entry.App, entry.Rollback, 0)
		if err == nil && len(events) == 0 {
			return nil, errJournal
		}
		if err == nil {
			return events, nil
		}
	}
	return nil, ErrUncertain
}

// question is the one that opens a rollback, or that a new plan opens again.
func (r *Runner) question(id int64, plan Plan) Question {
	q := Question{ID: id, Kind: AskConfirm, Plan: plan.Hash(), Answers: []Answer{Confirm}, Deadline: time.Now().Add(r.SignoffTimeout).UTC()}
	if why := r.Policy.needsLead(plan); why != "" {
		q.Kind, q.Text = AskSignoff, why
		q.Answers = []Answer{SignoffInPlace, SignoffReverted, SignoffNone, SignoffReject}
	}
	return q
}

// Click is an answer as a person gave it.
type Click struct {
	Rollback string
	Question int64  // the question that the button stood under; 0: whichever is open
	Plan     string // the hash of the plan that the person saw
	Answer   Answer
	By       string    // Slack ID
	Reason   string    // what they stated; only where two requesters sign off together
	At       time.Time // when it arrived; zero: now
	Cause    string    // the key of its delivery
}

// late reports whether the click came after a question's deadline.
func (c Click) late(q Question) bool {
	at := c.At
	if at.IsZero() {
		at = time.Now()
	}
	return at.After(q.Deadline)
}

// Answer takes a person's answer. A *RefusedError says, for that person alone, why it doesn't count; it is journalled.
// The same answer by the same person again is no error and changes nothing.
func (r *Runner) Answer(ctx context.Context, c Click) error {
	if c.Answer == AcceptOwner {
		return r.accept(ctx, c)
	}
	o := r.owner(c.Rollback)
	if o == nil {
		return r.refuseIdle(ctx, c)
	}
	roles, err := r.Directory.Roles(ctx, c.By)
	if err != nil {
		return r.answered(ctx, o, c, refused("Your rights could not be read from Slack, so this doesn't count. Try again."))
	}
	return r.AnswerAs(ctx, roles, c)
}

// AnswerAs is Answer with the roles of c.By, for a door that reads them elsewhere and has proven who answers.
func (r *Runner) AnswerAs(ctx context.Context, roles Roles, c Click) error {
	if c.Answer == AcceptOwner {
		return r.accept(ctx, c)
	}
	o := r.owner(c.Rollback)
	if o == nil {
		return r.refuseIdle(ctx, c)
	}
	return r.answered(ctx, o, c, o.answer(ctx, c, roles))
}

// answered journals a refusal.
func (r *Runner) answered(ctx context.Context, o *owner, c Click, err error) error {
	if errors.Is(err, errRetired) {
		return r.refuseIdle(ctx, c)
	}
	var no *RefusedError
	if errors.As(err, &no) {
		return errors.Join(err, o.note(ctx, c.By, c.Cause, Refused{Action: string(c.Answer), By: c.By, Why: no.Why}))
	}
	return err
}

func (o *owner) answer(ctx context.Context, c Click, roles Roles) error {
	return o.decide(ctx, c.By, c.Cause, func(rb Rollback) ([]Fact, error) {
		if last := rb.lastAnswered(c.Answer); last != nil && !last.Open() && last.Answer == c.Answer && last.By == c.By && last.PlanFor(c.Answer) == c.Plan && rb.Question() == nil {
			return nil, nil // twice is once
		}
		alone := o.runner.Policy.MayAnswer(rb, c.Answer, roles)
		glass := alone != nil && rb.glass(c.Answer, roles)
		if alone != nil && !glass {
			return nil, alone
		}
		if c.Answer == Abort {
			return abortFacts(rb, c.By)
		}
		if open := rb.Question(); c.Question != 0 && open != nil && open.ID != c.Question {
			return nil, refused("That question is not open any more: look at the rollback's newest messages, and use their buttons.")
		}
		if err := checkOpen(rb, c.Answer, c.Plan); err != nil {
			return nil, err
		}
		if open := rb.Question(); c.late(open.Question) {
			return nil, refused("That came too late: the deadline was %s.", open.Deadline.UTC().Format("15:04:05 UTC"))
		}
		if glass {
			return signTogether(rb, c)
		}
		return []Fact{Answered{Question: rb.Question().ID, Answer: c.Answer, By: c.By, Plan: c.Plan}}, nil
	})
}

// abortFacts counts until the end, whatever the plan: stopping is always safe.
func abortFacts(rb Rollback, by string) ([]Fact, error) {
	switch {
	case rb.State == StateEnded:
		return nil, refused("This rollback has ended: %s.", rb.Outcome)
	case rb.AbortedBy != "":
		return nil, nil
	}
	return []Fact{AbortRequested{By: by}}, nil
}

// Refuse journals that something a person did doesn't count.
func (r *Runner) Refuse(ctx context.Context, app, rollback, action, by, why, cause string) error {
	events, err := r.Journal.Append(ctx, Entry{
		App: app, Rollback: rollback, At: time.Now().UTC(), Actor: by, Cause: cause,
		Facts: []Fact{Refused{Action: action, By: by, Why: Mask(why)}},
	})
	for _, event := range events {
		r.reportEvent(event)
	}
	return err
}

// UnknownRollbackError says that there is no such rollback.
type UnknownRollbackError struct {
	ID string
}

func (e *UnknownRollbackError) Error() string { return fmt.Sprintf("there is no rollback %q", e.ID) }

// Status gives one rollback as it stands.
func (r *Runner) Status(ctx context.Context, id string) (Rollback, error) {
	if o := r.owner(id); o != nil {
		return o.snapshot(), nil
	}
	app, err := r.Journal.App(ctx, id)
	if err != nil {
		return Rollback{}, err
	}
	if app == "" {
		return Rollback{}, &UnknownRollbackError{ID: id}
	}
	events, err := r.Journal.Events(ctx, app, id, 0)
	if err != nil {
		return Rollback{}, err
	}
	return Fold(events)
}

// Rollbacks gives all rollbacks of an app, oldest first.
func (r *Runner) Rollbacks(ctx context.Context, app string) ([]Rollback, error) {
	events, err := r.Journal.Events(ctx, app, "", 0)
	if err != nil {
		return nil, fmt.Errorf("read the journal of %s: %w", app, err)
	}
	return foldAll(events)
}

// UnreadableError says that an app's journal holds what this version can't make sense of: it was edited, or a newer
// version has written to it. Nothing is done on the strength of such a journal.
type UnreadableError struct {
	App string
	Err error
}

func (e *UnreadableError) Error() string {
	return fmt.Sprintf("the journal of %s can't be followed: a newer version has written to it, or somebody has edited it (`rollbackbot audit verify` tells): %v", e.App, e.Err)
}

// Unwrap gives the cause.
func (e *UnreadableError) Unwrap() error { return e.Err }

func foldAll(events []Event) ([]Rollback, error) {
	var order []string
	all := map[string]Rollback{}
	for _, event := range events {
		if event.Rollback == "" {
			continue
		}
		if !slices.Contains(order, event.Rollback) {
			order = append(order, event.Rollback)
		}
		rb, err := all[event.Rollback].Apply(event)
		if err != nil {
			return nil, &UnreadableError{App: event.App, Err: err}
		}
		all[event.Rollback] = rb
	}
	out := make([]Rollback, len(order))
	for i, id := range order {
		out[i] = all[id]
	}
	return out, nil
}

// History gives what is known of an app's releases and rollbacks.
func (r *Runner) History(ctx context.Context, app string) (History, error) {
	return r.Chronicle.History(ctx, r.past(), app)
}

// bulletinsOf gives the apps' bulletins that are not in their last state. A drill has none: what it reads as history is the
// bot's, which tells them.
func (r *Runner) bulletinsOf(apps []App) func(context.Context) ([]Bulletin, error) {
	return func(ctx context.Context) (all []Bulletin, err error) {
		if r.Drill {
			return nil, nil
		}
		for _, app := range apps {
			history, failed := r.History(ctx, app.Name)
			err = errors.Join(err, failed)
			all = append(all, history.OpenBulletins()...)
		}
		return all, err
	}
}

// WakeOutbox has the channel told at once of what the journals have for it and what belongs to no rollback. It never
// waits. Where the Runner was not started, whichever process acts tells it.
func (r *Runner) WakeOutbox() { r.herald.wake() }

// past is the journal that the apps' histories are read from.
func (r *Runner) past() Journal {
	if r.Past != nil {
		return r.Past
	}
	return r.Journal
}

func (r *Runner) reportEvent(e Event) {
	if r.Report != nil {
		r.Report(e)
	}
}

func (r *Runner) reportProblem(rb Rollback, err error) {
	if r.Problem != nil {
		r.Problem(rb.ID, err)
	}
}

func (r *Runner) newID() string {
	if r.Drill {
		return drillPrefix + strings.TrimPrefix(NewID(), "rb-")
	}
	return NewID()
}

const (
	idLength  = 8
	idLetters = "abcdefghijkmnpqrstuvwxyz23456789" // 32 of them; none that is read as another
)

// NewID makes a rollback's ID: "rb-" and eight lower-case letters or digits, 40 bits of chance.
func NewID() string {
	b := make([]byte, idLength)
	_, _ = rand.Read(b) // never fails: crypto/rand
	for i := range b {
		b[i] = idLetters[int(b[i])%len(idLetters)]
	}
	return "rb-" + string(b)
}
