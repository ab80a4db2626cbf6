package localslack

// viewsOpen opens a modal for whoever's action the trigger came from. A modal that is open already is replaced,
// as in Slack's clients, where only one stack is ever shown.
func (s *Server) viewsOpen(a args) (object, error) {
	t, err := s.spendTrigger(orDefault(a.str("trigger_id"), a.str("interactivity_pointer")))
	if err != nil {
		return nil, err
	}
	v, err := s.readView(a.json("view"), "modal", t.user)
	if err != nil {
		return nil, err
	}
	if err := s.uniqueExternalID(v); err != nil {
		return nil, err
	}
	t.used = true
	s.world.clear(t.user)
	s.world.push(v)
	return object{"view": v.json(s.world, v.state())}, nil
}

// viewsPush lays a modal on the open one.
func (s *Server) viewsPush(a args) (object, error) {
	t, err := s.spendTrigger(orDefault(a.str("trigger_id"), a.str("interactivity_pointer")))
	if err != nil {
		return nil, err
	}
	v, err := s.readView(a.json("view"), "modal", t.user)
	if err != nil {
		return nil, err
	}
	if len(s.world.stacks[t.user]) >= maxStack {
		return nil, fail("push_limit_reached")
	}
	if err := s.uniqueExternalID(v); err != nil {
		return nil, err
	}
	t.used = true
	s.world.push(v)
	return object{"view": v.json(s.world, v.state())}, nil
}

// viewsUpdate replaces an open modal, if nobody else did since the given hash.
func (s *Server) viewsUpdate(a args) (object, error) {
	old := s.findView(a.str("view_id"), a.str("external_id"))
	if old == nil {
		return nil, fail("not_found")
	}
	if hash := a.str("hash"); hash != "" && hash != old.Hash {
		return nil, fail("hash_conflict")
	}
	v, err := s.readView(a.json("view"), old.Type, old.user)
	if err != nil {
		return nil, err
	}
	old.replace(v)
	return object{"view": old.json(s.world, old.state())}, nil
}

// viewsPublish sets a person's Home tab.
func (s *Server) viewsPublish(a args) (object, error) {
	u := s.world.user(a.str("user_id"))
	if u == nil {
		return nil, fail("user_not_found")
	}
	old := s.world.homes[u.ID]
	if hash := a.str("hash"); hash != "" && (old == nil || hash != old.Hash) {
		return nil, fail("hash_conflict")
	}
	v, err := s.readView(a.json("view"), "home", u.ID)
	if err != nil {
		return nil, err
	}
	if old != nil {
		old.replace(v)
		v = old
	}
	s.world.homes[u.ID] = v
	s.world.views[v.ID] = v
	return object{"view": v.json(s.world, v.state())}, nil
}

func (s *Server) findView(id, externalID string) *view {
	if v := s.world.views[id]; v != nil {
		return v
	}
	for _, v := range s.world.views {
		if externalID != "" && v.ExternalID == externalID {
			return v
		}
	}
	return nil
}

func (s *Server) uniqueExternalID(v *view) error {
	if v.ExternalID != "" && s.findView("", v.ExternalID) != nil {
		return fail("duplicate_external_id")
	}
	return nil
}
