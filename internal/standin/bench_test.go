package standin_test

import (
	"context"
	"fmt"
	"time"

	"rollbackbot/internal/standin"
	"rollbackbot/runbook"
	"rollbackbot/runbook/hosttest"
)

const host runbook.Host = "deploy@one"

func shop() runbook.App {
	return runbook.App{
		Name: "shop", Hosts: []runbook.Host{host}, Dir: "/opt/shop",
		Services: []runbook.Service{{Name: "api", Variable: "API_IMAGE"}, {Name: "worker", Variable: "WORKER_IMAGE"}, {Name: "web", Variable: "WEB_IMAGE"}},
	}
}

// release is one of the shop's releases.
func release(number int) map[string]runbook.Image {
	images := map[string]runbook.Image{}
	for i, s := range shop().Services {
		images[s.Name] = runbook.Image{Name: "ghcr.io/acme/shop/" + s.Name, Digest: runbook.Digest(fmt.Sprintf("sha256:%064x", 16*number+i))}
	}
	return images
}

var numbers = map[hosttest.Which]int{hosttest.Current: 2, hosttest.Former: 1, hosttest.Remote: 3, hosttest.Nowhere: 4}

// bench is a stand-in that is tried.
type bench struct {
	lab   *standin.Lab
	on    *standin.Host
	hosts runbook.Hosts
	app   runbook.App
}

var _ hosttest.Bench = (*bench)(nil)

func newBench() *bench {
	lab := &standin.Lab{}
	b := &bench{lab: lab, on: lab.Add(shop(), host, release(2), release(1)), hosts: lab, app: shop()}
	b.on.Set(func(s *standin.State) {
		for _, image := range release(3) {
			s.Registry[image] = true
		}
		for _, which := range []hosttest.Which{hosttest.Current, hosttest.Former} {
			for service, image := range b.Release(which).Images {
				s.Labels[image] = b.Release(which).Labels[service]
			}
		}
	})
	return b
}

func (b *bench) Hosts() runbook.Hosts { return b.hosts }
func (b *bench) App() runbook.App     { return b.app }
func (b *bench) Host() runbook.Host   { return host }

func (b *bench) Release(which hosttest.Which) hosttest.Release {
	r := hosttest.Release{Images: release(numbers[which]), Labels: map[string]runbook.Label{}}
	for service := range r.Images {
		r.Labels[service] = runbook.Label{Revision: service + "-revision", Version: fmt.Sprint("v", numbers[which])}
	}
	return r
}

func (b *bench) Job(name string, does hosttest.Doing) runbook.Job {
	b.on.Set(func(s *standin.State) {
		s.Does[name] = standin.Does{Takes: does.Takes, Output: hosttest.Output(does.Prints), Status: does.Status}
	})
	return runbook.Job{Name: name, Limit: 10 * time.Minute, Command: runbook.Command{Args: []string{"standin", "do", name}}}
}

func (b *bench) Ran(_ context.Context, job string) (n int, err error) {
	for _, begun := range b.on.Begun() {
		if begun.Job.Name == job || begun.Job.Name == job+again {
			n++
		}
	}
	return n, nil
}

func (b *bench) Rest(context.Context) (text string, err error) {
	b.on.Set(func(s *standin.State) { text = s.Other })
	return text, nil
}

func (b *bench) Do(_ context.Context, deed hosttest.Deed) error {
	switch deed := deed.(type) {
	case hosttest.Reboot:
		b.on.Reboot(time.Second)
		time.Sleep(time.Second + standin.EngineStarts)
		return nil
	case hosttest.KillJob:
		b.on.Strike(runbook.JobKilled)
		return nil
	case hosttest.ForgetJob:
		b.on.Strike(runbook.JobGone)
		return nil
	case hosttest.TakeByHand:
		b.on.TakeByHand(deed.Holder, deed.Reason, deed.For)
		return nil
	case hosttest.Write:
		b.write(deed.As)
		return nil
	}
	var err error
	b.on.Set(func(s *standin.State) { err = b.set(s, deed) })
	return err
}

// write has the files make the images in another way.
func (b *bench) write(as hosttest.Writing) {
	b.app = shop()
	for i := range b.app.Services {
		if as == hosttest.ByOneTag {
			b.app.Services[i].Variable = "TAG"
		}
	}
	b.lab.On(b.app, host)
	b.on.Set(func(s *standin.State) {
		for i, service := range b.app.Services {
			for _, which := range []hosttest.Which{hosttest.Current, hosttest.Former} {
				image := b.Release(which).Images[service.Name]
				s.Tags[image.Name+":"+string(which)] = image
			}
			repository := b.Release(hosttest.Current).Images[service.Name].Name
			s.Forms[service.Name] = standin.Form{Repository: repository, Tag: as == hosttest.ByTag || as == hosttest.ByOneTag, Fixed: as == hosttest.Fixed && i == 0}
		}
		s.Pins = nil
		s.Deploy(b.Release(hosttest.Current).Images)
	})
}

// set does what changes the state alone.
func (b *bench) set(s *standin.State, deed hosttest.Deed) error {
	switch deed := deed.(type) {
	case hosttest.Deploy:
		s.Deploy(b.Release(deed.Release).Images)
	case hosttest.Scale:
		for len(s.Containers[deed.Service]) < deed.To {
			s.Containers[deed.Service] = append(s.Containers[deed.Service], s.Containers[deed.Service][0])
		}
	case hosttest.Mix:
		s.Containers[deed.Service] = append(s.Containers[deed.Service], standin.Container{Image: b.Release(deed.Release).Images[deed.Service]})
	case hosttest.OneOff:
		s.Containers[deed.Service] = append(s.Containers[deed.Service], standin.Container{Image: b.Release(deed.Release).Images[deed.Service], OneOff: true})
	case hosttest.Tagged:
		s.Containers[deed.Service][0].Tag = s.Containers[deed.Service][0].Image.Name + ":latest"
	case hosttest.Stop:
		for i := range s.Containers[deed.Service] {
			s.Containers[deed.Service][i].State = "exited"
		}
	case hosttest.Crash:
		s.Containers[deed.Service][0].Restarts++
	case hosttest.Remove:
		s.Containers[deed.Service] = nil
	case hosttest.Stray:
		s.Containers["stray"] = []standin.Container{{Image: release(1)["api"]}}
	case hosttest.Depend:
		s.Dependents = []runbook.Dependent{{Service: "sidecar", Why: "it shares the network of api"}, {Service: "proxy", Why: "it depends on api", Restart: true}}
		for _, d := range s.Dependents {
			s.Containers[d.Service] = []standin.Container{{Image: release(1)["api"], Since: time.Now()}}
		}
	case hosttest.Print:
		s.Containers[deed.Service][0].Log = deed.Text
	case hosttest.WritePins:
		if s.Pins == nil {
			s.Pins = map[string]string{}
		}
		for _, pin := range deed.Pins {
			if s.Pins[pin.Variable] = pin.Value; pin.Absent {
				delete(s.Pins, pin.Variable)
			}
		}
	case hosttest.RemovePins:
		s.Pins, s.Other = nil, ""
	case hosttest.LinkPins:
		s.PinsLink, s.PinsFile = s.PinsFile, "/srv/elsewhere/pins"
	case hosttest.LockPins:
		s.PinsFault = runbook.PinsNotOurs
	case hosttest.Export:
		for _, service := range shop().Services {
			if service.Name == deed.Service {
				s.Exported[service.Variable] = b.Release(deed.Release).Images[deed.Service].String()
			}
		}
	case hosttest.Retag:
		for _, service := range b.app.Services {
			image := b.Release(hosttest.Current).Images[service.Name]
			s.Tags[image.Name+":"+string(hosttest.Former)] = image
		}
	case hosttest.Edit:
		s.Edited[deed.Service] = "more memory"
	case hosttest.BreakFiles:
		s.BrokenFiles = true
	case hosttest.Untouchable:
		s.Sudo = true
	case hosttest.RemoveLease:
		s.Lease = nil
	case hosttest.DamageLease:
		s.Lease.Damaged = true
	case hosttest.Cut:
		s.Lose[deed.Method] = 1
		if deed.Away {
			s.AfterPins = func(s *standin.State) { s.Down = true }
		}
	case hosttest.Unreachable:
		s.Down = true
	case hosttest.Hang:
		s.Hangs = true
	case hosttest.StopEngine:
		s.NoEngine = true
	case hosttest.Silence:
		s.Silent = true
	default:
		return fmt.Errorf("%w: %T", hosttest.ErrCannot, deed)
	}
	return nil
}
