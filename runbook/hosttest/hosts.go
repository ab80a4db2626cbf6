package hosttest

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"

	"rollbackbot/runbook"
)

// method is one of the port's, as it is called where what it does doesn't matter.
type method struct {
	name string
	call func(ctx context.Context) error
}

// methods are all of the port, with arguments that are in order.
func (s *scene) methods(l runbook.Lease, file, project string) []method {
	job := s.Job("called", Doing{})
	return []method{
		{"Look", func(ctx context.Context) error { _, err := s.host.Look(ctx, project); return err }},
		{"Preflight", func(ctx context.Context) error { _, err := s.host.Preflight(ctx, false); return err }},
		{"Prove", func(ctx context.Context) error {
			return s.host.Prove(ctx, s.Release(Current).Images, runbook.FromFile)
		}},
		{"Images", func(ctx context.Context) error {
			_, err := s.host.Images(ctx, []runbook.Image{s.image(Current, s.first())}, true)
			return err
		}},
		{"Logs", func(ctx context.Context) error { _, err := s.host.Logs(ctx, project); return err }},
		{"Fetch", func(ctx context.Context) error { return s.host.Fetch(ctx, s.image(Remote, s.first())) }},
		{"EditPins", func(ctx context.Context) error {
			return s.host.EditPins(ctx, l, file, func([]runbook.Pin) ([]runbook.Pin, error) { return s.pinsOf(Former), nil })
		}},
		{"Start", func(ctx context.Context) error { return s.host.Start(ctx, l, job) }},
		{"Follow", func(ctx context.Context) error { _, err := s.host.Follow(ctx, l, job.Name, 0, false); return err }},
		{"Lock", func(ctx context.Context) error { _, err := s.host.Lock(ctx); return err }},
		{"Take", func(ctx context.Context) error { return s.host.Take(ctx, l, false, 0) }},
		{"Release", func(ctx context.Context) error { _, err := s.host.Release(ctx, l, false); return err }},
	}
}

// mayPass reports whether an error is about the way to a host.
func mayPass(err error) bool {
	var host *runbook.HostError
	return errors.Is(err, runbook.ErrLost) || errors.As(err, &host) && host.MayPass()
}

var hostCases = []Case{
	{"the same app and host give the same AppHost", func(s *scene) {
		if again := s.Hosts().On(s.App(), s.Host()); again != s.host {
			s.errorf("got %p and %p", s.host, again)
		}
	}},
	{"Commands are pure: the same arguments give the same lines, and stay as they are", func(s *scene) {
		plans := s.plans(Former)
		first := s.commands(plans)
		if !reflect.DeepEqual(plans, s.plans(Former)) {
			s.errorf("the plans are %+v after it", plans)
		}
		s.do(Deploy{Former})
		if second := s.commands(plans); !reflect.DeepEqual(first, second) {
			s.errorf("they are %+v, and then %+v", first, second)
		}
	}},
	{"Commands fetch each image once, in the services' order, and all are lines that can be shown", func(s *scene) {
		plans := s.plans(Remote)
		plans[1].To = plans[0].To
		plans = append(plans, s.plans(Former)[1])
		commands := s.commands(plans)
		var want []runbook.Image
		for _, plan := range plans {
			if !slices.Contains(want, plan.To) {
				want = append(want, plan.To)
			}
		}
		if len(commands.Pulls) != len(want) {
			s.fatalf("%d of them fetch %d images", len(commands.Pulls), len(want))
		}
		for i, image := range want {
			if line := commands.Pulls[i].String(); !strings.Contains(line, string(image.Digest)) {
				s.errorf("%q doesn't name %s", line, image)
			}
		}
		for _, line := range []string{commands.Prove.String(), commands.Up.String()} {
			if line == "" || strings.Contains(line, "\n") {
				s.errorf("a line is %q", line)
			}
		}
		if up := commands.Up.String(); !strings.Contains(up, s.first()) || !strings.Contains(up, s.second()) {
			s.errorf("%q doesn't name the services", up)
		}
	}},
	{"Commands name every service whose number of containers is kept", func(s *scene) {
		plans := s.plans(Former)
		without := s.commands(plans).Up.String()
		plans[1].Scale = 98765
		if with := s.commands(plans).Up.String(); !strings.Contains(with, "98765") || strings.Contains(without, "98765") {
			s.errorf("with 98765 containers the line is %q, without %q", with, without)
		}
	}},
	{"where the engine doesn't answer, what runs is not known", func(s *scene) {
		project := s.view().Project
		s.do(StopEngine{})
		_, byProject := s.host.Look(s.ctx, project)
		_, byReport := s.host.Preflight(s.ctx, false)
		_, byImages := s.host.Images(s.ctx, []runbook.Image{s.image(Current, s.first())}, false)
		for doing, err := range map[string]error{"look": byProject, "preflight": byReport, "ask for an image": byImages} {
			if !errors.Is(err, runbook.ErrNoEngine) || mayPass(err) {
				s.errorf("%s: %v, want ErrNoEngine", doing, err)
			}
		}
		s.must("take the lock all the same", s.host.Take(s.ctx, lease(mine, 1), true, 0))
	}},
	{"where nothing answers, every method says that nothing was begun and that it may pass", func(s *scene) {
		l, file, project := s.held(), s.file(), s.view().Project
		s.do(Unreachable{})
		_, _ = s.host.Lock(s.ctx) // it may find a link that is not there any more only while it uses it
		for _, m := range s.methods(l, file, project) {
			var e *runbook.HostError
			if err := m.call(s.ctx); !errors.As(err, &e) || !e.MayPass() || !e.Unreachable || e.Host != s.Host() || errors.Is(err, runbook.ErrLost) {
				s.errorf("%s: %v, want a HostError of a host that can't be reached", m.name, err)
			} else if e.Problem == "" || e.Remedy == "" {
				s.errorf("%s: %+v doesn't say what is wrong and what to do", m.name, e)
			}
		}
	}},
	{"a context that has ended ends every method, and nothing is changed", func(s *scene) {
		l, file, project := s.held(), s.file(), s.view().Project
		ended, cancel := context.WithCancel(s.ctx)
		cancel()
		for _, m := range s.methods(l, file, project) {
			s.wantEnds(ended, m)
		}
		s.wantPins("after it", s.pinsOf(Current))
		s.wantRan("called", 0)
		s.wantHere(Remote, s.first(), false)
	}},
	{"every method ends with its context where the host answers no more", func(s *scene) {
		l, file, project := s.held(), s.file(), s.view().Project
		s.do(Hang{})
		for _, m := range s.methods(l, file, project) {
			ctx, cancel := context.WithTimeout(s.ctx, time.Second)
			s.wantEnds(ctx, m)
			cancel()
		}
	}},
	{"a context's end ends Take and Follow where they wait", func(s *scene) {
		l := s.held()
		job := s.Job("runs", Doing{Takes: 20 * time.Second})
		s.must("start a job", s.host.Start(s.ctx, l, job))
		for _, m := range []method{
			{"Take", func(ctx context.Context) error { return s.host.Take(ctx, l, false, time.Minute) }},
			{"Follow", func(ctx context.Context) error { _, err := s.host.Follow(ctx, l, job.Name, 0, false); return err }},
		} {
			ctx, cancel := context.WithTimeout(s.ctx, time.Second)
			s.wantEnds(ctx, m)
			cancel()
		}
	}},
}

// wantEnds wants a method to end soon after its context, and to say that it did nothing, or that nobody knows.
func (s *scene) wantEnds(ctx context.Context, m method) {
	began := time.Now()
	err := m.call(ctx)
	if took := time.Since(began); took > 4*time.Second {
		s.errorf("%s came back %s after it was called", m.name, took)
	}
	if ctx.Err() == nil || !mayPass(err) && !errors.Is(err, ctx.Err()) {
		s.errorf("%s: %v, want what says that it is not known", m.name, err)
	}
}
