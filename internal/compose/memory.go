package compose

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"rollbackbot/runbook"
)

// memory is what this process remembers of an app on a host from its last looks, so that the next one is shorter: while an
// outage lasts, each docker command costs 30 ms. What it remembers only says what to ask for; what is true is asked each
// time. The zero value remembers nothing.
type memory struct {
	mu   sync.Mutex
	last recollection
}

// recollection is what is remembered.
type recollection struct {
	project string
	ids     []string             // of all containers of the project
	images  map[string]imageView // what docker said of its images, by ID: an ID is made from the content
	refs    []runbook.Pin        // by what the containers of each planned service were started
	launch  launch               // how compose is called, once that was found out
	found   projects             // from what it was
	called  launch               // how it is called in a plan
	running map[string]string    // by service, what it runs: by digest where that is known
	forms   forms                // of the app's files, read in that way
}

func (m *memory) recall() recollection {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.last
	known.images = maps.Clone(known.images)
	return known
}

// learn adds what docker said of images.
func (m *memory) learn(views ...imageView) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.last.images == nil {
		m.last.images = map[string]imageView{}
	}
	for _, view := range views {
		m.last.images[view.ID] = view
	}
}

// launched remembers how compose is called.
func (m *memory) launched(l launch, found projects) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last.launch, m.last.found = l, found
}

// calls remembers how compose is called in a plan, and the forms of the files that it reads then.
func (m *memory) calls(l launch, f forms) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last.called, m.last.forms = l, f
}

// saw remembers a look.
func (m *memory) saw(s sight, refs []runbook.Pin) {
	m.learn(slices.Collect(maps.Values(s.images))...)
	running := map[string]string{}
	for _, c := range s.containers {
		running[c.Service] = cmp.Or(s.service(c.Service).Image.String(), c.Ref)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last.project, m.last.ids, m.last.refs, m.last.running = s.project, s.ids, refs, running
}
