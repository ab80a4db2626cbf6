package localslack

import (
	"context"
	"slices"
)

// Snapshot is what everybody sees at one moment. It doesn't change any more.
type Snapshot struct {
	messages map[string][]Message
	directs  map[string]string // the ID of each person's conversation with the bot
	privates []Message
	modals   map[string]View
	homes    map[string]View
	sockets  int
	admitted int
}

// Snapshot takes a snapshot.
func (s *Server) Snapshot() *Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.snapshotLocked()
}

func (s *Server) snapshotLocked() *Snapshot {
	n := &Snapshot{messages: map[string][]Message{}, directs: map[string]string{}, modals: map[string]View{}, homes: map[string]View{}, sockets: s.openSockets(), admitted: s.socketSeq}
	for _, c := range s.world.channels {
		if c.With != "" {
			n.directs[c.With] = c.ID
		}
		for _, m := range c.messages {
			n.messages[c.ID] = append(n.messages[c.ID], *m)
		}
	}
	for _, m := range s.world.privates {
		n.privates = append(n.privates, *m)
	}
	for user := range s.world.stacks {
		if v := s.world.openView(user); v != nil {
			n.modals[user] = v.View
		}
	}
	for user, v := range s.world.homes {
		n.homes[user] = v.View
	}
	return n
}

// Messages are the channel's top-level messages, oldest first, replies that were also sent to the
// channel included.
func (n *Snapshot) Messages(channel string) []Message {
	return filter(n.messages[channel], func(m Message) bool { return m.topLevel() })
}

// Replies are the messages of the thread that begins with ts, without the first, oldest first.
func (n *Snapshot) Replies(channel, ts string) []Message {
	return filter(n.messages[channel], func(m Message) bool { return m.ThreadTS == ts })
}

// Message finds one message, top-level or reply.
func (n *Snapshot) Message(channel, ts string) (Message, bool) {
	i := slices.IndexFunc(n.messages[channel], func(m Message) bool { return m.TS == ts })
	if i < 0 {
		return Message{}, false
	}
	return n.messages[channel][i], true
}

// Private are the messages that only this person sees, oldest first: ephemeral messages, answers to
// their commands and clicks, and what Slack itself tells them.
func (n *Snapshot) Private(user string) []Message {
	return filter(n.privates, func(m Message) bool { return m.For == user })
}

// Direct are the messages of this person's own conversation with the bot, oldest first.
func (n *Snapshot) Direct(user string) []Message { return n.Messages(n.directs[user]) }

// OpenView is the form that this person has in front of them.
func (n *Snapshot) OpenView(user string) (View, bool) {
	v, ok := n.modals[user]
	return v, ok
}

// Home is the app's Home tab for this person.
func (n *Snapshot) Home(user string) (View, bool) {
	v, ok := n.homes[user]
	return v, ok
}

// Sockets counts the app's open connections.
func (n *Snapshot) Sockets() int { return n.sockets }

// SocketsSoFar counts all of the app's connections until now, those that have ended too.
func (n *Snapshot) SocketsSoFar() int { return n.admitted }

// Messages is [Snapshot.Messages] of now.
func (s *Server) Messages(channel string) []Message { return s.Snapshot().Messages(channel) }

// Replies is [Snapshot.Replies] of now.
func (s *Server) Replies(channel, ts string) []Message { return s.Snapshot().Replies(channel, ts) }

// Private is [Snapshot.Private] of now.
func (s *Server) Private(user string) []Message { return s.Snapshot().Private(user) }

// OpenView is [Snapshot.OpenView] of now.
func (s *Server) OpenView(user string) (View, bool) { return s.Snapshot().OpenView(user) }

// Home is [Snapshot.Home] of now. The bot publishes it when it likes; [Server.OpenHome] opens the tab.
func (s *Server) Home(user string) (View, bool) { return s.Snapshot().Home(user) }

// Wait returns nil as soon as ok holds, asking again after every change. It returns the context's
// error when that ends first, and [ErrClosed] when the server is closed.
// New calls, ends of calls and envelopes are changes too, so ok may look at [Server.Calls] and [Server.Envelopes].
func (s *Server) Wait(ctx context.Context, ok func(now *Snapshot) bool) error {
	for {
		s.mu.Lock()
		now, changed := s.snapshotLocked(), s.changed
		s.mu.Unlock()
		if ok(now) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.closing:
			return ErrClosed
		}
	}
}

// touchLocked tells everybody who waits that something changed.
func (s *Server) touchLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func filter[T any](list []T, keep func(T) bool) []T {
	var out []T
	for _, x := range list {
		if keep(x) {
			out = append(out, x)
		}
	}
	return out
}
