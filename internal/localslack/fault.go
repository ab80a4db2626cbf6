package localslack

import (
	"net"
	"net/http"
	"strconv"
	"time"
)

// Fault is how one call goes wrong. Delay comes first; then the first of Hang, Reset, RetryAfter, Status
// and Error that is set. A Fault with only Delay is a slow call that works.
type Fault struct {
	Delay      time.Duration
	Hang       bool   // no answer until the client gives up
	Reset      bool   // the connection is reset before anything happens
	LoseAnswer bool   // the call is carried out, then the connection is reset
	RetryAfter int    // seconds: 429 with this Retry-After
	Status     int    // this HTTP status with an empty body
	Error      string // {"ok":false,"error":…}
}

// Fault sets what decides, call by call, how calls go wrong; nil from it lets the call pass, and a nil
// function lets all pass. It sees Web API calls by their method, posts to a response_url as "response_url"
// and uploads as "upload". It is called without locks, from the calls' own goroutines.
func (s *Server) Fault(decide func(call Call) *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = decide
}

func (s *Server) faultFor(c Call) *Fault {
	s.mu.Lock()
	decide := s.fault
	s.mu.Unlock()
	if decide == nil {
		return nil
	}
	return decide(c)
}

// spoil plays f before the call is carried out. It reports whether it is over with that, and with which
// status and error.
func (s *Server) spoil(f *Fault, w http.ResponseWriter, r *http.Request) (over bool, status int, code string) {
	if f.Delay > 0 && !s.sleep(r.Context(), f.Delay) {
		return true, 0, "canceled"
	}
	switch {
	case f.Hang:
		select {
		case <-r.Context().Done():
		case <-s.closing:
		}
		return true, 0, "hung"
	case f.Reset:
		resetConnection(w)
		return true, 0, "reset"
	case f.RetryAfter > 0:
		tooMany(w, f.RetryAfter)
		return true, http.StatusTooManyRequests, "ratelimited"
	case f.Status > 0:
		w.WriteHeader(f.Status)
		return true, f.Status, ""
	case f.Error != "":
		writeJSON(w, http.StatusOK, object{"ok": false, "error": f.Error})
		return true, http.StatusOK, f.Error
	}
	return false, 0, ""
}

// tooMany answers 429 as Slack does: https://docs.slack.dev/apis/web-api/rate-limits
func tooMany(w http.ResponseWriter, seconds int) {
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	writeJSON(w, http.StatusTooManyRequests, object{"ok": false, "error": "ratelimited"})
}

// resetConnection ends the connection so that the client sees a reset instead of an answer.
func resetConnection(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // the server's way to end a connection that can't be taken over
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // reset rather than a clean end; without it the client still gets no answer
	}
	_ = conn.Close()
}
