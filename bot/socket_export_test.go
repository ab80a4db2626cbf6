package bot

import "net/http"

// Paced is what NewClient puts around its HTTP client.
func Paced(c *http.Client) interface {
	Do(*http.Request) (*http.Response, error)
} {
	return newPacer(c)
}

// MaxAck is the size in bytes of the smallest acknowledgement that is refused.
const MaxAck = maxAck

// Oldest is the connection that is given up first, as a count of the acknowledgements that it owes.
func Oldest(s *Socket) (owes func() int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	owed := &s.lines[0].owed
	return func() int {
		owed.mu.Lock()
		defer owed.mu.Unlock()
		return owed.n
	}
}
