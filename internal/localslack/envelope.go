package localslack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// maxAck is the size from which an acknowledgement is dropped without a word, as Slack drops it. The figure is that
// of slack-go, whose authors measured it.
const maxAck = 20_480

// ErrNotAcked means that the app didn't acknowledge in time, or has no connection at all. The person was told so.
var ErrNotAcked = errors.New("the app did not acknowledge in time")

// Envelope is one thing that was sent to the app over a socket.
type Envelope struct {
	ID      string
	Type    string // "slash_commands", "interactive" or "events_api"
	Payload json.RawMessage
	// Accepts says whether the acknowledgement may carry an answer.
	Accepts      bool
	RetryAttempt int    // events only
	RetryReason  string // events only

	Sent  bool // false if there was no socket to send it on
	Acked bool
}

// received is an acknowledgement.
type received struct {
	payload json.RawMessage
}

// Envelopes are all envelopes so far, in the order in which they were sent.
func (s *Server) Envelopes() []Envelope {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.envelopes)
}

// Redeliver sends the last envelope again with the same ID, as Slack sometimes does with commands and events that
// were acknowledged already. The answer to the second delivery is not shown to anybody.
func (s *Server) Redeliver(ctx context.Context) (Ack, error) {
	s.mu.Lock()
	if len(s.envelopes) == 0 {
		s.mu.Unlock()
		return Ack{}, errors.New("nothing was sent to the app yet")
	}
	e := s.envelopes[len(s.envelopes)-1]
	s.mu.Unlock()
	e.Acked, e.Sent = false, false
	return s.deliver(ctx, e)
}

// newEnvelope wraps a payload.
func (s *Server) newEnvelope(kind string, payload object, accepts bool) Envelope {
	return Envelope{ID: newUUID(), Type: kind, Payload: encode(payload), Accepts: accepts}
}

// deliver sends an envelope on any one socket and waits for its acknowledgement, on whichever socket that comes.
func (s *Server) deliver(ctx context.Context, e Envelope) (Ack, error) {
	start := time.Now()
	answer := make(chan received, 1)
	s.mu.Lock()
	to := s.pickSocket()
	e.Sent = to != nil
	s.envelopes = append(s.envelopes, e)
	place := s.sentGone + len(s.envelopes) - 1
	warn := to != nil && s.warnNext > 0
	if warn {
		s.warnNext--
	}
	s.pending[e.ID] = answer
	s.touchLocked()
	s.mu.Unlock()
	defer s.forget(e.ID, answer)
	ack := Ack{Envelope: e.ID}
	if to == nil {
		return ack, fmt.Errorf("%w: it has no open socket", ErrNotAcked)
	}
	if warn {
		s.retire(to, "warning")
	}
	if !s.sendOn(to, e) {
		s.change(func() {
			if i := place - s.sentGone; i >= 0 {
				s.envelopes[i].Sent = false
			}
		})
		return ack, fmt.Errorf("%w: its last socket was just closed", ErrNotAcked)
	}
	timeout := time.NewTimer(s.opts.ackTimeout)
	defer timeout.Stop()
	select {
	case got := <-answer:
		ack.Payload, ack.Took = got.payload, time.Since(start)
		s.change(func() {
			if i := place - s.sentGone; i >= 0 {
				s.envelopes[i].Acked = true
			}
		})
		return ack, nil
	case <-timeout.C:
		return ack, ErrNotAcked
	case <-ctx.Done():
		return ack, ctx.Err()
	case <-s.closing:
		return ack, ErrClosed
	}
}

// sendOn sends an envelope on a socket, or on another one where that is being closed; false if there is none left.
func (s *Server) sendOn(to *socket, e Envelope) bool {
	for to != nil && !to.send(e.wire()) {
		s.mu.Lock()
		to = s.pickSocket()
		s.mu.Unlock()
	}
	return to != nil
}

// forget stops waiting for an acknowledgement, unless a later delivery of the same envelope waits.
func (s *Server) forget(id string, answer chan received) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending[id] == answer {
		delete(s.pending, id)
	}
}

// acknowledge takes one message of the app. What is no acknowledgement of something pending is ignored.
func (s *Server) acknowledge(message []byte) {
	var ack struct {
		EnvelopeID string          `json:"envelope_id"`
		Payload    json.RawMessage `json:"payload"`
	}
	if len(message) >= maxAck || json.Unmarshal(message, &ack) != nil {
		return
	}
	s.mu.Lock()
	answer := s.pending[ack.EnvelopeID]
	delete(s.pending, ack.EnvelopeID)
	s.mu.Unlock()
	if answer != nil {
		answer <- received{payload: ack.Payload}
	}
}

// wire is the envelope in Slack's JSON: https://docs.slack.dev/apis/events-api/using-socket-mode
func (e Envelope) wire() object {
	o := object{
		"envelope_id": e.ID, "type": e.Type, "payload": e.Payload, "accepts_response_payload": e.Accepts,
	}
	if e.Type == "events_api" {
		o["retry_attempt"], o["retry_reason"] = e.RetryAttempt, e.RetryReason
	}
	return o
}

// newUUID makes an envelope's ID in Slack's form.
func newUUID() string {
	h := randomHex(16)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
