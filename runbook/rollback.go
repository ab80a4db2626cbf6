package runbook

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Rollback is one rollback as its events tell it: from the request to the record. It is a value; Apply makes the next.
type Rollback struct {
	ID      string
	App     string
	Request Request
	Plan    Plan  // what was signed, or is to be
	Forward *Plan // the way back to where it started, once that was offered
	State   State

	Questions []Asking // every question so far; the last one may be open
	Signoff   Signoff  // zero until somebody signed off or confirmed
	Direction Direction
	Baseline  *Baseline // of the error rate; nil: not read yet, or never
	Steps     []StepRun // every run of a step, in order; those of a plan that was replaced are dropped
	Hosts     map[Host]HostState
	Fetched   map[Host]Fetched // what came of fetching images beforehand
	AbortedBy string           // who asked to stop; empty: nobody
	Posts     map[string]Post  // where each notice stands in Slack, by its key

	Logs      map[Host]bool // whose containers' last lines are in the journal
	FollowUp  FollowUp      // what the runbook asks for after it
	Published bool          // everything about it was said, as things stand
	Replanned string        // why the plan last took the place of another one; empty: it is the first

	Outcome   Outcome // empty until it ended
	Why       string  // why it ended so
	EndedAt   time.Time
	SignedAt  time.Time
	HealthyAt time.Time // when the health checks were first passed
	Head      string    // the hash of its last event; once it ended, of the event that ended it
	Seq       int64     // the place of the last event that was applied
	LastAt    time.Time // the instant of that event; it never goes back
}

// State says where a rollback is: Requested → SignedOff → Executing ⇄ Waiting → Ended.
type State string

// The states of a rollback.
const (
	StateRequested State = "requested"  // waits for the sign-off, or for the requester to confirm
	StateSignedOff State = "signed_off" // about to begin
	StateExecuting State = "executing"
	StateWaiting   State = "waiting" // for a person, in the middle
	StateEnded     State = "ended"
)

// Direction says which way a rollback is going.
type Direction string

// The directions. Forward is back to the images that ran when the rollback was asked for.
const (
	Backward Direction = ""
	Forward  Direction = "forward"
)

// Asking is a question with what came of it.
type Asking struct {
	Question
	AskedAt    time.Time
	Answer     Answer // empty while it is open, and when nobody answered
	By         string
	AnsweredAt time.Time
	Together   []string // the two who signed off where no lead did; nil: one person answered
	Expired    bool     // its deadline passed
	Void       bool     // a newer plan replaced the one that it was about
	Waiting
}

// Open reports whether an answer would count.
func (a Asking) Open() bool { return a.Answer == "" && !a.Expired && !a.Void }

// Signoff is who allowed the rollback, what they said about the migration, and on which plan.
type Signoff struct {
	By       string   // the second of them where two did together
	Together []string // both, in their order; nil: one person did
	Answer   Answer   // Confirm where no lead was needed
	Plan     string
	At       time.Time
}

// People are who signed off; none while nobody has.
func (s Signoff) People() []string {
	switch {
	case len(s.Together) > 0:
		return s.Together
	case s.By != "":
		return []string{s.By}
	}
	return nil
}

// StepRun is one run of one step.
type StepRun struct {
	Step      StepName
	Attempt   int // from 1
	StartedAt time.Time
	EndedAt   time.Time // zero while it runs, and when the process died in it
	StepOutcome
	Direction Direction
}

// HostState is what is known about one host.
type HostState struct {
	Epoch      int64     // of the lease that this rollback holds there; 0: it never held it
	EnvFile    string    // the file of the pins, once they were touched
	Former     []Pin     // what the pins were before this rollback; nil: they are as they were
	PinsProven bool      // the pins of the plan are in the file
	UpStarted  bool      // containers may have been replaced
	Running    []Running // what it was last seen to run
	Problem    string    // why it could not be seen
	SeenAt     time.Time // zero: never
}

// Post is where a notice stands in Slack. A Post without TS was intended; whether it is there is not known.
type Post struct {
	Channel    string
	TS         string
	IntendedAt time.Time
	Settled    bool // it is done with: it stays as it is, or its person can't be written to
}

// ErrNotOpen says that a question is not open any more.
var ErrNotOpen = errors.New("that question is not open any more")

// Question is the open question; nil when none is.
func (rb Rollback) Question() *Asking {
	if n := len(rb.Questions); n > 0 && rb.Questions[n-1].Open() {
		return &rb.Questions[n-1]
	}
	return nil
}

// WaitingFor changes with who is waited for; "" where nobody is.
func (rb Rollback) WaitingFor() string {
	if open := rb.Question(); open != nil {
		return fmt.Sprint(open.ID, open.Stage(), len(open.Halves))
	}
	return ""
}

// Going is the plan that is carried out now: the signed one, or the way back.
func (rb Rollback) Going() Plan {
	if rb.Direction == Forward && rb.Forward != nil {
		return *rb.Forward
	}
	return rb.Plan
}

// Touched reports whether any container may have been replaced.
func (rb Rollback) Touched() bool {
	for _, h := range rb.Hosts {
		if h.UpStarted {
			return true
		}
	}
	return false
}

// Step is the last run of a step in the direction that the rollback is going; false when it was never begun.
func (rb Rollback) Step(name StepName) (StepRun, bool) {
	for i := len(rb.Steps) - 1; i >= 0; i-- {
		if rb.Steps[i].Step == name && rb.Steps[i].Direction == rb.Direction {
			return rb.Steps[i], true
		}
	}
	return StepRun{}, false
}

// FailedAt is the last step on the way to the target, where that failed or it isn't known how it ended; "" where it didn't.
func (rb Rollback) FailedAt() StepName {
	for _, run := range slices.Backward(rb.Steps) {
		switch {
		case run.Direction == Forward:
			continue
		case run.Verdict == Broken, run.Verdict == Unknown:
			return run.Step
		}
		return ""
	}
	return ""
}

// Apply gives the rollback after an event, or says why the event can't follow. Live and replay share it.
// It never changes rb.
func (rb Rollback) Apply(e Event) (Rollback, error) {
	// What came later is later, also where a clock was put back meanwhile: whether an answer came after a failure is told
	// by their instants.
	if e.At.Before(rb.LastAt) {
		e.At = rb.LastAt
	}
	next, err := rb.apply(e)
	if err != nil {
		return rb, fmt.Errorf("%s can't follow in rollback %s: %w", e.Fact.Kind(), rb.ID, err)
	}
	next.Seq, next.LastAt = e.Seq, e.At
	if rb.State != StateEnded {
		next.Head = e.Hash
	}
	return next, nil
}

func (rb Rollback) apply(e Event) (Rollback, error) {
	switch fact := e.Fact.(type) {
	case Requested:
		return rb.requested(e, fact)
	case NoticeIntended:
		return rb.posted(fact.Key, Post{IntendedAt: e.At}), nil
	case NoticePosted:
		return rb.posted(fact.Key, Post{Channel: fact.Channel, TS: fact.TS, IntendedAt: rb.Posts[fact.Key].IntendedAt}), nil
	case Published:
		rb.Published = true
		return rb, nil
	case Refused:
		return rb, nil
	}
	if next, mine, err := rb.followUp(e); mine {
		return next, err
	}
	if next, mine, err := rb.waiting(e); mine {
		return next, err
	}
	switch {
	case rb.ID == "":
		return rb, errors.New("nothing was requested")
	case rb.State == StateEnded:
		return rb, errors.New("it has ended")
	}
	switch fact := e.Fact.(type) {
	case Replanned:
		return rb.replanned(e, fact), nil
	case Asked:
		return rb.asked(e, fact)
	case Answered:
		return rb.answered(e, fact)
	case DeadlinePassed:
		return rb.expired(fact)
	case AbortRequested:
		rb.AbortedBy = fact.By
		return rb.closeQuestion(func(a *Asking) { a.Answer, a.By, a.AnsweredAt = Abort, fact.By, e.At }), nil
	case StepStarted:
		rb.State = StateExecuting
		rb.Steps = append(slices.Clone(rb.Steps), StepRun{Step: fact.Step, Attempt: fact.Attempt, StartedAt: e.At, Direction: rb.Direction})
		return rb, nil
	case StepFinished:
		return rb.stepFinished(e, fact)
	case BaselineFrozen:
		if rb.Baseline != nil {
			return rb, errors.New("it is frozen already")
		}
		rb.Baseline = &fact.Baseline
		return rb, nil
	case Ended:
		rb.State, rb.Outcome, rb.Why, rb.EndedAt = StateEnded, fact.Outcome, fact.Why, e.At
		return rb, nil
	}
	return rb.onHost(e)
}

func (rb Rollback) requested(e Event, fact Requested) (Rollback, error) {
	if rb.ID != "" {
		return rb, errors.New("it was requested already")
	}
	rb = Rollback{
		ID: e.Rollback, App: e.App, Request: fact.Request, Plan: fact.Plan, State: StateRequested, Posts: rb.Posts,
		Questions: []Asking{{Question: fact.Question, AskedAt: e.At}},
	}
	return rb, nil
}

func (rb Rollback) posted(key string, post Post) Rollback {
	rb.Posts = maps.Clone(rb.Posts)
	if rb.Posts == nil {
		rb.Posts = map[string]Post{}
	}
	rb.Posts[key] = post
	return rb
}

// replanned starts over: what was signed is void, and so is what was done so far, which was only looking.
func (rb Rollback) replanned(e Event, fact Replanned) Rollback {
	rb = rb.closeQuestion(func(a *Asking) { a.Void = true })
	rb.Replanned = fact.Why
	rb.Plan, rb.State, rb.Signoff, rb.SignedAt, rb.Steps, rb.Baseline = fact.Plan, StateRequested, Signoff{}, time.Time{}, nil, nil
	rb.Questions = append(slices.Clone(rb.Questions), Asking{Question: fact.Question, AskedAt: e.At})
	return rb
}

func (rb Rollback) asked(e Event, fact Asked) (Rollback, error) {
	if rb.Question() != nil {
		return rb, errors.New("another question is open")
	}
	rb.State = StateWaiting
	if fact.Forward != nil {
		rb.Forward = fact.Forward
	}
	rb.Questions = append(slices.Clone(rb.Questions), Asking{Question: fact.Question, AskedAt: e.At})
	return rb, nil
}

func (rb Rollback) closeQuestion(change func(*Asking)) Rollback {
	if rb.Question() == nil {
		return rb
	}
	rb.Questions = slices.Clone(rb.Questions)
	change(&rb.Questions[len(rb.Questions)-1])
	return rb
}

func (rb Rollback) answered(e Event, fact Answered) (Rollback, error) {
	open := rb.Question()
	switch {
	case open == nil || open.ID != fact.Question:
		return rb, ErrNotOpen
	case !slices.Contains(open.Answers, fact.Answer):
		return rb, fmt.Errorf("%q is no answer to it", fact.Answer)
	case open.PlanFor(fact.Answer) != fact.Plan:
		return rb, errors.New("the answer was given on another plan")
	}
	rb = rb.closeQuestion(func(a *Asking) { a.Answer, a.By, a.Together, a.AnsweredAt = fact.Answer, fact.By, fact.Together, e.At })
	switch fact.Answer {
	case Confirm, SignoffInPlace, SignoffReverted, SignoffNone:
		rb.State, rb.SignedAt = StateSignedOff, e.At
		rb.Signoff = Signoff{By: fact.By, Together: fact.Together, Answer: fact.Answer, Plan: fact.Plan, At: e.At}
	case ErrorRateBaseline:
		rb.State = StateExecuting
		rb = rb.judged(StepOutcome{Verdict: Passed, Detail: "back to baseline, says a person who looked"})
	case ErrorRateElevated:
		rb.State = StateExecuting
		rb = rb.judged(StepOutcome{Verdict: Broken, Detail: "still elevated, says a person who looked"})
	case Retry:
		rb.State = StateExecuting
	case RollForward:
		rb.State, rb.Direction = StateExecuting, Forward
	}
	return rb, nil
}

// judged gives the last run of the error-rate step the verdict that a person found.
func (rb Rollback) judged(outcome StepOutcome) Rollback {
	rb.Steps = slices.Clone(rb.Steps)
	for i := len(rb.Steps) - 1; i >= 0; i-- {
		if rb.Steps[i].Step == StepErrorRate {
			outcome.Rate = rb.Steps[i].Rate
			rb.Steps[i].StepOutcome = outcome
			break
		}
	}
	return rb
}

func (rb Rollback) expired(fact DeadlinePassed) (Rollback, error) {
	if open := rb.Question(); open == nil || open.ID != fact.Question {
		return rb, ErrNotOpen
	}
	return rb.closeQuestion(func(a *Asking) { a.Expired = true }), nil
}

func (rb Rollback) stepFinished(e Event, fact StepFinished) (Rollback, error) {
	n := len(rb.Steps)
	if n == 0 || rb.Steps[n-1].Step != fact.Step || rb.Steps[n-1].Attempt != fact.Attempt {
		return rb, fmt.Errorf("%s was not started", fact.Step)
	}
	rb.Steps = slices.Clone(rb.Steps)
	rb.Steps[n-1].EndedAt, rb.Steps[n-1].StepOutcome = e.At, fact.Outcome
	if fact.Step == StepHealth && fact.Outcome.Verdict == Passed {
		rb.HealthyAt = e.At
	}
	return rb, nil
}

// onHost applies what happened on one host.
func (rb Rollback) onHost(e Event) (Rollback, error) {
	change := func(host Host, f func(*HostState)) Rollback {
		rb.Hosts = maps.Clone(rb.Hosts)
		if rb.Hosts == nil {
			rb.Hosts = map[Host]HostState{}
		}
		state := rb.Hosts[host]
		f(&state)
		rb.Hosts[host] = state
		return rb
	}
	switch fact := e.Fact.(type) {
	case LeaseTaken:
		return change(fact.Host, func(h *HostState) { h.Epoch = fact.Epoch }), nil
	case CommandStarted:
		return change(fact.Host, func(h *HostState) { h.UpStarted = h.UpStarted || fact.Step == StepDeploy }), nil
	case CommandFinished, Quarantined:
		return rb, nil
	case PinsWriting:
		return change(fact.Host, func(h *HostState) {
			h.EnvFile, h.PinsProven = fact.File, false
			if h.Former == nil {
				h.Former = fact.Former
			}
		}), nil
	case PinsWritten:
		return change(fact.Host, func(h *HostState) { h.PinsProven = true }), nil
	case PinsRestored:
		return change(fact.Host, func(h *HostState) { h.Former, h.PinsProven = nil, false }), nil
	case Looked:
		return change(fact.Host, func(h *HostState) { h.Running, h.Problem, h.SeenAt = fact.Running, fact.Problem, e.At }), nil
	case Fetched:
		rb.Fetched = maps.Clone(rb.Fetched)
		if rb.Fetched == nil {
			rb.Fetched = map[Host]Fetched{}
		}
		rb.Fetched[fact.Host] = fact
		return rb, nil
	case LogsRead:
		rb.Logs = maps.Clone(rb.Logs)
		if rb.Logs == nil {
			rb.Logs = map[Host]bool{}
		}
		rb.Logs[fact.Host] = true
		return rb, nil
	}
	return rb, fmt.Errorf("a rollback has no event of kind %q", e.Fact.Kind())
}

// Fold replays a rollback's events, oldest first.
func Fold(events []Event) (Rollback, error) {
	var rb Rollback
	for _, event := range events {
		var err error
		if rb, err = rb.Apply(event); err != nil {
			return rb, err
		}
	}
	return rb, nil
}

// Pinned reports whether a host's pins name images that no container was brought up with.
func (rb Rollback) Pinned() bool {
	for _, h := range rb.Hosts {
		if h.Former != nil && !h.UpStarted {
			return true
		}
	}
	return false
}
