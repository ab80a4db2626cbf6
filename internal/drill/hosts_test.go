package drill_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/internal/drill"
	"rollbackbot/internal/standin"
	"rollbackbot/runbook"
)

const one runbook.Host = "deploy@one"

func shop() runbook.App {
	return runbook.App{
		Name: "shop", Hosts: []runbook.Host{one}, Dir: "/opt/shop",
		Services: []runbook.Service{{Name: "api", Variable: "API_IMAGE"}, {Name: "web", Variable: "WEB_IMAGE"}},
	}
}

func release(number int) map[string]runbook.Image {
	images := map[string]runbook.Image{}
	for i, s := range shop().Services {
		images[s.Name] = runbook.Image{Name: "ghcr.io/acme/" + s.Name, Digest: runbook.Digest(fmt.Sprintf("sha256:%064x", 16*number+i))}
	}
	return images
}

func pins(images map[string]runbook.Image) (pins []runbook.Pin) {
	for _, s := range shop().Services {
		pins = append(pins, runbook.Pin{Variable: s.Variable, Value: images[s.Name].String()})
	}
	return pins
}

// scene is a drill on a host that runs the second release. The first is in the registry alone.
type scene struct {
	*testing.T
	real    *standin.Host
	drilled runbook.AppHost
	printed []string
	file    string // of the pins
}

var lease = runbook.Lease{Rollback: runbook.DrillPrefix + "-1", Epoch: 7, Holder: "UREQ"}

func inDrill(t *testing.T, f func(s *scene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		lab := &standin.Lab{}
		s := &scene{T: t, real: lab.Add(shop(), one, release(2))}
		s.real.Set(func(state *standin.State) {
			s.file = state.PinsFile
			for _, image := range release(1) {
				state.Registry[image] = true
			}
		})
		hosts := &drill.Hosts{Hosts: lab, Print: func(host runbook.Host, command string) {
			s.printed = append(s.printed, string(host)+": "+command)
		}}
		s.drilled = hosts.On(shop(), one)
		f(s)
	})
}

func (s *scene) edit(change ...runbook.Pin) error {
	return s.drilled.EditPins(s.Context(), lease, s.file, func([]runbook.Pin) ([]runbook.Pin, error) { return change, nil })
}

// up is a job that replaces every container by the first release's.
func up() runbook.Job {
	job := runbook.Job{Name: "up-1-e7", Limit: time.Minute, Command: runbook.Command{Args: []string{"standin", "up"}}}
	for _, s := range shop().Services {
		job.Up = append(job.Up, runbook.ServicePlan{Service: s.Name, Variable: s.Variable, To: release(1)[s.Name]})
	}
	return job
}

func fetch(service string) runbook.Job {
	image := release(1)[service]
	return runbook.Job{Name: "fetch-1-e7", Limit: time.Minute, Fetch: image, Command: runbook.Command{Args: []string{"standin", "fetch", image.String()}}}
}

// look wants the view to have these images and pins.
func (s *scene) look(on runbook.AppHost, images map[string]runbook.Image, want []runbook.Pin) {
	s.Helper()
	view, err := on.Look(s.Context(), "")
	if err != nil {
		s.Fatal(err)
	}
	if set, known := view.Set(); !known || !maps.Equal(set, images) {
		s.Errorf("it runs %v, want %v", set, images)
	}
	if !slices.Equal(view.Pins, want) {
		s.Errorf("the pins are %v, want %v", view.Pins, want)
	}
}

// Whatever a drill does leaves the host as it was, where somebody else has the lock and a command runs under it. The suite of the port can't be used for it, as nothing comes true here.
func TestHosts_ChangeNothing(t *testing.T) {
	does := map[string]func(s *scene) error{
		"Fetch":    func(s *scene) error { return s.drilled.Fetch(s.Context(), release(1)["api"]) },
		"EditPins": func(s *scene) error { return s.edit(pins(release(1))...) },
		"Start": func(s *scene) error {
			return errors.Join(s.drilled.Start(s.Context(), lease, fetch("api")), s.drilled.Start(s.Context(), lease, up()))
		},
		"Follow": func(s *scene) error {
			for _, end := range []bool{false, true} {
				if p, err := s.drilled.Follow(s.Context(), lease, "another's", 0, end); err != nil || p.State != runbook.JobEnded || p.Status != 0 {
					return fmt.Errorf("the job is told as %+v, %w", p, err)
				}
			}
			return nil
		},
		"Lock": func(s *scene) error { _, err := s.drilled.Lock(s.Context()); return err },
		"Take": func(s *scene) error {
			if err := s.drilled.Take(s.Context(), lease, false, time.Second); err == nil {
				return errors.New("it was taken from ci")
			}
			return nil
		},
		"Release": func(s *scene) error {
			_, err := s.drilled.Release(s.Context(), lease, false)
			_, forced := s.drilled.Release(s.Context(), lease, true)
			return errors.Join(err, forced)
		},
	}
	for _, port := range []reflect.Type{reflect.TypeFor[runbook.Changer](), reflect.TypeFor[runbook.Locker]()} {
		for i := range port.NumMethod() {
			name := port.Method(i).Name
			t.Run(name, func(t *testing.T) {
				if does[name] == nil {
					t.Fatal("nobody has tried whether it changes anything")
				}
				inDrill(t, func(s *scene) {
					s.real.Set(func(state *standin.State) { state.Does["another's"] = standin.Does{Takes: time.Hour} })
					another := runbook.Lease{Rollback: "lock:ci", Epoch: 1, Holder: "ci", For: time.Hour}
					if err := s.real.Take(s.Context(), another, true, 0); err != nil {
						s.Fatal(err)
					}
					if err := s.real.Start(s.Context(), another, runbook.Job{Name: "another's", Limit: time.Hour}); err != nil {
						s.Fatal(err)
					}
					before, begun := s.real.String(), len(s.real.Begun())
					if err := does[name](s); err != nil {
						s.Error(err)
					}
					if after := s.real.String(); after != before || len(s.real.Begun()) != begun {
						s.Errorf("the host was\n%s\nand is\n%s", before, after)
					}
				})
			})
		}
	}
}

// What was printed is held for done, and the real host is as it was.
func TestHosts_HoldForDone(t *testing.T) {
	inDrill(t, func(s *scene) {
		before := s.real.String()
		s.look(s.drilled, release(2), pins(release(2)))

		if err := errors.Join(s.drilled.Fetch(s.Context(), release(1)["api"]), s.drilled.Start(s.Context(), lease, fetch("web"))); err != nil {
			s.Fatal(err)
		}
		images := []runbook.Image{release(1)["api"], release(1)["web"], release(2)["api"], release(3)["api"]}
		states, err := s.drilled.Images(s.Context(), images, true)
		if err != nil {
			s.Fatal(err)
		}
		for i, here := range []bool{true, true, true, false} {
			if states[i].Here != here || (states[i].Problem == runbook.Problem{}) != here {
				s.Errorf("%s is told as %+v, want that it is here: %t", images[i], states[i], here)
			}
		}

		if err := s.drilled.Prove(s.Context(), release(1), runbook.FromFile); err == nil {
			s.Error("pins are proven that nobody has written")
		}
		if err := s.edit(pins(release(1))...); err != nil {
			s.Fatal(err)
		}
		s.look(s.drilled, release(2), pins(release(1)))
		if err := s.drilled.Prove(s.Context(), release(1), runbook.FromFile); err != nil {
			s.Errorf("the pins that were written are not proven: %v", err)
		}
		if err := s.drilled.Prove(s.Context(), release(3), runbook.FromFile); err == nil {
			s.Error("other pins are proven than those that were written")
		}

		if err := s.drilled.Start(s.Context(), lease, up()); err != nil {
			s.Fatal(err)
		}
		s.look(s.drilled, release(1), pins(release(1)))

		s.look(s.real, release(2), pins(release(2)))
		if after := s.real.String(); after != before {
			s.Errorf("the host was\n%s\nand is\n%s", before, after)
		}
		want := []string{
			"deploy@one: cd /opt/shop && standin fetch " + release(1)["api"].String(),
			"deploy@one: standin fetch " + release(1)["web"].String(),
			"deploy@one: write /opt/shop/pins, with API_IMAGE=" + release(1)["api"].String() + " WEB_IMAGE=" + release(1)["web"].String(),
			"deploy@one: standin up",
		}
		if !slices.Equal(s.printed, want) {
			s.Errorf("it printed\n%s\nwant\n%s", strings.Join(s.printed, "\n"), strings.Join(want, "\n"))
		}
	})
}

// A service without a container still has none: nobody can tell whether `up` would bring one up.
func TestLook_WithoutAContainer(t *testing.T) {
	inDrill(t, func(s *scene) {
		s.real.Set(func(state *standin.State) { state.Containers["web"] = nil })
		if err := s.drilled.Start(s.Context(), lease, up()); err != nil {
			s.Fatal(err)
		}
		view, err := s.drilled.Look(s.Context(), "")
		if err != nil || view.Services[0].Image != release(1)["api"] || view.Services[1].Containers != 0 || !view.Services[1].Image.IsZero() {
			s.Errorf("got %+v, %v", view.Services, err)
		}
	})
}

func TestEditPins(t *testing.T) {
	inDrill(t, func(s *scene) {
		failed := errors.New("the journal is full")
		err := s.drilled.EditPins(s.Context(), lease, s.file, func([]runbook.Pin) ([]runbook.Pin, error) { return pins(release(1)), failed })
		if !errors.Is(err, failed) {
			s.Errorf("an edit that fails ends with %v", err)
		}
		if err := s.edit(); err != nil {
			s.Error(err)
		}
		if s.look(s.drilled, release(2), pins(release(2))); len(s.printed) > 0 {
			s.Errorf("nothing is written, and it printed %q", s.printed)
		}

		// The next edit sees what the one before has "written".
		if err := s.edit(pins(release(1))[0]); err != nil {
			s.Fatal(err)
		}
		mixed := []runbook.Pin{pins(release(1))[0], pins(release(2))[1]}
		gone := runbook.Pin{Variable: "WEB_IMAGE", Absent: true}
		err = s.drilled.EditPins(s.Context(), lease, s.file, func(now []runbook.Pin) ([]runbook.Pin, error) {
			if !slices.Equal(now, mixed) {
				s.Errorf("the edit is given %v, want %v", now, mixed)
			}
			return []runbook.Pin{gone}, nil
		})
		if err != nil {
			s.Fatal(err)
		}
		s.look(s.drilled, release(2), []runbook.Pin{mixed[0], gone})
		if last := s.printed[len(s.printed)-1]; last != "deploy@one: write /opt/shop/pins, without WEB_IMAGE" {
			s.Errorf("it printed %q", last)
		}
	})
}

// Where a rollback could not read the pins, a drill can't either.
func TestEditPins_Unreadable(t *testing.T) {
	for name, fault := range map[string]func(*standin.State){
		"the file": func(s *standin.State) { s.Unreadable = true },
		"the host": func(s *standin.State) { s.Down = true },
	} {
		inDrill(t, func(s *scene) {
			s.real.Set(fault)
			err := s.drilled.EditPins(s.Context(), lease, s.file, func([]runbook.Pin) ([]runbook.Pin, error) {
				s.Errorf("%s can't be read, and the edit is asked", name)
				return pins(release(1)), nil
			})
			if err == nil || len(s.printed) > 0 {
				s.Errorf("%s can't be read: got %v, and it printed %q", name, err, s.printed)
			}
		})
	}
}

// Who holds the lock keeps a drill out, and learns nothing of it.
func TestTake(t *testing.T) {
	inDrill(t, func(s *scene) {
		if err := s.drilled.Take(s.Context(), lease, true, 0); err != nil {
			s.Errorf("nobody holds it: %v", err)
		}
		if state, err := s.real.Lock(s.Context()); err != nil || !state.Free() || state.Epoch != 0 {
			s.Errorf("it was taken: %+v, %v", state, err)
		}
		s.real.TakeByHand("ci", "deploying", time.Minute)
		var locked *runbook.LockedError
		if err := s.drilled.Take(s.Context(), lease, false, 0); !errors.As(err, &locked) || locked.Holder != "ci" || locked.Reason != "deploying" {
			s.Errorf("while ci holds it: %v", err)
		}
		time.Sleep(time.Minute)
		if err := s.drilled.Take(s.Context(), lease, false, 0); err != nil {
			s.Errorf("once that has run out: %v", err)
		}
		s.real.Set(func(state *standin.State) { state.Down = true })
		var away *runbook.HostError
		if err := s.drilled.Take(s.Context(), lease, false, 0); !errors.As(err, &away) {
			s.Errorf("on a host that is down: %v", err)
		}
	})
}

// What only looks, and has nothing to do with what was printed, is the real host's.
func TestHosts_LookAtTheRealHost(t *testing.T) {
	inDrill(t, func(s *scene) {
		s.real.Set(func(state *standin.State) {
			state.FreeBytes, state.Containers["api"][0].Log = 4711, "listening"
		})
		report, err := s.drilled.Preflight(s.Context(), false)
		if err != nil || report.FreeBytes != 4711 || report.PinsFile != s.file {
			s.Errorf("the report is %+v, %v", report, err)
		}
		logs, err := s.drilled.Logs(s.Context(), "shop")
		if err != nil || logs[0].Lines != "listening" {
			s.Errorf("the logs are %+v, %v", logs, err)
		}
		s.real.Set(func(state *standin.State) { state.Silent, state.Down = true, true })
		ctx, cancel := context.WithTimeout(s.Context(), time.Second)
		defer cancel()
		_, images := s.drilled.Images(ctx, []runbook.Image{release(1)["api"]}, true)
		_, look := s.drilled.Look(ctx, "")
		for _, err := range []error{images, look} {
			var away *runbook.HostError
			if !errors.As(err, &away) {
				s.Errorf("on a host that is down: %v", err)
			}
		}
	})
}

func TestOn(t *testing.T) {
	lab := &standin.Lab{}
	hosts := &drill.Hosts{Hosts: lab}
	other := shop()
	other.Name = "blog"
	if hosts.On(shop(), one) != hosts.On(shop(), one) {
		t.Error("the same app and host give two")
	}
	if hosts.On(shop(), one) == hosts.On(other, one) || hosts.On(shop(), one) == hosts.On(shop(), "deploy@two") {
		t.Error("two apps or two hosts give one")
	}
	// Where nobody wants to see what is printed, nothing is.
	if err := hosts.On(shop(), one).Start(t.Context(), lease, up()); err != nil {
		t.Error(err)
	}
	plan := runbook.HostPlan{Host: one, Services: up().Up}
	if got, want := hosts.Commands(shop(), plan), lab.Commands(shop(), plan); !reflect.DeepEqual(got, want) {
		t.Errorf("the commands are %v, want %v", got, want)
	}
}
