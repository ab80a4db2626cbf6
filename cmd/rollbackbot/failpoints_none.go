//go:build !failpoints

package main

import (
	"rollbackbot/bot"
	"rollbackbot/runbook"
)

// failpoints does nothing: only a build for tests has any.
func failpoints(*runbook.Runner) {}

// failpointsAtInbox does nothing either.
func failpointsAtInbox(*bot.Bot) {}
