package hosttest

import (
	"slices"
	"time"

	"rollbackbot/runbook"
)

var dependentCases = []Case{
	{"a preflight names who can't stay as it is while the app is replaced, and how each follows", func(s *scene) {
		report, err := s.host.Preflight(s.ctx, false)
		s.must("preflight", err)
		if len(report.Dependents) > 0 || len(report.Neighbours) > 0 {
			s.errorf("before there is any it names %+v beside %+v", report.Dependents, report.Neighbours)
		}
		s.do(Depend{})
		for _, again := range []bool{false, true} {
			shares, restarts := s.dependents(again)
			if shares.Why == "" || restarts.Why == "" || s.App().HasService(shares.Service) || s.App().HasService(restarts.Service) {
				s.errorf("they are %+v and %+v", shares, restarts)
			}
		}
	}},
	{"Commands name who is replaced together with the app, and who is restarted; without any there is no restart", func(s *scene) {
		without := s.commands(s.plans(Former))
		with := s.commands(s.plans(Former), runbook.Dependent{Service: "shares-it"}, runbook.Dependent{Service: "restarts-then", Restart: true})
		if !names(with.Up, "shares-it") || names(with.Up, "restarts-then") || !names(with.Restart, "restarts-then") || names(with.Restart, "shares-it") {
			s.errorf("they are %s, and then %s", with.Up, with.Restart)
		}
		if len(without.Restart.Args) > 0 || names(without.Up, "shares-it") {
			s.errorf("without any they are %s, and then %s", without.Up, without.Restart)
		}
	}},
	{"who shares something is seen to be cut off when the app is replaced alone, and follows where a job names it", func(s *scene) {
		s.do(Depend{})
		shares, _ := s.dependents(false)
		l := s.held()
		for _, step := range []struct {
			to     Which
			beside []runbook.Dependent
			cut    bool
		}{{Former, nil, true}, {Current, []runbook.Dependent{shares}, false}, {Current, []runbook.Dependent{shares}, false}} {
			s.must("write the pins", s.pin(l, s.pinsOf(step.to)))
			plans := s.plans(step.to)
			s.runs(l, runbook.Job{Command: s.commands(plans, step.beside...).Up, Up: plans, Beside: step.beside})
			view := s.view()
			if n := s.neighbour(view, shares.Service); n.Cut != step.cut || !view.Runs(s.Release(step.to).Images) {
				s.errorf("replaced together with %+v it is seen as %+v", step.beside, n)
			}
		}
	}},
	{"who is restarted by a job was started after the app's containers were made, and again is harmless", func(s *scene) {
		s.do(Depend{})
		_, restarts := s.dependents(false)
		l := s.held()
		s.must("write the pins", s.pin(l, s.pinsOf(Former)))
		plans := s.plans(Former)
		time.Sleep(time.Millisecond) // hosts in memory make two things at one instant
		s.runs(l, runbook.Job{Command: s.commands(plans).Up, Up: plans})
		made := s.view().Services[0].Made
		if n := s.neighbour(s.view(), restarts.Service); made.IsZero() || n.Since.IsZero() || !n.Since.Before(made) {
			s.errorf("before it is restarted it is seen as %+v, and the app was made %s", n, made)
		}
		for range 2 {
			s.runs(l, runbook.Job{Command: s.commands(plans, restarts).Restart, Beside: []runbook.Dependent{restarts}})
			view := s.view()
			if n := s.neighbour(view, restarts.Service); n.Since.Before(made) || !view.Services[0].Made.Equal(made) {
				s.errorf("restarted it is seen as %+v, and the app was made %s", n, view.Services[0].Made)
			}
		}
	}},
	{"a container that runs a service's image and that no plan would replace is named", func(s *scene) {
		s.do(OneOff{s.first(), Current})
		report, err := s.host.Preflight(s.ctx, false)
		s.must("preflight", err)
		if !slices.ContainsFunc(report.Strangers, func(of runbook.Stranger) bool {
			return of.Service == s.first() && of.Problem.Host == s.Host() && of.Problem.What != "" && of.Problem.Remedy != ""
		}) {
			s.errorf("it names %+v", report.Strangers)
		}
	}},
}

// dependents are the two of Depend, as a preflight names them.
func (s *scene) dependents(again bool) (shares, restarts runbook.Dependent) {
	report, err := s.host.Preflight(s.ctx, again)
	s.must("preflight", err)
	if len(report.Dependents) != 2 {
		s.fatalf("%d are named: %+v", len(report.Dependents), report.Dependents)
	}
	for _, d := range report.Dependents {
		if d.Restart {
			restarts = d
		} else {
			shares = d
		}
	}
	return shares, restarts
}

func (s *scene) neighbour(view runbook.View, service string) runbook.Neighbour {
	i := slices.IndexFunc(view.Neighbours, func(n runbook.Neighbour) bool { return n.Service == service })
	if i < 0 {
		s.fatalf("%s is not among %+v", service, view.Neighbours)
	}
	return view.Neighbours[i]
}

// runs runs a job to its end, which has to be a good one.
func (s *scene) runs(l runbook.Lease, job runbook.Job) {
	s.jobs++
	job.Name, job.Limit = "job-"+string(rune('a'+s.jobs)), time.Minute
	s.must("start "+job.Name, s.host.Start(s.ctx, l, job))
	end, output := s.follow(l, job.Name, 2*time.Minute)
	if end.State != runbook.JobEnded || end.Status != 0 {
		s.fatalf("%s ended as %s with status %d: %s", job.Command, end.State, end.Status, output)
	}
}

func names(command runbook.Command, word string) bool { return slices.Contains(command.Args, word) }
