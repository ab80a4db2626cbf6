package realhost

import (
	"net/http"
	"strings"
	"sync"
	"testing"
)

// valve is between a registry and its clients: while it is shut, an engine that asks for a blob waits.
type valve struct {
	registry http.Handler

	mu   sync.Mutex
	shut chan struct{} // closed when it opens; nil while it is open
}

// ServeHTTP lets the docker command pass always: for a manifest, which is what a preflight asks for, it reads the
// image's configuration too, which is a blob. The engine gives another User-Agent, with the command's only inside.
func (v *valve) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	shut := v.shut
	v.mu.Unlock()
	if shut != nil && strings.Contains(r.URL.Path, "/blobs/") && !strings.HasPrefix(r.UserAgent(), "Docker-Client/") {
		select {
		case <-shut:
		case <-r.Context().Done():
			return
		}
	}
	v.registry.ServeHTTP(w, r)
}

// Hold makes the registry slow: an engine that pulls an image gets its manifest, and waits for its content until Release.
func (r *Registry) Hold(tb testing.TB) {
	tb.Helper()
	r.valve.mu.Lock()
	defer r.valve.mu.Unlock()
	if r.valve.shut == nil {
		r.valve.shut = make(chan struct{})
	}
}

// Release ends what Hold began, also for those who wait already. It does nothing where nothing is held.
func (r *Registry) Release(tb testing.TB) {
	tb.Helper()
	r.valve.mu.Lock()
	defer r.valve.mu.Unlock()
	if r.valve.shut != nil {
		close(r.valve.shut)
		r.valve.shut = nil
	}
}
