package localslack

import (
	"slices"
	"time"
)

// Call is one request that the app made: a Web API call, a post to a response_url (Method "response_url")
// or an upload ("upload"). Tokens are not kept.
type Call struct {
	Method string
	Args   map[string]string // JSON values as their text
	At     time.Time
	// Done is false while the call is being answered. Status and Error are set with it: Status is the HTTP
	// status (0 if the connection ended without an answer), Error the code of an answer that wasn't ok.
	Done   bool
	Status int
	Error  string
}

// Calls are the app's requests in the order in which they came.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// CallsTo are the requests of one method.
func (s *Server) CallsTo(method string) []Call {
	return filter(s.Calls(), func(c Call) bool { return c.Method == method })
}

// record notes that a call came and returns the note's place.
func (s *Server) record(method string, a args) (Call, int) {
	c := Call{Method: method, Args: a.texts(), At: s.opts.now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, c)
	s.touchLocked()
	return c, s.callsGone + len(s.calls) - 1
}

// recordEnd notes how a call ended.
func (s *Server) recordEnd(i, status int, code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.touchLocked()
	if i -= s.callsGone; i < 0 {
		return // forgotten
	}
	c := &s.calls[i]
	c.Done, c.Status, c.Error = true, status, code
}
