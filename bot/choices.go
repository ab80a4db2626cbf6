package bot

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/slack-go/slack"
)

// Choices are what a configuration may name in Slack: read once, by who sets the bot up.
type Choices struct{ API *slack.Client }

// Place is a channel that the bot is in.
type Place struct {
	ID, Name string
	Shared   bool // with another organisation, or about to be: nothing may be decided there
}

// Group is a user group.
type Group struct{ ID, Handle string }

// Person is somebody who counts: a full member of the bot's own workspace.
type Person struct{ ID, Name string }

// Places are the channels that the bot is in and that are not archived, by their names.
func (c Choices) Places(ctx context.Context) ([]Place, error) {
	query := slack.GetConversationsForUserParameters{Types: []string{"public_channel", "private_channel"}, ExcludeArchived: true, Limit: pageSize}
	var places []Place
	for {
		found, next, err := c.API.GetConversationsForUserContext(ctx, &query)
		if err != nil {
			return nil, fmt.Errorf("read which channels the bot is in: %w", remedied(err))
		}
		for _, channel := range found {
			places = append(places, Place{ID: channel.ID, Name: channel.Name, Shared: foreign(&channel)})
		}
		if query.Cursor = next; next == "" {
			slices.SortFunc(places, func(a, b Place) int { return strings.Compare(a.Name, b.Name) })
			return places, nil
		}
	}
}

// Groups are the user groups that are in use, by their handles. Workspaces on Slack's free plan have none.
func (c Choices) Groups(ctx context.Context) ([]Group, error) {
	found, err := c.API.GetUserGroupsContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the user groups: %w", remedied(err))
	}
	var groups []Group
	for _, group := range found {
		groups = append(groups, Group{ID: group.ID, Handle: group.Handle})
	}
	slices.SortFunc(groups, func(a, b Group) int { return strings.Compare(a.Handle, b.Handle) })
	return groups, nil
}

// People are those who count and are called so: by ID, handle, shown or real name, or e-mail address where the app has the
// scope users:read.email.
func (c Choices) People(ctx context.Context, called string) ([]Person, error) {
	who, err := Identify(ctx, c.API)
	if err != nil {
		return nil, err
	}
	directory := Directory{Team: who.Team}
	var people []Person
	pages := c.API.GetUsersPaginated(slack.GetUsersOptionLimit(pageSize))
	for {
		pages, err = pages.Next(ctx)
		if pages.Done(err) {
			return people, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the workspace's people: %w", remedied(err))
		}
		for _, user := range pages.Users {
			if directory.barred(&user) == "" && isCalled(user, called) {
				people = append(people, Person{ID: user.ID, Name: orElse(user.Profile.RealName, orElse(user.RealName, user.Name))})
			}
		}
	}
}

func isCalled(user slack.User, called string) bool {
	return slices.ContainsFunc([]string{user.ID, user.Name, user.RealName, user.Profile.DisplayName, user.Profile.RealName, user.Profile.Email}, func(name string) bool {
		return name != "" && strings.EqualFold(name, called)
	})
}
