package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"rollbackbot/internal/parallel"
	"rollbackbot/runbook"
	"rollbackbot/runbook/outbox"
)

// owner carries one rollback through. One goroutine drives it; whoever else has something to say, a person's answer or
// the publisher, appends to its journal under the owner's lock.
type owner struct {
	runner *Runner
	app    runbook.App
	began  time.Time // when this process took the rollback up

	mu       sync.Mutex
	rollback runbook.Rollback
	live     runbook.Live
	changed  chan struct{} // closed and replaced at every change
	epoch    int64         // of the app, in the journal; 0: an Acquire failed, and may have made it grow nevertheless
	doubtful bool          // an Append failed, and may have been done nevertheless
	retired  bool          // everything is done and said; what comes later is for another owner

	execution *execution
	stopKeep  func()            // ends the renewal of the leases and waits for that; nil while none are held
	tried     *runbook.Baseline // the result of the last attempt to read the baseline, where that may yet succeed
	gaveBack  bool              // this process has given back what it held, and whatever a former one did
}

func newOwner(r *Runner, app runbook.App, rb runbook.Rollback, epoch int64) *owner {
	o := &owner{runner: r, app: app, began: time.Now(), rollback: rb, epoch: epoch, changed: make(chan struct{})}
	o.execution = &execution{
		app: app, hosts: r.Hosts, health: r.Health, rate: r.ErrorRate, planner: r.planner(),
		rollback: o.snapshot, progress: o.progress,
		acquire: func(ctx context.Context, floor int64) (int64, error) {
			o.mu.Lock()
			defer o.mu.Unlock()
			return o.acquire(ctx, floor)
		},
		note: func(ctx context.Context, facts ...runbook.Fact) error { return o.note(ctx, "", "", facts...) },
	}
	o.execution.planner.Rollback = rb.ID
	return o
}

func (o *owner) snapshot() runbook.Rollback {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.rollback
}

// state is a snapshot with what happens right now, and a channel that is closed when either changes.
func (o *owner) state() (runbook.Rollback, runbook.Live, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.rollback, o.live, o.changed
}

func (o *owner) wake() {
	close(o.changed)
	o.changed = make(chan struct{})
}

func (o *owner) progress(host runbook.Host, line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if live := (runbook.Live{Host: host, Line: runbook.Truncate(line, 200)}); live != o.live {
		o.live = live
		o.wake()
	}
}

// acquire makes this process the owner under an epoch above floor. The caller holds the lock.
func (o *owner) acquire(ctx context.Context, floor int64) (int64, error) {
	o.epoch = 0
	epoch, err := o.runner.Journal.Acquire(ctx, o.app.Name, floor)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errJournal, err)
	}
	o.epoch = epoch
	return epoch, nil
}

// errRetired says that an owner has nothing to do any more: whoever has something for it asks the Runner for another.
var errRetired = errors.New("everything about this rollback is done and said")

// note appends facts, if they can follow, but for what was written by an entry whose answer was lost.
func (o *owner) note(ctx context.Context, actor, cause string, facts ...runbook.Fact) error {
	return o.decide(ctx, actor, cause, func(now runbook.Rollback) ([]runbook.Fact, error) { return notYetRecorded(now, facts), nil })
}

// decide appends what decision makes of the rollback as it stands; nothing can come in between.
func (o *owner) decide(ctx context.Context, actor, cause string, decision func(runbook.Rollback) ([]runbook.Fact, error)) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.retired {
		return errRetired
	}
	if err := o.catchUp(ctx); err != nil {
		return err
	}
	facts, err := decision(o.rollback)
	if err != nil || len(facts) == 0 {
		return err
	}
	entry := o.entry(facts...)
	entry.Actor, entry.Cause = actor, cause
	if _, err := o.foresee(entry); err != nil {
		return err
	}
	events, err := o.runner.Journal.Append(ctx, entry)
	if err != nil {
		o.doubtful = true
		o.wake() // whoever waits for people finds out now what became of it
		return fmt.Errorf("%w: %w", errJournal, err)
	}
	return o.fold(events)
}

func (o *owner) entry(facts ...runbook.Fact) runbook.Entry {
	entry := runbook.Entry{App: o.app.Name, Rollback: o.rollback.ID, Epoch: o.epoch, At: time.Now().UTC(), Facts: facts}
	if o.rollback.State == runbook.StateEnded {
		entry.Epoch = 0 // what is said about an ended rollback needs no owner
	}
	return entry
}

func (o *owner) fold(events []runbook.Event) (err error) {
	for _, event := range events {
		if o.rollback, err = o.rollback.Apply(event); err != nil {
			return fmt.Errorf("%w: %w", errJournal, err)
		}
		o.runner.reportEvent(event)
	}
	o.wake()
	return nil
}

// catchUp makes the rollback in memory what the journal says, where a write failed: nothing is decided on a memory that
// may lack what was written nevertheless.
func (o *owner) catchUp(ctx context.Context) error {
	// What is said about an ended rollback needs no epoch, and must not take it from the app's next one.
	if o.epoch == 0 && o.rollback.State != runbook.StateEnded {
		if _, err := o.acquire(ctx, 0); err != nil {
			return err
		}
	}
	if !o.doubtful {
		return nil
	}
	// An empty entry waits for what may yet be written.
	if _, err := o.runner.Journal.Append(ctx, o.entry()); err != nil {
		return fmt.Errorf("%w: %w", errJournal, err)
	}
	events, err := o.runner.Journal.Events(ctx, o.app.Name, o.rollback.ID, o.rollback.Seq)
	if err != nil {
		return fmt.Errorf("%w: %w", errJournal, err)
	}
	o.doubtful = false
	return o.fold(events)
}

// current is the rollback as its journal stands, also after a write that failed.
func (o *owner) current(ctx context.Context) (runbook.Rollback, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	err := o.catchUp(ctx)
	return o.rollback, err
}

// foresee makes sure that the facts can follow before they are written: a journal that can't be replayed is lost.
func (o *owner) foresee(entry runbook.Entry) (runbook.Rollback, error) {
	next := o.rollback
	for _, fact := range entry.Facts {
		var err error
		if next, err = next.Apply(runbook.Event{App: entry.App, Rollback: entry.Rollback, At: entry.At, Fact: fact}); err != nil {
			return next, err
		}
	}
	return next, nil
}

// drive does what is next, again and again, until the rollback has ended or ctx ends.
func (o *owner) drive(ctx context.Context) error {
	defer func() {
		if o.stopKeep != nil {
			o.stopKeep()
		}
	}()
	wait := outbox.FirstRetry
	for {
		rb, err := o.current(ctx)
		if err == nil && rb.State == runbook.StateEnded {
			return nil
		}
		if err == nil {
			err = o.move(ctx, rb, rb.Next())
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			wait = outbox.FirstRetry
			continue
		case errors.Is(err, runbook.ErrStaleEpoch):
			return err
		}
		// The journal could not be written. Nothing is done until it can be; then the hosts are looked at again.
		o.runner.reportProblem(rb, err)
		o.execution.epoch.Store(0)
		if parallel.Pause(ctx, wait) != nil {
			return ctx.Err()
		}
		wait = min(2*wait, outbox.LastRetry)
	}
}

func (o *owner) move(ctx context.Context, rb runbook.Rollback, next runbook.Move) error {
	switch {
	case next.Abort:
		return o.abort(ctx)
	case next.End != "":
		return o.end(ctx, next.End, next.Why)
	case next.Step != "":
		return o.runStep(ctx, stepNamed(next.Step), next.Attempt)
	case next.Ask != nil:
		return o.ask(ctx, *next.Ask)
	}
	return o.await(ctx, rb)
}

// await waits until somebody answers, or the question's deadline passes and nobody had answered by then.
func (o *owner) await(ctx context.Context, rb runbook.Rollback) error {
	_, _, changed := o.state()
	open := rb.Question()
	if open == nil || o.snapshot().Seq != rb.Seq {
		return nil
	}
	facts, next := o.runner.Policy.Due(*open, time.Now())
	if len(facts) > 0 {
		return o.decide(ctx, "", "", func(now runbook.Rollback) ([]runbook.Fact, error) {
			still := now.Question()
			if still == nil || still.ID != open.ID {
				return nil, nil // answered in the last moment
			}
			facts, _ := o.runner.Policy.Due(*still, time.Now())
			return facts, nil
		})
	}
	timer := time.NewTimer(time.Until(next))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-changed:
		return nil
	case <-timer.C:
	}
	if next.Before(open.Deadline) {
		return nil
	}
	if !o.heardOut(ctx, open.Deadline, changed) {
		return ctx.Err()
	}
	return o.decide(ctx, "", "", func(now runbook.Rollback) ([]runbook.Fact, error) {
		if still := now.Question(); still == nil || still.ID != open.ID {
			return nil, nil // answered in the last moment
		}
		return []runbook.Fact{runbook.DeadlinePassed{Question: open.ID}}, nil
	})
}

// runStep runs one step: intent, act, outcome. Where a former process began to act, or a person was waited for, the
// lock is taken again first, which waits for whatever was left running, and every host is looked at.
func (o *owner) runStep(ctx context.Context, step Step, attempt int) error {
	x := o.execution
	x.seen = o.snapshot().Hosts
	if err := x.note(ctx, runbook.StepStarted{Step: step.Name(), Attempt: attempt}); err != nil {
		return err
	}
	if step.Name() == runbook.StepDeploy {
		if err := o.settleBaseline(ctx); err != nil {
			return err
		}
	}
	outcome := runbook.StepOutcome{Verdict: runbook.Passed}
	var err error
	if step.Name() != runbook.StepIdentify && (x.epoch.Load() == 0 || toldToGoOn(o.snapshot())) {
		accepted := toldToGoOn(o.snapshot()) // a person knows of what restarted until now
		if outcome, err = o.regain(ctx); accepted {
			x.seen = o.snapshot().Hosts
		}
	}
	if err == nil && outcome.Verdict == runbook.Passed {
		outcome, err = step.Run(ctx, x)
	}
	o.keepLeases(ctx)
	if err != nil {
		return err
	}
	outcome.Detail, outcome.Output = runbook.Mask(outcome.Detail), runbook.Mask(outcome.Output)
	finished := runbook.StepFinished{Step: step.Name(), Attempt: attempt, Outcome: outcome}
	if outcome.Verdict == runbook.Changed && x.replace != nil {
		return o.replan(ctx, finished, *x.replace)
	}
	return x.note(ctx, finished)
}

// regain takes the lock again and makes sure that nothing foreign runs.
func (o *owner) regain(ctx context.Context) (runbook.StepOutcome, error) {
	o.execution.epoch.Store(0)
	outcome, err := o.execution.hold(ctx)
	if err != nil || outcome.Verdict != runbook.Passed {
		return outcome, err
	}
	return identify{}.compareRunning(ctx, o.execution)
}

func (o *owner) keepLeases(ctx context.Context) {
	if o.execution.epoch.Load() == 0 {
		return
	}
	o.gaveBack = false
	if o.stopKeep != nil {
		return
	}
	ctx, stop := context.WithCancel(ctx)
	kept := make(chan struct{})
	// A renewal that is under way is waited for: one that reached a host after the lock was given back would take it again.
	o.stopKeep = func() { stop(); <-kept }
	o.runner.running.Go(func() {
		defer close(kept)
		o.execution.keep(ctx)
	})
}

// releaseLeases ends the renewal and gives the locks back.
func (o *owner) releaseLeases(ctx context.Context) {
	if o.stopKeep != nil {
		o.stopKeep()
		o.stopKeep = nil
	}
	ctx, cancel := context.WithTimeout(ctx, lastLookTimeout)
	defer cancel()
	o.execution.release(ctx)
	o.gaveBack = true
}

// retrieveLeases takes over what a former process held, only to be able to give it back: the app's next rollback would
// have to wait until it runs out. Where that can't be done, it does.
func (o *owner) retrieveLeases(ctx context.Context) error {
	held := false
	for _, h := range o.snapshot().Hosts {
		held = held || h.Epoch != 0
	}
	if !held || o.gaveBack || o.execution.epoch.Load() != 0 {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, lastLookTimeout)
	defer cancel()
	if _, err := o.execution.hold(limited); errors.Is(err, errJournal) {
		return err
	}
	return ctx.Err()
}

// replan voids the sign-off and asks anew, with the plan that is true now.
func (o *owner) replan(ctx context.Context, finished runbook.StepFinished, plan runbook.Plan) error {
	rb := o.snapshot()
	question := o.runner.question(rb.Questions[len(rb.Questions)-1].ID+1, plan)
	if err := o.execution.note(ctx, finished, runbook.Replanned{Plan: plan, Why: finished.Outcome.Detail, Question: question}); err != nil {
		return err
	}
	o.execution.replace = nil
	o.releaseLeases(ctx)
	o.prepare(ctx)
	return nil
}

// ask puts the question that a step left open.
func (o *owner) ask(ctx context.Context, run runbook.StepRun) error {
	o.lookEverywhere(ctx)
	rb := o.snapshot()
	question := runbook.Question{
		ID: rb.Questions[len(rb.Questions)-1].ID + 1, Kind: runbook.AskFailed, Plan: rb.Going().Hash(), Text: run.Detail,
		Answers: []runbook.Answer{runbook.Retry, runbook.Abort}, Deadline: time.Now().Add(o.runner.SignoffTimeout).UTC(),
	}
	if run.Verdict == runbook.Undecided {
		question.Kind, question.Answers = runbook.AskErrorRate, []runbook.Answer{runbook.ErrorRateBaseline, runbook.ErrorRateElevated}
		return o.execution.note(ctx, runbook.Asked{Question: question})
	}
	fact := runbook.Asked{Question: question}
	if rb.Direction == runbook.Backward && rb.Touched() && rb.Plan.Reversible() {
		forward := rb.Plan.Reverse(o.commands)
		fact.Forward, fact.Question.Forward = &forward, forward.Hash()
		fact.Question.Answers = []runbook.Answer{runbook.Retry, runbook.RollForward, runbook.Abort}
	}
	return o.execution.note(ctx, fact)
}

// commands are the lines that carry out a host's part of a plan.
func (o *owner) commands(plan runbook.HostPlan) runbook.Commands {
	return o.runner.Hosts.Commands(o.app, plan)
}

// lastLookTimeout bounds the look that only serves to tell people how things stand.
const lastLookTimeout = 15 * time.Second

func (o *owner) lookEverywhere(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastLookTimeout)
	defer cancel()
	_, _ = o.execution.onEveryHost(ctx, func(ctx context.Context, h runbook.HostPlan) (hostOutcome, error) {
		_, _ = o.execution.look(ctx, h)
		return fine, nil
	})
}

// abort stops: before any container was replaced, the pins go back and nothing has changed; after that, what runs stays.
func (o *owner) abort(ctx context.Context) error {
	rb := o.snapshot()
	why := "nothing was changed"
	switch {
	case rb.Touched():
		why = "containers were replaced already and stay as they are"
	case rb.Pinned():
		why = "no container was touched"
	}
	return o.end(ctx, runbook.Aborted, fmt.Sprintf("%s stopped it: %s", runbook.Person(rb.AbortedBy), why))
}

// leavePins puts the former pins back wherever no container was replaced, and says what came of it: pins that name
// what doesn't run would deploy it with the next `up` by anybody. "" where there are none.
func (o *owner) leavePins(ctx context.Context) (string, error) {
	if !o.snapshot().Pinned() {
		return "", nil
	}
	outcome, err := o.putPinsBack(ctx)
	switch {
	case err != nil:
		return "", err
	case outcome.Verdict == runbook.Passed:
		return "; where no container was replaced, the former pins are in place again", nil
	}
	return "; the former pins could not be put back where no container was replaced: " + outcome.Detail, nil
}

func (o *owner) putPinsBack(ctx context.Context) (runbook.StepOutcome, error) {
	if o.execution.epoch.Load() == 0 {
		if outcome, err := o.execution.hold(ctx); err != nil || outcome.Verdict != runbook.Passed {
			return outcome, err
		}
	}
	return o.execution.restorePins(ctx)
}

// end leaves no pins behind that nothing runs, looks at every host once more, so that the record says what runs, and
// closes the rollback.
func (o *owner) end(ctx context.Context, outcome runbook.Outcome, why string) error {
	pins, err := o.leavePins(ctx)
	if err != nil {
		return err
	}
	if err := o.retrieveLeases(ctx); err != nil {
		return err
	}
	o.lookEverywhere(ctx)
	o.releaseLeases(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	o.progress("", "")
	rb := o.snapshot()
	facts := []runbook.Fact{runbook.Ended{Outcome: outcome, Why: strings.TrimSpace(runbook.Mask(why + pins)), FailedAt: rb.FailedAt()}}
	if rb.Touched() && !rb.Drill() {
		facts = append(facts, runbook.AskOwner(rb.Request.Owner, "", time.Now()))
	}
	return o.execution.note(ctx, facts...)
}

// prepare does what can be done while people decide.
func (o *owner) prepare(ctx context.Context) {
	o.readLogs(ctx)
	o.prefetch(ctx)
	o.freezeBaseline(ctx)
	o.awaitChanges(ctx)
}

// prefetch pulls what is missing while the sign-off is awaited.
func (o *owner) prefetch(ctx context.Context) {
	rb := o.snapshot()
	for _, host := range runbook.SortedKeys(rb.Plan.Missing) {
		images := rb.Plan.Missing[host]
		o.runner.running.Go(func() { o.prefetchOn(ctx, host, images) })
	}
}

// prefetchOn pulls on one host. Whoever loses the connection does not know that it failed, and pulls again: what is there
// by then is not fetched twice. From the sign-off on, the step sees to what is missing.
func (o *owner) prefetchOn(ctx context.Context, host runbook.Host, images []runbook.Image) {
	for deadline := time.Now().Add(pullLimit); ; {
		problem, lost := prefetch(ctx, o.runner.Hosts.On(o.app, host), images)
		if lost && time.Now().Before(deadline) {
			if parallel.Pause(ctx, reconnectInterval) != nil || o.snapshot().State != runbook.StateRequested {
				return
			}
			continue
		}
		if ctx.Err() == nil {
			_ = o.decide(ctx, "", "", func(now runbook.Rollback) ([]runbook.Fact, error) {
				if now.State == runbook.StateEnded {
					return nil, nil
				}
				return []runbook.Fact{runbook.Fetched{Host: host, Problem: problem}}, nil
			})
		}
		return
	}
}

// notYetRecorded leaves out what is settled already.
func notYetRecorded(rb runbook.Rollback, facts []runbook.Fact) []runbook.Fact {
	return slices.DeleteFunc(slices.Clone(facts), func(f runbook.Fact) bool {
		settled, ok := f.(runbook.NoticeSettled)
		return ok && rb.Posts[settled.Key].Settled
	})
}
