package runbook

import (
	"maps"
	"sync"
	"time"
)

// recall is what this process remembers of each host from its last looks, so that the next one is shorter: while an outage
// lasts, each docker command costs 30 ms. What it remembers only says what to ask for; what is true is asked each time.
// The zero value remembers nothing, and so does a nil one. It may be used by several goroutines.
type recall struct {
	mu    sync.Mutex
	hosts map[Host]recollection
}

// recollection is what is remembered of one host.
type recollection struct {
	images map[string]imageView // what docker said of its images, by ID: an ID is made from the content
	sight  Sight                // as the last look found it
	at     time.Time            // when that began; zero: there was none
}

// of gives what is remembered of a host.
func (r *recall) of(host Host) recollection {
	if r == nil {
		return recollection{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.hosts[host]
	known.images = maps.Clone(known.images)
	return known
}

// learn adds what docker said of images on a host.
func (r *recall) learn(host Host, views ...imageView) {
	r.change(host, func(known *recollection) {
		for _, view := range views {
			known.images[view.ID] = view
		}
	})
}

// saw remembers a look that began at that time.
func (r *recall) saw(host Host, sight Sight, at time.Time) {
	r.change(host, func(known *recollection) {
		maps.Copy(known.images, sight.Images)
		known.sight, known.at = sight, at
	})
}

func (r *recall) change(host Host, change func(*recollection)) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hosts == nil {
		r.hosts = map[Host]recollection{}
	}
	known := r.hosts[host]
	if known.images == nil {
		known.images = map[string]imageView{}
	}
	change(&known)
	r.hosts[host] = known
}
