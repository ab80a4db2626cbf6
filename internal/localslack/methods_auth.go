package localslack

// apiTest echoes what it was asked, and fails if it was asked to.
func (s *Server) apiTest(a args) (object, error) {
	given := object{}
	for key, value := range a.texts() {
		given[key] = value
	}
	if code := a.str("error"); code != "" {
		return nil, &apiError{code: code, more: object{"args": given}}
	}
	return object{"args": given}, nil
}

// authTest tells an app who it is.
func (s *Server) authTest(args) (object, error) {
	w := s.world
	return object{
		"url": s.URL() + "/", "team": w.ws.TeamName, "team_id": w.ws.TeamID,
		"user": w.user(w.ws.BotUser).Name, "user_id": w.ws.BotUser, "bot_id": w.botID,
		"is_enterprise_install": false,
	}, nil
}

// botsInfo describes the app's bot, the only one there is.
func (s *Server) botsInfo(a args) (object, error) {
	if id := a.str("bot"); id != "" && id != s.world.botID {
		return nil, fail("bot_not_found")
	}
	return object{"bot": s.world.botObject()}, nil
}
