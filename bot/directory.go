package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"rollbackbot/runbook"
)

// Directory knows from Slack who people are and what they may do. Every call reads it afresh: a lead who left the group
// a minute ago is no lead, and what can't be read lets nobody pass. It may be called from any goroutine.
type Directory struct {
	API               *slack.Client
	Team              string   // the ID of the bot's own workspace
	Channel           string   // the ID of the team channel
	Leads             []string // IDs of users (U…, W…) and user groups (S…)
	Deputies          []string // likewise: they sign off once they are asked
	Requesters        []string // likewise
	ChannelMayRequest bool     // every full member of the team channel may ask, instead of Requesters
}

var (
	_ runbook.Directory = (*Directory)(nil)
	_ runbook.Contacts  = (*Directory)(nil)
	_ runbook.Roster    = (*Directory)(nil)
)

// Roles reads who a person is. If anything that matters can't be read it is an error.
func (d *Directory) Roles(ctx context.Context, person string) (runbook.Roles, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	roles := runbook.Roles{Person: person}
	var err error
	if roles.Barred, err = d.Barred(ctx, person); err != nil || roles.Barred != "" {
		return roles, err
	}
	groups := groupReader{api: d.API, read: map[string][]string{}}
	if roles.Lead, err = groups.named(ctx, person, d.Leads); err != nil {
		return runbook.Roles{}, err
	}
	if roles.Deputy, err = groups.named(ctx, person, d.Deputies); err != nil {
		return runbook.Roles{}, err
	}
	if d.ChannelMayRequest {
		roles.Requester, err = d.inChannel(ctx, person)
	} else {
		roles.Requester, err = groups.named(ctx, person, d.Requesters)
	}
	if err != nil {
		return runbook.Roles{}, err
	}
	return roles, nil
}

// Barred says why a person never counts, whatever groups they are in, and so may read nothing; empty: they count. It asks
// Slack for that person alone.
func (d *Directory) Barred(ctx context.Context, person string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	user, err := d.API.GetUserInfoContext(ctx, person)
	if err != nil {
		return "", fmt.Errorf("read the user %s: %w", person, remedied(err))
	}
	return d.barred(user), nil
}

// Members are the people who have a role and count, each once, in the order of the configuration. What could be read is
// given beside an error.
func (d *Directory) Members(ctx context.Context, role runbook.Role, most int) (people []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	ids := d.Leads
	if role == runbook.RoleDeputy {
		ids = d.Deputies
	}
	groups := groupReader{api: d.API, read: map[string][]string{}}
	for _, id := range ids {
		members := []string{id}
		if strings.HasPrefix(id, "S") {
			var failed error
			members, failed = groups.members(ctx, id)
			err = errors.Join(err, failed)
		}
		for _, member := range members {
			if len(people) == most {
				return people, err
			}
			if slices.Contains(people, member) || d.neverCounts(ctx, member) {
				continue
			}
			people = append(people, member)
		}
	}
	return people, err
}

// neverCounts reports whether a person surely doesn't: one who can't be looked up may.
func (d *Directory) neverCounts(ctx context.Context, person string) bool {
	user, err := d.API.GetUserInfoContext(ctx, person)
	return err == nil && d.barred(user) != ""
}

// Contact is how a person is called, and their e-mail address where the app has the scope users:read.email, which it
// doesn't need for anything else.
func (d *Directory) Contact(ctx context.Context, person string) (runbook.Contact, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	user, err := d.API.GetUserInfoContext(ctx, person)
	if err != nil {
		return runbook.Contact{}, fmt.Errorf("read the user %s: %w", person, remedied(err))
	}
	return runbook.Contact{Name: orElse(user.Profile.RealName, orElse(user.RealName, user.Name)), Email: user.Profile.Email}, nil
}

// barred says why a person never counts, whatever groups they are in; empty: they count.
func (d *Directory) barred(user *slack.User) string {
	switch {
	case user.Deleted:
		return "this account is deactivated"
	case user.IsBot || user.IsWorkflowBot || user.IsConnectorBot:
		return "bots don't count, only people do"
	case user.IsStranger || user.TeamID != d.Team:
		return "you belong to another organisation or workspace"
	case user.IsRestricted || user.IsUltraRestricted:
		return "guests don't count, only full members of the workspace do"
	}
	return ""
}

// inChannel looks for a person among the members of the team channel.
func (d *Directory) inChannel(ctx context.Context, person string) (bool, error) {
	query := slack.GetUsersInConversationParameters{ChannelID: d.Channel, Limit: 200} // at most 200 are recommended: https://docs.slack.dev/reference/methods/conversations.members
	for {
		members, next, err := d.API.GetUsersInConversationContext(ctx, &query)
		switch {
		case err != nil:
			return false, fmt.Errorf("read who is in the team channel: %w", remedied(err))
		case slices.Contains(members, person):
			return true, nil
		case next == "":
			return false, nil
		}
		query.Cursor = next
	}
}

// groupReader reads each user group once within one question: a group may be both that of the leads and of the requesters.
type groupReader struct {
	api  *slack.Client
	read map[string][]string
}

// named reports whether a person is one of ids, or in one of the user groups among them. Every group is read, even
// when an earlier one has the person: an unreadable group is an error, not a matter of order.
func (g groupReader) named(ctx context.Context, person string, ids []string) (bool, error) {
	found := slices.Contains(ids, person)
	for _, id := range ids {
		if !strings.HasPrefix(id, "S") {
			continue
		}
		members, err := g.members(ctx, id)
		if err != nil {
			return false, err
		}
		found = found || slices.Contains(members, person)
	}
	return found, nil
}

func (g groupReader) members(ctx context.Context, group string) ([]string, error) {
	if members, ok := g.read[group]; ok {
		return members, nil
	}
	members, err := g.api.GetUserGroupMembersContext(ctx, group)
	if err != nil {
		return nil, fmt.Errorf("read the members of user group %s: %w", group, remedied(err))
	}
	g.read[group] = members
	return members, nil
}
