package bot

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/slack-go/slack"
)

// callTimeout bounds every call of Slack's Web API. slack-go's own client has none: a call that is never answered would
// hang for ever, and with it whatever waits for it.
const callTimeout = 10 * time.Second

// NewClient makes the client for all that the bot does in Slack. apiURL ends in a slash; empty means Slack's own.
func NewClient(botToken, appToken, apiURL string) *slack.Client {
	options := []slack.Option{
		slack.OptionAppLevelToken(appToken),
		slack.OptionHTTPClient(newPacer(&http.Client{Timeout: callTimeout})),
	}
	if apiURL != "" {
		options = append(options, slack.OptionAPIURL(apiURL))
	}
	return slack.New(botToken, options...)
}

// Identity is who the bot is in Slack.
type Identity struct {
	Team string // the workspace it is installed in
	User string // its bot user
	Bot  string // its bot ID
}

// Identify asks Slack who the bot is. The error names the remedy.
func Identify(ctx context.Context, api *slack.Client) (Identity, error) {
	who, err := api.AuthTestContext(ctx)
	if err != nil {
		return Identity{}, fmt.Errorf("ask Slack who the bot is: %w", remedied(err))
	}
	return Identity{Team: who.TeamID, User: who.UserID, Bot: who.BotID}, nil
}
