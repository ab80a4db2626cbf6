package localslack

import "strconv"

// The payloads of commands and interactions, with the keys that Slack sends:
// https://docs.slack.dev/reference/interaction-payloads and
// https://docs.slack.dev/interactivity/implementing-slash-commands.

// verificationToken is Slack's deprecated token; it proves nothing and apps ignore it.
const verificationToken = "local"

func (s *Server) commandPayload(u *User, c *conversation, command, text string) object {
	w := s.world
	return object{
		"token": verificationToken, "api_app_id": w.appID,
		"team_id": w.ws.TeamID, "team_domain": w.ws.domain(),
		"channel_id": c.ID, "channel_name": c.payloadName(),
		"user_id": u.ID, "user_name": u.Name,
		"command": command, "text": text,
		"is_enterprise_install": "false", // a string, unlike in all other payloads
		"response_url":          s.newHook(responseHook{user: u.ID, channel: c.ID}),
		"trigger_id":            s.newTrigger(u.ID),
	}
}

// payloadName is what payloads call the conversation.
func (c *conversation) payloadName() string {
	switch {
	case c.With != "":
		return "directmessage"
	case c.Private:
		return "privategroup"
	}
	return c.Name
}

// interaction is what all interactive payloads begin with.
func (s *Server) interaction(kind string, u *User) object {
	w := s.world
	return object{
		"type": kind, "token": verificationToken, "api_app_id": w.appID,
		"team":                  object{"id": w.ws.TeamID, "domain": w.ws.domain()},
		"user":                  object{"id": u.ID, "username": u.Name, "name": u.Name, "team_id": u.TeamID},
		"enterprise":            nil,
		"is_enterprise_install": false,
		"trigger_id":            s.newTrigger(u.ID),
	}
}

// messageAction is the payload of a click or choice in a message.
func (s *Server) messageAction(u *User, c *conversation, m *Message, values map[string]map[string]any, action object) object {
	private := m.For != ""
	container := object{
		"type": "message", "message_ts": m.TS, "channel_id": c.ID, "is_ephemeral": private,
	}
	if m.ThreadTS != "" {
		container["thread_ts"] = m.ThreadTS
	}
	p := s.interaction("block_actions", u)
	p["container"] = container
	p["channel"] = object{"id": c.ID, "name": c.payloadName()}
	p["state"] = object{"values": values}
	p["response_url"] = s.newHook(responseHook{user: u.ID, channel: c.ID, original: m.TS, private: private})
	p["actions"] = []object{action}
	if !private { // Slack keeps private messages nowhere and can't send them along
		p["message"] = s.world.slackMessage(c, m, true)
	}
	return p
}

// viewAction is the payload of a click or choice in a modal or Home tab.
func (s *Server) viewAction(u *User, v *view, action object) object {
	p := s.interaction("block_actions", u)
	p["container"] = object{"type": "view", "view_id": v.ID}
	p["view"] = v.json(s.world, v.state())
	p["actions"] = []object{action}
	return p
}

// viewSubmission is the payload of a form sent.
func (s *Server) viewSubmission(u *User, v *view) object {
	p := s.interaction("view_submission", u)
	p["view"] = v.json(s.world, v.state())
	p["response_urls"] = []object{}
	return p
}

// viewClosed is the payload of a form given up.
func (s *Server) viewClosed(u *User, v *view, cleared bool) object {
	p := s.interaction("view_closed", u)
	delete(p, "trigger_id")
	p["view"] = v.json(s.world, v.state())
	p["is_cleared"] = cleared
	return p
}

// action is one entry of actions: the element as it was shown, with what was chosen.
func (s *Server) action(block string, e object, state object) object {
	now := s.opts.now().UnixMicro()
	a := object{
		"type": e["type"], "block_id": block, "action_id": e["action_id"],
		"action_ts": strconv.FormatInt(now/1e6, 10) + "." + strconv.FormatInt(1e6+now%1e6, 10)[1:],
	}
	for _, key := range []string{"text", "value", "style", "confirm", "url", "placeholder"} {
		if e[key] != nil {
			a[key] = e[key]
		}
	}
	for key, value := range state {
		a[key] = value
	}
	return a
}
