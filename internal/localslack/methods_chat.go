package localslack

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of a message's text.
const (
	// maxPostRunes is where a posted text is cut:
	// https://docs.slack.dev/changelog/2018-truncating-really-long-messages
	maxPostRunes = 40_000
	// maxUpdateRunes is where an edit is refused (msg_too_long):
	// https://docs.slack.dev/reference/methods/chat.update
	maxUpdateRunes = 4_000
)

// chatPostMessage posts to a channel, to a thread, or to a person's direct conversation.
func (s *Server) chatPostMessage(a args) (object, error) {
	c, err := s.writable(a.str("channel"))
	if err != nil {
		return nil, err
	}
	content, err := s.content(a)
	if err != nil {
		return nil, err
	}
	m := s.newBotMessage(c.ID, content)
	if err := s.putInThread(c, m, a); err != nil {
		return nil, err
	}
	c.messages = append(c.messages, m)
	return object{"channel": c.ID, "ts": m.TS, "message": s.world.slackMessage(c, m, true)}, nil
}

// putInThread makes m a reply if the call asks for one. The thread must exist: Slack takes others too, but
// their replies are nowhere to be seen, which nobody wants.
func (s *Server) putInThread(c *conversation, m *Message, a args) error {
	ts := a.str("thread_ts")
	if ts == "" {
		return nil
	}
	if parent := c.message(ts); parent == nil || parent.ThreadTS != "" {
		return fail("cannot_reply_to_message")
	}
	m.ThreadTS = ts
	if a.flag("reply_broadcast") {
		m.Subtype = "thread_broadcast"
	}
	return nil
}

// chatUpdate replaces what one of the app's own messages says. Text without blocks takes the blocks away;
// metadata stays unless new is given, and an empty object takes it away.
func (s *Server) chatUpdate(a args) (object, error) {
	c, m, err := s.ownMessage(a, "cant_update_message")
	if err != nil {
		return nil, err
	}
	content, err := s.content(a)
	if err != nil {
		return nil, err
	}
	if utf8.RuneCountInString(content.text) > maxUpdateRunes {
		return nil, fail("msg_too_long")
	}
	m.revise(s.opts.now())
	m.Text, m.Blocks = content.text, content.blocks
	if a.has("attachments") {
		m.Attachments = content.attachments
	}
	if a.has("metadata") {
		m.Metadata = content.metadata
	}
	m.interactions = nil
	return object{"channel": c.ID, "ts": m.TS, "text": m.Text, "message": s.world.slackMessage(c, m, true)}, nil
}

// chatDelete takes one of the app's own messages away.
func (s *Server) chatDelete(a args) (object, error) {
	c, m, err := s.ownMessage(a, "cant_delete_message")
	if err != nil {
		return nil, err
	}
	ts := m.TS
	c.remove(m)
	return object{"channel": c.ID, "ts": ts}, nil
}

// ownMessage finds the app's message that channel and ts name.
func (s *Server) ownMessage(a args, notOwn string) (*conversation, *Message, error) {
	c := s.world.channel(a.str("channel"))
	if c == nil || (c.Private && !c.isMember(s.world.ws.BotUser)) {
		return nil, nil, fail("channel_not_found")
	}
	m := c.message(a.str("ts"))
	switch {
	case m == nil || m.Subtype == "tombstone":
		return nil, nil, fail("message_not_found")
	case m.BotID != s.world.botID:
		return nil, nil, fail(notOwn)
	case c.Archived:
		return nil, nil, fail("is_archived")
	}
	return c, m, nil
}

// chatPostEphemeral shows a message to one member of the channel.
func (s *Server) chatPostEphemeral(a args) (object, error) {
	c, err := s.writable(a.str("channel"))
	if err != nil {
		return nil, err
	}
	user := a.str("user")
	if s.world.user(user) == nil {
		return nil, fail("user_not_found")
	}
	if !c.isMember(user) {
		return nil, fail("user_not_in_channel")
	}
	content, err := s.content(a)
	if err != nil {
		return nil, err
	}
	m := s.newBotMessage(c.ID, content)
	m.For, m.Metadata = user, nil // a private message is kept nowhere, nor is its metadata
	m.ThreadTS = a.str("thread_ts")
	s.world.privates = append(s.world.privates, m)
	return object{"message_ts": m.TS}, nil
}

// chatGetPermalink gives the link to a message; the page opens it.
func (s *Server) chatGetPermalink(a args) (object, error) {
	c := s.world.channel(a.str("channel"))
	if c == nil {
		return nil, fail("channel_not_found")
	}
	m := c.message(a.str("message_ts"))
	if m == nil {
		return nil, fail("message_not_found")
	}
	return object{"channel": c.ID, "permalink": s.permalink(m)}, nil
}

// permalink is a message's address in Slack's form.
func (s *Server) permalink(m *Message) string {
	link := s.URL() + "/archives/" + m.Channel + "/p" + strings.ReplaceAll(m.TS, ".", "")
	if m.ThreadTS != "" {
		link += "?thread_ts=" + m.ThreadTS + "&cid=" + m.Channel
	}
	return link
}

// writable finds the conversation that the app may post to: by ID, by name as chat methods allow, or by the
// ID of a person, which means the direct conversation.
func (s *Server) writable(target string) (*conversation, error) {
	w := s.world
	if u := w.user(target); u != nil {
		if u.Bot || u.Deleted {
			return nil, fail("channel_not_found")
		}
		c, _ := w.direct(u.ID, s.opts.now())
		return c, nil
	}
	name := strings.TrimPrefix(target, "#")
	c := find(w.channels, func(c *conversation) bool { return c.ID == target || (c.With == "" && c.Name == name) })
	switch {
	case c == nil || (c.Private && !c.isMember(w.ws.BotUser)):
		return nil, fail("channel_not_found")
	case c.Archived:
		return nil, fail("is_archived")
	case !c.isMember(w.ws.BotUser) && !slices.Contains(w.ws.Scopes, "chat:write.public"):
		return nil, fail("not_in_channel")
	}
	return c, nil
}
