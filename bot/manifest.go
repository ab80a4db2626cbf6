package bot

import (
	"encoding/json"

	"github.com/slack-go/slack"
)

// scopes are what the bot's token may do, each for something it does:
// the command; messages, files and their updates; who people are; who is in the groups of leads and requesters; who is
// in the team channel and whether it is shared; finding a message again whose posting was left open; private messages.
var scopes = []string{
	"commands", "chat:write", "files:write", "users:read", "usergroups:read", "channels:read", "groups:read",
	"channels:history", "groups:history", "im:write", "im:history",
}

// Manifest is the Slack app manifest as indented JSON with a line break at its end, for "Create New App" → "From a
// manifest". The app-level token that SLACK_APP_TOKEN wants isn't part of any manifest: it is made by hand.
func Manifest() []byte {
	manifest := slack.Manifest{
		Metadata: slack.ManifestMetadata{MajorVersion: 2},
		Display: slack.Display{
			Name:        "Rollbackbot",
			Description: "Rolls a release back to the previous images: asked for, signed off, proven and recorded.",
		},
		Features: slack.Features{
			AppHome: slack.AppHome{HomeTabEnabled: true, MessagesTabEnabled: true, MessagesTabReadOnlyEnabled: true},
			BotUser: slack.BotUser{DisplayName: "rollbackbot", AlwaysOnline: true},
			SlashCommands: []slack.ManifestSlashCommand{{
				Command:      slash,
				Description:  "Roll a release back; alone it opens a form",
				UsageHint:    "APP [to RELEASE] [migration none|yes|unknown] [owner @person] [because REASON…]",
				ShouldEscape: true, // people and channels arrive as IDs, which names typed by hand are not
			}},
		},
		OAuthConfig: slack.OAuthConfig{Scopes: slack.OAuthScopes{Bot: scopes}},
		Settings: slack.Settings{
			EventSubscriptions: &slack.EventSubscriptions{BotEvents: []string{"app_home_opened"}},
			Interactivity:      &slack.Interactivity{IsEnabled: true},
			SocketModeEnabled:  true,
		},
	}
	text, err := json.MarshalIndent(manifest, "", "  ")
	if err != nil {
		panic(err) // a literal that marshals today marshals tomorrow: the tests call this
	}
	return append(text, '\n')
}
