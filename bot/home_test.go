package bot_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"rollbackbot/bot"
	"rollbackbot/internal/localslack"
	"rollbackbot/runbook"
)

// withHome gives a bench Home tabs, as the Bot does.
func withHome(t *testing.T, apps ...string) *bench {
	t.Helper()
	b := build(t, apps...)
	if len(apps) == 0 {
		apps = []string{"shop"}
	}
	b.homes(apps)
	return b
}

// homes gives the bench's bot Home tabs, and its runbook a past.
func (b *bench) homes(apps []string) {
	b.desk.Home = &bot.Home{
		API: b.api, Apps: apps, Runner: b.runner, Door: b.desk.Directory.(bot.Door), Links: b.desk.Speaker, Log: zerolog.New(b.log),
		Ears:  func() bot.Listening { return bot.Listening{Socket: b.socket.State(), Version: "v1.2.3"} },
		Sight: func(string) bot.Sight { return bot.Sight{At: formNow} },
	}
	b.runner.history = past()
}

// opensHome has a person open their Home tab and waits until it shows all of these.
func (b *bench) opensHome(person string, parts ...string) localslack.View {
	b.Helper()
	if _, err := b.slack.OpenHome(b.Context(), person); err != nil {
		b.Fatal(err)
	}
	return b.homeShows(person, parts...)
}

func (b *bench) homeShows(person string, parts ...string) localslack.View {
	b.Helper()
	var home localslack.View
	b.wait("the Home tab of "+person+" to show "+strings.Join(parts, ", "), func(now *localslack.Snapshot) bool {
		var ok bool
		home, ok = now.Home(person)
		for _, part := range parts {
			ok = ok && strings.Contains(string(home.Blocks), part)
		}
		return ok
	})
	return home
}

func TestHome_ShowsHowAppsStand(t *testing.T) {
	b := withHome(t, "shop", "blog").start()
	b.opensHome(ana, "The bot is listening", "1 connection to Slack", "version v1.2.3", "shop: v4 is FAILING", "http://one/health answers 500", "blog: ", "Plan a rollback", "v2", "v1")
	b.inbox.settle(t, 1)
	all, _ := b.inbox.all()
	if all[0].Kind != "event" || !strings.HasPrefix(all[0].Key, "Ev") {
		t.Errorf("the event is stored as %q under %q", all[0].Kind, all[0].Key)
	}
	if said := len(b.slack.Private(ana)) + len(b.slack.Snapshot().Direct(ana)); said != 0 {
		t.Errorf("who opens their tab is told %d things besides", said)
	}
}

func TestHome_ShowsOutsidersNothing(t *testing.T) {
	b := withHome(t).start()
	for _, person := range []string{guest, single, stranger, nextDoor} {
		home := b.opensHome(person, "Nothing is shown here: ")
		for _, secret := range []string{"shop", "v4", "v1.2.3", "connection"} {
			if strings.Contains(string(home.Blocks), secret) {
				t.Errorf("%s is shown %q: %s", person, secret, home.Blocks)
			}
		}
	}
}

func TestHome_WhoCantBeReadIsShownNothing(t *testing.T) {
	b := withHome(t)
	var silent atomic.Bool
	silent.Store(true)
	b.slack.Fault(func(c localslack.Call) *localslack.Fault {
		if c.Method == "users.info" && silent.Load() {
			return &localslack.Fault{Error: "internal_error"}
		}
		return nil
	})
	b.start()
	b.opensHome(ana, "it could not be read from Slack who you are. Open this tab again")
	silent.Store(false)
	b.opensHome(ana, "shop: v4 is FAILING")
}

func TestHome_WhatCantBeReadSaysSo(t *testing.T) {
	b := withHome(t, "shop", "blog")
	b.runner.onStanding = func(app string) (runbook.Standing, error) {
		if app == "blog" {
			return runbook.Standing{}, errors.New("postgres://bot:secret@db is away")
		}
		return runbook.Standing{App: app}, nil
	}
	b.start()
	home := b.opensHome(ana, "shop: not seen yet", "blog: not known", "be read from the database")
	if strings.Contains(string(home.Blocks), "secret") {
		t.Errorf("it shows %s", home.Blocks)
	}
}

// An event that can't be stored isn't acknowledged, so that Slack sends it again.
func TestHome_EventIsStoredFirst(t *testing.T) {
	inLab(t, func(l *lab) {
		l.homes([]string{"shop"})
		l.inbox.fail(errors.New("the disk is full"))
		l.rest()
		if _, err := l.slack.OpenHome(l.Context(), ana); !errors.Is(err, localslack.ErrNotAcked) {
			l.Fatalf("an event that can't be stored ends in %v", err)
		}
		l.inbox.fail(nil)
		l.opensHome(ana, "shop: v4 is FAILING")
	})
}

func TestHome_EventTwiceIsOnce(t *testing.T) {
	b := withHome(t).start()
	b.opensHome(ana, "shop: v4 is FAILING")
	b.inbox.settle(t, 1)
	if _, err := b.slack.Redeliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.inbox.settle(t, 1)
	if all, _ := b.inbox.all(); len(all) != 1 || len(callsOf(b, "views.publish")) != 1 {
		t.Errorf("one event makes %d deliveries and is published %d times", len(all), len(callsOf(b, "views.publish")))
	}
}

// The event of the Messages tab, and any other, publishes nothing.
func TestHome_OtherEventsAreLetGo(t *testing.T) {
	b := withHome(t).start()
	for i, event := range []string{
		`{"type":"app_home_opened","user":"U0ANA","tab":"messages"}`, `{"type":"app_home_opened","tab":"home"}`,
		`{"type":"app_home_opened","user":"*/all","tab":"home"}`, `{"type":"message","user":"U0ANA"}`, `{}`,
	} {
		acked := false
		payload := fmt.Sprintf(`{"team_id":%q,"event_id":"Ev%d","event":%s}`, b.slack.Workspace().TeamID, i, event)
		b.handler.Handle(t.Context(), bot.Envelope{ID: fmt.Sprint(i), Kind: "events_api", Payload: []byte(payload), At: time.Now()}, func(context.Context, any) error { acked = true; return nil })
		if !acked {
			t.Errorf("%s is not acknowledged", event)
		}
	}
	b.inbox.settle(t, 5)
	if n := len(callsOf(b, "views.publish")); n != 0 {
		t.Errorf("%d tabs are published", n)
	}
}

func callsOf(b *bench, method string) (found []localslack.Call) {
	for _, c := range b.slack.Calls() {
		if c.Method == method {
			found = append(found, c)
		}
	}
	return found
}

// The form has the button's app chosen, whether or not it asks for one, and its answer comes in the conversation with the bot.
func TestHome_ButtonOpensTheFormForItsApp(t *testing.T) {
	for _, apps := range [][]string{{"shop"}, {"shop", "blog"}} {
		t.Run(strings.Join(apps, " "), func(t *testing.T) {
			b := withHome(t, apps...)
			b.opens()
			b.start()
			home := b.opensHome(ana, "shop: v4 is FAILING")
			if _, err := b.slack.ClickView(t.Context(), ana, home.ID, "home_plan", nil); err != nil {
				t.Fatal(err)
			}
			var view localslack.View
			b.wait("the form to be filled", func(now *localslack.Snapshot) bool {
				view, _ = now.OpenView(ana)
				return strings.Contains(string(view.Blocks), "Default: v2")
			})
			if ack := b.submit(ana, view, map[string]any{"reason": "v4 answers 500"}); len(ack.Errors) > 0 {
				t.Fatalf("errors %q", ack.Errors)
			}
			b.wait("an answer in the conversation with the bot", func(now *localslack.Snapshot) bool {
				for _, m := range now.Direct(ana) {
					if strings.Contains(m.Text, "rb-one") {
						return true
					}
				}
				return false
			})
			if asked := b.runner.asked(); len(asked) != 1 || asked[0].App != "shop" || asked[0].By != ana || asked[0].Reason != "v4 answers 500" {
				t.Errorf("asked for %+v", asked)
			}
		})
	}
}

// Who may not ask is told so alone, and sees no form: also on a tab from before they lost their rights.
func TestHome_ButtonRefusesPrivately(t *testing.T) {
	b := withHome(t).start()
	home := b.opensHome(kim, "Plan a rollback")
	ws := b.slack.Workspace()
	for _, u := range ws.Users {
		if u.ID == kim {
			u.Guest = true
			b.slack.SetUser(u)
		}
	}
	if _, err := b.slack.ClickView(t.Context(), kim, home.ID, "home_plan", nil); err != nil {
		t.Fatal(err)
	}
	b.wait("a refusal", func(now *localslack.Snapshot) bool {
		direct := now.Direct(kim)
		return len(direct) == 1 && strings.Contains(direct[0].Text, "You can't ask for a rollback")
	})
	b.inbox.settle(t, 2)
	if _, open := b.slack.OpenView(kim); open || len(b.slack.Messages(team)) != 0 || len(callsOf(b, "views.open")) != 0 {
		t.Error("a form opens, or the channel is told")
	}
}

func TestHome_ButtonOfAnAppThatIsGone(t *testing.T) {
	b := withHome(t, "shop").start()
	b.opensHome(ana, "Plan a rollback")
	b.handler.Form.Apps = []string{"blog"} // the bot was started anew since
	home, _ := b.slack.Home(ana)
	if _, err := b.slack.ClickView(t.Context(), ana, home.ID, "home_plan", nil); err != nil {
		t.Fatal(err)
	}
	b.wait("an answer", func(now *localslack.Snapshot) bool {
		direct := now.Direct(ana)
		return len(direct) == 1 && strings.Contains(direct[0].Text, "There is no app \"shop\". There are: blog.")
	})
}

// Where it can't be read in time who pressed, the form opens, and shows nothing.
func TestHome_ButtonWhenRightsCantBeRead(t *testing.T) {
	b := withHome(t).start()
	home := b.opensHome(ana, "Plan a rollback")
	b.slack.Fault(func(c localslack.Call) *localslack.Fault {
		if c.Method == "users.info" {
			return &localslack.Fault{Error: "internal_error"}
		}
		return nil
	})
	if _, err := b.slack.ClickView(t.Context(), ana, home.ID, "home_plan", nil); err != nil {
		t.Fatal(err)
	}
	b.wait("the form", func(now *localslack.Snapshot) bool { _, ok := now.OpenView(ana); return ok })
	b.inbox.settle(t, 2)
	if view, _ := b.slack.OpenView(ana); strings.Contains(string(view.Blocks), "v2") || len(callsOf(b, "views.update")) != 0 {
		t.Errorf("it shows releases: %s", view.Blocks)
	}
}

// A tab that was opened follows what changes; one who became a guest meanwhile sees no more of it.
func TestHome_FollowsWhatChanges(t *testing.T) {
	b := withHome(t)
	var fails atomic.Bool
	b.runner.onStanding = func(app string) (runbook.Standing, error) {
		r := runbook.Release{ID: "r-1", Version: "v1", UpAt: formNow}
		if fails.Load() {
			r.FailingSince, r.Failure = time.Now(), "it answers 503"
		}
		return runbook.Standing{App: app, Choices: runbook.Choices{Running: &r}}, nil
	}
	b.start()
	b.opensHome(ana, "v1 is healthy")
	b.opensHome(kim, "v1 is healthy")
	for _, u := range b.slack.Workspace().Users {
		if u.ID == kim {
			u.Guest = true
			b.slack.SetUser(u)
		}
	}
	fails.Store(true)
	b.homeShows(ana, "v1 is FAILING", "it answers 503")
	b.homeShows(kim, "Nothing is shown here: guests don't count")
}
