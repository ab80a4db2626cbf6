package localslack

import (
	"slices"
	"strings"
)

// scope names the scope that a kind of conversation needs for a verb: "groups:read" for private channels.
func (c *conversation) scope(verb string) string {
	switch {
	case c.With != "":
		return "im:" + verb
	case c.Private:
		return "groups:" + verb
	}
	return "channels:" + verb
}

// seen finds a conversation that the app may know of.
func (s *Server) seen(id string) (*conversation, error) {
	c := s.world.channel(id)
	if c == nil || (c.Private && !c.isMember(s.world.ws.BotUser)) {
		return nil, fail("channel_not_found")
	}
	return c, nil
}

func (s *Server) conversationsInfo(a args) (object, error) {
	c, err := s.seen(a.str("channel"))
	if err != nil {
		return nil, err
	}
	if err := s.needScope(c.scope("read")); err != nil {
		return nil, err
	}
	o := s.world.slackChannel(c)
	if !a.flag("include_num_members") {
		delete(o, "num_members")
	}
	return object{"channel": o}, nil
}

func (s *Server) conversationsMembers(a args) (object, error) {
	c, err := s.seen(a.str("channel"))
	if err != nil {
		return nil, err
	}
	if err := s.needScope(c.scope("read")); err != nil {
		return nil, err
	}
	members, next, err := page(orEmpty(c.Members), a, 100, 1000)
	if err != nil {
		return nil, err
	}
	return object{"members": members, "response_metadata": object{"next_cursor": next}}, nil
}

func (s *Server) conversationsList(a args) (object, error) {
	return s.conversations(a, func(*conversation) bool { return true })
}

// usersConversations lists the bot's own conversations; of other people's this Slack tells nothing. Its objects have no
// is_member and no num_members: https://docs.slack.dev/reference/methods/users.conversations
func (s *Server) usersConversations(a args) (object, error) {
	if user := a.str("user"); user != "" && user != s.world.ws.BotUser {
		return nil, fail("method_not_supported_for_channel_type")
	}
	answer, err := s.conversations(a, func(c *conversation) bool { return c.isMember(s.world.ws.BotUser) })
	if err != nil {
		return nil, err
	}
	for _, o := range answer["channels"].([]object) {
		delete(o, "is_member")
		delete(o, "num_members")
	}
	return answer, nil
}

// conversations lists those of the types asked for that the app may know of.
func (s *Server) conversations(a args, wanted func(*conversation) bool) (object, error) {
	types := strings.Split(orDefault(a.str("types"), "public_channel"), ",")
	list := []object{}
	for _, c := range s.world.channels {
		if _, err := s.seen(c.ID); err != nil || !slices.Contains(types, c.kind()) || (c.Archived && a.flag("exclude_archived")) || !wanted(c) {
			continue
		}
		if err := s.needScope(c.scope("read")); err != nil {
			return nil, err
		}
		list = append(list, s.world.slackChannel(c))
	}
	part, next, err := page(list, a, 100, 999)
	if err != nil {
		return nil, err
	}
	return object{"channels": part, "response_metadata": object{"next_cursor": next}}, nil
}

// kind is the conversation's name in the types argument.
func (c *conversation) kind() string {
	switch {
	case c.With != "":
		return "im"
	case c.Private:
		return "private_channel"
	}
	return "public_channel"
}

// conversationsOpen opens the direct conversation with one person.
func (s *Server) conversationsOpen(a args) (object, error) {
	users := a.str("users")
	u := s.world.user(users)
	switch {
	case users == "":
		return nil, fail("users_list_not_supplied")
	case strings.Contains(users, ","):
		return nil, fail("method_not_supported_for_channel_type") // group conversations are not part of this Slack
	case u == nil:
		return nil, fail("user_not_found")
	case u.Deleted:
		return nil, fail("user_disabled")
	case u.Bot:
		return nil, fail("cannot_dm_bot")
	}
	c, opened := s.world.direct(u.ID, s.opts.now())
	return object{"no_op": !opened, "already_open": !opened, "channel": object{"id": c.ID}}, nil
}
