package main

import (
	"context"
	"errors"

	"rollbackbot/config"
	"rollbackbot/internal/gate"
	"rollbackbot/runbook"
)

// remoteBot is the bot that ROLLBACK_URL names, for commands away from its machine; nil where there is none, and the
// journal is asked. Nothing but the address and the token is demanded then.
func remoteBot() (*gate.Client, error) {
	cfg, err := config.Load(config.Remote)
	if err != nil || cfg.URL == "" {
		return nil, err
	}
	return &gate.Client{URL: cfg.URL, Token: cfg.HTTPToken.Reveal()}, nil
}

// noteAt notes a deployment with a bot elsewhere. What the bot finds wrong is bad usage, as it is here.
func noteAt(ctx context.Context, bot *gate.Client, app string, note runbook.Deployed) (runbook.Release, error) {
	release, err := bot.Note(ctx, app, note)
	var invalid *gate.InvalidError
	if errors.As(err, &invalid) {
		return release, usage("%v", invalid)
	}
	return release, quarantined(err)
}
