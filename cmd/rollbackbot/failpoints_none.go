//go:build !failpoints

package main

import (
	"rollbackbot/bot"
	"rollbackbot/runbook/runner"
)

// failpoints does nothing: only a build for tests has any.
func failpoints(*runner.Runner) {}

// failpointsAtInbox does nothing either.
func failpointsAtInbox(*bot.Bot) {}
