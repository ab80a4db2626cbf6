package localslack_test

import (
	"testing"

	"rollbackbot/internal/localslack"
)

func TestForget(t *testing.T) {
	s := start(t)
	api := client(s)
	first := post(t, api, team, text("one"))
	second := post(t, api, team, text("two"))
	gone := s.Forget(func(m localslack.Message) bool { return m.TS == first })
	if len(gone) != 1 || gone[0].Text != "one" {
		t.Errorf("forgot %+v, want the first message", gone)
	}
	if left := s.Messages(team); len(left) != 1 || left[0].TS != second {
		t.Errorf("left are %+v, want the second message", left)
	}
	if calls := s.Calls(); len(calls) != 0 {
		t.Errorf("%d calls are still noted", len(calls))
	}
	post(t, api, team, text("three"))
	if calls := s.Calls(); len(calls) != 1 || !calls[0].Done {
		t.Errorf("noted after that: %+v, want one call that is done", calls)
	}
}
