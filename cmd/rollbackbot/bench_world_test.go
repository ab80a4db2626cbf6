package main_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"rollbackbot/internal/localslack"
	"rollbackbot/internal/parts"
	"rollbackbot/internal/practice"
	"rollbackbot/internal/realhost"
)

// idleWorld is a team in a Slack, two apps on a host in process that nobody does anything to, and the bot's whole
// configuration for them.
type idleWorld struct {
	*program
	*people
}

// stores are where a journal can be, by the name in the tables of docs/benchmarks.md.
func stores(b *testing.B) map[string]string {
	b.Helper()
	return map[string]string{
		"sqlite":     "sqlite:" + filepath.Join(b.TempDir(), "journal.db"),
		"postgresql": parts.StartPostgreSQL(b).Database(b),
	}
}

// idleHost starts a host in process.
func idleHost(b *testing.B) *practice.Host {
	b.Helper()
	host, err := practice.Start(context.Background(), practice.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := host.Close(); err != nil {
			b.Error(err)
		}
	})
	return host
}

func newIdleWorld(b *testing.B, host *practice.Host, database string) *idleWorld {
	b.Helper()
	slack := startSlack(b)
	env := slackVariables(slack)
	for name, value := range map[string]string{
		"ROLLBACK_CHANNEL": channel, "ROLLBACK_LEADS": leads, "ROLLBACK_REQUESTERS": onCall,
		"ROLLBACK_APPS": "shop,shop-two", "ROLLBACK_DATABASE_URL": database,
		"ROLLBACKBOT_DEMO_BOT": "1", // its host is a stand-in
		"ROLLBACK_SSH_KEY":     host.KeyFile, "ROLLBACK_SSH_KNOWN_HOSTS": host.KnownHosts, "ROLLBACK_LOG_LEVEL": "warn",
	} {
		env[name] = value
	}
	for _, app := range []string{"shop", "shop-two"} {
		env[appVariable(app, "HOSTS")] = string(host.Host)
		env[appVariable(app, "DIR")] = host.App().Dir
		env[appVariable(app, "COMPOSE_FILE")] = strings.Join(host.App().ComposeFiles, ",")
		env[appVariable(app, "HEALTH_URL")] = host.HealthURL
	}
	return &idleWorld{
		program: &program{binary: realhost.Build(b, "rollbackbot/cmd/rollbackbot"), env: env},
		people:  &people{slack: slack, app: "shop"},
	}
}

func slackVariables(slack *localslack.Server) map[string]string {
	workspace := slack.Workspace()
	return map[string]string{"SLACK_BOT_TOKEN": workspace.BotToken, "SLACK_APP_TOKEN": workspace.AppToken, "SLACK_API_URL": slack.APIURL()}
}
