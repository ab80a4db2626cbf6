package runner

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"rollbackbot/internal/standin"
	"rollbackbot/runbook"
)

// seen are the hosts as the bot sees them.
func (w *world) seen() runbook.Hosts {
	if w.through != nil {
		return w.through(w.lab)
	}
	return w.lab
}

// wantMeant fails the test where the command of a job that was begun isn't the hosts' own line for what the job means: a
// stand-in does what is meant, and a real host does what the command says.
func (w *world) wantMeant() {
	for name, h := range w.hosts {
		for _, begun := range h.Begun() {
			var want runbook.Command
			switch job := begun.Job; {
			case len(job.Up) > 0:
				want = w.seen().Commands(w.app, runbook.HostPlan{Host: name, Services: job.Up, Dependents: job.Beside}).Up
			case len(job.Beside) > 0:
				want = w.seen().Commands(w.app, runbook.HostPlan{Host: name, Dependents: job.Beside}).Restart
			case !job.Fetch.IsZero():
				want = w.seen().Commands(w.app, runbook.HostPlan{Host: name, Services: []runbook.ServicePlan{{To: job.Fetch}}}).Pulls[0]
			}
			if got := begun.Job.Command; !reflect.DeepEqual(got, want) {
				w.t.Errorf("%s: the job %s runs %s, and means %s", name, begun.Job.Name, got, want)
			}
		}
	}
}

// sick has these images of the api answer 503, and those of the world's other releases 200.
func (w *world) sick(images ...runbook.Image) {
	for _, api := range []runbook.Image{w.v1["api"], w.v2["api"]} {
		w.lab.SetSick(api, slices.Contains(images, api))
	}
}

// down says whether nothing answers on a host.
func (w *world) down(host runbook.Host, down bool) {
	w.hosts[host].Set(func(s *standin.State) { s.Down = down })
}

// onAll changes every host.
func (w *world) onAll(change func(s *standin.State)) {
	for _, h := range w.hosts {
		h.Set(change)
	}
}

// deploy is what a person does by hand, on every host.
func (w *world) deploy(images map[string]runbook.Image) {
	w.onAll(func(s *standin.State) { s.Deploy(images) })
}

// prune takes an image from a host.
func (w *world) prune(host runbook.Host, image runbook.Image) {
	w.hosts[host].Set(func(s *standin.State) { delete(s.Here, image) })
}

// has reports whether an image is on a host.
func (w *world) has(host runbook.Host, image runbook.Image) (here bool) {
	w.hosts[host].Set(func(s *standin.State) { here = s.Here[image] })
	return here
}

// restarts has the first container of a service have crashed and come back, so many times more.
func (w *world) restarts(host runbook.Host, service string, times int) {
	w.hosts[host].Set(func(s *standin.State) { s.Containers[service][0].Restarts += times })
}

// exports sets a variable for everybody on host one as soon as the pins are written there: it wins over them.
func (w *world) exports(variable string, image runbook.Image) {
	w.hosts["deploy@one"].Set(func(s *standin.State) {
		s.AfterPins = func(s *standin.State) { s.Exported[variable] = image.String() }
	})
}

// leased makes this the lease on a host.
func (w *world) leased(host runbook.Host, lease standin.Lease) {
	w.hosts[host].Set(func(s *standin.State) { s.Lease = &lease })
}

// busy has a command run under the lock of a host, so long, and nobody hold a lease there.
func (w *world) busy(host runbook.Host, long time.Duration) {
	w.t.Helper()
	h := w.hosts[host]
	h.Set(func(s *standin.State) { s.Does["long"] = standin.Does{Takes: long} })
	lease := runbook.Lease{Rollback: "rb-busy", Epoch: 1}
	err := h.Take(w.t.Context(), lease, true, 0)
	if err == nil {
		err = h.Start(w.t.Context(), lease, runbook.Job{Name: "long", Limit: 2 * long})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	h.Set(func(s *standin.State) { s.Lease = nil })
}

// failsUp has the next `up` on a host end badly, so many times, and change nothing.
func (w *world) failsUp(host runbook.Host, times int) {
	w.hosts[host].Set(func(s *standin.State) { s.UpFails = slices.Repeat([]int{1}, times) })
}

// put replaces a service's containers by one of each image. The pins stay as they are.
func put(s *standin.State, service string, images ...runbook.Image) {
	s.Containers[service] = nil
	for _, image := range images {
		s.Here[image] = true
		s.Containers[service] = append(s.Containers[service], standin.Container{Image: image})
	}
}

// putByHand is somebody's deployment of another api right after the rollback's pins are written, which leaves these.
func putByHand(api runbook.Image) func(s *standin.State) {
	return func(s *standin.State) {
		s.AfterPins = func(s *standin.State) { put(s, "api", api) }
	}
}

// runsNow are the images of a service's containers on a host.
func (w *world) runsNow(host runbook.Host, service string) (images []runbook.Image) {
	w.hosts[host].Set(func(s *standin.State) {
		for _, c := range s.Containers[service] {
			images = append(images, c.Image)
		}
	})
	return images
}

// pinsFile is all that a host's pins file holds.
func pinsFile(h *standin.Host) (text string) {
	h.Set(func(s *standin.State) {
		text = s.Other
		for _, variable := range runbook.SortedKeys(s.Pins) {
			text += variable + "=" + s.Pins[variable] + "\n"
		}
	})
	return text
}

// fileWith is what the pins file of an app holds that runs these images.
func fileWith(app runbook.App, images map[string]runbook.Image) string {
	var lines []string
	for _, service := range app.Services {
		lines = append(lines, service.Variable+"="+images[service.Name].String()+"\n")
	}
	slices.Sort(lines)
	return "SECRET=hunter2\n" + strings.Join(lines, "")
}

// leaseOn is the lease as it stands on a host; nil: there is none.
func leaseOn(h *standin.Host) (lease *standin.Lease) {
	h.Set(func(s *standin.State) {
		if s.Lease != nil {
			is := *s.Lease
			lease = &is
		}
	})
	return lease
}

// heldBy is who holds a host's lease now: as the lease names them; "" for nobody.
func heldBy(h *standin.Host) string {
	if lease := leaseOn(h); lease != nil && time.Now().Before(lease.Until) {
		return lease.Rollback
	}
	return ""
}

// longAfter is a moment that no test lives to see.
var longAfter = time.Unix(99999999999, 0)
