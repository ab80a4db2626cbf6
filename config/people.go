package config

import (
	"regexp"
	"slices"
)

// People says who may do what. Its IDs are those of users (U…, W…) and of user groups (S…).
type People struct {
	Leads             []string
	Requesters        []string // empty where ChannelMayRequest
	Deputies          []string // asked when no lead answers
	ChannelMayRequest bool     // every full member of the team channel may ask
	BreakGlass        bool     // may two requesters together sign off
	SelfSignoff       bool     // may a lead sign off their own request
}

// channelWord stands for every full member of the team channel.
const channelWord = "channel"

// personPattern is the ID of a user (U…, on Enterprise Grid also W…) or of a user group (S…).
var personPattern = regexp.MustCompile(`^[UWS][A-Z0-9]+$`)

func (r *reader) people(env environment) People {
	p := People{
		Leads:       r.ids(env.Leads),
		Deputies:    r.ids(env.Deputies),
		BreakGlass:  r.boolean(env.BreakGlass),
		SelfSignoff: r.boolean(env.SelfSignoff),
	}
	if p.ChannelMayRequest = env.Requesters.text() == channelWord; !p.ChannelMayRequest {
		p.Requesters = r.ids(env.Requesters)
	}
	return p
}

// ids are the IDs of a list, each once.
func (r *reader) ids(s setting) []string {
	var ids []string
	for _, item := range r.list(s) {
		switch {
		case item == channelWord:
			r.problem(s, "the word channel stands in a list, or where it has no meaning", "for ROLLBACK_REQUESTERS it stands alone; elsewhere give IDs")
		case !personPattern.MatchString(item):
			r.problem(s, show(item)+" is neither a user ID nor a user group ID", "copy the ID from the person's profile (U…) or the address of the user group's page (S…) in Slack")
		case !slices.Contains(ids, item):
			ids = append(ids, item)
		}
	}
	return ids
}
