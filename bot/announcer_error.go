package bot

import (
	"errors"
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"rollbackbot/runbook"
)

// SlackError is Slack's refusal of a call, with what mends it.
type SlackError struct {
	Code   string // Slack's word, as in channel_not_found
	Remedy string // what to do about it: a sentence without a full stop
	Err    error  // the cause, for the log
}

func (e *SlackError) Error() string { return e.Code + ": " + e.Remedy }

// Unwrap gives the cause.
func (e *SlackError) Unwrap() error { return e.Err }

// remedies are Slack's error codes with what mends each. The codes of chat.postMessage are those of the other methods
// too: https://docs.slack.dev/reference/methods/chat.postMessage#errors
var remedies = map[string]string{
	"channel_not_found":                     "Slack knows no such channel, or it is private and the bot is not in it; check ROLLBACK_CHANNEL (it is an ID, as in C0123456789) and invite the bot there with /invite",
	"not_in_channel":                        "the bot is not in the channel; invite it there with /invite",
	"is_archived":                           "the channel is archived; unarchive it, or name another in ROLLBACK_CHANNEL",
	"missing_scope":                         "the bot token lacks a scope; compare the app's scopes with `rollbackbot manifest`, then install the app again",
	"not_allowed_token_type":                "this token is of the wrong kind; SLACK_BOT_TOKEN begins with xoxb-, SLACK_APP_TOKEN with xapp-",
	"invalid_auth":                          "Slack doesn't accept SLACK_BOT_TOKEN; copy it again from the app's page, under OAuth & Permissions",
	"not_authed":                            "SLACK_BOT_TOKEN did not arrive; set it",
	"account_inactive":                      "the app was uninstalled or its account deactivated; install it again and set the new tokens",
	"token_revoked":                         "the bot token was revoked; install the app again and set the new SLACK_BOT_TOKEN",
	"token_expired":                         "the bot token has expired; install the app again and set the new SLACK_BOT_TOKEN",
	"access_denied":                         "an administrator has restricted what the app may do; ask them",
	"no_permission":                         "the bot may not do this in that channel; ask who manages the channel or the workspace",
	"ekm_access_denied":                     "an administrator has suspended access to the channel's messages; ask them",
	"team_access_not_granted":               "the app is not granted for this workspace; ask an administrator of the organisation",
	"org_login_required":                    "the workspace is being migrated; wait until that is over",
	"restricted_action":                     "the workspace's settings keep the bot from posting; ask an administrator to allow it",
	"posting_to_channel_denied":             "the channel's settings keep the bot from posting; ask who manages it to allow it",
	"msg_too_long":                          "the message is too long for Slack; this is a defect of the bot, please report it",
	"msg_blocks_too_long":                   "the message is too long for Slack; this is a defect of the bot, please report it",
	"invalid_blocks":                        "Slack doesn't accept how the message is built; this is a defect of the bot, please report it",
	"invalid_blocks_format":                 "Slack doesn't accept how the message is built; this is a defect of the bot, please report it",
	"no_text":                               "the message says nothing; this is a defect of the bot, please report it",
	"metadata_too_large":                    "the message's metadata is too large for Slack; this is a defect of the bot, please report it",
	"metadata_must_be_sent":                 "Slack takes the message's metadata for none; this is a defect of the bot, please report it",
	"cannot_reply_to_message":               "the thread's first message is gone",
	"thread_not_found":                      "the thread's first message is gone",
	"message_not_found":                     "the message is gone",
	"cant_update_message":                   "the message is not the bot's own; was its token changed to another app's?",
	"edit_window_closed":                    "the workspace's settings don't allow messages to be edited after a while; ask an administrator to allow it",
	"user_not_found":                        "Slack knows no such person",
	"user_not_in_channel":                   "this person is not in the channel",
	"no_such_subteam":                       "there is no such user group; check the S… IDs in ROLLBACK_LEADS and ROLLBACK_REQUESTERS",
	"subteam_not_found":                     "there is no such user group; check the S… IDs in ROLLBACK_LEADS and ROLLBACK_REQUESTERS",
	"message_limit_exceeded":                "the workspace has reached its limit of messages; see its plan",
	"rate_limited":                          "Slack wants fewer calls; the bot tries again by itself",
	"ratelimited":                           "Slack wants fewer calls; the bot tries again by itself",
	"fatal_error":                           "Slack has a problem of its own; the bot tries again by itself",
	"internal_error":                        "Slack has a problem of its own; the bot tries again by itself",
	"service_unavailable":                   "Slack is down; the bot tries again by itself",
	"team_added_to_org":                     "the workspace is being migrated; wait until that is over",
	"enterprise_is_restricted":              "this method is not open to the whole organisation; install the app in the workspace itself",
	"accesslimited":                         "an administrator has limited access to this method; ask them",
	"as_user_not_supported":                 "this is a classic app; make a new one from `rollbackbot manifest`",
	"app_missing_action_url":                "interactivity is switched off; switch it on, on the app's page, as `rollbackbot manifest` has it",
	"not_enabled":                           "the Home tab is switched off; switch it on, on the app's page under App Home, as `rollbackbot manifest` has it",
	"view_too_large":                        "the view is too large for Slack; this is a defect of the bot, please report it",
	"method_not_supported_for_channel_type": "ROLLBACK_CHANNEL must be a public or private channel",
}

// remedied gives an error of slack-go with what mends it: a *runbook.RetryError where Slack says when to come again, a
// *SlackError where it refused, and anything else, such as a broken connection, as it is.
func remedied(err error) error {
	var limited *slack.RateLimitedError
	var answer slack.SlackErrorResponse
	switch {
	case err == nil:
		return nil
	case errors.As(err, &limited):
		return &runbook.RetryError{After: limited.RetryAfter, Err: err}
	case errors.As(err, &answer):
		return refusedBySlack(answer.Err, answer.Needed, err)
	}
	if _, known := remedies[err.Error()]; known {
		return refusedBySlack(err.Error(), "", err) // slack-go gives some codes as plain errors
	}
	return err
}

func refusedBySlack(code, needed string, err error) *SlackError {
	remedy, known := remedies[code]
	if !known {
		remedy = "look the code up in Slack's reference of methods"
	}
	if needed != "" {
		remedy += fmt.Sprintf(" (needed: %s)", strings.TrimSpace(needed))
	}
	return &SlackError{Code: code, Remedy: remedy, Err: err}
}

// isCode reports whether Slack refused with one of these codes.
func isCode(err error, codes ...string) bool {
	var refused *SlackError
	if !errors.As(err, &refused) {
		return false
	}
	for _, code := range codes {
		if refused.Code == code {
			return true
		}
	}
	return false
}
