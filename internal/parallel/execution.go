package parallel

import "sync"

// Serial makes a function be called by one goroutine at a time.
type Serial struct{ mu sync.Mutex }

// Do runs f while no other is run by s.
func (s *Serial) Do(f func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return f()
}
