package hosttest

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"rollbackbot/runbook"
)

// soon is in what a host gets done that has nothing to wait for, however slow it is.
const soon = 30 * time.Second

var jobCases = []Case{
	{"a job that was begun is not begun again", func(s *scene) {
		l := s.held()
		job := s.Job("once", Doing{Prints: 10, Status: 3})
		s.must("start it", s.host.Start(s.ctx, l, job))
		s.follow(l, job.Name, soon)
		s.must("start it again", s.host.Start(s.ctx, l, job))
		end, output := s.follow(l, job.Name, soon)
		s.wantEnd(end, runbook.JobEnded, 3)
		s.wantRan(job.Name, 1)
		if len(output) != 10 {
			s.errorf("it printed %q", output)
		}
	}},
	{"a job that still runs is not begun again either, and its end is not waited for", func(s *scene) {
		l := s.held()
		job := s.Job("long", Doing{Takes: time.Minute})
		s.must("start it", s.host.Start(s.ctx, l, job))
		s.must("start it again while it runs", s.host.Start(s.ctx, l, job))
		s.wantRunning(l, job)
		s.askToEnd(l, job)
		s.wantRan(job.Name, 1)
	}},
	{"nothing else is begun while a job runs", func(s *scene) {
		l := s.held()
		job, other := s.Job("long", Doing{Takes: time.Minute}), s.Job("other", Doing{})
		s.must("start it", s.host.Start(s.ctx, l, job))
		for doing, err := range map[string]error{
			"take the lock":     s.host.Take(s.ctx, l, false, 0),
			"start another job": s.host.Start(s.ctx, l, other),
		} {
			if e := s.wantLocked(doing, err); !e.CommandRuns {
				s.errorf("%s: %v, want it to say that a command runs", doing, err)
			}
		}
		s.wantRan(other.Name, 0)
		s.askToEnd(l, job)
		s.must("start another job after it", s.host.Start(s.ctx, l, other))
	}},
	{"a job's output arrives whole and in pieces of 64 KiB, and then its end", func(s *scene) {
		l := s.held()
		const size = 3*followLimit + 1234
		job := s.Job("talks", Doing{Prints: size})
		s.must("start it", s.host.Start(s.ctx, l, job))
		end, output := s.follow(l, job.Name, soon)
		s.wantEnd(end, runbook.JobEnded, 0)
		if !bytes.Equal(output, Output(size)) {
			s.errorf("%d bytes arrived, which are not the %d that were printed", len(output), size)
		}
	}},
	{"the status of a job that failed is told", func(s *scene) {
		l := s.held()
		job := s.Job("fails", Doing{Prints: 5, Status: 7})
		s.must("start it", s.host.Start(s.ctx, l, job))
		end, _ := s.follow(l, job.Name, soon)
		s.wantEnd(end, runbook.JobEnded, 7)
	}},
	{"Follow answers while a job runs, with what it has printed", func(s *scene) {
		l := s.held()
		job := s.Job("slow", Doing{Prints: 10, Takes: 5 * time.Minute})
		s.must("start it", s.host.Start(s.ctx, l, job))
		for _, offset := range []int64{0, 10} {
			// That it answers while the job runs is told by the answer. The seconds until then are the machine's as well.
			progress, err := s.host.Follow(s.ctx, l, job.Name, offset, false)
			s.must("follow it", err)
			if progress.State != runbook.JobRunning {
				s.errorf("it stands at %s", progress.State)
			}
			if offset == 0 && len(progress.Output) != 10 {
				s.errorf("it had printed %q, want its 10 bytes", progress.Output)
			}
		}
		s.askToEnd(l, job)
	}},
	{"a job that is asked to end ends, and how it ended is told", func(s *scene) {
		l := s.held()
		job := s.Job("asked", Doing{Prints: 10, Takes: 5 * time.Minute})
		s.must("start it", s.host.Start(s.ctx, l, job))
		_, err := s.host.Follow(s.ctx, l, job.Name, 0, false)
		s.must("follow it", err)
		if end := s.askToEnd(l, job); end.State != runbook.JobEnded || end.Status == 0 {
			s.errorf("it ended as %s with status %d, want a status that is not 0", end.State, end.Status)
		}
		_, err = s.host.Follow(s.ctx, l, job.Name, 0, true)
		s.must("ask one to end that has ended", err)
	}},
	{"the limit ends a job", func(s *scene) {
		l := s.held()
		job := s.Job("hangs", Doing{Takes: 5 * time.Minute})
		job.Limit = 2 * time.Second
		s.must("start it", s.host.Start(s.ctx, l, job))
		if end, _ := s.follow(l, job.Name, soon); end.State != runbook.JobEnded || end.Status == 0 {
			s.errorf("it ended as %s with status %d, want a status that is not 0", end.State, end.Status)
		}
	}},
	{"a job that somebody killed is told as killed, and has no status", func(s *scene) {
		s.wantNoStatus(runbook.JobKilled, KillJob{})
	}},
	{"a job that ended with its host is told as restarted, and has no status", func(s *scene) {
		s.wantNoStatus(runbook.JobRestarted, Reboot{})
	}},
	{"a job whose files were removed is told as gone, and has no status", func(s *scene) {
		s.wantNoStatus(runbook.JobGone, ForgetJob{Rollback: mine, Job: "struck"})
	}},
	{"a job's files that are there tell its end also after a reboot", func(s *scene) {
		l := s.held()
		job := s.Job("early", Doing{Prints: 10, Status: 5})
		s.must("start it", s.host.Start(s.ctx, l, job))
		s.follow(l, job.Name, soon)
		s.do(Reboot{})
		end, output := s.follow(l, job.Name, soon)
		s.wantEnd(end, runbook.JobEnded, 5)
		if len(output) != 10 {
			s.errorf("it printed %q", output)
		}
	}},
	{"what a job's Fetch means is what its command does", func(s *scene) {
		l := s.held()
		plans := s.plans(Remote)
		commands := s.commands(plans)
		job := runbook.Job{Name: "fetch", Limit: time.Minute, Command: commands.Pulls[0], Fetch: plans[0].To}
		s.must("start it", s.host.Start(s.ctx, l, job))
		end, _ := s.follow(l, job.Name, 2*time.Minute)
		s.wantEnd(end, runbook.JobEnded, 0)
		s.wantHere(Remote, s.first(), true)
		s.wantHere(Remote, s.second(), false)
	}},
	{"a job that fetches what the registry lacks fails", func(s *scene) {
		l := s.held()
		plans := s.plans(Nowhere)
		commands := s.commands(plans)
		s.must("start it", s.host.Start(s.ctx, l, runbook.Job{Name: "fetch", Limit: time.Minute, Command: commands.Pulls[0], Fetch: plans[0].To}))
		if end, output := s.follow(l, "fetch", 2*time.Minute); end.State != runbook.JobEnded || end.Status == 0 || len(output) == 0 {
			s.errorf("it ended as %s with status %d and printed %q", end.State, end.Status, output)
		}
	}},
	{"what a job's Up means is what its command does: the pins' images in so many containers, and nothing else", func(s *scene) {
		s.do(Scale{s.second(), 3})
		s.do(Stray{})
		l := s.held()
		s.must("write the pins", s.pin(l, s.pinsOf(Former)))
		plans := s.plans(Former)[:2]
		plans[1].Containers, plans[1].Scale = 3, 3
		job := runbook.Job{Name: "up", Limit: time.Minute, Command: s.commands(plans).Up, Up: plans}
		s.must("start it", s.host.Start(s.ctx, l, job))
		end, _ := s.follow(l, job.Name, 2*time.Minute)
		s.wantEnd(end, runbook.JobEnded, 0)
		view := s.view()
		for i, want := range []int{1, 3} {
			if v := view.Services[i]; v.Image != s.image(Former, v.Service) || v.Containers != want {
				s.errorf("%d containers of %s run %s, want %d with %s", v.Containers, v.Service, v.Image, want, s.image(Former, v.Service))
			}
		}
		for _, v := range view.Services[2:] {
			if v.Image != s.image(Current, v.Service) {
				s.errorf("%s, which the plan doesn't name, runs %s", v.Service, v.Image)
			}
		}
	}},
}

// wantRunning wants a job to run.
func (s *scene) wantRunning(l runbook.Lease, job runbook.Job) {
	if progress, err := s.host.Follow(s.ctx, l, job.Name, 0, false); err != nil || progress.State != runbook.JobRunning {
		s.fatalf("%s stands at %q, %v: want it to run", job.Name, progress.State, err)
	}
}

// askToEnd ends a job, and gives how it ended.
func (s *scene) askToEnd(l runbook.Lease, job runbook.Job) runbook.Progress {
	_, err := s.host.Follow(s.ctx, l, job.Name, 0, true)
	s.must("ask "+job.Name+" to end", err)
	end, _ := s.follow(l, job.Name, soon)
	return end
}

// wantNoStatus strikes a job in the middle, and wants that to be told and nothing more.
func (s *scene) wantNoStatus(state runbook.JobState, strike Deed) {
	l := s.held()
	job := s.Job("struck", Doing{Prints: 10, Takes: time.Minute})
	s.must("start it", s.host.Start(s.ctx, l, job))
	_, err := s.host.Follow(s.ctx, l, job.Name, 0, false) // until it has printed, so all of it is there to be struck
	s.must("follow it", err)
	s.do(strike)
	end, _ := s.follow(l, job.Name, soon)
	s.wantEnd(end, state, 0)
}

func (s *scene) image(which Which, service string) runbook.Image {
	return s.Release(which).Images[service]
}

func (s *scene) wantHere(which Which, service string, want bool) {
	states, err := s.host.Images(s.ctx, []runbook.Image{s.image(which, service)}, false)
	s.must("ask for an image", err)
	if len(states) != 1 || states[0].Here != want {
		s.errorf("of the %s image of %s it is said: %+v, want it here: %t", which, service, states, want)
	}
}

var linkCases = []Case{
	{"a link that is cut loses no end: what was begun is begun once, and its end and all of its output are told", func(s *scene) {
		l := s.held()
		const size = followLimit + 1000
		job := s.Job("cut", Doing{Prints: size, Takes: 2 * time.Second, Status: 9})
		s.do(Cut{Method: "Start"})
		if err := s.host.Start(s.ctx, l, job); err != nil && !errors.Is(err, runbook.ErrLost) {
			s.fatalf("Start whose answer was lost: %v, want ErrLost or nil", err)
		}
		s.must("start it again", s.host.Start(s.ctx, l, job))
		s.do(Cut{Method: "Follow"})
		end, output := s.follow(l, job.Name, soon)
		s.wantEnd(end, runbook.JobEnded, 9)
		s.wantRan(job.Name, 1)
		if !bytes.Equal(output, Output(size)) {
			s.errorf("%d bytes arrived, which are not the %d that were printed", len(output), size)
		}
	}},
	{"a call whose answer is lost is never said to have failed", func(s *scene) {
		l := lease(mine, 1)
		s.do(Cut{Method: "Take"})
		if err := s.host.Take(s.ctx, l, true, 0); err != nil && !errors.Is(err, runbook.ErrLost) {
			s.errorf("Take: %v, want ErrLost or nil", err)
		}
		state, err := s.host.Lock(s.ctx)
		if err != nil || state.Rollback != mine || state.Until.IsZero() {
			s.errorf("the lock that was taken is %+v, %v", state, err)
		}
		s.do(Cut{Method: "Release"})
		if _, err := s.host.Release(s.ctx, l, false); err != nil && !errors.Is(err, runbook.ErrLost) {
			s.errorf("Release: %v, want ErrLost or nil", err)
		}
		if state, err := s.host.Lock(s.ctx); err != nil || !state.Free() {
			s.errorf("the lock that was given back is %+v, %v", state, err)
		}
	}},
	{"after a lost answer EditPins says that the pins are written only if they are", func(s *scene) {
		l := s.held()
		file := s.file()
		s.do(Cut{Method: "EditPins"})
		asked := 0
		err := s.host.EditPins(s.ctx, l, file, func([]runbook.Pin) ([]runbook.Pin, error) { asked++; return s.pinsOf(Former), nil })
		if written := slices.Equal(s.view().Pins, s.pinsOf(Former)); !written || err != nil || asked != 1 {
			s.errorf("it asked %d times and gave %v, and that they are written is %t: want it to look, and nil", asked, err, written)
		}
	}},
	{"an edit of pins whose answer is lost on a host that stays away is lost, and not said to have been begun nowhere", func(s *scene) {
		l := s.held()
		file := s.file()
		s.do(Cut{Method: "EditPins", Away: true})
		err := s.host.EditPins(s.ctx, l, file, func([]runbook.Pin) ([]runbook.Pin, error) { return s.pinsOf(Former), nil })
		var host *runbook.HostError
		if !errors.Is(err, runbook.ErrLost) || errors.As(err, &host) {
			s.errorf("got %v, want ErrLost and no HostError", err)
		}
	}},
}
