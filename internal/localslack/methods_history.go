package localslack

import "slices"

// readable finds a conversation whose messages the app may read.
func (s *Server) readable(id string) (*conversation, error) {
	c, err := s.seen(id)
	if err != nil {
		return nil, err
	}
	if err := s.needScope(c.scope("history")); err != nil {
		return nil, err
	}
	if !c.isMember(s.world.ws.BotUser) {
		return nil, fail("not_in_channel")
	}
	return c, nil
}

// conversationsHistory lists a channel's messages, newest first.
func (s *Server) conversationsHistory(a args) (object, error) {
	c, err := s.readable(a.str("channel"))
	if err != nil {
		return nil, err
	}
	var found []*Message
	for _, m := range slices.Backward(c.messages) {
		if m.topLevel() && within(m.TS, a) {
			found = append(found, m)
		}
	}
	return s.messagePage(c, found, a)
}

// conversationsReplies lists a thread, oldest first. Its first message always leads.
func (s *Server) conversationsReplies(a args) (object, error) {
	c, err := s.readable(a.str("channel"))
	if err != nil {
		return nil, err
	}
	first := c.message(a.str("ts"))
	if first == nil {
		return nil, fail("thread_not_found")
	}
	if first.ThreadTS != "" {
		return s.messagePage(c, []*Message{first}, a) // Slack answers the ts of a reply with that reply alone
	}
	found := []*Message{first}
	for _, m := range c.replies(first.TS) {
		if within(m.TS, a) {
			found = append(found, m)
		}
	}
	return s.messagePage(c, found, a)
}

// within reports whether a timestamp lies between oldest and latest, the bounds themselves only if the call
// says inclusive.
func within(ts string, a args) bool {
	oldest, latest, inclusive := a.str("oldest"), a.str("latest"), a.flag("inclusive")
	after := oldest == "" || oldest == "0" || compareTS(ts, oldest) > 0 || (inclusive && compareTS(ts, oldest) == 0)
	before := latest == "" || latest == "now" || compareTS(ts, latest) < 0 || (inclusive && compareTS(ts, latest) == 0)
	return after && before
}

func (s *Server) messagePage(c *conversation, found []*Message, a args) (object, error) {
	part, next, err := page(found, a, 100, 999)
	if err != nil {
		return nil, err
	}
	list := make([]object, 0, len(part))
	for _, m := range part {
		list = append(list, s.world.slackMessage(c, m, a.flag("include_all_metadata")))
	}
	out := object{"messages": list, "has_more": next != ""}
	if next != "" {
		out["response_metadata"] = object{"next_cursor": next}
	}
	return out, nil
}
