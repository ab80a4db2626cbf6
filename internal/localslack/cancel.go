package localslack

import (
	"context"
	"fmt"
)

// Cancel closes the form that the person has in front of them; the app learns of it if the form says so, and then the
// acknowledgement is waited for.
func (s *Server) Cancel(ctx context.Context, user, viewID string) (Ack, error) {
	e, notify, err := s.prepareCancel(user, viewID)
	if err != nil || !notify {
		return Ack{}, err
	}
	return s.deliver(ctx, e)
}

func (s *Server) prepareCancel(user, viewID string) (e Envelope, notify bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, v, err := s.viewBefore(user, viewID)
	if err != nil {
		return Envelope{}, false, err
	}
	if v.Type != "modal" {
		return Envelope{}, false, fmt.Errorf("%w: %q is no modal", ErrNoView, viewID)
	}
	e = s.newEnvelope("interactive", s.viewClosed(u, v, v.clearOnClose), false)
	if v.clearOnClose {
		s.world.clear(user)
	} else {
		s.world.pop(user)
	}
	s.touchLocked()
	return e, v.notifyOnClose, nil
}
