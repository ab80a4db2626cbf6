package standin_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/internal/standin"
	"rollbackbot/runbook"
)

var turn = runbook.Lease{Rollback: "rb-1", Epoch: 7, Holder: "UREQ", Reason: "checkout fails"}

// inBubble has a host that runs the second release, whose lock rb-1 holds, and whose pins say the first.
func inBubble(t *testing.T, f func(t *testing.T, b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		if err := b.on.Take(t.Context(), turn, true, 0); err != nil {
			t.Fatal(err)
		}
		if err := b.pin(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		f(t, b)
	})
}

func (b *bench) pin(ctx context.Context, number int) error {
	var file string
	b.on.Set(func(s *standin.State) { file = s.PinsFile })
	return b.on.EditPins(ctx, turn, file, func([]runbook.Pin) (pins []runbook.Pin, _ error) {
		for _, s := range shop().Services {
			pins = append(pins, runbook.Pin{Variable: s.Variable, Value: release(number)[s.Name].String()})
		}
		return pins, nil
	})
}

// up replaces the containers of every service, three of them workers, and gives how that stands at its end.
func (b *bench) up(t *testing.T, name string) runbook.Progress {
	t.Helper()
	job := runbook.Job{Name: name, Limit: time.Minute}
	for _, s := range shop().Services {
		job.Up = append(job.Up, runbook.ServicePlan{Service: s.Name, Variable: s.Variable})
	}
	job.Up[1].Scale = 3
	if err := b.on.Start(t.Context(), turn, job); err != nil {
		t.Fatal(err)
	}
	return b.end(t, name)
}

func (b *bench) end(t *testing.T, name string) runbook.Progress {
	t.Helper()
	for offset := int64(0); ; {
		progress, err := b.on.Follow(t.Context(), turn, name, offset, false)
		if err != nil {
			t.Fatal(err)
		}
		if offset += int64(len(progress.Output)); progress.State != runbook.JobRunning {
			return progress
		}
	}
}

// runs are the releases whose images the containers of each service run: "1 111 1".
func (b *bench) runs() (text string) {
	b.on.Set(func(s *standin.State) {
		for i, service := range shop().Services {
			if i > 0 {
				text += " "
			}
			for _, c := range s.Containers[service.Name] {
				for n := range 5 {
					if release(n)[service.Name] == c.Image {
						text += string(rune('0' + n))
					}
				}
			}
		}
	})
	return text
}

func (b *bench) wantRuns(t *testing.T, want string) {
	t.Helper()
	if got := b.runs(); got != want {
		t.Errorf("what runs is %q, want %q", got, want)
	}
}

func TestUp_HowItEnds(t *testing.T) {
	for _, row := range []struct {
		name   string
		order  func(s *standin.State)
		status int
		runs   string
	}{
		{"as it should", func(*standin.State) {}, 0, "1 111 1"},
		{"badly, and nothing is changed", func(s *standin.State) { s.UpFails = []int{3} }, 3, "2 2 2"},
		{"badly, although it replaced containers", func(s *standin.State) { s.UpStatus = 1 }, 1, "1 1 1"},
		{"badly, since an image is not here", func(s *standin.State) { delete(s.Here, release(1)["web"]) }, 1, "2 2 2"},
		{"badly, since there is no engine", func(s *standin.State) { s.NoEngine = true }, 1, "2 2 2"},
		{"as it should, with a variable that wins over the pins", func(s *standin.State) { s.Exported["WEB_IMAGE"] = release(2)["web"].String() }, 0, "1 111 2"},
	} {
		t.Run(row.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				b.on.Set(row.order)
				if end := b.up(t, "up"); end.State != runbook.JobEnded || end.Status != row.status {
					t.Errorf("it ended as %+v, want status %d", end, row.status)
				}
				b.wantRuns(t, row.runs)
				if got := b.on.UpsRun(); !slices.Equal(got, []string{"rb-1 7"}) {
					t.Errorf("those that ran are %q", got)
				}
			})
		})
	}
}

// A host that reboots is away, then there without its engine, then there; what ran was left half done.
func TestReboot(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		time.AfterFunc(time.Second, func() { b.on.Reboot(time.Minute) })
		_, err := b.on.Images(t.Context(), nil, false)
		if err != nil {
			t.Fatal(err)
		}
		job := runbook.Job{Name: "up", Limit: time.Minute, Up: []runbook.ServicePlan{{Service: "api"}, {Service: "worker"}, {Service: "web"}}}
		if err := b.on.Start(t.Context(), turn, job); err != nil {
			t.Fatal(err)
		}
		_, err = b.on.Follow(t.Context(), turn, "up", 1000, false)
		var host *runbook.HostError
		if !errors.Is(err, runbook.ErrLost) || errors.As(err, &host) {
			t.Errorf("who followed it heard: %v", err)
		}
		if _, err = b.on.Look(t.Context(), "shop"); !errors.As(err, &host) || !host.Unreachable {
			t.Errorf("while it is away: %v", err)
		}
		b.wantRuns(t, "1  2")
		time.Sleep(time.Minute)
		if _, err = b.on.Look(t.Context(), "shop"); !errors.Is(err, runbook.ErrNoEngine) {
			t.Errorf("before its engine is there: %v", err)
		}
		if end := b.end(t, "up"); end.State != runbook.JobRestarted || end.Status != 0 {
			t.Errorf("the job is told as %+v", end)
		}
		if state, err := b.on.Lock(t.Context()); err != nil || !state.Free() || state.Epoch != 7 {
			t.Errorf("the lease of the former boot is %+v, %v", state, err)
		}
		time.Sleep(standin.EngineStarts)
		if _, err = b.on.Look(t.Context(), "shop"); err != nil {
			t.Errorf("when it is back: %v", err)
		}
	})
}

func TestFaults_Ordered(t *testing.T) {
	for _, row := range []struct {
		name  string
		order func(s *standin.State)
		want  func(err error) bool
	}{
		{"it hangs up", func(s *standin.State) { s.HungUp = true }, func(err error) bool {
			var host *runbook.HostError
			return errors.As(err, &host) && host.HungUp && host.MayPass()
		}},
		{"somebody has to fix it", func(s *standin.State) { s.Refuses = "its key has changed" }, func(err error) bool {
			var host *runbook.HostError
			return errors.As(err, &host) && !host.MayPass() && host.Problem == "its key has changed"
		}},
		{"one method hangs", func(s *standin.State) { s.HangsAt["Look"] = true }, func(err error) bool {
			return errors.Is(err, runbook.ErrLost) && errors.Is(err, context.DeadlineExceeded)
		}},
		{"one answer is lost", func(s *standin.State) { s.Lose["Look"] = 1 }, func(err error) bool { return errors.Is(err, runbook.ErrLost) }},
		{"it is slow", func(s *standin.State) { s.Latency = time.Hour }, func(err error) bool { return errors.Is(err, runbook.ErrLost) }},
		{"it takes no time", func(s *standin.State) { s.Latency = 0 }, func(err error) bool { return err == nil }},
	} {
		t.Run(row.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				b.on.Set(row.order)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				if _, err := b.on.Look(ctx, "shop"); !row.want(err) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// Both answers of an edit are lost: of the write, and of the look after it.
func TestEditPins_NobodyKnows(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.on.Set(func(s *standin.State) { s.Lose["EditPins"] = 2 })
		if err := b.pin(t.Context(), 2); !errors.Is(err, runbook.ErrLost) {
			t.Errorf("got %v", err)
		}
	})
}

func TestEditPins_SomebodyDeploysRightAfterIt(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.on.Set(func(s *standin.State) {
			s.AfterPins = func(s *standin.State) { s.Deploy(map[string]runbook.Image{"api": release(3)["api"]}) }
		})
		if err := b.pin(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		b.wantRuns(t, "3 2 2")
	})
}

func TestEditPins_Unwritable(t *testing.T) {
	for _, kind := range []runbook.LeaseKind{runbook.PinsCut, runbook.LeaseUnusable} {
		inBubble(t, func(t *testing.T, b *bench) {
			b.on.Set(func(s *standin.State) { s.PinsFault = kind })
			before := b.on.String()
			var lease *runbook.LeaseError
			if err := b.pin(t.Context(), 2); !errors.As(err, &lease) || lease.Kind != kind || b.on.String() != before {
				t.Errorf("got %v, and the host is\n%s and was\n%s", err, b.on, before)
			}
		})
	}
}

// A registry that is held back gives an image when it isn't any more, to a job too.
func TestRegistry_HeldBack(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.on.Set(func(s *standin.State) { s.Held = true })
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := b.on.Fetch(ctx, release(3)["api"]); !errors.Is(err, runbook.ErrLost) {
			t.Errorf("held back, it is fetched with %v", err)
		}
		time.AfterFunc(10*time.Second, func() { b.on.Set(func(s *standin.State) { s.Held = false }) })
		for _, name := range []string{"worker", "web"} {
			if err := b.on.Take(t.Context(), turn, false, 0); err != nil {
				t.Fatal(err)
			}
			if err := b.on.Start(t.Context(), turn, runbook.Job{Name: name, Limit: time.Minute, Fetch: release(3)[name]}); err != nil {
				t.Fatal(err)
			}
			if end := b.end(t, name); end.State != runbook.JobEnded || end.Status != 0 {
				t.Errorf("the job that fetches %s ended as %+v", name, end)
			}
		}
		if err := b.on.Fetch(t.Context(), release(3)["api"]); err != nil {
			t.Error(err)
		}
	})
}

func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := &standin.Lab{}
		one := lab.Add(shop(), "deploy@one", release(1))
		two := lab.Add(shop(), "deploy@two", release(2))
		lab.SetSick(release(2)["api"], true)
		want := func(when, url string, want int) {
			t.Helper()
			if got, err := lab.Health().Check(t.Context(), url, ""); err != nil || got != want {
				t.Errorf("%s %s answers %d, %v, want %d", when, url, got, err, want)
			}
		}
		want("where one is sick,", "https://shop.example/health", 503)
		want("of the one that is well,", "https://one/health", 200)
		want("of the sick one,", "https://two/health", 503)
		two.Set(func(s *standin.State) { s.Down = true })
		want("without the sick one,", "https://shop.example/health", 200)
		one.Set(func(s *standin.State) { s.Containers["api"][0].State = "exited" })
		want("where nothing runs,", "https://shop.example/health", 503)
	})
}

func TestLab_AHostThatNobodyAdded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := &standin.Lab{}
		var host *runbook.HostError
		if _, err := lab.On(shop(), "deploy@nowhere").Look(t.Context(), ""); !errors.As(err, &host) || host.MayPass() {
			t.Errorf("got %v", err)
		}
	})
}

// An `up` may take its time for each service. What it has not come to is as it was, and what is on its way has no container.
func TestUp_OneServiceAfterTheOther(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(s *standin.State)
		after  time.Duration
		want   string
	}{
		{"begun", nil, 0, "1 2 2"},
		{"midway", nil, 15 * time.Second, "1 111 2"},
		{"at the last", nil, 25 * time.Second, "1 111 1"},
		{"begun late", func(s *standin.State) { s.UpSlow = 20 * time.Second }, 15 * time.Second, "2 2 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				b.on.Set(func(s *standin.State) {
					if s.Each = 10 * time.Second; c.change != nil {
						c.change(s)
					}
				})
				ended := make(chan runbook.Progress, 1)
				go func() { ended <- b.up(t, "up-1") }()
				time.Sleep(time.Second + c.after)
				if got := b.runs(); got != c.want {
					t.Errorf("there run %q, want %q", got, c.want)
				}
				if progress := <-ended; progress.State != runbook.JobEnded || progress.Status != 0 || b.runs() != "1 111 1" {
					t.Errorf("it ended as %+v, and there run %q", progress, b.runs())
				}
			})
		})
	}
	inBubble(t, func(t *testing.T, b *bench) {
		b.on.Set(func(s *standin.State) { s.Each = 10 * time.Second })
		ended := make(chan runbook.Progress, 1)
		go func() { ended <- b.up(t, "up-1") }()
		time.Sleep(15 * time.Second)
		b.on.Strike(runbook.JobKilled)
		if progress := <-ended; progress.State != runbook.JobKilled || b.runs() != "1 111 " {
			t.Errorf("struck midway it is %+v, and there run %q", progress, b.runs())
		}
	})
}

// What breaks once is well the next time.
func TestBreaks_Once(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.on.Set(func(s *standin.State) { s.UpBreaks, s.FetchBreaks = 1, 1 })
		if progress := b.up(t, "up-1"); progress.Status != 1 || b.runs() != "1 2 2" {
			t.Errorf("the first up: %+v, and there run %q", progress, b.runs())
		}
		if progress := b.up(t, "up-2"); progress.Status != 0 || b.runs() != "1 111 1" {
			t.Errorf("the second: %+v, and there run %q", progress, b.runs())
		}
		image := release(3)["api"]
		if first, second := b.on.Fetch(t.Context(), image), b.on.Fetch(t.Context(), image); first == nil || second != nil {
			t.Errorf("fetched twice: %v, %v", first, second)
		}
	})
}
