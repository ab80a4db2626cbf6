package setup

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"rollbackbot/bot"
)

var (
	channelID = regexp.MustCompile(`^[CG][A-Z0-9]{2,}$`)
	personID  = regexp.MustCompile(`^[UWS][A-Z0-9]{2,}$`)
)

// people asks Slack, where there is a token, for the channel and the leads.
func (i *Interview) people(ctx context.Context, f *envFile) error {
	slack := i.World.Slack()
	if slack == nil {
		i.say("\nSlack. SLACK_BOT_TOKEN is not set, so that nobody is asked there.")
		return i.withoutSlack(ctx, f)
	}
	i.say("\nSlack.")
	places, err := slack.Places(ctx)
	if err != nil {
		i.say("It can't be asked: %v.", err)
		return i.withoutSlack(ctx, f)
	}
	if err := i.channel(ctx, f, places); err != nil {
		return err
	}
	return i.leads(ctx, f, slack)
}

// withoutSlack takes IDs from flags, and leaves open what none of them gives.
func (i *Interview) withoutSlack(ctx context.Context, f *envFile) error {
	for _, item := range []struct {
		flag, want string
		id         *regexp.Regexp
		value      *string
	}{
		{"channel", "the channel's ID, C…", channelID, &f.channel},
		{"leads", "IDs, U… and S…, comma-separated", personID, &f.leads},
	} {
		answer := i.Answers[item.flag]
		if answer == "" {
			continue
		}
		ids := list(answer)
		if slices.ContainsFunc(ids, func(id string) bool { return !item.id.MatchString(id) }) || item.flag == "channel" && len(ids) != 1 {
			return &AnswerError{Flag: item.flag, Err: errors.New("without SLACK_BOT_TOKEN no name can be looked up: give " + item.want)}
		}
		*item.value = strings.Join(ids, ",")
	}
	return nil
}

func (i *Interview) channel(ctx context.Context, f *envFile, places []bot.Place) error {
	if len(places) == 0 {
		i.say("The bot is in no channel yet: type /invite @Rollbackbot in the team's.")
	}
	var fit []bot.Place
	for _, p := range places {
		if p.Shared {
			i.say("  #%s is shared with another organisation: nothing is decided there", p.Name)
			continue
		}
		i.say("  #%s", p.Name)
		fit = append(fit, p)
	}
	q := question{flag: "channel", text: "The team's channel, its name or ID; - leaves it open", check: func(_ context.Context, answer string) (string, error) {
		if answer == "-" || answer == "" && !i.Terminal {
			return "", nil
		}
		for _, p := range fit {
			if answer == p.ID || strings.EqualFold(strings.TrimPrefix(answer, "#"), p.Name) {
				f.channelName = "#" + p.Name
				return p.ID, nil
			}
		}
		return "", fmt.Errorf("the bot is not in %q, or that is shared with another organisation: invite it there, or name one of those above", answer)
	}}
	if len(fit) == 1 {
		q.preset, q.sure = "#"+fit[0].Name, true
	}
	var err error
	f.channel, err = i.ask(ctx, q)
	return err
}

func (i *Interview) leads(ctx context.Context, f *envFile, slack Slack) error {
	groups, err := slack.Groups(ctx)
	if err != nil {
		groups = nil // Slack's free plan has none
	}
	if len(groups) > 0 {
		var handles []string
		for _, g := range groups {
			handles = append(handles, "@"+g.Handle)
		}
		i.say("User groups: %s", strings.Join(handles, ", "))
	}
	if i.Terminal {
		i.say("Engineering leads sign off. Give user groups, names, e-mail addresses or IDs, comma-separated; - leaves it open.")
	}
	q := question{flag: "leads", text: "The engineering leads",
		check: func(ctx context.Context, answer string) (string, error) {
			if answer == "-" || answer == "" && !i.Terminal {
				return "", nil
			}
			f.leadNames = nil
			var ids []string
			for _, called := range list(answer) {
				id, name, err := lookUp(ctx, slack, groups, called)
				if err != nil {
					return "", err
				}
				ids, f.leadNames = append(ids, id), append(f.leadNames, name)
			}
			if len(ids) == 0 {
				return "", errors.New("nobody is named: a rollback needs somebody who signs off")
			}
			return strings.Join(ids, ","), nil
		}}
	f.leads, err = i.ask(ctx, q)
	return err
}

func list(text string) []string {
	var items []string
	for _, item := range strings.Split(text, ",") {
		if item = strings.TrimSpace(item); item != "" && !slices.Contains(items, item) {
			items = append(items, item)
		}
	}
	return items
}

// lookUp finds who is called so: a user group first.
func lookUp(ctx context.Context, slack Slack, groups []bot.Group, called string) (id, name string, err error) {
	bare := strings.TrimPrefix(called, "@")
	for _, g := range groups {
		if bare == g.ID || strings.EqualFold(bare, g.Handle) {
			return g.ID, "@" + g.Handle, nil
		}
	}
	people, err := slack.People(ctx, bare)
	switch {
	case err != nil:
		return "", "", err
	case len(people) == 0:
		return "", "", fmt.Errorf("nobody who counts is called %q: give their ID, from their profile under Copy member ID", called)
	case len(people) > 1:
		var ids []string
		for _, p := range people {
			ids = append(ids, p.ID)
		}
		return "", "", fmt.Errorf("%d people are called %q (%s): give one of these IDs", len(people), called, strings.Join(ids, ", "))
	}
	return people[0].ID, people[0].Name, nil
}
