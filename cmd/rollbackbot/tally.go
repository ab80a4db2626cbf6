package main

import (
	"net/http"
	"sync"
	"time"

	"rollbackbot/runbook"
)

// tally counts what this process saw happen, since it began. What the journal counts for all processes is read there
// instead. The zero tally is ready; it may be used by several goroutines.
type tally struct {
	mu     sync.Mutex
	began  map[string]map[phase]time.Time // by the rollback
	phases map[string]map[phase]phaseTime // by the app
	hits   map[gateDoor]int
}

// phase is a part of a rollback that takes time: a step, or one of those below.
type phase string

const (
	phaseSignoff phase = "sign_off" // from the request to the sign-off or the requester's confirmation
	phaseAll     phase = "all"      // from the request to the end, whatever the outcome
)

// phases are all of them, in their order.
var phases = []phase{
	phaseSignoff, phase(runbook.StepIdentify), phase(runbook.StepFetch), phase(runbook.StepPin), phase(runbook.StepDeploy),
	phase(runbook.StepHealth), phase(runbook.StepErrorRate), phase(runbook.StepMigration), phaseAll,
}

type phaseTime struct {
	runs int
	took time.Duration
}

// hear takes in an event of the journal. A phase whose beginning another process wrote is not counted: nothing is said
// of it here rather than something that is too short.
func (t *tally) hear(e runbook.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch fact := e.Fact.(type) {
	case runbook.Requested:
		t.begin(e, phaseSignoff)
		t.begin(e, phaseAll)
	case runbook.Answered:
		switch fact.Answer {
		case runbook.Confirm, runbook.SignoffInPlace, runbook.SignoffReverted, runbook.SignoffNone:
			t.end(e, phaseSignoff)
		}
	case runbook.StepStarted:
		t.begin(e, phase(fact.Step))
	case runbook.StepFinished:
		t.end(e, phase(fact.Step))
	case runbook.Ended:
		t.end(e, phaseAll)
		delete(t.began, e.Rollback)
	}
}

// forget lets go of the rollbacks under way: another process carries them on.
func (t *tally) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.began = nil
}

func (t *tally) begin(e runbook.Event, p phase) {
	if t.began == nil {
		t.began = map[string]map[phase]time.Time{}
	}
	if t.began[e.Rollback] == nil {
		t.began[e.Rollback] = map[phase]time.Time{}
	}
	t.began[e.Rollback][p] = e.At
}

func (t *tally) end(e runbook.Event, p phase) {
	at, known := t.began[e.Rollback][p]
	if !known {
		return
	}
	delete(t.began[e.Rollback], p)
	if t.phases == nil {
		t.phases = map[string]map[phase]phaseTime{}
	}
	if t.phases[e.App] == nil {
		t.phases[e.App] = map[phase]phaseTime{}
	}
	sum := t.phases[e.App][p]
	// A clock that was put back meanwhile took no time off what was counted: a counter never falls.
	t.phases[e.App][p] = phaseTime{sum.runs + 1, sum.took + max(0, e.At.Sub(at))}
}

// spent is what the runs of a phase took, together.
func (t *tally) spent(app string, p phase) phaseTime {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.phases[app][p]
}

// gateDoor is what a pipeline asked for over HTTP.
type gateDoor string

const (
	doorAllowed  gateDoor = "allowed"
	doorDeployed gateDoor = "deployed"
)

// atGate counts the gate's answers that an image is quarantined: 423.
func (t *tally) atGate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		said := &answerStatus{ResponseWriter: w}
		next.ServeHTTP(said, r)
		if said.status != http.StatusLocked {
			return
		}
		door := doorAllowed
		if r.Method == http.MethodPost {
			door = doorDeployed
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.hits == nil {
			t.hits = map[gateDoor]int{}
		}
		t.hits[door]++
	})
}

func (t *tally) quarantineHits(door gateDoor) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.hits[door]
}

// answerStatus notes the status of an answer.
type answerStatus struct {
	http.ResponseWriter
	status int
}

func (a *answerStatus) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}
