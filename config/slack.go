package config

import (
	"regexp"
	"strings"
)

// Slack is how Slack is reached.
type Slack struct {
	BotToken Secret // xoxb-…
	AppToken Secret // xapp-…
	APIURL   string // ends in a slash
	Channel  string // ID of the team channel
}

// The beginnings of Slack's tokens: https://docs.slack.dev/authentication/tokens
const (
	botPrefix  = "xoxb-"
	appPrefix  = "xapp-"
	userPrefix = "xoxp-"
)

// channelPattern is the ID of a public (C…) or private (G… on old workspaces) channel.
var channelPattern = regexp.MustCompile(`^[CG][A-Z0-9]+$`)

func (r *reader) slack(env environment) Slack {
	s := Slack{
		BotToken: r.token(env.SlackBotToken, botPrefix),
		AppToken: r.token(env.SlackAppToken, appPrefix),
		APIURL:   r.optionalAddress(env.SlackAPIURL),
		Channel:  r.text(env.Channel),
	}
	if !strings.HasSuffix(s.APIURL, "/") {
		s.APIURL += "/"
	}
	if s.Channel != "" && !channelPattern.MatchString(s.Channel) {
		r.problem(env.Channel, show(s.Channel)+" is no channel ID", "copy the ID, C… or G…, from the end of the channel's details in Slack")
	}
	return s
}

// token is one of Slack's tokens. Its problems name what it is by its beginning, and never quote it.
func (r *reader) token(s setting, prefix string) Secret {
	token := r.text(s)
	rest, right := strings.CutPrefix(token, prefix)
	remedy := "give " + s.Meaning
	switch {
	case token == "":
	case right && (rest == "" || strings.ContainsAny(rest, " \t\r\n\"'")):
		r.problem(s, "it is only "+prefix+", or has spaces or quotes in it", remedy)
	case right:
	case strings.HasPrefix(token, appPrefix):
		r.problem(s, "this is the app-level token (xapp-)", "the two tokens are swapped, or this one is there twice: "+remedy)
	case strings.HasPrefix(token, botPrefix):
		r.problem(s, "this is the bot token (xoxb-)", "the two tokens are swapped, or this one is there twice: "+remedy)
	case strings.HasPrefix(token, userPrefix):
		r.problem(s, "this is a user's token (xoxp-)", remedy)
	default:
		r.problem(s, "it does not begin with "+prefix, remedy)
	}
	return NewSecret(token)
}
