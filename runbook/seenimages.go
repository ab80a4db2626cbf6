package runbook

import (
	"maps"
	"sync"
)

// seenImages remembers what each host's docker said of its images, so that a look which finds the same images again is
// a command shorter: during the proof of health there are several a second. It may be used by several goroutines.
type seenImages struct {
	mu    sync.Mutex
	views map[Host]map[string]imageView // by image ID
}

// of gives what is known of a host's images, by ID.
func (s *seenImages) of(host Host) map[string]imageView {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.views[host])
}

func (s *seenImages) add(host Host, views map[string]imageView) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.views == nil {
		s.views = map[Host]map[string]imageView{}
	}
	if s.views[host] == nil {
		s.views[host] = map[string]imageView{}
	}
	maps.Copy(s.views[host], views)
}
