package runbooktest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"rollbackbot/runbook"
)

// Store is what a bot keeps its journal and its inbox in.
type Store interface {
	runbook.Journal
	runbook.Inbox
}

// MemoryStore keeps the promises of Journal and Inbox in memory.
type MemoryStore struct {
	mu sync.Mutex
	// Kept are the events of each app, and Opened the rollback that each has open, for tests that change them.
	Kept   map[string][]runbook.Event
	epochs map[string]int64
	Opened map[string]string
	inbox  []runbook.Delivery
	done   map[string]bool // deliveries by their keys: false while they are pending
}

// NewMemoryStore is an empty one.
func NewMemoryStore() *MemoryStore {
	return &MemoryStore{Kept: map[string][]runbook.Event{}, epochs: map[string]int64{}, Opened: map[string]string{}, done: map[string]bool{}}
}

func (j *MemoryStore) Append(_ context.Context, e runbook.Entry) ([]runbook.Event, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if e.Epoch != 0 && e.Epoch != j.epochs[e.App] {
		return nil, runbook.ErrStaleEpoch
	}
	if done, known := j.done[e.Cause]; e.Cause != "" && (done || !known) {
		if known {
			return nil, nil
		}
		return nil, fmt.Errorf("the inbox has no delivery %q", e.Cause)
	}
	var added []runbook.Event
	for _, fact := range e.Facts {
		switch fact.(type) {
		case runbook.Requested:
			if open := j.Opened[e.App]; open != "" {
				return nil, &runbook.OpenError{App: e.App, Rollback: open}
			}
			j.Opened[e.App] = e.Rollback
		case runbook.Ended:
			delete(j.Opened, e.App)
		}
		// There and back through JSON: what is not written down is not known to the next process.
		body, err := json.Marshal(fact)
		if err != nil {
			return nil, err
		}
		if fact, err = runbook.DecodeFact(fact.Kind(), body); err != nil {
			return nil, err
		}
		seq := int64(len(j.Kept[e.App]) + len(added) + 1)
		added = append(added, runbook.Event{App: e.App, Seq: seq, Rollback: e.Rollback, Epoch: e.Epoch, At: e.At, Actor: e.Actor, Cause: e.Cause, Fact: fact, Hash: fmt.Sprintf("%064d", seq)})
	}
	j.Kept[e.App] = append(j.Kept[e.App], added...)
	if e.Cause != "" {
		j.done[e.Cause] = true
	}
	return added, nil
}

func (j *MemoryStore) Events(_ context.Context, app, rollback string, after int64) ([]runbook.Event, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []runbook.Event
	for _, e := range j.Kept[app] {
		if e.Seq > after && (rollback == "" || e.Rollback == rollback) {
			out = append(out, e)
		}
	}
	return out, nil
}

func (j *MemoryStore) Since(_ context.Context, app string, after runbook.Place, kinds ...string) ([]runbook.Event, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	events := j.Kept[app]
	if after != (runbook.Place{}) && (after.Seq > int64(len(events)) || events[after.Seq-1].Hash != after.Hash) {
		return nil, runbook.ErrOtherChain
	}
	var out []runbook.Event
	for _, e := range events[after.Seq:] {
		if slices.Contains(kinds, e.Fact.Kind()) {
			out = append(out, e)
		}
	}
	return out, nil
}

func (j *MemoryStore) Acquire(_ context.Context, app string, floor int64) (int64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.epochs[app] = max(j.epochs[app], floor) + 1
	return j.epochs[app], nil
}

func (j *MemoryStore) Open(_ context.Context, app string) (string, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.Opened[app], nil
}

func (j *MemoryStore) App(_ context.Context, rollback string) (string, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for app, events := range j.Kept {
		for _, e := range events {
			if e.Rollback == rollback {
				return app, nil
			}
		}
	}
	return "", nil
}

func (j *MemoryStore) Apps(context.Context) ([]string, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return runbook.SortedKeys(j.Kept), nil
}

func (j *MemoryStore) Put(_ context.Context, d runbook.Delivery) (bool, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, known := j.done[d.Key]; known {
		return false, nil
	}
	j.inbox, j.done[d.Key] = append(j.inbox, d), false
	return true, nil
}

func (j *MemoryStore) Pending(context.Context) (pending []runbook.Delivery, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, d := range j.inbox {
		if !j.done[d.Key] {
			pending = append(pending, d)
		}
	}
	return pending, nil
}

func (j *MemoryStore) Done(_ context.Context, key string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.done[key] = true
	return nil
}
