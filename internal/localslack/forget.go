package localslack

import "slices"

// Forget takes away the messages that old says so of, private ones included, and every note of calls and envelopes, so
// that a Slack can run for long. It gives the messages that it took, for those who count.
func (s *Server) Forget(old func(Message) bool) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.callsGone, s.calls = s.callsGone+len(s.calls), nil
	s.sentGone, s.envelopes = s.sentGone+len(s.envelopes), nil
	var gone []Message
	take := func(m *Message) bool {
		if !old(*m) {
			return false
		}
		gone = append(gone, *m)
		return true
	}
	for _, c := range s.world.channels {
		c.messages = slices.DeleteFunc(c.messages, take)
	}
	s.world.privates = slices.DeleteFunc(s.world.privates, take)
	s.touchLocked()
	return gone
}
