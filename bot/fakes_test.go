package bot_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"rollbackbot/runbook"
	runbookhistory "rollbackbot/runbook/history"
	"rollbackbot/runbook/rate"
)

// patience is how long a test waits for what should happen at once: a machine that is slow must fail none.
const patience = 5 * time.Minute

// memoryInbox is an inbox without a database.
type memoryInbox struct {
	mu         sync.Mutex
	deliveries []runbook.Delivery
	done       map[string]bool
	broken     error         // what Put answers; nil: it works
	changed    chan struct{} // closed and replaced at every change
	stall      bool          // the next delivery is stalled
	stalled    string        // the key that Done refuses to take
}

func newMemoryInbox() *memoryInbox {
	return &memoryInbox{done: map[string]bool{}, changed: make(chan struct{})}
}

func (m *memoryInbox) Put(_ context.Context, d runbook.Delivery) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return false, m.broken
	}
	if slices.ContainsFunc(m.deliveries, func(o runbook.Delivery) bool { return o.Key == d.Key }) {
		return false, nil
	}
	if m.stall {
		m.stall, m.stalled = false, d.Key
	}
	m.deliveries = append(m.deliveries, d)
	m.touch()
	return true, nil
}

func (m *memoryInbox) Pending(context.Context) ([]runbook.Delivery, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var pending []runbook.Delivery
	for _, d := range m.deliveries {
		if !m.done[d.Key] {
			pending = append(pending, d)
		}
	}
	return pending, nil
}

func (m *memoryInbox) Done(ctx context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if m.stalled == key {
		return errors.New("the disk is full")
	}
	if !slices.ContainsFunc(m.deliveries, func(o runbook.Delivery) bool { return o.Key == key }) {
		return fmt.Errorf("no delivery %q", key)
	}
	m.done[key] = true
	m.touch()
	return nil
}

func (m *memoryInbox) touch() {
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *memoryInbox) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.broken = err
}

// stallNext makes Done fail for the next delivery, until resume.
func (m *memoryInbox) stallNext() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stall = true
}

func (m *memoryInbox) resume() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stalled = ""
}

// all gives every delivery so far and whether it is done.
func (m *memoryInbox) all() (deliveries []runbook.Delivery, open int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, d := range m.deliveries {
		if !m.done[d.Key] {
			open++
		}
	}
	return slices.Clone(m.deliveries), open
}

// settle waits until n deliveries came and all are done.
func (m *memoryInbox) settle(t *testing.T, n int) {
	t.Helper()
	timeout := time.After(patience)
	for {
		m.mu.Lock()
		changed := m.changed
		m.mu.Unlock()
		if all, open := m.all(); len(all) >= n && open == 0 {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatal("the inbox did not settle")
		}
	}
}

// refusal is one call of Refuse.
type refusal struct{ App, Rollback, Action, By, Why, Cause string }

// fakeRunner is a runbook that remembers what it was asked. What it wasn't told to answer it refuses to.
type fakeRunner struct {
	apps       []runbook.App
	onRequest  func(ctx context.Context, r runbook.Request, cause string) (runbook.Rollback, error)
	onAnswer   func(ctx context.Context, c runbook.Click) error
	onPlan     func(ctx context.Context, r runbook.Request) (runbook.Plan, string, error)
	onStanding func(app string) (runbook.Standing, error)
	onHistory  func() // after a history was read
	onLift     func(digest, cause, by string) error
	history    []runbook.Event
	blocked    map[runbook.Digest]string

	mu        sync.Mutex
	rollbacks []runbook.Rollback
	requests  []runbook.Request
	clicks    []runbook.Click
	refusals  []refusal
	handOvers []runbook.HandOver
	abandoned []runbook.Rollback
}

func (f *fakeRunner) App(name string) (runbook.App, error) {
	var names []string
	for _, app := range f.apps {
		if app.Name == name {
			return app, nil
		}
		names = append(names, app.Name)
	}
	return runbook.App{}, &runbook.UnknownAppError{Name: name, Apps: names}
}

func (f *fakeRunner) Request(ctx context.Context, r runbook.Request, cause string) (runbook.Rollback, error) {
	f.mu.Lock()
	f.requests = append(f.requests, r)
	f.mu.Unlock()
	if f.onRequest == nil {
		return runbook.Rollback{}, errors.New("nobody expected a request")
	}
	rb, err := f.onRequest(ctx, r, cause)
	if err == nil {
		f.keep(rb)
	}
	return rb, err
}

func (f *fakeRunner) keep(rb runbook.Rollback) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rollbacks = append(f.rollbacks, rb)
}

func (f *fakeRunner) Answer(ctx context.Context, c runbook.Click) error {
	f.mu.Lock()
	f.clicks = append(f.clicks, c)
	f.mu.Unlock()
	if f.onAnswer == nil {
		return errors.New("nobody expected an answer")
	}
	return f.onAnswer(ctx, c)
}

func (f *fakeRunner) Plan(ctx context.Context, r runbook.Request) (runbook.Plan, string, error) {
	if f.onPlan == nil {
		return runbook.Plan{}, "", errors.New("nobody expected a plan")
	}
	return f.onPlan(ctx, r)
}

func (f *fakeRunner) Status(_ context.Context, id string) (runbook.Rollback, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, rb := range f.rollbacks {
		if rb.ID == id {
			return rb, nil
		}
	}
	return runbook.Rollback{}, &runbook.UnknownRollbackError{ID: id}
}

func (f *fakeRunner) Abandoned(context.Context) ([]runbook.Rollback, error) { return f.abandoned, nil }

// History is what the test gave, and the rollbacks of the app that are kept.
func (f *fakeRunner) History(_ context.Context, app string) (runbookhistory.History, error) {
	defer func() {
		f.mu.Lock()
		after := f.onHistory
		f.onHistory = nil
		f.mu.Unlock()
		if after != nil {
			after()
		}
	}()
	f.mu.Lock()
	defer f.mu.Unlock()
	events := slices.Clone(f.history)
	for _, rb := range f.rollbacks {
		if rb.App == app {
			events = append(events, runbook.Event{App: app, Rollback: rb.ID, Fact: runbook.Requested{Request: rb.Request, Plan: rb.Plan}})
		}
	}
	return runbookhistory.New(events), nil
}

func (f *fakeRunner) Choices(ctx context.Context, app string) (runbook.Choices, error) {
	history, err := f.History(ctx, app)
	if err != nil {
		return runbook.Choices{}, err
	}
	choices := history.Choices(formNow)
	choices.Evidence = rate.Evidence(choices.Running, runbook.RateSeen{}, formNow)
	return choices, nil
}

func (f *fakeRunner) Blocked(context.Context, string) (map[runbook.Digest]string, error) {
	return f.blocked, nil
}

func (f *fakeRunner) Lift(_ context.Context, digest, cause, by, _ string) error {
	if f.onLift == nil {
		return errors.New("nobody expected a lift")
	}
	return f.onLift(digest, cause, by)
}

func (f *fakeRunner) Refuse(_ context.Context, app, rollback, action, by, why, cause string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refusals = append(f.refusals, refusal{app, rollback, action, by, why, cause})
	return nil
}

func (f *fakeRunner) asked() []runbook.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests)
}

func (f *fakeRunner) answered() []runbook.Click {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.clicks)
}

func (f *fakeRunner) refused() []refusal {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.refusals)
}

// come waits until at least n deliveries came.
func (m *memoryInbox) come(t *testing.T, n int) {
	t.Helper()
	timeout := time.After(patience)
	for {
		m.mu.Lock()
		changed, got := m.changed, len(m.deliveries)
		m.mu.Unlock()
		if got >= n {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("%d deliveries came, want %d", got, n)
		}
	}
}

func (f *fakeRunner) HandOver(_ context.Context, h runbook.HandOver) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handOvers = append(f.handOvers, h)
	return nil
}

// Standing is what the history says; the rollbacks that are kept are its rollbacks.
func (f *fakeRunner) Standing(ctx context.Context, app string) (runbook.Standing, error) {
	if f.onStanding != nil {
		return f.onStanding(app)
	}
	history, err := f.History(ctx, app)
	return runbook.Standing{App: app, Choices: history.Choices(time.Now()), Apart: history.Apart(), Quarantines: history.Quarantines()}, err
}
