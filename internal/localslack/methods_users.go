package localslack

import "time"

func (s *Server) usersInfo(a args) (object, error) {
	u := s.world.user(a.str("user"))
	if u == nil {
		return nil, fail("user_not_found")
	}
	return object{"user": s.world.slackUser(u)}, nil
}

func (s *Server) usersList(a args) (object, error) {
	part, next, err := page(s.world.users, a, len(s.world.users), 1000)
	if err != nil {
		return nil, err
	}
	members := make([]object, 0, len(part))
	for _, u := range part {
		members = append(members, s.world.slackUser(u))
	}
	return object{
		"members": members, "cache_ts": s.opts.now().Unix(),
		"response_metadata": object{"next_cursor": next},
	}, nil
}

// groupsCreated stands for when all user groups were made; nothing here depends on it.
var groupsCreated = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

func (s *Server) usergroupsList(a args) (object, error) {
	list := []object{}
	for _, g := range s.world.groups {
		if !g.Disabled || a.flag("include_disabled") {
			list = append(list, s.world.slackGroup(g, groupsCreated, a.flag("include_users")))
		}
	}
	return object{"usergroups": list}, nil
}

func (s *Server) usergroupsUsersList(a args) (object, error) {
	g := s.world.group(a.str("usergroup"))
	if g == nil || (g.Disabled && !a.flag("include_disabled")) {
		return nil, fail("no_such_subteam")
	}
	return object{"users": orEmpty(g.Members)}, nil
}
