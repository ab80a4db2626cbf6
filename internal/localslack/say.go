package localslack

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Say posts a plain message of a person to a channel, or to the thread that begins with threadTS. If the app
// subscribed to such events it gets them, in the background.
func (s *Server) Say(user, channel, threadTS, text string) (Message, error) {
	s.mu.Lock()
	u, c, err := s.who(user, channel)
	if err != nil {
		s.mu.Unlock()
		return Message{}, err
	}
	if threadTS != "" && (c.message(threadTS) == nil || c.message(threadTS).ThreadTS != "") {
		s.mu.Unlock()
		return Message{}, fmt.Errorf("%w: no thread %s", ErrNoMessage, threadTS)
	}
	m := &Message{
		TS: s.world.newTS(s.opts.now()), ThreadTS: threadTS, Channel: c.ID, User: u.ID,
		Text: s.world.typed(text, false),
	}
	c.messages = append(c.messages, m)
	events := s.eventsOf(c, m)
	said := *m
	s.touchLocked()
	s.mu.Unlock()
	for _, e := range events {
		s.background(func() { s.sendEvent(e) })
	}
	return said, nil
}

// eventsOf are the events that the app gets for a message of a person: those it subscribed to, in conversations
// that it is in.
func (s *Server) eventsOf(c *conversation, m *Message) []object {
	w := s.world
	if !c.isMember(w.ws.BotUser) {
		return nil
	}
	names := map[string][2]string{
		"im": {"message.im", "im"}, "private_channel": {"message.groups", "group"}, "public_channel": {"message.channels", "channel"},
	}[c.kind()]
	event := func(name string) object {
		e := w.slackMessage(c, m, false)
		e["type"], e["channel"], e["event_ts"] = name, c.ID, m.TS
		return e
	}
	var out []object
	if slices.Contains(w.ws.Events, names[0]) {
		e := event("message")
		e["channel_type"] = names[1]
		out = append(out, e)
	}
	if slices.Contains(w.ws.Events, "app_mention") && strings.Contains(m.Text, "<@"+w.ws.BotUser+">") {
		out = append(out, event("app_mention"))
	}
	return out
}

// OpenHome opens the app's Home tab for a person; the app gets app_home_opened if it subscribed to that. It
// waits for the first delivery's acknowledgement; later deliveries happen in the background.
func (s *Server) OpenHome(ctx context.Context, user string) (Ack, error) {
	return s.openTab(ctx, user, "home")
}

// openTab opens one of the app's tabs for a person, "home" or "messages"; the event is the same for both.
func (s *Server) openTab(ctx context.Context, user, tab string) (Ack, error) {
	s.mu.Lock()
	u := s.world.user(user)
	if u == nil {
		s.mu.Unlock()
		return Ack{}, fmt.Errorf("%w: %q", ErrNoUser, user)
	}
	c, _ := s.world.direct(user, s.opts.now())
	subscribed := slices.Contains(s.world.ws.Events, "app_home_opened")
	e := object{"type": "app_home_opened", "user": user, "channel": c.ID, "tab": tab, "event_ts": s.world.newTS(s.opts.now())}
	if v := s.world.homes[user]; v != nil && tab == "home" {
		e["view"] = v.json(s.world, v.state())
	}
	payload := s.eventPayload(e)
	s.touchLocked()
	s.mu.Unlock()
	if !subscribed {
		return Ack{}, nil
	}
	first := s.newEnvelope("events_api", payload, false)
	ack, err := s.deliver(ctx, first)
	if err != nil {
		s.background(func() { s.retryEvent(first) })
	}
	return ack, err
}

// eventRetries are the pauses before an unacknowledged event is sent again:
// https://docs.slack.dev/apis/events-api#retries. Commands and interactions are never sent again.
var eventRetries = []time.Duration{0, time.Minute, 5 * time.Minute}

func (s *Server) sendEvent(event object) {
	s.mu.Lock()
	payload := s.eventPayload(event)
	s.mu.Unlock()
	first := s.newEnvelope("events_api", payload, false)
	if _, err := s.deliver(context.Background(), first); err != nil {
		s.retryEvent(first)
	}
}

// retryEvent sends an event again until it is acknowledged, in a new envelope each time, as often as Slack does.
func (s *Server) retryEvent(first Envelope) {
	for i, pause := range eventRetries {
		if !s.sleep(context.Background(), pause) {
			return
		}
		e := first
		e.ID, e.RetryAttempt, e.RetryReason = newUUID(), i+1, "timeout"
		if _, err := s.deliver(context.Background(), e); err == nil {
			return
		}
	}
}

func (s *Server) eventPayload(event object) object {
	w := s.world
	return object{
		"type": "event_callback", "token": verificationToken, "team_id": w.ws.TeamID, "api_app_id": w.appID,
		"context_team_id": w.ws.TeamID, "context_enterprise_id": nil,
		"event": event, "event_id": w.newID("Ev"), "event_time": s.opts.now().Unix(),
		"authorizations": []object{{
			"enterprise_id": nil, "team_id": w.ws.TeamID, "user_id": w.ws.BotUser, "is_bot": true, "is_enterprise_install": false,
		}},
		"is_ext_shared_channel": false,
	}
}
