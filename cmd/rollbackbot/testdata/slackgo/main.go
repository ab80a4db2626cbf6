// Command slackgo is what BenchmarkAck stands beside: slack-go's own Socket Mode loop, which acknowledges whatever comes
// at once, stores nothing and does nothing.
package main

import (
	"fmt"
	"os"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
)

func main() {
	api := slack.New(os.Getenv("SLACK_BOT_TOKEN"), slack.OptionAppLevelToken(os.Getenv("SLACK_APP_TOKEN")), slack.OptionAPIURL(os.Getenv("SLACK_API_URL")))
	client := socketmode.New(api)
	go func() {
		for event := range client.Events {
			if event.Type != socketmode.EventTypeSlashCommand {
				continue
			}
			if err := client.Ack(*event.Request, nil); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}
	}()
	if err := client.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
