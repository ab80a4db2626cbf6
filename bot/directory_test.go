package bot_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"rollbackbot/bot"
	"rollbackbot/internal/localslack"
	"rollbackbot/runbook"
)

// The people of the tests' workspace.
const (
	ana      = "U0ANA"  // on call
	lee      = "U0LEE"  // a lead, by the user group
	kim      = "U0KIM"  // nobody in particular, but a full member
	guest    = "U0GST"  // of several channels
	single   = "U0SGL"  // a guest of one channel
	robot    = "U0ROB"  // another bot
	gone     = "U0GON"  // deactivated
	stranger = "U0STR"  // of another organisation
	nextDoor = "U0NXT"  // of another workspace of the same organisation
	botUser  = "U0BOT"  // the bot itself
	team     = "C0TEAM" // the team channel
	other    = "C0OTHR" // another channel
	leads    = "S0LEAD" // the user group of the leads
)

func workspace() localslack.Workspace {
	everybody := []string{ana, lee, kim, guest, single, robot, gone, stranger, nextDoor}
	return localslack.Workspace{
		BotUser: botUser,
		Users: []localslack.User{
			{ID: ana, Name: "ana"}, {ID: lee, Name: "lee"}, {ID: kim, Name: "kim"},
			{ID: guest, Name: "guest", Guest: true}, {ID: single, Name: "single", SingleChannelGuest: true},
			{ID: robot, Name: "robot", Bot: true}, {ID: gone, Name: "gone", Deleted: true},
			{ID: stranger, Name: "stranger", Stranger: true, TeamID: "T0OTHER"}, {ID: nextDoor, Name: "next", TeamID: "T0NEXT"},
		},
		Channels: []localslack.Channel{
			{ID: team, Name: "team", Members: append([]string{botUser}, everybody...)},
			{ID: other, Name: "other", Members: everybody},
		},
		Groups: []localslack.UserGroup{{ID: leads, Handle: "leads", Members: append([]string{lee}, everybody[3:]...)}},
	}
}

// startSlack starts a Slack that gives the bot all the time that a slow machine may need for its acknowledgements, unless
// the options say otherwise: that it takes no 3 s is shown in bubbles (socket_ack_test.go).
func startSlack(t *testing.T, ws localslack.Workspace, options ...localslack.Option) *localslack.Server {
	t.Helper()
	s := localslack.New(ws, append([]localslack.Option{localslack.WithAckTimeout(patience)}, options...)...)
	if err := s.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func directory(s *localslack.Server) *bot.Directory {
	ws := s.Workspace()
	return &bot.Directory{
		API: bot.NewClient(ws.BotToken, ws.AppToken, s.APIURL()), Team: ws.TeamID, Channel: team,
		Leads: []string{leads}, ChannelMayRequest: true,
	}
}

func TestDirectory_WhoCounts(t *testing.T) {
	d := directory(startSlack(t, workspace()))
	for _, test := range []struct {
		person          string
		lead, requester bool
		barred          string // a part of why
	}{
		{ana, false, true, ""},
		{lee, true, true, ""},
		{guest, false, false, "guests"},
		{single, false, false, "guests"},
		{robot, false, false, "bots"},
		{botUser, false, false, "bots"},
		{gone, false, false, "deactivated"},
		{stranger, false, false, "another organisation"},
		{nextDoor, false, false, "another organisation or workspace"},
	} {
		roles, err := d.Roles(t.Context(), test.person)
		if err != nil {
			t.Errorf("Roles(%s): %v", test.person, err)
		}
		if roles.Person != test.person || roles.Lead != test.lead || roles.Requester != test.requester ||
			(roles.Barred == "") != (test.barred == "") || !strings.Contains(roles.Barred, test.barred) {
			t.Errorf("Roles(%s) = %+v, want lead %v, requester %v, barred %q", test.person, roles, test.lead, test.requester, test.barred)
		}
	}
	if roles, err := d.Roles(t.Context(), "U0NOBODY"); err == nil {
		t.Errorf("Roles of nobody = %+v, want an error", roles)
	}
}

func TestDirectory_ByUserID(t *testing.T) {
	d := directory(startSlack(t, workspace()))
	d.Leads, d.Requesters, d.ChannelMayRequest = []string{kim, leads}, []string{ana}, false
	for person, want := range map[string]runbook.Roles{
		kim: {Person: kim, Lead: true},
		ana: {Person: ana, Requester: true},
		lee: {Person: lee, Lead: true},
	} {
		if got, err := d.Roles(t.Context(), person); err != nil || got != want {
			t.Errorf("Roles(%s) = %+v, %v, want %+v", person, got, err, want)
		}
	}
}

func TestDirectory_ReadsAfresh(t *testing.T) {
	s := startSlack(t, workspace())
	d := directory(s)
	if roles, err := d.Roles(t.Context(), lee); err != nil || !roles.Lead {
		t.Fatalf("Roles = %+v, %v, want a lead", roles, err)
	}
	s.SetGroup(localslack.UserGroup{ID: leads, Handle: "leads", Members: []string{kim}})
	if roles, err := d.Roles(t.Context(), lee); err != nil || roles.Lead {
		t.Errorf("after leaving the group: %+v, %v, want no lead", roles, err)
	}
	if roles, err := d.Roles(t.Context(), kim); err != nil || !roles.Lead {
		t.Errorf("after joining the group: %+v, %v, want a lead", roles, err)
	}
}

func TestDirectory_AllPagesOfTheChannel(t *testing.T) {
	ws := workspace()
	for i := range 450 {
		id := fmt.Sprintf("U1%03d", i)
		ws.Users = append(ws.Users, localslack.User{ID: id, Name: fmt.Sprintf("u%03d", i)})
		ws.Channels[0].Members = append(ws.Channels[0].Members, id)
	}
	ws.Users = append(ws.Users, localslack.User{ID: "U0OUT", Name: "out"})
	s := startSlack(t, ws)
	d := directory(s)
	if roles, err := d.Roles(t.Context(), "U1449"); err != nil || !roles.Requester {
		t.Errorf("the last member of the channel: %+v, %v, want a requester", roles, err)
	}
	if roles, err := d.Roles(t.Context(), "U0OUT"); err != nil || roles.Requester {
		t.Errorf("who isn't in the channel: %+v, %v, want no requester", roles, err)
	}
}

func TestDirectory_WhatCantBeReadLetsNobodyPass(t *testing.T) {
	for _, method := range []string{"users.info", "usergroups.users.list", "conversations.members"} {
		t.Run(method, func(t *testing.T) {
			s := startSlack(t, workspace())
			d := directory(s)
			d.Leads = []string{lee, leads} // also who is named before the group
			for _, fault := range []localslack.Fault{{Error: "internal_error"}, {Status: 500}, {RetryAfter: 30}, {Reset: true}} {
				s.Fault(func(c localslack.Call) *localslack.Fault {
					if c.Method == method {
						return &fault
					}
					return nil
				})
				if roles, err := d.Roles(t.Context(), lee); err == nil || roles.Lead || roles.Requester {
					t.Errorf("with %+v: Roles = %+v, %v, want an error and no role", fault, roles, err)
				}
			}
		})
	}
}

func TestChannel_Check(t *testing.T) {
	s := startSlack(t, workspace())
	ws := s.Workspace()
	c := bot.Channel{API: bot.NewClient(ws.BotToken, ws.AppToken, s.APIURL()), ID: team}
	channel := func(change func(*localslack.Channel)) {
		now := workspace().Channels[0]
		change(&now)
		s.SetChannel(now)
	}
	for _, test := range []struct {
		name   string
		change func(*localslack.Channel)
		want   string
	}{
		{"as it should be", func(*localslack.Channel) {}, ""},
		{"private", func(c *localslack.Channel) { c.Private = true }, ""},
		{"shared", func(c *localslack.Channel) { c.Shared = true }, "another organisation"},
		{"archived", func(c *localslack.Channel) { c.Archived = true }, "archived"},
		{"without the bot", func(c *localslack.Channel) { c.Members = []string{ana} }, "/invite"},
		{"private without the bot", func(c *localslack.Channel) { c.Private, c.Members = true, []string{ana} }, "channel_not_found"},
	} {
		channel(test.change)
		err := c.Check(t.Context())
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: Check = %v, want %q", test.name, err, test.want)
		}
	}
	channel(func(*localslack.Channel) {})
	s.SetScopes("chat:write")
	if err := c.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "missing_scope") {
		t.Errorf("without the scope: Check = %v, want missing_scope", err)
	}
}

func TestDirectory_Deputies(t *testing.T) {
	d := directory(startSlack(t, workspace()))
	d.Leads, d.Deputies = []string{kim}, []string{ana, leads}
	for person, want := range map[string]runbook.Roles{
		kim:   {Person: kim, Lead: true, Requester: true},
		ana:   {Person: ana, Deputy: true, Requester: true},
		lee:   {Person: lee, Deputy: true, Requester: true},
		guest: {Person: guest, Barred: "guests don't count, only full members of the workspace do"},
	} {
		if got, err := d.Roles(t.Context(), person); err != nil || got != want {
			t.Errorf("Roles(%s) = %+v, %v, want %+v", person, got, err, want)
		}
	}
}

// Whom to write to: groups are resolved, nobody is there twice, and nobody who never counts is.
func TestDirectory_Members(t *testing.T) {
	s := startSlack(t, workspace())
	d := directory(s)
	d.Leads, d.Deputies = []string{kim, leads, lee, robot}, []string{ana}
	for _, c := range []struct {
		role runbook.Role
		most int
		want []string
	}{
		{runbook.RoleLead, 20, []string{kim, lee}}, {runbook.RoleLead, 1, []string{kim}}, {runbook.RoleDeputy, 20, []string{ana}},
	} {
		if got, err := d.Members(t.Context(), c.role, c.most); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("Members(%s, %d) = %v, %v, want %v", c.role, c.most, got, err, c.want)
		}
	}
	s.Fault(func(c localslack.Call) *localslack.Fault {
		if c.Method == "usergroups.users.list" {
			return &localslack.Fault{Error: "internal_error"}
		}
		return nil
	})
	if got, err := d.Members(t.Context(), runbook.RoleLead, 20); err == nil || !slices.Equal(got, []string{kim, lee}) {
		t.Errorf("with a group that can't be read: %v, %v, want those named by themselves and an error", got, err)
	}
}
