package standin

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"rollbackbot/runbook"
)

// Host is one app on one host, in memory.
type Host struct {
	app  runbook.App
	name runbook.Host

	mu      sync.Mutex
	state   State
	jobs    map[string]*job // by rollback and name
	begun   []Begun
	changed chan struct{} // closed at the next change; nil: nobody waits for one
}

var _ runbook.AppHost = (*Host)(nil)

func newHost(app runbook.App, name runbook.Host, running map[string]runbook.Image, here ...map[string]runbook.Image) *Host {
	return &Host{app: app, name: name, state: newState(app, running, here), jobs: map[string]*job{}}
}

// Set changes the host as somebody else would, or reads it. Nothing else happens there meanwhile, so change must call no
// method of the Host.
func (h *Host) Set(change func(s *State)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.settle()
	change(&h.state)
	h.tell()
}

// SetIdle is Set where no job runs under the lock; where one does, it changes nothing and gives false.
func (h *Host) SetIdle(change func(s *State)) (idle bool) {
	h.Set(func(s *State) {
		if idle = h.running() == nil; idle {
			change(s)
		}
	})
	return idle
}

// String is all that is on the host, as text: two of them are equal where nothing was changed in between.
func (h *Host) String() (text string) {
	h.Set(func(s *State) {
		text = fmt.Sprintln(h.name, s.Containers, s.Here, s.Pins, s.Other, s.Lease, len(h.jobs))
	})
	return text
}

// EngineStarts is how long the engine takes after the host answers again, when that boots.
const EngineStarts = 20 * time.Second

// Reboot ends what runs on the host, which is back after a while, its engine a bit later. Its disk is as it was.
func (h *Host) Reboot(back time.Duration) {
	h.Set(func(s *State) {
		s.Boot++
		s.DownUntil = time.Now().Add(back)
		s.EngineAt = s.DownUntil.Add(EngineStarts)
		h.strike(runbook.JobRestarted)
	})
}

// Strike does to the job that runs now what somebody may do to it: it is killed (JobKilled), ends as if its host had been
// restarted (JobRestarted), or goes on without its files (JobGone). What an `up` did is left half done.
func (h *Host) Strike(how runbook.JobState) { h.Set(func(*State) { h.strike(how) }) }

// TakeByHand takes the app's lock for somebody who works there, whoever has it.
func (h *Host) TakeByHand(holder, reason string, lasts time.Duration) {
	h.Set(func(s *State) {
		lease := Lease{Rollback: "lock:" + holder, Epoch: 1, Holder: holder, Since: time.Now().UTC().Format(time.RFC3339), Reason: reason, Until: time.Now().Add(lasts), Boot: s.Boot}
		if s.Lease != nil {
			lease.Epoch += s.Lease.Epoch
		}
		s.Lease = &lease
	})
}

// Begun is a job that was begun.
type Begun struct {
	Rollback string
	Epoch    int64
	Job      runbook.Job
}

// Begun are all jobs that were begun, in that order.
func (h *Host) Begun() (all []Begun) {
	h.Set(func(*State) { all = slices.Clone(h.begun) })
	return all
}

// UpsRun is under which rollback and epoch containers were replaced so far, or should have been: "rb-1 7".
func (h *Host) UpsRun() (all []string) {
	for _, b := range h.Begun() {
		if len(b.Job.Up) > 0 {
			all = append(all, fmt.Sprint(b.Rollback, " ", b.Epoch))
		}
	}
	return all
}

// call is how a method gets to its host.
type call struct {
	method   string              // its name, by which faults are ordered
	slow     bool                // it asks what the app's files say
	engine   bool                // it asks the engine
	patience time.Duration       // how long it waits until ready
	ready    func(s *State) bool // nil: at once
}

// do lets act change the state, once the host is reached and ready, or patience is over.
func (h *Host) do(ctx context.Context, c call, act func(s *State) error) error {
	if err := h.wait(ctx, h.latency(c), nil); err != nil {
		return err
	}
	deadline := time.Now().Add(c.patience)
	for begun := false; ; begun = true {
		left, changed, err := h.attempt(c, deadline, begun, act)
		if changed == nil {
			return err
		}
		if err := h.wait(ctx, left, changed); err != nil {
			return err
		}
	}
}

// attempt does it now, or gives what is to be waited for: a change, and no longer than left.
func (h *Host) attempt(c call, deadline time.Time, begun bool, act func(s *State) error) (left time.Duration, changed <-chan struct{}, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.settle()
	s := &h.state
	if s.Hangs || s.HangsAt[c.method] {
		return never, make(chan struct{}), nil
	}
	if away := s.away(h.name); away != nil {
		if begun {
			return 0, nil, fmt.Errorf("%w: %v", runbook.ErrLost, away) // no HostError: something was begun
		}
		return 0, nil, away
	}
	if c.engine && !s.engine() {
		return 0, nil, noEngine(h.name)
	}
	if left = time.Until(deadline); c.patience == never {
		left = never
	}
	if c.ready != nil && left > 0 && !c.ready(s) {
		if h.changed == nil {
			h.changed = make(chan struct{})
		}
		return min(left, h.untilEnd(h.running())), h.changed, nil
	}
	err = act(s)
	h.tell()
	if s.Lose[c.method] > 0 {
		s.Lose[c.method]--
		err = fmt.Errorf("%w: the answer of %s was lost", runbook.ErrLost, c.method)
	}
	return 0, nil, err
}

// never is how long somebody waits who has no patience that could end.
const never = time.Duration(math.MaxInt64)

func (h *Host) latency(c call) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.slow {
		return 5 * h.state.Latency
	}
	return h.state.Latency
}

// wait waits so long, or until changed is closed. Where ctx ends first, nobody knows what becomes of the call.
func (h *Host) wait(ctx context.Context, long time.Duration, changed <-chan struct{}) error {
	var over <-chan time.Time
	if long < never {
		timer := time.NewTimer(long)
		defer timer.Stop()
		over = timer.C
	}
	if ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-changed:
		case <-over:
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", runbook.ErrLost, err)
	}
	return nil
}

// tell wakes whoever waits for a change.
func (h *Host) tell() {
	if h.changed != nil {
		close(h.changed)
		h.changed = nil
	}
}

func (s *State) engine() bool { return !s.NoEngine && !time.Now().Before(s.EngineAt) }

func noEngine(host runbook.Host) error {
	err := problem(host, "Start it there", "the container engine doesn't answer")
	err.Err = runbook.ErrNoEngine
	return err
}

func problem(host runbook.Host, remedy, format string, args ...any) *runbook.PreflightError {
	return &runbook.PreflightError{Problems: []runbook.Problem{{Host: host, What: fmt.Sprintf(format, args...), Remedy: remedy}}}
}
