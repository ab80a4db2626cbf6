package standin_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"rollbackbot/internal/standin"
	"rollbackbot/runbook"
	"rollbackbot/runbook/hosttest"
)

// Every case of the suite fails on an implementation that breaks its promise.
func TestConformance_EveryCaseCanFail(t *testing.T) {
	unused := maps.Clone(defects)
	for _, c := range hosttest.Cases() {
		t.Run(c.Promise, func(t *testing.T) {
			spoil := defects[c.Promise]
			delete(unused, c.Promise)
			if spoil == nil {
				t.Fatal("no implementation is known that breaks it")
			}
			synctest.Test(t, func(t *testing.T) {
				b := newBench()
				f := sound(b.on)
				hosts := brokenHosts{Hosts: b.lab, on: func() runbook.AppHost { return f }, commands: b.lab.Commands}
				spoil(b, f)
				if spoilHosts := brokenCommands[c.Promise]; spoilHosts != nil {
					spoilHosts(&hosts)
				}
				b.hosts = hosts
				switch err := c.Check(t.Context(), b); {
				case err == nil:
					t.Error("nothing was found")
				case errors.Is(err, hosttest.ErrCannot):
					t.Error(err)
				default:
					t.Log(err)
				}
			})
		})
	}
	for promise := range unused {
		t.Errorf("there is no such case: %s", promise)
	}
}

// The suite finds nothing wrong with a wrapped host that is sound.
func TestConformance_Wrapped(t *testing.T) {
	hosttest.Run(t, func(*testing.T) hosttest.Bench {
		b := newBench()
		f := sound(b.on)
		b.hosts = brokenHosts{Hosts: b.lab, on: func() runbook.AppHost { return f }, commands: b.lab.Commands}
		return b
	}, synctest.Test)
}

// again is the end of the name of a job that was begun twice.
const again = "-again"

var errFailed = errors.New("it failed")

func none(*bench, *faulty) {}

// brokenCommands are the defects that are of no host.
var brokenCommands = map[string]func(*brokenHosts){
	"the same app and host give the same AppHost": func(b *brokenHosts) {
		one := b.on()
		b.on = func() runbook.AppHost { return sound(one) }
	},
	"Commands are pure: the same arguments give the same lines, and stay as they are": func(b *brokenHosts) {
		made := 0
		b.commands = func(app runbook.App, plan runbook.HostPlan) runbook.Commands {
			commands := b.Hosts.Commands(app, plan)
			made++
			commands.Prove.Args = append(commands.Prove.Args, fmt.Sprint(made))
			return commands
		}
	},
	"Commands fetch each image once, in the services' order, and all are lines that can be shown": func(b *brokenHosts) {
		b.commands = func(app runbook.App, plan runbook.HostPlan) runbook.Commands {
			commands := b.Hosts.Commands(app, plan)
			commands.Pulls = append(commands.Pulls, commands.Pulls[0])
			return commands
		}
	},
	"Commands name every service whose number of containers is kept": func(b *brokenHosts) {
		b.commands = func(app runbook.App, plan runbook.HostPlan) runbook.Commands {
			plan.Services = slices.Clone(plan.Services)
			for i := range plan.Services {
				plan.Services[i].Scale = 0
			}
			return b.Hosts.Commands(app, plan)
		}
	},
	"Commands name who is replaced together with the app, and who is restarted; without any there is no restart": func(b *brokenHosts) {
		b.commands = func(app runbook.App, plan runbook.HostPlan) runbook.Commands {
			plan.Dependents = plan.Restarted()
			return b.Hosts.Commands(app, plan)
		}
	},
}

// defects break one promise each.
var defects = map[string]func(*bench, *faulty){
	"the same app and host give the same AppHost":                                                                none,
	"Commands are pure: the same arguments give the same lines, and stay as they are":                            none,
	"Commands fetch each image once, in the services' order, and all are lines that can be shown":                none,
	"Commands name every service whose number of containers is kept":                                             none,
	"Commands name who is replaced together with the app, and who is restarted; without any there is no restart": none,

	"a preflight names who can't stay as it is while the app is replaced, and how each follows": reports(func(r *runbook.HostReport) {
		for i := range r.Dependents {
			r.Dependents[i].Restart = true
		}
	}),
	"who shares something is seen to be cut off when the app is replaced alone, and follows where a job names it": started(func(job *runbook.Job) { job.Beside = nil }),
	"who is restarted by a job was started after the app's containers were made, and again is harmless": views(func(v *runbook.View) {
		for i := range v.Neighbours {
			v.Neighbours[i].Since = time.Time{}.Add(1)
		}
	}),
	"a container that runs a service's image and that no plan would replace is named": reports(func(r *runbook.HostReport) { r.Strangers = nil }),

	"where a variable holds the whole image, that is its pin":                                       pinsSay(func(image runbook.Image) string { return string(image.Digest) }),
	"where a variable holds the digest alone, its pin is that":                                      pinsSay(runbook.Image.String),
	"where a variable holds a tag, its pin names the image all the same":                            pinsSay(func(runbook.Image) string { return string(hosttest.Current) }),
	"where one variable holds the tag of all, its pin is the tag that names the images on the host": pinsSay(runbook.Image.String),
	"a tag that was moved is no pin for what it named":                                              pinsSay(func(runbook.Image) string { return string(hosttest.Former) }),
	"images that one tag doesn't name on the host have no pin":                                      pinsSay(func(runbook.Image) string { return string(hosttest.Former) }),
	"an image that no variable makes is refused by a preflight, and has no pin":                     pinsSay(runbook.Image.String),
	"a variable that is set wherever the app is started is found by a preflight, whatever it says": func(b *bench, f *faulty) {
		f.preflight = func(ctx context.Context, again bool) (runbook.HostReport, error) {
			b.on.Set(func(s *standin.State) { clear(s.Exported) })
			return f.AppHost.Preflight(ctx, again)
		}
	},

	"a job that was begun is not begun again": startedTwice,
	"a job that still runs is not begun again either, and its end is not waited for": func(_ *bench, f *faulty) {
		f.start = func(ctx context.Context, l runbook.Lease, job runbook.Job) error {
			if err := f.AppHost.Take(ctx, l, false, 10*time.Second); err != nil {
				return err
			}
			return f.AppHost.Start(ctx, l, job)
		}
	},
	"nothing else is begun while a job runs": takes(unless[*runbook.LockedError]),
	"a job's output arrives whole and in pieces of 64 KiB, and then its end": progress(func(p *runbook.Progress) {
		if len(p.Output) == 64<<10 {
			p.State = runbook.JobEnded
		}
	}),
	"the status of a job that failed is told": progress(func(p *runbook.Progress) { p.Status = 0 }),
	"Follow answers while a job runs, with what it has printed": func(_ *bench, f *faulty) {
		f.follow = func(ctx context.Context, l runbook.Lease, job string, offset int64, end bool) (runbook.Progress, error) {
			for {
				if p, err := f.AppHost.Follow(ctx, l, job, offset, end); err != nil || p.State != runbook.JobRunning {
					return p, err
				}
				time.Sleep(time.Second)
			}
		}
	},
	"a job that is asked to end ends, and how it ended is told": func(_ *bench, f *faulty) {
		f.follow = func(ctx context.Context, l runbook.Lease, job string, offset int64, _ bool) (runbook.Progress, error) {
			return f.AppHost.Follow(ctx, l, job, offset, false)
		}
	},
	"the limit ends a job": jobs(func(job *runbook.Job) { job.Limit = time.Hour }),
	"a job that somebody killed is told as killed, and has no status": progress(func(p *runbook.Progress) {
		if p.State == runbook.JobKilled {
			p.State, p.Status = runbook.JobEnded, 137
		}
	}),
	"a job that ended with its host is told as restarted, and has no status": progress(func(p *runbook.Progress) {
		if p.State == runbook.JobRestarted {
			p.State = runbook.JobKilled
		}
	}),
	"a job whose files were removed is told as gone, and has no status": progress(func(p *runbook.Progress) {
		if p.State == runbook.JobGone {
			p.State = runbook.JobKilled
		}
	}),
	"a job's files that are there tell its end also after a reboot": func(b *bench, f *faulty) {
		progress(func(p *runbook.Progress) {
			b.on.Set(func(s *standin.State) {
				if s.Boot > 0 {
					p.State, p.Status = runbook.JobRestarted, 0
				}
			})
		})(b, f)
	},
	"what a job's Fetch means is what its command does": jobs(func(job *runbook.Job) { job.Fetch = runbook.Image{} }),
	"a job that fetches what the registry lacks fails":  progress(func(p *runbook.Progress) { p.Status = 0 }),
	"what a job's Up means is what its command does: the pins' images in so many containers, and nothing else": jobs(func(job *runbook.Job) {
		for i := range job.Up {
			job.Up[i].Scale = 0
		}
	}),

	"a link that is cut loses no end: what was begun is begun once, and its end and all of its output are told": startedTwice,
	"a call whose answer is lost is never said to have failed": takes(func(err error) error {
		if errors.Is(err, runbook.ErrLost) {
			return errFailed
		}
		return err
	}),
	"after a lost answer EditPins says that the pins are written only if they are": written(func(error) error { return runbook.ErrLost }),
	"an edit of pins whose answer is lost on a host that stays away is lost, and not said to have been begun nowhere": written(func(err error) error {
		return errors.Join(err, &runbook.HostError{Host: host, Unreachable: true})
	}),

	"a lock that was never held is free, under no epoch": alwaysFirst,
	"Lock tells who holds it, since when, why, until when, under which epoch, and that a command runs": func(_ *bench, f *faulty) {
		f.lock = func(ctx context.Context) (runbook.LockState, error) {
			state, err := f.AppHost.Lock(ctx)
			state.CommandRuns = false
			return state, err
		}
	},
	"the same epoch renews the lock, a higher one of the same rollback takes it over at once": func(_ *bench, f *faulty) {
		f.take = func(ctx context.Context, l runbook.Lease, first bool, wait time.Duration) error {
			l.For = 0
			return f.AppHost.Take(ctx, l, first, wait)
		}
	},
	"an older epoch is refused by Take": takes(unless[*runbook.LeaseError]),
	"an older epoch is refused by EditPins": func(_ *bench, f *faulty) {
		f.editPins = func(ctx context.Context, l runbook.Lease, file string, edit editor) error {
			return f.AppHost.EditPins(ctx, passing(ctx, f.AppHost, l), file, edit)
		}
	},
	"an older epoch is refused by Start": func(_ *bench, f *faulty) {
		f.start = func(ctx context.Context, l runbook.Lease, job runbook.Job) error {
			return f.AppHost.Start(ctx, passing(ctx, f.AppHost, l), job)
		}
	},
	"an older epoch is refused where it asks a job to end": func(_ *bench, f *faulty) {
		f.follow = func(ctx context.Context, l runbook.Lease, job string, offset int64, end bool) (runbook.Progress, error) {
			return f.AppHost.Follow(ctx, passing(ctx, f.AppHost, l), job, offset, end)
		}
	},
	"an older epoch is refused by Release": func(_ *bench, f *faulty) {
		f.release = func(ctx context.Context, l runbook.Lease, force bool) (runbook.Released, error) {
			return f.AppHost.Release(ctx, passing(ctx, f.AppHost, l), force)
		}
	},
	"another rollback is refused until the lease runs out, and told whose it is": takes(func(err error) error {
		if locked := (*runbook.LockedError)(nil); errors.As(err, &locked) {
			return &runbook.LockedError{Host: locked.Host}
		}
		return err
	}),
	"of many who take a free lock at once one gets it": takes(unless[*runbook.LockedError]),
	"a lock that somebody took by hand is respected": func(_ *bench, f *faulty) {
		f.take = func(ctx context.Context, l runbook.Lease, first bool, wait time.Duration) error {
			if _, err := f.AppHost.Release(ctx, passing(ctx, f.AppHost, l), false); err != nil {
				return err
			}
			return f.AppHost.Take(ctx, l, first, wait)
		}
	},
	"a lease that was removed is gone, until it is taken as a first one": alwaysFirst,
	"a damaged lease is damaged, and neither free nor taken": func(_ *bench, f *faulty) {
		f.lock = func(ctx context.Context) (runbook.LockState, error) {
			state, err := f.AppHost.Lock(ctx)
			return state, unless[*runbook.LeaseError](err)
		}
	},
	"Take waits for a job that runs, and no longer than it is told to": func(_ *bench, f *faulty) {
		f.take = func(ctx context.Context, l runbook.Lease, first bool, _ time.Duration) error {
			return f.AppHost.Take(ctx, l, first, 0)
		}
	},
	"Release frees the lock at once, and its epoch stays": func(_ *bench, f *faulty) {
		f.release = func(context.Context, runbook.Lease, bool) (runbook.Released, error) { return runbook.Released{}, nil }
	},
	"force takes the lock from anybody, and ends and names what runs": func(_ *bench, f *faulty) {
		f.release = func(ctx context.Context, l runbook.Lease, force bool) (runbook.Released, error) {
			_, err := f.AppHost.Release(ctx, l, force)
			return runbook.Released{}, err
		}
	},
	"force replaces a lease that is damaged": func(_ *bench, f *faulty) {
		f.release = func(ctx context.Context, l runbook.Lease, _ bool) (runbook.Released, error) {
			return f.AppHost.Release(ctx, l, false)
		}
	},
	"force leaves alone what it can't end, names it, and takes nothing": func(_ *bench, f *faulty) {
		f.release = func(ctx context.Context, l runbook.Lease, force bool) (runbook.Released, error) {
			released, err := f.AppHost.Release(ctx, l, force)
			released.Ended, released.Left = released.Left, nil
			return released, err
		}
	},

	"edit gets the pins as they stand, once, in the services' order": edits(func(edit editor) editor {
		return func(now []runbook.Pin) ([]runbook.Pin, error) { slices.Reverse(now); return edit(now) }
	}),
	"the pins are written, and everything else in the file stays as it was": func(b *bench, f *faulty) {
		written(func(err error) error {
			b.on.Set(func(s *standin.State) { s.Other += "\n" })
			return err
		})(b, f)
	},
	"edit's error comes back as it is, and nothing is written": written(func(err error) error { return fmt.Errorf("edit: %w", err) }),
	"nothing is written before edit has returned": func(b *bench, f *faulty) {
		f.editPins = func(ctx context.Context, l runbook.Lease, file string, edit editor) error {
			b.on.Set(func(s *standin.State) { s.Pins["WEB_IMAGE"] = "on its way" })
			return f.AppHost.EditPins(ctx, l, file, edit)
		}
	},
	"where edit changes nothing, nothing is written": func(b *bench, f *faulty) {
		f.editPins = func(ctx context.Context, l runbook.Lease, file string, edit editor) error {
			var read map[string]string
			b.on.Set(func(s *standin.State) { read = maps.Clone(s.Pins) })
			err := f.AppHost.EditPins(ctx, l, file, edit)
			b.on.Set(func(s *standin.State) { s.Pins = read })
			return err
		}
	},
	"a file that was changed meanwhile is left alone": writesOver,
	"a variable that isn't there is appended, and an absent pin's line goes": edits(func(edit editor) editor {
		return func(now []runbook.Pin) ([]runbook.Pin, error) {
			change, err := edit(now)
			return slices.DeleteFunc(change, func(p runbook.Pin) bool { return p.Absent }), err
		}
	}),
	"a file that isn't there is made, with the pins alone": edits(func(edit editor) editor {
		return func(now []runbook.Pin) ([]runbook.Pin, error) {
			_, err := edit(now)
			return nil, err
		}
	}),
	"a file that was made meanwhile is left alone": writesOver,
	"a file that is a link stays one, and what it leads to is written": func(b *bench, f *faulty) {
		f.preflight = func(ctx context.Context, again bool) (runbook.HostReport, error) {
			report, err := f.AppHost.Preflight(ctx, again)
			b.on.Set(func(s *standin.State) {
				if s.PinsLink != "" {
					report.PinsFile = s.PinsLink
				}
			})
			return report, err
		}
	},
	"a file that can't be replaced is found out by a preflight, and left alone": func(_ *bench, f *faulty) {
		f.preflight = func(ctx context.Context, again bool) (runbook.HostReport, error) {
			report, err := f.AppHost.Preflight(ctx, again)
			return report, unless[*runbook.PreflightError](err)
		}
	},

	"Prove takes the images from the plan, whatever the pins file says": provesFrom(runbook.FromFile),
	"Prove reads the pins file as it stands":                            provesFrom(runbook.FromPlan),
	"Prove refuses where something else wins over the pins file":        provesFrom(runbook.FromPlan),

	"Images says of each image, in the order given, whether it is here and what the registry says": func(_ *bench, f *faulty) {
		f.images = func(ctx context.Context, images []runbook.Image, ask bool) ([]runbook.ImageState, error) {
			all, err := f.AppHost.Images(ctx, images, ask)
			slices.Reverse(all)
			return all, err
		}
	},
	"an image's labels are told as they are": states(func(s *runbook.ImageState) { s.Label.Version += "!" }),
	"a registry that was not asked has said nothing": func(_ *bench, f *faulty) {
		f.images = func(ctx context.Context, images []runbook.Image, _ bool) ([]runbook.ImageState, error) {
			return f.AppHost.Images(ctx, images, true)
		}
	},
	"what a registry that doesn't answer has is not known, and no problem": states(func(s *runbook.ImageState) {
		if s.Registry == runbook.RegistrySilent {
			s.Registry = runbook.RegistryLacks
		}
	}),
	"Fetch gets an image, and again is harmless": func(_ *bench, f *faulty) {
		f.fetch = func(context.Context, runbook.Image) error { return nil }
	},
	"Fetch touches nothing that runs and needs no lock": func(_ *bench, f *faulty) {
		f.fetch = func(ctx context.Context, image runbook.Image) error {
			if err := f.AppHost.Take(ctx, runbook.Lease{Rollback: "rb-fetch", Epoch: 99}, true, 0); err != nil {
				return err
			}
			return f.AppHost.Fetch(ctx, image)
		}
	},
	"a fetch that the registry didn't answer is not said to be denied": func(_ *bench, f *faulty) {
		f.fetch = func(ctx context.Context, image runbook.Image) error {
			if err := f.AppHost.Fetch(ctx, image); err != nil {
				return runbook.ErrDenied
			}
			return nil
		}
	},
	"Fetch says that it failed where the registry lacks the image": func(_ *bench, f *faulty) {
		f.fetch = func(ctx context.Context, image runbook.Image) error {
			if err := f.AppHost.Fetch(ctx, image); err != nil {
				return runbook.ErrLost
			}
			return nil
		}
	},

	"Look sees by digest what every service runs, and the pins": views(func(v *runbook.View) { v.Pins = nil }),
	"Look sees a deployment by hand right after it": func(_ *bench, f *faulty) {
		var seen *runbook.View
		f.look = func(ctx context.Context, project string) (runbook.View, error) {
			if seen != nil {
				return *seen, nil
			}
			view, err := f.AppHost.Look(ctx, project)
			seen = &view
			return view, err
		}
	},
	"Look sees the same with and without the project": func(_ *bench, f *faulty) {
		f.look = func(ctx context.Context, project string) (runbook.View, error) {
			view, err := f.AppHost.Look(ctx, project)
			if project != "" {
				view.Services[1].Containers = 1
			}
			return view, err
		}
	},
	"containers that run different images are a mix, and none of them is what the service runs": services(func(v *runbook.ServiceView) { v.Image = v.Images[0] }),
	"all containers of a service that was scaled are counted":                                   services(func(v *runbook.ServiceView) { v.Containers = 1 }),
	"a container that was started by a tag is told by its digest, and the tag is told":          services(func(v *runbook.ServiceView) { v.Tag = "" }),
	"a container that doesn't run is told by its state":                                         services(func(v *runbook.ServiceView) { v.State = "" }),
	"restarts are counted":                        services(func(v *runbook.ServiceView) { v.Restarts = 0 }),
	"a service without containers is told as one": services(func(v *runbook.ServiceView) { v.Note = "" }),
	"containers that were started to do one thing don't count": func(b *bench, f *faulty) {
		services(func(v *runbook.ServiceView) {
			b.on.Set(func(s *standin.State) { v.Containers = len(s.Containers[v.Service]) })
		})(b, f)
	},
	"services that are not the app's are left out": views(func(v *runbook.View) {
		v.Services = append(v.Services, runbook.ServiceView{Running: runbook.Running{Service: "stray", Containers: 1}})
	}),
	"where the app's files are broken, what runs is still seen by those who know the project": func(_ *bench, f *faulty) {
		f.look = func(ctx context.Context, _ string) (runbook.View, error) { return f.AppHost.Look(ctx, "") }
	},
	"a preflight has all that Look sees, and what a plan needs besides":             stacks(func(s *runbook.ServiceReport) { s.Scale = 0 }),
	"a preflight finds no drift after a deployment by hand":                         stacks(func(s *runbook.ServiceReport) { s.Drifted = true }),
	"a preflight tells which services were edited since their containers were made": stacks(func(s *runbook.ServiceReport) { s.Drifted = false }),
	"a preflight changes nothing": func(_ *bench, f *faulty) {
		f.preflight = func(ctx context.Context, again bool) (runbook.HostReport, error) {
			if err := f.AppHost.Take(ctx, runbook.Lease{Rollback: "rb-preflight", Epoch: 1}, true, 0); err != nil {
				return runbook.HostReport{}, err
			}
			return f.AppHost.Preflight(ctx, again)
		}
	},
	"logs are told by service, masked, and no more than the last lines": func(b *bench, f *faulty) {
		f.logs = func(ctx context.Context, project string) (all []runbook.ServiceLogs, err error) {
			b.on.Set(func(s *standin.State) {
				for _, service := range shop().Services {
					log := s.Containers[service.Name][0].Log
					all = append(all, runbook.ServiceLogs{Service: service.Name, Lines: log[max(0, len(log)-100):]})
				}
			})
			return all, nil
		}
	},
	"a service without containers has no logs, and says so": func(_ *bench, f *faulty) {
		f.logs = func(ctx context.Context, project string) ([]runbook.ServiceLogs, error) {
			all, err := f.AppHost.Logs(ctx, project)
			return slices.DeleteFunc(all, func(l runbook.ServiceLogs) bool { return l.Problem != "" }), err
		}
	},

	"where the engine doesn't answer, what runs is not known": func(_ *bench, f *faulty) {
		f.look = func(ctx context.Context, project string) (runbook.View, error) {
			view, err := f.AppHost.Look(ctx, project)
			if errors.Is(err, runbook.ErrNoEngine) {
				err = errFailed
			}
			return view, err
		}
	},
	"where nothing answers, every method says that nothing was begun and that it may pass": takes(func(err error) error {
		if host := (*runbook.HostError)(nil); errors.As(err, &host) {
			return runbook.ErrLost
		}
		return err
	}),
	"a context that has ended ends every method, and nothing is changed": func(_ *bench, f *faulty) {
		f.fetch = func(ctx context.Context, image runbook.Image) error {
			return f.AppHost.Fetch(context.WithoutCancel(ctx), image)
		}
	},
	"every method ends with its context where the host answers no more": func(_ *bench, f *faulty) {
		f.logs = func(ctx context.Context, project string) ([]runbook.ServiceLogs, error) {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
			defer cancel()
			return f.AppHost.Logs(ctx, project)
		}
	},
	"a context's end ends Take and Follow where they wait": func(_ *bench, f *faulty) {
		f.take = func(ctx context.Context, l runbook.Lease, first bool, wait time.Duration) error {
			return f.AppHost.Take(context.WithoutCancel(ctx), l, first, wait)
		}
	},
}

// startedTwice begins a job again that was begun.
func startedTwice(b *bench, f *faulty) {
	begun := 0
	f.start = func(ctx context.Context, l runbook.Lease, job runbook.Job) error {
		if begun++; begun > 1 {
			job.Name += again
			b.on.Strike(runbook.JobKilled)
		}
		return f.AppHost.Start(ctx, l, job)
	}
}

// alwaysFirst takes a missing lease for one that was never there.
func alwaysFirst(_ *bench, f *faulty) {
	f.take = func(ctx context.Context, l runbook.Lease, _ bool, wait time.Duration) error {
		return f.AppHost.Take(ctx, l, true, wait)
	}
}

// writesOver writes pins whatever stands there by now.
func writesOver(_ *bench, f *faulty) {
	f.editPins = func(ctx context.Context, l runbook.Lease, file string, edit editor) error {
		var change []runbook.Pin
		err := f.AppHost.EditPins(ctx, l, file, func(now []runbook.Pin) (_ []runbook.Pin, err error) {
			change, err = edit(now)
			return change, err
		})
		if moved := (*runbook.LeaseError)(nil); errors.As(err, &moved) {
			return f.AppHost.EditPins(ctx, l, file, func([]runbook.Pin) ([]runbook.Pin, error) { return change, nil })
		}
		return err
	}
}

func provesFrom(source runbook.PinSource) func(*bench, *faulty) {
	return func(_ *bench, f *faulty) {
		f.prove = func(ctx context.Context, images map[string]runbook.Image, _ runbook.PinSource) error {
			return f.AppHost.Prove(ctx, images, source)
		}
	}
}

// pinsSay takes the same for every image's pin.
func pinsSay(text func(runbook.Image) string) func(*bench, *faulty) {
	return func(b *bench, f *faulty) {
		f.pins = func(_ context.Context, images map[string]runbook.Image) (pins []runbook.Pin, err error) {
			for _, service := range b.app.Services {
				pins = append(pins, runbook.Pin{Variable: service.Variable, Value: text(images[service.Name])})
			}
			return pins, nil
		}
	}
}
