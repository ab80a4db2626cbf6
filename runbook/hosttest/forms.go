package hosttest

import (
	"slices"

	"rollbackbot/runbook"
)

// written has the app's files make the images in another way.
func (s *scene) written(as Writing) {
	s.do(Write{as})
	s.host = s.Hosts().On(s.App(), s.Host())
}

// pinnable proves that the pins that are said to stand for a release do, and says what they are.
func (s *scene) pinnable(which Which) []runbook.Pin {
	images := s.Release(which).Images
	pins, err := s.host.Pins(s.ctx, images)
	s.must("ask for the pins", err)
	s.must("prove the plan", s.host.Prove(s.ctx, images, runbook.FromPlan))
	s.must("write them", s.pin(s.held(), pins))
	s.wantPins("written,", pins)
	s.must("prove what is written", s.host.Prove(s.ctx, images, runbook.FromFile))
	s.wantProblems("prove another release", s.host.Prove(s.ctx, s.Release(Current).Images, runbook.FromFile))
	return pins
}

// deployed wants what a preflight sees to be what was deployed by hand.
func (s *scene) deployed() {
	report, err := s.host.Preflight(s.ctx, false)
	s.must("preflight", err)
	if !report.Runs(s.Release(Current).Images) || slices.ContainsFunc(report.Stack, func(now runbook.ServiceReport) bool { return now.Drifted }) {
		s.errorf("after a deployment by hand it reports %+v", report)
	}
	s.must("prove what was deployed", s.host.Prove(s.ctx, s.Release(Current).Images, runbook.FromFile))
}

var formCases = []Case{
	{"where a variable holds the whole image, that is its pin", func(s *scene) {
		if pins := s.pinnable(Former); !slices.Equal(pins, s.pinsOf(Former)) {
			s.errorf("the pins are %v, want %v", pins, s.pinsOf(Former))
		}
	}},
	{"where a variable holds the digest alone, its pin is that", func(s *scene) {
		s.written(ByDigest)
		s.deployed()
		for i, pin := range s.pinnable(Former) {
			if want := s.Release(Former).Images[s.App().Services[i].Name].Digest; pin.Value != string(want) {
				s.errorf("the pin is %+v, want %s", pin, want)
			}
		}
	}},
	{"where a variable holds a tag, its pin names the image all the same", func(s *scene) {
		s.written(ByTag)
		s.deployed()
		s.pinnable(Former)
	}},
	{"where one variable holds the tag of all, its pin is the tag that names the images on the host", func(s *scene) {
		s.written(ByOneTag)
		s.deployed()
		for _, pin := range s.pinnable(Former) {
			if pin != (runbook.Pin{Variable: s.variable(0), Value: string(Former)}) {
				s.errorf("the pin is %+v, want %s", pin, Former)
			}
		}
	}},
	{"a tag that was moved is no pin for what it named", func(s *scene) {
		s.written(ByOneTag)
		pins := s.pinnable(Former)
		s.do(Retag{})
		_, err := s.host.Pins(s.ctx, s.Release(Former).Images)
		s.wantProblems("ask for the pins", err)
		s.wantProblems("prove the plan", s.host.Prove(s.ctx, s.Release(Former).Images, runbook.FromPlan))
		s.do(WritePins{pins})
		s.wantProblems("prove what is written", s.host.Prove(s.ctx, s.Release(Former).Images, runbook.FromFile))
	}},
	{"images that one tag doesn't name on the host have no pin", func(s *scene) {
		s.written(ByOneTag)
		_, err := s.host.Pins(s.ctx, s.Release(Nowhere).Images)
		s.wantProblems("ask for the pins", err)
	}},
	{"an image that no variable makes is refused by a preflight, and has no pin", func(s *scene) {
		s.written(Fixed)
		_, err := s.host.Preflight(s.ctx, false)
		s.wantProblems("preflight", err)
		_, err = s.host.Pins(s.ctx, s.Release(Former).Images)
		s.wantProblems("ask for the pins", err)
	}},
	{"a variable that is set wherever the app is started is found by a preflight, whatever it says", func(s *scene) {
		s.do(Export{s.first(), Current})
		_, err := s.host.Preflight(s.ctx, false)
		s.wantProblems("preflight", err)
	}},
}
