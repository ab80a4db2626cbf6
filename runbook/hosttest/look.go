package hosttest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"rollbackbot/runbook"
)

var imageCases = []Case{
	{"Images says of each image, in the order given, whether it is here and what the registry says", func(s *scene) {
		order := []Which{Remote, Current, Nowhere, Former}
		var images []runbook.Image
		for _, which := range order {
			images = append(images, s.image(which, s.first()))
		}
		states, err := s.host.Images(s.ctx, images, true)
		s.must("ask for the images", err)
		if len(states) != len(order) {
			s.fatalf("of %d images %d are told", len(order), len(states))
		}
		for i, want := range []struct {
			here     bool
			registry runbook.RegistryAnswer
		}{{false, runbook.RegistryHas}, {true, runbook.RegistryHas}, {false, runbook.RegistryLacks}, {true, runbook.RegistryHas}} {
			got := states[i]
			if got.Image != images[i] || got.Here != want.here || got.Registry != want.registry {
				s.errorf("the %s image is told as %+v", order[i], got)
			}
			if wrong := got.Problem != (runbook.Problem{}); wrong != (order[i] == Nowhere) || got.Note != "" {
				s.errorf("the %s image has the problem %q, and the note %q", order[i], got.Problem, got.Note)
			}
			if got.Registry == runbook.RegistryHas && !got.Here && (got.Bytes == 0 || got.Guessed) {
				s.errorf("the %s image is said to need %d bytes", order[i], got.Bytes)
			}
		}
	}},
	{"a fetch that the registry didn't answer is not said to be denied", func(s *scene) {
		s.do(Silence{})
		if err := s.host.Fetch(s.ctx, s.image(Remote, s.first())); err == nil || errors.Is(err, runbook.ErrDenied) {
			s.errorf("got %v, want an error that doesn't say that", err)
		}
	}},
	{"an image's labels are told as they are", func(s *scene) {
		states, err := s.host.Images(s.ctx, []runbook.Image{s.image(Former, s.first()), s.image(Current, s.second())}, false)
		s.must("ask for the images", err)
		if got := []runbook.Label{states[0].Label, states[1].Label}; !slices.Equal(got, []runbook.Label{s.Release(Former).Labels[s.first()], s.Release(Current).Labels[s.second()]}) {
			s.errorf("they are %+v", got)
		}
		v := s.view().Services[0]
		if got, want := v.Labels[v.Image.Digest], s.Release(Current).Labels[v.Service]; got != want || want == (runbook.Label{}) {
			s.errorf("of what runs they are %+v, want %+v", got, want)
		}
	}},
	{"a registry that was not asked has said nothing", func(s *scene) {
		states, err := s.host.Images(s.ctx, []runbook.Image{s.image(Current, s.first()), s.image(Remote, s.first())}, false)
		s.must("ask the host alone", err)
		for _, state := range states {
			if state.Registry != runbook.RegistrySilent || state.Problem != (runbook.Problem{}) {
				s.errorf("it is told as %+v", state)
			}
		}
	}},
	{"what a registry that doesn't answer has is not known, and no problem", func(s *scene) {
		s.do(Silence{})
		states, err := s.host.Images(s.ctx, []runbook.Image{s.image(Remote, s.first())}, true)
		s.must("ask for the image", err)
		if got := states[0]; got.Here || got.Registry != runbook.RegistrySilent || got.Problem != (runbook.Problem{}) || got.Note == "" {
			s.errorf("it is told as %+v, want silence, and a note of it", got)
		}
	}},
	{"Fetch gets an image, and again is harmless", func(s *scene) {
		image := s.image(Remote, s.second())
		for range 2 {
			s.must("fetch it", s.host.Fetch(s.ctx, image))
			s.wantHere(Remote, s.second(), true)
		}
		s.wantHere(Remote, s.first(), false)
	}},
	{"Fetch touches nothing that runs and needs no lock", func(s *scene) {
		s.do(TakeByHand{Holder: "somebody", Reason: "works here", For: 3600e9})
		before := s.view()
		s.must("fetch it", s.host.Fetch(s.ctx, s.image(Remote, s.first())))
		s.wantSame("fetched", before, s.view())
	}},
	{"Fetch says that it failed where the registry lacks the image", func(s *scene) {
		err := s.host.Fetch(s.ctx, s.image(Nowhere, s.first()))
		if !errors.Is(err, runbook.ErrDenied) || mayPass(err) {
			s.errorf("got %v, want that the registry denies it", err)
		}
		s.wantHere(Nowhere, s.first(), false)
	}},
}

// wantSame wants two views to show the same, but for when they were made.
func (s *scene) wantSame(when string, before, after runbook.View) {
	before.At = after.At
	if !reflect.DeepEqual(before, after) {
		s.errorf("%s, what was seen is\n%+v\nand was\n%+v", when, after, before)
	}
}

var lookCases = []Case{
	{"Look sees by digest what every service runs, and the pins", func(s *scene) {
		view := s.view()
		if view.Host != s.Host() || view.Project == "" || view.At.IsZero() {
			s.errorf("it is a view of %q, project %q, at %s", view.Host, view.Project, view.At)
		}
		for i, v := range view.Services {
			image := s.image(Current, s.App().Services[i].Name)
			want := runbook.Running{Service: s.App().Services[i].Name, Image: image, Containers: 1}
			if v.Running != want || !slices.Equal(v.Images, []runbook.Image{image}) || !slices.Equal(v.Repositories, []string{image.Name}) || len(v.ConfigHashes) != 1 {
				s.errorf("of %s it sees %+v", want.Service, v)
			}
		}
		s.wantPins("at first", s.pinsOf(Current))
	}},
	{"Look sees a deployment by hand right after it", func(s *scene) {
		project := s.view().Project
		for _, which := range []Which{Former, Current} {
			s.do(Deploy{which})
			view, err := s.host.Look(s.ctx, project)
			s.must("look", err)
			if !view.Runs(s.Release(which).Images) || !slices.Equal(view.Pins, s.pinsOf(which)) {
				s.errorf("after the deployment of %s it sees %+v", which, view)
			}
		}
	}},
	{"Look sees the same with and without the project", func(s *scene) {
		s.do(Scale{s.second(), 2})
		before := s.view()
		after, err := s.host.Look(s.ctx, before.Project)
		s.must("look", err)
		s.wantSame("with the project", before, after)
	}},
	{"containers that run different images are a mix, and none of them is what the service runs", func(s *scene) {
		s.do(Mix{s.second(), Former})
		v := s.view().Services[1]
		want := []runbook.Image{s.image(Current, s.second()), s.image(Former, s.second())}
		slices.SortFunc(want, func(a, b runbook.Image) int { return strings.Compare(a.String(), b.String()) })
		if !v.Image.IsZero() || v.Note == "" || v.Containers != 2 || !slices.Equal(v.Mixed(), want) {
			s.errorf("it is seen as %+v, want a mix of %v", v, want)
		}
	}},
	{"all containers of a service that was scaled are counted", func(s *scene) {
		s.do(Scale{s.second(), 3})
		if v := s.view().Services[1]; v.Containers != 3 || v.Image != s.image(Current, s.second()) || v.Mixed() != nil {
			s.errorf("it is seen as %+v", v)
		}
	}},
	{"a container that was started by a tag is told by its digest, and the tag is told", func(s *scene) {
		s.do(Tagged{s.first()})
		v := s.view().Services[0]
		if image := s.image(Current, s.first()); v.Image != image || v.Tag == "" || strings.Contains(v.Tag, "@") || !slices.Equal(v.Repositories, []string{image.Name}) {
			s.errorf("it is seen as %+v", v)
		}
	}},
	{"a container that doesn't run is told by its state", func(s *scene) {
		if v := s.view().Services[1]; v.State != "" {
			s.errorf("one that runs is seen as %+v", v)
		}
		s.do(Stop{s.second()})
		if v := s.view().Services[1]; v.State == "" || v.Containers != 1 || v.Image != s.image(Current, s.second()) {
			s.errorf("it is seen as %+v", v)
		}
	}},
	{"restarts are counted", func(s *scene) {
		before := s.view().Services[1].Restarts
		s.do(Crash{s.second()})
		if after := s.view().Services[1].Restarts; before != 0 || after == 0 {
			s.errorf("they were %d, and after a crash %d", before, after)
		}
	}},
	{"a service without containers is told as one", func(s *scene) {
		s.do(Remove{s.second()})
		view := s.view()
		if v := view.Services[1]; v.Containers != 0 || !v.Image.IsZero() || v.Note == "" || len(v.Images) > 0 || v.Mixed() != nil {
			s.errorf("it is seen as %+v", v)
		}
		if view.Services[0].Image != s.image(Current, s.first()) {
			s.errorf("the other is seen as %+v", view.Services[0])
		}
	}},
	{"containers that were started to do one thing don't count", func(s *scene) {
		s.do(OneOff{s.first(), Former})
		if v := s.view().Services[0]; v.Containers != 1 || v.Image != s.image(Current, s.first()) {
			s.errorf("it is seen as %+v", v)
		}
	}},
	{"services that are not the app's are left out", func(s *scene) {
		s.do(Stray{})
		for i, v := range s.view().Services {
			if v.Service != s.App().Services[i].Name {
				s.errorf("%s is seen", v.Service)
			}
		}
	}},
	{"where the app's files are broken, what runs is still seen by those who know the project", func(s *scene) {
		before := s.view()
		s.do(BreakFiles{})
		_, err := s.host.Look(s.ctx, "")
		s.wantProblems("look without the project", err)
		after, err := s.host.Look(s.ctx, before.Project)
		s.must("look with the project", err)
		if !after.Runs(s.Release(Current).Images) {
			s.errorf("it sees %+v", after)
		}
	}},
	{"a preflight has all that Look sees, and what a plan needs besides", func(s *scene) {
		s.do(Scale{s.second(), 2})
		for _, again := range []bool{false, true} {
			report, err := s.host.Preflight(s.ctx, again)
			s.must("preflight", err)
			s.wantSame("by a preflight", s.view(), report.View)
			if !strings.HasPrefix(report.PinsFile, "/") || report.FreeBytes == 0 || report.DiskBytes < report.FreeBytes || report.ClockOff < 0 || report.ClockOff > soon || len(report.Stack) != len(report.Services) {
				s.fatalf("it reports %+v", report)
			}
			for i, now := range report.Stack {
				if now.Scale != 1 || now.Drifted || !slices.Equal(report.Services[i].ConfigHashes, []string{now.ConfigHash}) {
					s.errorf("of %s, which nobody edited, it reports %+v, and its containers have %q", report.Services[i].Service, now, report.Services[i].ConfigHashes)
				}
			}
		}
	}},
	{"a preflight finds no drift after a deployment by hand", func(s *scene) {
		s.do(Deploy{Former})
		report, err := s.host.Preflight(s.ctx, false)
		s.must("preflight", err)
		if slices.ContainsFunc(report.Stack, func(now runbook.ServiceReport) bool { return now.Drifted }) {
			s.errorf("it reports %+v", report.Stack)
		}
	}},
	{"a preflight tells which services were edited since their containers were made", func(s *scene) {
		s.do(Edit{s.second()})
		report, err := s.host.Preflight(s.ctx, false)
		s.must("preflight", err)
		for i, now := range report.Stack {
			v := report.Services[i]
			if edited := v.Service == s.second(); now.Drifted != edited || edited == slices.Contains(v.ConfigHashes, now.ConfigHash) {
				s.errorf("of %s it reports %+v, and its containers have %q", v.Service, now, v.ConfigHashes)
			}
		}
	}},
	{"a preflight changes nothing", func(s *scene) {
		before, rest := s.view(), s.rest()
		_, err := s.host.Preflight(s.ctx, false)
		s.must("preflight", err)
		s.wantSame("after it", before, s.view())
		if after := s.rest(); after != rest {
			s.errorf("the rest of the pins file was\n%q, and is\n%q", rest, after)
		}
		if state, err := s.host.Lock(s.ctx); err != nil || !state.Free() || state.Epoch != 0 {
			s.errorf("the lock is %+v, %v", state, err)
		}
	}},
	{"logs are told by service, masked, and no more than the last lines", func(s *scene) {
		var text strings.Builder
		for i := range 300 {
			fmt.Fprintf(&text, "line %d of something\n", i)
		}
		s.do(Print{s.first(), text.String() + "TOKEN=hunter2\nlast line\n"})
		s.do(Print{s.second(), strings.Repeat(strings.Repeat("x", 999)+"\n", 49) + "the end\n"})
		logs, err := s.host.Logs(s.ctx, s.view().Project)
		s.must("read the logs", err)
		if len(logs) != len(s.App().Services) {
			s.fatalf("they are of %d services", len(logs))
		}
		for i, l := range logs {
			if l.Service != s.App().Services[i].Name || l.Problem != "" || len(l.Lines) > 8<<10 || strings.Count(l.Lines, "\n") > 50 {
				s.errorf("those of %s have %d bytes in %d lines, problem %q", l.Service, len(l.Lines), strings.Count(l.Lines, "\n"), l.Problem)
			}
		}
		if first := logs[0].Lines; !strings.Contains(first, "last line") || !strings.Contains(first, "line 290 ") || strings.Contains(first, "hunter2") {
			s.errorf("those of %s are %q", s.first(), first)
		}
		if second := logs[1].Lines; !strings.Contains(second, "the end") {
			s.errorf("those of %s end with %q", s.second(), second[max(0, len(second)-100):])
		}
	}},
	{"a service without containers has no logs, and says so", func(s *scene) {
		project := s.view().Project
		s.do(Remove{s.second()})
		logs, err := s.host.Logs(s.ctx, project)
		s.must("read the logs", err)
		if len(logs) != len(s.App().Services) || logs[1].Problem == "" || logs[0].Problem != "" {
			s.errorf("they are %+v", logs)
		}
	}},
}
