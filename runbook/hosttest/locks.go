package hosttest

import (
	"errors"
	"strings"
	"sync"
	"time"

	"rollbackbot/runbook"
)

// brief is how long a lease holds whose end a case waits for; hosts count in whole seconds.
const brief = 6 * time.Second

var lockCases = []Case{
	{"a lock that was never held is free, under no epoch", func(s *scene) {
		state, err := s.host.Lock(s.ctx)
		if err != nil || !state.Free() || state.Epoch != 0 || state.Host != s.Host() {
			s.errorf("it is %+v, %v", state, err)
		}
		s.wantLease("take it as one that was held before", s.host.Take(s.ctx, lease(mine, 1), false, 0), runbook.LeaseGone)
		s.must("take it as one that never was", s.host.Take(s.ctx, lease(mine, 1), true, 0))
	}},
	{"Lock tells who holds it, since when, why, until when, under which epoch, and that a command runs", func(s *scene) {
		l := lease(mine, 5)
		s.must("take it", s.host.Take(s.ctx, l, true, 0))
		state, err := s.host.Lock(s.ctx)
		s.must("look at the lock", err)
		if state.Rollback != mine || state.Epoch != 5 || state.Holder != l.Holder || state.Since != "2023-11-14T22:13:20Z" || state.Reason != `checkout "fails" = $HOME now` || state.CommandRuns {
			s.errorf("it is %+v", state)
		}
		if left := time.Until(state.Until); left > runbook.LeaseTime+5*time.Second || left < runbook.LeaseTime-15*time.Second {
			s.errorf("it holds for %s more, want %s", left, runbook.LeaseTime)
		}
		job := s.Job("runs", Doing{Takes: 10 * time.Second})
		s.must("start a job", s.host.Start(s.ctx, l, job))
		if state, err = s.host.Lock(s.ctx); err != nil || !state.CommandRuns || state.Rollback != mine || state.Free() {
			s.errorf("while a command runs it is %+v, %v", state, err)
		}
	}},
	{"the same epoch renews the lock, a higher one of the same rollback takes it over at once", func(s *scene) {
		l := s.held()
		l.For = 10 * time.Minute
		s.must("renew it", s.host.Take(s.ctx, l, false, 0))
		if state, err := s.host.Lock(s.ctx); err != nil || time.Until(state.Until) < 9*time.Minute {
			s.errorf("renewed for 10 minutes it is %+v, %v", state, err)
		}
		s.must("take it over", s.host.Take(s.ctx, lease(mine, 3), false, 0))
		if state, err := s.host.Lock(s.ctx); err != nil || state.Epoch != 3 {
			s.errorf("taken over under epoch 3 it is %+v, %v", state, err)
		}
	}},
	{"an older epoch is refused by Take", func(s *scene) {
		old := s.passed()
		s.wantLease("Take", s.host.Take(s.ctx, old, false, 0), runbook.LeaseStale)
	}},
	{"an older epoch is refused by EditPins", func(s *scene) {
		old := s.passed()
		s.wantLease("EditPins", s.pin(old, s.pinsOf(Former)), runbook.LeaseStale)
		s.wantPins("after the refusal", s.pinsOf(Current))
	}},
	{"an older epoch is refused by Start", func(s *scene) {
		old := s.passed()
		job := s.Job("old", Doing{})
		s.wantLease("Start", s.host.Start(s.ctx, old, job), runbook.LeaseStale)
		s.wantRan(job.Name, 0)
	}},
	{"an older epoch is refused where it asks a job to end", func(s *scene) {
		l := s.held()
		job := s.Job("goes-on", Doing{Takes: time.Minute})
		s.must("start it", s.host.Start(s.ctx, l, job))
		for _, other := range []runbook.Lease{lease(mine, 2), lease(theirs, 1)} {
			_, err := s.host.Follow(s.ctx, other, job.Name, 0, true)
			s.wantLease("ask it to end", err, runbook.LeaseStale)
			s.wantRunning(l, job)
		}
		s.askToEnd(l, job)
	}},
	{"an older epoch is refused by Release", func(s *scene) {
		old := s.passed()
		_, err := s.host.Release(s.ctx, old, false)
		s.wantLease("Release", err, runbook.LeaseStale)
		if state, err := s.host.Lock(s.ctx); err != nil || state.Free() {
			s.errorf("after the refusal it is %+v, %v", state, err)
		}
	}},
	{"another rollback is refused until the lease runs out, and told whose it is", func(s *scene) {
		l := lease(mine, 1)
		l.For = brief
		s.must("take it", s.host.Take(s.ctx, l, true, 0))
		e := s.wantLocked("take it from another", s.host.Take(s.ctx, lease(theirs, 2), true, 0))
		if left := time.Until(e.Until); e.Host != s.Host() || e.Rollback != mine || e.Holder != l.Holder || e.CommandRuns || !strings.Contains(e.Reason, "checkout") || left <= 0 || left > brief+2*time.Second {
			s.errorf("the refusal says %+v", e)
		}
		time.Sleep(brief + 2*time.Second)
		if state, err := s.host.Lock(s.ctx); err != nil || !state.Free() || state.Epoch != 1 {
			s.errorf("when it has run out it is %+v, %v", state, err)
		}
		s.wantLease("take it under an epoch that was there", s.host.Take(s.ctx, lease(theirs, 1), true, 0), runbook.LeaseStale)
		s.must("take it under a higher epoch", s.host.Take(s.ctx, lease(theirs, 2), true, 0))
		if e := s.wantLocked("renew the one that ran out", s.host.Take(s.ctx, l, false, 0)); e.Rollback != theirs {
			s.errorf("whose lease ran out is told %+v", e)
		}
	}},
	{"of many who take a free lock at once one gets it", func(s *scene) {
		errs := make([]error, 8)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() { errs[i] = s.host.Take(s.ctx, lease(theirs+string(rune('a'+i)), 1), true, 5*time.Second) })
		}
		all.Wait()
		got := 0
		for _, err := range errs {
			var locked *runbook.LockedError
			if err == nil {
				got++
			} else if !errors.As(err, &locked) {
				s.errorf("who came too late is told: %v", err)
			}
		}
		if got != 1 {
			s.errorf("%d of them got it", got)
		}
	}},
	{"a lock that somebody took by hand is respected", func(s *scene) {
		s.do(TakeByHand{Holder: "the night shift", Reason: "repairs", For: time.Hour})
		e := s.wantLocked("take it", s.host.Take(s.ctx, lease(mine, 99), true, 0))
		if left := time.Until(e.Until); e.Holder != "the night shift" || e.Reason != "repairs" || left < 50*time.Minute || left > 70*time.Minute {
			s.errorf("the refusal says %+v", e)
		}
	}},
	{"a lease that was removed is gone, until it is taken as a first one", func(s *scene) {
		l := s.held()
		s.do(RemoveLease{})
		s.refused(l, runbook.LeaseGone)
		s.must("take it again", s.host.Take(s.ctx, l, true, 0))
	}},
	{"a damaged lease is damaged, and neither free nor taken", func(s *scene) {
		l := s.held()
		s.do(DamageLease{})
		s.refused(l, runbook.LeaseDamaged)
		_, err := s.host.Lock(s.ctx)
		s.wantLease("look at the lock", err, runbook.LeaseDamaged)
		s.wantLease("take it as a first one", s.host.Take(s.ctx, lease(mine, 2), true, 0), runbook.LeaseDamaged)
	}},
	{"Take waits for a job that runs, and no longer than it is told to", func(s *scene) {
		l := s.held()
		job := s.Job("runs", Doing{Takes: 10 * time.Second})
		s.must("start a job", s.host.Start(s.ctx, l, job))
		began := time.Now()
		e := s.wantLocked("take it, waiting for 2 s", s.host.Take(s.ctx, lease(mine, 2), false, 2*time.Second))
		if waited := time.Since(began); !e.CommandRuns || e.Rollback != mine || waited < time.Second || waited > 7*time.Second {
			s.errorf("after %s the refusal says %+v", waited, e)
		}
		s.must("take it, waiting for as long as that runs", s.host.Take(s.ctx, lease(mine, 2), false, soon))
		progress, err := s.host.Follow(s.ctx, l, job.Name, 0, false)
		s.must("follow the job", err)
		s.wantEnd(progress, runbook.JobEnded, 0)
	}},
	{"Release frees the lock at once, and its epoch stays", func(s *scene) {
		l := s.held()
		released, err := s.host.Release(s.ctx, l, false)
		if err != nil || len(released.Ended)+len(released.Left) > 0 {
			s.errorf("it is given back with %+v, %v", released, err)
		}
		if state, err := s.host.Lock(s.ctx); err != nil || !state.Free() || state.Epoch != 1 {
			s.errorf("given back it is %+v, %v", state, err)
		}
		s.must("take it for another rollback", s.host.Take(s.ctx, lease(theirs, 2), true, 0))
	}},
	{"force takes the lock from anybody, and ends and names what runs", func(s *scene) {
		l := lease(mine, 5)
		s.must("take it", s.host.Take(s.ctx, l, true, 0))
		job := s.Job("endless", Doing{Prints: 10, Takes: 5 * time.Minute})
		s.must("start a job", s.host.Start(s.ctx, l, job))
		_, err := s.host.Follow(s.ctx, l, job.Name, 0, false)
		s.must("follow it", err)
		released, err := s.host.Release(s.ctx, lease("lock:ben", 1), true)
		if err != nil || len(released.Ended) == 0 || len(released.Left) > 0 {
			s.errorf("by force: %+v, %v", released, err)
		}
		progress, err := s.host.Follow(s.ctx, l, job.Name, 10, false)
		if err != nil || progress.State == runbook.JobRunning || progress.State == runbook.JobEnded && progress.Status == 0 {
			s.errorf("what it ended is said to stand at %+v, %v", progress, err)
		}
		if state, err := s.host.Lock(s.ctx); err != nil || !state.Free() || state.Epoch <= 5 {
			s.errorf("it is %+v, %v: want it to be free under a higher epoch than 5", state, err)
		}
		s.wantLease("renew the former one", s.host.Take(s.ctx, l, false, 0), runbook.LeaseStale)
	}},
	{"force replaces a lease that is damaged", func(s *scene) {
		s.held()
		s.do(DamageLease{})
		_, err := s.host.Release(s.ctx, lease("lock:ben", 7), true)
		s.must("release it by force", err)
		if state, err := s.host.Lock(s.ctx); err != nil || !state.Free() || state.Epoch != 7 {
			s.errorf("it is %+v, %v", state, err)
		}
	}},
	{"force leaves alone what it can't end, names it, and takes nothing", func(s *scene) {
		s.do(Untouchable{})
		l := s.held()
		job := s.Job("anothers", Doing{Prints: 10, Takes: 20 * time.Second})
		s.must("start a job", s.host.Start(s.ctx, l, job))
		_, err := s.host.Follow(s.ctx, l, job.Name, 0, false)
		s.must("follow it", err)
		released, err := s.host.Release(s.ctx, lease("lock:ben", 7), true)
		if e := s.wantLocked("release it by force", err); !e.CommandRuns || len(released.Left) == 0 || len(released.Ended) > 0 {
			s.errorf("by force: %+v, %v", released, err)
		}
		if state, err := s.host.Lock(s.ctx); err != nil || state.Rollback != mine || !state.CommandRuns {
			s.errorf("it is %+v, %v", state, err)
		}
		end, _ := s.follow(l, job.Name, soon)
		s.wantEnd(end, runbook.JobEnded, 0)
	}},
}

// passed gives the lease of a rollback whose next process has taken it over.
func (s *scene) passed() runbook.Lease {
	old := s.held()
	s.must("take it over", s.host.Take(s.ctx, lease(mine, 2), false, 0))
	return old
}

// refused wants everything that acts to be refused.
func (s *scene) refused(l runbook.Lease, kind runbook.LeaseKind) {
	job := s.Job("refused", Doing{})
	s.wantLease("Take", s.host.Take(s.ctx, l, false, 0), kind)
	s.wantLease("EditPins", s.pin(l, s.pinsOf(Former)), kind)
	s.wantLease("Start", s.host.Start(s.ctx, l, job), kind)
	_, err := s.host.Release(s.ctx, l, false)
	s.wantLease("Release", err, kind)
	s.wantRan(job.Name, 0)
	s.wantPins("after the refusals", s.pinsOf(Current))
}
