package runbook

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
)

// Store is what a bot keeps its journal and its inbox in.
type Store interface {
	Journal
	Inbox
}

// memoryStore keeps the promises of Journal and Inbox in memory.
type memoryStore struct {
	mu     sync.Mutex
	events map[string][]Event
	epochs map[string]int64
	open   map[string]string
	inbox  []Delivery
	done   map[string]bool // deliveries by their keys: false while they are pending
}

func newMemoryStore() *memoryStore {
	return &memoryStore{events: map[string][]Event{}, epochs: map[string]int64{}, open: map[string]string{}, done: map[string]bool{}}
}

func (j *memoryStore) Append(_ context.Context, e Entry) ([]Event, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if e.Epoch != 0 && e.Epoch != j.epochs[e.App] {
		return nil, ErrStaleEpoch
	}
	if done, known := j.done[e.Cause]; e.Cause != "" && (done || !known) {
		if known {
			return nil, nil
		}
		return nil, fmt.Errorf("the inbox has no delivery %q", e.Cause)
	}
	var added []Event
	for _, fact := range e.Facts {
		switch fact.(type) {
		case Requested:
			if open := j.open[e.App]; open != "" {
				return nil, &OpenError{App: e.App, Rollback: open}
			}
			j.open[e.App] = e.Rollback
		case Ended:
			delete(j.open, e.App)
		}
		// There and back through JSON: what is not written down is not known to the next process.
		body, err := json.Marshal(fact)
		if err != nil {
			return nil, err
		}
		if fact, err = DecodeFact(fact.Kind(), body); err != nil {
			return nil, err
		}
		seq := int64(len(j.events[e.App]) + len(added) + 1)
		added = append(added, Event{App: e.App, Seq: seq, Rollback: e.Rollback, Epoch: e.Epoch, At: e.At, Actor: e.Actor, Cause: e.Cause, Fact: fact, Hash: fmt.Sprintf("%064d", seq)})
	}
	j.events[e.App] = append(j.events[e.App], added...)
	if e.Cause != "" {
		j.done[e.Cause] = true
	}
	return added, nil
}

func (j *memoryStore) Events(_ context.Context, app, rollback string, after int64) ([]Event, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []Event
	for _, e := range j.events[app] {
		if e.Seq > after && (rollback == "" || e.Rollback == rollback) {
			out = append(out, e)
		}
	}
	return out, nil
}

func (j *memoryStore) Since(_ context.Context, app string, after Place, kinds ...string) ([]Event, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	events := j.events[app]
	if after != (Place{}) && (after.Seq > int64(len(events)) || events[after.Seq-1].Hash != after.Hash) {
		return nil, ErrOtherChain
	}
	var out []Event
	for _, e := range events[after.Seq:] {
		if slices.Contains(kinds, e.Fact.Kind()) {
			out = append(out, e)
		}
	}
	return out, nil
}

func (j *memoryStore) Acquire(_ context.Context, app string, floor int64) (int64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.epochs[app] = max(j.epochs[app], floor) + 1
	return j.epochs[app], nil
}

func (j *memoryStore) Open(_ context.Context, app string) (string, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.open[app], nil
}

func (j *memoryStore) App(_ context.Context, rollback string) (string, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for app, events := range j.events {
		for _, e := range events {
			if e.Rollback == rollback {
				return app, nil
			}
		}
	}
	return "", nil
}

func (j *memoryStore) Apps(context.Context) ([]string, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return sortedKeys(j.events), nil
}

func (j *memoryStore) Put(_ context.Context, d Delivery) (bool, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, known := j.done[d.Key]; known {
		return false, nil
	}
	j.inbox, j.done[d.Key] = append(j.inbox, d), false
	return true, nil
}

func (j *memoryStore) Pending(context.Context) (pending []Delivery, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, d := range j.inbox {
		if !j.done[d.Key] {
			pending = append(pending, d)
		}
	}
	return pending, nil
}

func (j *memoryStore) Done(_ context.Context, key string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.done[key] = true
	return nil
}
