package hosttest

import (
	"errors"
	"slices"
	"strings"

	"rollbackbot/runbook"
)

// absent are the app's pins where none is there.
func (s *scene) absent() []runbook.Pin {
	pins := s.pinsOf(Current)
	for i := range pins {
		pins[i].Value, pins[i].Absent = "", true
	}
	return pins
}

var pinCases = []Case{
	{"edit gets the pins as they stand, once, in the services' order", func(s *scene) {
		l := s.held()
		s.do(WritePins{[]runbook.Pin{{Variable: s.variable(0), Absent: true}}})
		want := s.pinsOf(Current)
		want[0] = s.absent()[0]
		var got [][]runbook.Pin
		s.must("edit nothing", s.host.EditPins(s.ctx, l, s.file(), func(now []runbook.Pin) ([]runbook.Pin, error) {
			got = append(got, now)
			return s.pinsOf(Former), nil
		}))
		if len(got) != 1 || !slices.Equal(got[0], want) {
			s.errorf("edit got %v, want once %v", got, want)
		}
	}},
	{"the pins are written, and everything else in the file stays as it was", func(s *scene) {
		l := s.held()
		before := s.rest()
		s.must("write all", s.pin(l, s.pinsOf(Former)))
		s.wantPins("written,", s.pinsOf(Former))
		s.must("write one", s.pin(l, s.pinsOf(Current)[:1]))
		s.wantPins("then,", append(s.pinsOf(Current)[:1], s.pinsOf(Former)[1:]...))
		if after := s.rest(); after != before {
			s.errorf("the rest of the file was\n%q, and is\n%q", before, after)
		}
	}},
	{"edit's error comes back as it is, and nothing is written", func(s *scene) {
		l := s.held()
		intent := errors.New("the intent could not be written down")
		err := s.host.EditPins(s.ctx, l, s.file(), func([]runbook.Pin) ([]runbook.Pin, error) { return s.pinsOf(Former), intent })
		if err != intent { // as it is: errors.Is would take a wrapped one
			s.errorf("got %v, want %v", err, intent)
		}
		s.wantPins("after it", s.pinsOf(Current))
	}},
	{"nothing is written before edit has returned", func(s *scene) {
		l := s.held()
		var seen []runbook.Pin
		s.must("write the pins", s.host.EditPins(s.ctx, l, s.file(), func([]runbook.Pin) ([]runbook.Pin, error) {
			seen = s.view().Pins
			return s.pinsOf(Former), nil
		}))
		if !slices.Equal(seen, s.pinsOf(Current)) {
			s.errorf("while edit ran the pins were %v", seen)
		}
	}},
	{"where edit changes nothing, nothing is written", func(s *scene) {
		l := s.held()
		for _, change := range [][]runbook.Pin{nil, s.pinsOf(Current)} {
			err := s.host.EditPins(s.ctx, l, s.file(), func([]runbook.Pin) ([]runbook.Pin, error) {
				s.do(WritePins{s.pinsOf(Former)}) // whoever writes now writes over this, or finds it
				return change, nil
			})
			s.must("edit nothing", err)
			s.wantPins("changed by somebody else,", s.pinsOf(Former))
			s.do(WritePins{s.pinsOf(Current)})
		}
	}},
	{"a file that was changed meanwhile is left alone", func(s *scene) {
		l := s.held()
		err := s.host.EditPins(s.ctx, l, s.file(), func([]runbook.Pin) ([]runbook.Pin, error) {
			s.do(WritePins{s.pinsOf(Remote)[:1]})
			return s.pinsOf(Former), nil
		})
		s.wantLease("write the pins", err, runbook.PinsMoved)
		s.wantPins("changed by somebody else,", append(s.pinsOf(Remote)[:1], s.pinsOf(Current)[1:]...))
	}},
	{"a variable that isn't there is appended, and an absent pin's line goes", func(s *scene) {
		l := s.held()
		before := s.rest()
		change := s.pinsOf(Former)
		change[0] = s.absent()[0]
		s.must("take one out", s.pin(l, change))
		s.wantPins("without the first one,", change)
		if after := s.rest(); after != before {
			s.errorf("the rest of the file was\n%q, and is\n%q", before, after)
		}
		s.must("write it again", s.pin(l, s.pinsOf(Former)))
		s.wantPins("with it again,", s.pinsOf(Former))
	}},
	{"a file that isn't there is made, with the pins alone", func(s *scene) {
		s.do(RemovePins{})
		l := s.held()
		var got []runbook.Pin
		s.must("write the pins", s.host.EditPins(s.ctx, l, s.file(), func(now []runbook.Pin) ([]runbook.Pin, error) {
			got = now
			return s.pinsOf(Former), nil
		}))
		if !slices.Equal(got, s.absent()) {
			s.errorf("edit got %v, want all of them to be absent", got)
		}
		s.wantPins("made,", s.pinsOf(Former))
	}},
	{"a file that was made meanwhile is left alone", func(s *scene) {
		s.do(RemovePins{})
		l := s.held()
		err := s.host.EditPins(s.ctx, l, s.file(), func([]runbook.Pin) ([]runbook.Pin, error) {
			s.do(WritePins{s.pinsOf(Remote)})
			return s.pinsOf(Former), nil
		})
		s.wantLease("write the pins", err, runbook.PinsMoved)
		s.wantPins("made by somebody else,", s.pinsOf(Remote))
	}},
	{"a file that is a link stays one, and what it leads to is written", func(s *scene) {
		before := s.file()
		s.do(LinkPins{})
		l := s.held()
		rest := s.rest()
		if after := s.file(); after == before {
			s.errorf("the pins file is said to be %s, which is a link", after)
		}
		s.must("write the pins", s.host.EditPins(s.ctx, l, before, func([]runbook.Pin) ([]runbook.Pin, error) { return s.pinsOf(Former), nil }))
		s.wantPins("written,", s.pinsOf(Former))
		if after := s.rest(); after != rest {
			s.errorf("the rest of the file was\n%q, and is\n%q", rest, after)
		}
	}},
	{"a file that can't be replaced is found out by a preflight, and left alone", func(s *scene) {
		l := s.held()
		file := s.file()
		s.do(LockPins{})
		_, err := s.host.Preflight(s.ctx, false)
		s.wantProblems("preflight", err)
		err = s.host.EditPins(s.ctx, l, file, func([]runbook.Pin) ([]runbook.Pin, error) { return s.pinsOf(Former), nil })
		s.wantLease("write the pins", err, runbook.PinsNotOurs)
		s.wantPins("after the refusal", s.pinsOf(Current))
	}},
}

func (s *scene) variable(i int) string { return s.App().Services[i].Variable }

// wantProblems wants a *PreflightError whose problems all have a fix.
func (s *scene) wantProblems(doing string, err error) {
	var e *runbook.PreflightError
	if !errors.As(err, &e) || len(e.Problems) == 0 {
		s.fatalf("%s: got %v, want a PreflightError", doing, err)
	}
	for _, p := range e.Problems {
		if p.Host != s.Host() || p.What == "" || p.Remedy == "" || strings.HasSuffix(p.What, ".") {
			s.errorf("%s: a problem is told as %+v, want its host, what is wrong without a full stop, and the fix", doing, p)
		}
	}
}

var proofCases = []Case{
	{"Prove takes the images from the plan, whatever the pins file says", func(s *scene) {
		s.must("prove another release from the plan", s.host.Prove(s.ctx, s.Release(Former).Images, runbook.FromPlan))
		s.do(Export{s.first(), Current})
		s.must("prove it where something else wins over the pins file", s.host.Prove(s.ctx, s.Release(Former).Images, runbook.FromPlan))
	}},
	{"Prove reads the pins file as it stands", func(s *scene) {
		l := s.held()
		s.wantProblems("prove what is not written", s.host.Prove(s.ctx, s.Release(Former).Images, runbook.FromFile))
		s.must("prove what is written", s.host.Prove(s.ctx, s.Release(Current).Images, runbook.FromFile))
		s.must("write the pins", s.pin(l, s.pinsOf(Former)))
		s.must("prove what was written now", s.host.Prove(s.ctx, s.Release(Former).Images, runbook.FromFile))
	}},
	{"Prove refuses where something else wins over the pins file", func(s *scene) {
		s.do(Export{s.second(), Former})
		s.wantProblems("prove what is written", s.host.Prove(s.ctx, s.Release(Current).Images, runbook.FromFile))
	}},
}
