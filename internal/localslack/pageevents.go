package localslack

import (
	"bytes"
	"fmt"
	"net/http"
	"time"
)

const (
	// settle gathers changes that come together, such as a message and its edit, into one event.
	settle = 30 * time.Millisecond
	// heartbeat keeps the connection from looking idle to the browser.
	heartbeat = 15 * time.Second
)

// serveEvents sends the page of one person, again after every change (server-sent events).
func (s *Server) serveEvents(w http.ResponseWriter, r *http.Request) {
	user := r.URL.Query().Get("as")
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	var last []byte
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		m := s.model(user)
		if now := encode(m); !bytes.Equal(now, last) {
			last = now
			if _, err := fmt.Fprintf(w, "data: %s\n\n", now); err != nil || out.Flush() != nil {
				return
			}
		}
		select {
		case <-changed:
			if !s.sleep(r.Context(), settle) {
				return
			}
		case <-beat.C:
			if _, err := fmt.Fprint(w, ": still here\n\n"); err != nil || out.Flush() != nil {
				return
			}
		case <-r.Context().Done():
			return
		case <-s.closing:
			return
		}
	}
}
