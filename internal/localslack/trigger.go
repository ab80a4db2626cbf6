package localslack

import "time"

// triggerLife is how long a trigger_id opens a modal:
// https://docs.slack.dev/interactivity/handling-user-interaction#modal_responses
const triggerLife = 3 * time.Second

// trigger is one permission to open a modal in front of somebody.
type trigger struct {
	user  string
	given time.Time
	used  bool
}

// newTrigger makes the trigger_id of a person's action.
func (s *Server) newTrigger(user string) string {
	id := s.world.newID("") + "." + randomHex(8)
	s.triggers[id] = &trigger{user: user, given: s.opts.now()}
	return id
}

// spendTrigger finds a trigger that still opens something. Whoever succeeds with it marks it used.
func (s *Server) spendTrigger(id string) (*trigger, error) {
	t := s.triggers[id]
	switch {
	case id == "":
		return nil, fail("invalid_arguments")
	case t == nil:
		return nil, fail("invalid_trigger_id")
	case t.used:
		return nil, fail("exchanged_trigger_id")
	case s.opts.now().Sub(t.given) > triggerLife:
		return nil, fail("expired_trigger_id")
	}
	return t, nil
}
