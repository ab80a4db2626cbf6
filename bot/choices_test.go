package bot_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"rollbackbot/bot"
	"rollbackbot/internal/localslack"
)

// manyPeople is a workspace in which nothing fits onto one page.
func manyPeople() localslack.Workspace {
	w := localslack.Workspace{
		TeamID: "T0ACME", BotUser: "U0BOT",
		Users: []localslack.User{
			{ID: "U0LENA", Name: "lena", RealName: "Lena Lang"}, {ID: "U0GUS", Name: "gus", RealName: "Lena Lang", Guest: true},
			{ID: "U0GONE", Name: "gone", RealName: "Lena Lang", Deleted: true}, {ID: "U0FAR", Name: "far", RealName: "Lena Lang", TeamID: "T0OTHER", Stranger: true},
		},
		Channels: []localslack.Channel{
			{ID: "C0OLD", Name: "old", Archived: true, Members: []string{"U0BOT"}}, {ID: "C0OTHERS", Name: "others"},
			{ID: "C0PARTNERS", Name: "partners", Shared: true, Members: []string{"U0BOT"}}, {ID: "G0OPS", Name: "ops", Private: true, Members: []string{"U0BOT"}},
		},
		Groups: []localslack.UserGroup{{ID: "S0ZOO", Handle: "zoo"}, {ID: "S0LEADS", Handle: "leads"}, {ID: "S0OFF", Handle: "off", Disabled: true}},
	}
	for i := range 450 {
		name := strings.Repeat("x", i%7+1) + string(rune('a'+i%26)) + strings.Repeat("y", i/26)
		w.Users = append(w.Users, localslack.User{ID: "U1" + strings.ToUpper(name), Name: name})
	}
	w.Users = append(w.Users, localslack.User{ID: "U9LAST", Name: "last", RealName: "Last One"})
	return w
}

func startChoices(t *testing.T, w localslack.Workspace) bot.Choices {
	t.Helper()
	slack := localslack.New(w)
	if err := slack.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slack.Close() })
	return bot.Choices{API: bot.NewClient(slack.Workspace().BotToken, "", slack.APIURL())}
}

func TestChoices(t *testing.T) {
	c := startChoices(t, manyPeople())
	places, err := c.Places(t.Context())
	if want := []bot.Place{{ID: "G0OPS", Name: "ops"}, {ID: "C0PARTNERS", Name: "partners", Shared: true}}; err != nil || !reflect.DeepEqual(places, want) {
		t.Errorf("got %+v (%v), want %+v", places, err, want)
	}
	groups, err := c.Groups(t.Context())
	if want := []bot.Group{{ID: "S0LEADS", Handle: "leads"}, {ID: "S0ZOO", Handle: "zoo"}}; err != nil || !reflect.DeepEqual(groups, want) {
		t.Errorf("got %+v (%v), want %+v", groups, err, want)
	}
	for called, want := range map[string][]bot.Person{
		"lena lang": {{ID: "U0LENA", Name: "Lena Lang"}}, "LENA": {{ID: "U0LENA", Name: "Lena Lang"}}, "U0LENA": {{ID: "U0LENA", Name: "Lena Lang"}},
		"last": {{ID: "U9LAST", Name: "Last One"}}, "gus": nil, "gone": nil, "far": nil, "rollbackbot": nil, "len": nil, "": nil,
	} {
		if people, err := c.People(t.Context(), called); err != nil || !reflect.DeepEqual(people, want) {
			t.Errorf("%q: got %+v (%v), want %+v", called, people, err, want)
		}
	}
}

// What Slack refuses comes with the remedy.
func TestChoices_Refused(t *testing.T) {
	w := manyPeople()
	w.Scopes = []string{"chat:write"}
	c := startChoices(t, w)
	_, places := c.Places(t.Context())
	_, groups := c.Groups(t.Context())
	_, people := c.People(t.Context(), "lena")
	for _, err := range []error{places, groups, people} {
		var said *bot.SlackError
		if !errors.As(err, &said) || said.Code != "missing_scope" || said.Remedy == "" {
			t.Errorf("got %v", err)
		}
	}
}
