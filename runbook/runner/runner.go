package runner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"rollbackbot/internal/parallel"
	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
	"rollbackbot/runbook/outbox"
	"rollbackbot/runbook/preflight"
	"rollbackbot/runbook/rate"
)

// Runner owns the rollbacks of this process: it takes requests and answers, and carries every rollback to its record.
// Its exported fields are set before Start and not changed afterwards; its methods may be called from any goroutine.
type Runner struct {
	Apps           []runbook.App
	Journal        runbook.Journal
	Hosts          runbook.Hosts
	Health         runbook.HealthChecker
	ErrorRate      runbook.ErrorRateChecker // nil: a person is asked about every app's error rate
	Directory      runbook.Directory
	Announcer      runbook.Announcer
	Policy         runbook.Policy
	SignoffTimeout time.Duration          // the deadline of every question
	Chronicle      *history.Chronicle     // remembers what is known of releases, for all that asks in this process; nil: each question reads the whole journal
	Roster         runbook.Roster         // who leads and deputies are, to be written to; nil: nobody is privately
	Tickets        runbook.Tickets        // where postmortem tickets are opened; nil: nowhere
	Links          runbook.Links          // to the source; nil: none
	Source         runbook.Source         // tells what lies between two releases; nil: nobody does
	Judge          runbook.MigrationJudge // judges the migrations in between; nil: nobody does
	Contacts       runbook.Contacts       // how people are called in them; nil: by their Slack IDs
	Inbox          runbook.Inbox          // where answers come from: no question expires while one from before its deadline lies there; nil: nowhere

	// Drill says that this Runner's rollbacks are drills: their IDs say so, nothing is quarantined, and there is no
	// follow-up. Its Hosts are DrillHosts, and its Journal is its own; Past is the one that the app's history is read from.
	Drill bool
	Past  runbook.Journal // nil: Journal

	// Report gets every event after it was written, for the log; Problem what went wrong and is tried again.
	// Either may be nil.
	Report  func(runbook.Event)
	Problem func(rollback string, err error)

	base    context.Context // ends when the process stops
	gate    *outbox.Gate
	running sync.WaitGroup
	herald  *outbox.Herald
	opening sync.Mutex // held while a rollback is opened
	mu      sync.Mutex
	owners  map[string]*owner // by rollback ID, until everything about it is said
}

// Start takes over what a former process left under way, and returns; the rollbacks go on until ctx ends.
func (r *Runner) Start(ctx context.Context) error {
	r.base, r.gate, r.owners = ctx, outbox.NewGate(), map[string]*owner{}
	r.herald = outbox.NewHerald(r.Journal, r.Announcer, r.reportEvent, func(err error) { r.reportProblem(runbook.Rollback{}, err) }, r.bulletinsOf(r.Apps))
	for _, app := range r.Apps {
		rollbacks, epoch, err := r.takeOver(ctx, app.Name)
		if err != nil {
			return err
		}
		for _, rb := range rollbacks {
			o := r.own(app, rb, epoch)
			if rb.State == runbook.StateRequested && len(rb.Fetched) < len(rb.Plan.Missing) {
				o.prefetch(ctx)
			}
			o.freezeBaseline(ctx)
			o.awaitChanges(ctx)
			if rb.State == runbook.StateRequested && len(rb.Logs) < len(rb.Plan.Hosts) {
				o.readLogs(ctx)
			}
		}
	}
	r.reportAbandoned(ctx)
	r.running.Go(func() { r.herald.Tell(ctx) })
	return nil
}

// takeOver gives the app's rollbacks about which something is left to be done or said, under an epoch of our own.
func (r *Runner) takeOver(ctx context.Context, app string) (left []runbook.Rollback, epoch int64, err error) {
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

func (r *Runner) left(ctx context.Context, app string) ([]runbook.Rollback, error) {
	all, err := r.Rollbacks(ctx, app)
	return slices.DeleteFunc(all, func(rb runbook.Rollback) bool { return rb.State == runbook.StateEnded && rb.Over() }), err
}

// UnderWay reports whether this process carries a rollback whose record is not posted. A follow-up that somebody has yet
// to accept is not under way.
func (r *Runner) UnderWay() bool {
	r.mu.Lock()
	owners := slices.Collect(maps.Values(r.owners))
	r.mu.Unlock()
	return slices.ContainsFunc(owners, func(o *owner) bool {
		rb := o.snapshot()
		return rb.State != runbook.StateEnded || rb.Posts[string(runbook.NoticeRecord)].TS == ""
	})
}

// Wait waits until everything that Start and its requests began has stopped, after ctx has ended.
func (r *Runner) Wait() { r.running.Wait() }

func (r *Runner) own(app runbook.App, rb runbook.Rollback, epoch int64) *owner {
	o := newOwner(r, app, rb, epoch)
	r.mu.Lock()
	r.owners[rb.ID] = o
	r.mu.Unlock()
	speaker := func(list func(runbook.Rollback, runbook.Live) []runbook.Notice) *outbox.Publisher {
		return &outbox.Publisher{
			Announcer: r.Announcer, List: list, Gate: r.gate, State: o.state, Note: o.execution.note,
			Postmortem: func(ctx context.Context, rb runbook.Rollback) (string, error) { return o.postmortem(ctx, rb, false) },
			Report:     func(err error) { r.reportProblem(rb, err) },
		}
	}
	var all sync.WaitGroup
	all.Go(func() {
		if err := o.drive(r.base); err != nil && r.base.Err() == nil {
			r.reportProblem(rb, err)
		}
	})
	all.Go(func() { o.after(r.base, speaker(outbox.Notices)) })
	all.Go(func() { o.address(r.base) })
	all.Go(func() { speaker(outbox.PrivateNotices).Beside(r.base) })
	all.Go(func() { speaker(outbox.Decorations).Decorate(r.base) })
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

func (r *Runner) planner() preflight.Planner {
	return preflight.Planner{Hosts: r.Hosts, Journal: r.past(), Chronicle: r.Chronicle, Rate: rate.MeasureRate(r.ErrorRate), Source: r.Source, Judge: r.Judge}
}

// App finds an app by its name.
func (r *Runner) App(name string) (runbook.App, error) {
	for _, app := range r.Apps {
		if app.Name == name {
			return app, nil
		}
	}
	return runbook.App{}, &runbook.UnknownAppError{Name: name, Apps: r.appNames()}
}

func (r *Runner) appNames() []string {
	names := make([]string, len(r.Apps))
	for i, app := range r.Apps {
		names[i] = app.Name
	}
	return names
}

// Plan makes a plan without asking for anything.
func (r *Runner) Plan(ctx context.Context, request runbook.Request) (runbook.Plan, string, error) {
	app, err := r.App(request.App)
	if err != nil {
		return runbook.Plan{}, "", err
	}
	plan, err := r.planner().Plan(ctx, app, request)
	return plan, r.Policy.NeedsLead(plan), err
}

// Request asks for a rollback: it makes the plan, and opens the question of whether to go through with it. cause is
// the key of the delivery that asked. Nothing runs on the mere request. A refusal is a *RefusedError; see Planner.Plan
// for the others; *BusyError when the app has one open.
func (r *Runner) Request(ctx context.Context, request runbook.Request, cause string) (runbook.Rollback, error) {
	if _, err := r.App(request.App); err != nil {
		return runbook.Rollback{}, err
	}
	roles, err := r.Directory.Roles(ctx, request.By)
	if err != nil {
		return runbook.Rollback{}, fmt.Errorf("read who you are from Slack: %w", err)
	}
	return r.RequestAs(ctx, roles, request, cause)
}

// RequestAs is Request with the roles of request.By, for a door that reads them elsewhere and has proven who asks. A
// request that brings its rollback's ID counts once.
func (r *Runner) RequestAs(ctx context.Context, roles runbook.Roles, request runbook.Request, cause string) (runbook.Rollback, error) {
	app, err := r.App(request.App)
	if err != nil {
		return runbook.Rollback{}, err
	}
	if err := runbook.MayRequest(roles); err != nil {
		return runbook.Rollback{}, err
	}
	if err := runbook.OpenRollback(ctx, r.Journal, app.Name); err != nil {
		return runbook.Rollback{}, err
	}
	if err := r.unused(ctx, request.ID); err != nil {
		return runbook.Rollback{}, err
	}
	if request.Reason == "" {
		request.Reason = runbook.NotGiven
	}
	if request.Owner == "" {
		request.Owner = request.By
	}
	plan, err := r.planner().Plan(ctx, app, request)
	if err != nil {
		return runbook.Rollback{}, err
	}
	if request.Signed != "" && request.Signed != plan.Hash() {
		return runbook.Rollback{}, runbook.Refusal("The plan has changed since you signed it: look at the new one, and sign that.")
	}
	return r.open(ctx, app, request, plan, cause)
}

func (r *Runner) open(ctx context.Context, app runbook.App, request runbook.Request, plan runbook.Plan, cause string) (runbook.Rollback, error) {
	// One at a time, and only into a free app: whoever takes the epoch and is refused then would have taken it from the
	// rollback that is open, which could never write again.
	r.opening.Lock()
	defer r.opening.Unlock()
	if err := runbook.OpenRollback(ctx, r.Journal, app.Name); err != nil {
		return runbook.Rollback{}, err
	}
	if err := r.unused(ctx, request.ID); err != nil {
		return runbook.Rollback{}, err
	}
	epoch, err := r.Journal.Acquire(ctx, app.Name, 0)
	if err != nil {
		return runbook.Rollback{}, err
	}
	id := request.ID
	if id == "" {
		id = r.newID()
	}
	entry := runbook.Entry{
		App: app.Name, Rollback: id, Epoch: epoch, At: time.Now().UTC(), Actor: request.By, Cause: cause,
		Facts: []runbook.Fact{runbook.Requested{Request: request, Plan: plan, Question: r.question(1, plan)}},
	}
	events, err := r.Journal.Append(ctx, entry)
	if errors.Is(err, runbook.ErrUncertain) {
		events, err = r.settle(entry)
	}
	var open *runbook.OpenError
	switch {
	case errors.As(err, &open):
		return runbook.Rollback{}, runbook.OpenRollback(ctx, r.Journal, app.Name)
	case err != nil:
		return runbook.Rollback{}, err
	case len(events) == 0: // the delivery was dealt with before: by a process that died before it could say so
		if err := runbook.OpenRollback(ctx, r.Journal, app.Name); err != nil {
			return runbook.Rollback{}, err
		}
		return runbook.Rollback{}, runbook.Refusal("That request was dealt with already; `status %s` says how.", app.Name)
	}
	rb, err := runbook.Fold(events)
	if err != nil {
		return runbook.Rollback{}, err
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
func (r *Runner) settle(entry runbook.Entry) ([]runbook.Event, error) {
	for wait := outbox.FirstRetry; parallel.Pause(r.base, wait) == nil; wait = min(2*wait, outbox.LastRetry) {
		// An empty entry waits for what may yet be written.
		if _, err := r.Journal.Append(r.base, runbook.Entry{App: entry.App, At: entry.At}); err != nil {
			r.reportProblem(runbook.Rollback{ID: entry.Rollback}, err)
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
	return nil, runbook.ErrUncertain
}

// question is the one that opens a rollback, or that a new plan opens again.
func (r *Runner) question(id int64, plan runbook.Plan) runbook.Question {
	q := runbook.Question{ID: id, Kind: runbook.AskConfirm, Plan: plan.Hash(), Answers: []runbook.Answer{runbook.Confirm}, Deadline: time.Now().Add(r.SignoffTimeout).UTC()}
	if why := r.Policy.NeedsLead(plan); why != "" {
		q.Kind, q.Text = runbook.AskSignoff, why
		q.Answers = []runbook.Answer{runbook.SignoffInPlace, runbook.SignoffReverted, runbook.SignoffNone, runbook.SignoffReject}
	}
	return q
}

// Answer takes a person's answer. A *RefusedError says, for that person alone, why it doesn't count; it is journalled.
// The same answer by the same person again is no error and changes nothing.
func (r *Runner) Answer(ctx context.Context, c runbook.Click) error {
	if c.Answer == runbook.AcceptOwner {
		return r.accept(ctx, c)
	}
	o := r.owner(c.Rollback)
	if o == nil {
		return r.refuseIdle(ctx, c)
	}
	roles, err := r.Directory.Roles(ctx, c.By)
	if err != nil {
		return r.answered(ctx, o, c, runbook.Refusal("Your rights could not be read from Slack, so this doesn't count. Try again."))
	}
	return r.AnswerAs(ctx, roles, c)
}

// AnswerAs is Answer with the roles of c.By, for a door that reads them elsewhere and has proven who answers.
func (r *Runner) AnswerAs(ctx context.Context, roles runbook.Roles, c runbook.Click) error {
	if c.Answer == runbook.AcceptOwner {
		return r.accept(ctx, c)
	}
	o := r.owner(c.Rollback)
	if o == nil {
		return r.refuseIdle(ctx, c)
	}
	return r.answered(ctx, o, c, o.answer(ctx, c, roles))
}

// answered journals a refusal.
func (r *Runner) answered(ctx context.Context, o *owner, c runbook.Click, err error) error {
	if errors.Is(err, errRetired) {
		return r.refuseIdle(ctx, c)
	}
	var no *runbook.RefusedError
	if errors.As(err, &no) {
		return errors.Join(err, o.note(ctx, c.By, c.Cause, runbook.Refused{Action: string(c.Answer), By: c.By, Why: no.Why}))
	}
	return err
}

func (o *owner) answer(ctx context.Context, c runbook.Click, roles runbook.Roles) error {
	return o.decide(ctx, c.By, c.Cause, func(rb runbook.Rollback) ([]runbook.Fact, error) {
		if last := rb.LastAnswered(c.Answer); last != nil && !last.Open() && last.Answer == c.Answer && last.By == c.By && last.PlanFor(c.Answer) == c.Plan && rb.Question() == nil {
			return nil, nil // twice is once
		}
		alone := o.runner.Policy.MayAnswer(rb, c.Answer, roles)
		glass := alone != nil && rb.MayBreakGlass(c.Answer, roles)
		if alone != nil && !glass {
			return nil, alone
		}
		if c.Answer == runbook.Abort {
			return abortFacts(rb, c.By)
		}
		if open := rb.Question(); c.Question != 0 && open != nil && open.ID != c.Question {
			return nil, runbook.Refusal("That question is not open any more: look at the rollback's newest messages, and use their buttons.")
		}
		if err := checkOpen(rb, c.Answer, c.Plan); err != nil {
			return nil, err
		}
		if open := rb.Question(); c.Late(open.Question) {
			return nil, runbook.Refusal("That came too late: the deadline was %s.", open.Deadline.UTC().Format("15:04:05 UTC"))
		}
		if glass {
			return signTogether(rb, c)
		}
		return []runbook.Fact{runbook.Answered{Question: rb.Question().ID, Answer: c.Answer, By: c.By, Plan: c.Plan}}, nil
	})
}

// abortFacts counts until the end, whatever the plan: stopping is always safe.
func abortFacts(rb runbook.Rollback, by string) ([]runbook.Fact, error) {
	switch {
	case rb.State == runbook.StateEnded:
		return nil, runbook.Refusal("This rollback has ended: %s.", rb.Outcome)
	case rb.AbortedBy != "":
		return nil, nil
	}
	return []runbook.Fact{runbook.AbortRequested{By: by}}, nil
}

// Refuse journals that something a person did doesn't count.
func (r *Runner) Refuse(ctx context.Context, app, rollback, action, by, why, cause string) error {
	events, err := r.Journal.Append(ctx, runbook.Entry{
		App: app, Rollback: rollback, At: time.Now().UTC(), Actor: by, Cause: cause,
		Facts: []runbook.Fact{runbook.Refused{Action: action, By: by, Why: runbook.Mask(why)}},
	})
	for _, event := range events {
		r.reportEvent(event)
	}
	return err
}

// Status gives one rollback as it stands.
func (r *Runner) Status(ctx context.Context, id string) (runbook.Rollback, error) {
	if o := r.owner(id); o != nil {
		return o.snapshot(), nil
	}
	app, err := r.Journal.App(ctx, id)
	if err != nil {
		return runbook.Rollback{}, err
	}
	if app == "" {
		return runbook.Rollback{}, &runbook.UnknownRollbackError{ID: id}
	}
	events, err := r.Journal.Events(ctx, app, id, 0)
	if err != nil {
		return runbook.Rollback{}, err
	}
	return runbook.Fold(events)
}

// Rollbacks gives all rollbacks of an app, oldest first.
func (r *Runner) Rollbacks(ctx context.Context, app string) ([]runbook.Rollback, error) {
	events, err := r.Journal.Events(ctx, app, "", 0)
	if err != nil {
		return nil, fmt.Errorf("read the journal of %s: %w", app, err)
	}
	return foldAll(events)
}

// History gives what is known of an app's releases and rollbacks.
func (r *Runner) History(ctx context.Context, app string) (history.History, error) {
	return r.Chronicle.History(ctx, r.past(), app)
}

// bulletinsOf gives the apps' bulletins that are not in their last state. A drill has none: what it reads as history is the
// bot's, which tells them.
func (r *Runner) bulletinsOf(apps []runbook.App) func(context.Context) ([]runbook.Bulletin, error) {
	return func(ctx context.Context) (all []runbook.Bulletin, err error) {
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
func (r *Runner) WakeOutbox() { r.herald.Wake() }

// past is the journal that the apps' histories are read from.
func (r *Runner) past() runbook.Journal {
	if r.Past != nil {
		return r.Past
	}
	return r.Journal
}

func (r *Runner) reportEvent(e runbook.Event) {
	if r.Report != nil {
		r.Report(e)
	}
}

func (r *Runner) reportProblem(rb runbook.Rollback, err error) {
	if r.Problem != nil {
		r.Problem(rb.ID, err)
	}
}

func (r *Runner) newID() string {
	if r.Drill {
		return runbook.DrillPrefix + strings.TrimPrefix(runbook.NewID(), "rb-")
	}
	return runbook.NewID()
}

func foldAll(events []runbook.Event) ([]runbook.Rollback, error) {
	var order []string
	all := map[string]runbook.Rollback{}
	for _, event := range events {
		if event.Rollback == "" {
			continue
		}
		if !slices.Contains(order, event.Rollback) {
			order = append(order, event.Rollback)
		}
		rb, err := all[event.Rollback].Apply(event)
		if err != nil {
			return nil, &runbook.UnreadableError{App: event.App, Err: err}
		}
		all[event.Rollback] = rb
	}
	out := make([]runbook.Rollback, len(order))
	for i, id := range order {
		out[i] = all[id]
	}
	return out, nil
}

// checkOpen says why an answer to a rollback's question doesn't count any more, or nil.
func checkOpen(rb runbook.Rollback, answer runbook.Answer, plan string) error {
	open := rb.Question()
	switch {
	case rb.State == runbook.StateEnded:
		return runbook.Refusal("This rollback has ended: %s.", rb.Outcome)
	case open == nil || !slices.Contains(open.Answers, answer):
		if last := rb.LastAnswered(answer); last != nil {
			return runbook.Refusal("That was answered already, by %s at %s: %s.", runbook.Person(last.By), last.AnsweredAt.UTC().Format("15:04:05 UTC"), last.Answer)
		}
		return runbook.Refusal("That question is not open any more.")
	case open.PlanFor(answer) != plan:
		return runbook.Refusal("The plan has changed since that message: look at the new one, and use its buttons.")
	}
	return nil
}
