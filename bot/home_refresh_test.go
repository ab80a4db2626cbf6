package bot

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"rollbackbot/internal/localslack"
	"rollbackbot/runbook"
)

// standingRunner says how the one app stands, and nothing else.
type standingRunner struct {
	Runner
	standing func() (runbook.Standing, error)
}

func (s standingRunner) Standing(context.Context, string) (runbook.Standing, error) {
	return s.standing()
}

type openDoor struct{ why string }

func (d *openDoor) Barred(context.Context, string) (string, error) { return d.why, nil }

// A tab is published when it is opened, and after that only when there is news.
func TestHome_PublishesNewsAlone(t *testing.T) {
	s := localslack.New(localslack.Workspace{BotToken: "xoxb-test", Users: []localslack.User{{ID: "U1", Name: "ana"}}})
	if err := s.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	standing, problem, door := healthyStanding(nil), error(nil), &openDoor{}
	h := &Home{
		API: NewClient("xoxb-test", "xapp-test", s.APIURL()), Apps: []string{"shop"}, Door: door, Log: zerolog.Nop(),
		Runner: standingRunner{standing: func() (runbook.Standing, error) { return standing, problem }},
	}
	published := func(want int, when string) {
		t.Helper()
		n := 0
		for _, c := range s.Calls() {
			if c.Method == "views.publish" {
				n++
			}
		}
		if n != want {
			t.Fatalf("%s: published %d times, want %d", when, n, want)
		}
	}
	refresh := func() {
		t.Helper()
		if err := h.refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	refresh()
	published(0, "while nobody looks")
	if err := h.open(t.Context(), "U1"); err != nil {
		t.Fatal(err)
	}
	published(1, "opened")
	refresh()
	refresh()
	published(1, "without news")
	standing.Choices.Running.FailingSince = homeNow
	refresh()
	refresh()
	published(2, "it fails")
	problem = errors.New("the database is away")
	refresh()
	refresh()
	published(3, "it can't be read")
	problem, door.why = nil, "guests don't count"
	refresh()
	published(4, "a guest by now")
	standing.Choices.Running.FailingSince = time.Time{}
	refresh()
	published(4, "and let go")
}

func TestHome_RemembersFewAndNotForLong(t *testing.T) {
	h := &Home{}
	for i := range homeViewers + 10 {
		h.remember(fmt.Sprint("U", i), homeNow.Add(time.Duration(i)*time.Second))
	}
	h.remember("U12", homeNow.Add(time.Hour))
	viewers := h.lookers(homeNow.Add(time.Hour))
	if len(viewers) != homeViewers || viewers[0].person != "U12" || viewers[1].person != fmt.Sprint("U", homeViewers+9) {
		t.Errorf("%d are remembered, %s and %s first", len(viewers), viewers[0].person, viewers[1].person)
	}
	if late := h.lookers(homeNow.Add(time.Hour + homeMemory - time.Second)); len(late) != 1 || late[0].person != "U12" {
		t.Errorf("an hour later %d are", len(late))
	}
}
