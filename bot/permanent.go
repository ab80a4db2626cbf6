package bot

import (
	"errors"

	"github.com/slack-go/slack"
)

// permanentCodes are the answers of apps.connections.open, and the reasons of a disconnect, that trying again doesn't
// mend, each with what does. Who tries them again and says nothing looks alive and is deaf.
// https://docs.slack.dev/reference/methods/apps.connections.open lists the codes, and
// https://docs.slack.dev/apis/events-api/using-socket-mode#disconnect the reasons.
var permanentCodes = map[string]string{
	"missing_scope":           "make an app-level token with the scope connections:write and put it into SLACK_APP_TOKEN",
	"not_allowed_token_type":  "SLACK_APP_TOKEN needs an app-level token (xapp-…), which is made on the app's page under Basic Information",
	"invalid_auth":            "SLACK_APP_TOKEN is not valid: copy it again from the app's page, under Basic Information, App-Level Tokens",
	"not_authed":              "SLACK_APP_TOKEN is empty: copy it from the app's page, under Basic Information, App-Level Tokens",
	"account_inactive":        "the app was removed from the workspace, or who installed it was deactivated: install it again and set both tokens",
	"token_revoked":           "the app-level token was revoked: make a new one and put it into SLACK_APP_TOKEN",
	"token_expired":           "the app-level token has expired: make a new one and put it into SLACK_APP_TOKEN",
	"team_access_not_granted": "an administrator of the organisation has to grant the app this workspace",
	"org_login_required":      "the workspace is being moved to another organisation: wait for the end of that, then install the app again",
	"ekm_access_denied":       "an administrator of the organisation has suspended access to its messages",
	"access_denied":           "SLACK_APP_TOKEN may not open sockets: make an app-level token with the scope connections:write",
	reasonLinkDisabled:        "Socket Mode is switched off: switch it on, on the app's page under Socket Mode",
	"no_permission":           "SLACK_APP_TOKEN may not open sockets: make an app-level token with the scope connections:write",
}

// permanent gives the remedy for an error of opening a socket that doesn't go away by itself; false for all others.
func permanent(err error) (remedy string, ok bool) {
	var answer slack.SlackErrorResponse
	if errors.As(err, &answer) {
		remedy, ok = permanentCodes[answer.Err]
		return remedy, ok
	}
	if err != nil {
		remedy, ok = permanentCodes[err.Error()]
	}
	var status slack.StatusCodeError
	if errors.As(err, &status) && status.Code == 404 {
		return "SLACK_API_URL leads nowhere: leave it unset for Slack's own address", true
	}
	return remedy, ok
}
