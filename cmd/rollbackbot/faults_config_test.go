package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rollbackbot/internal/realhost"
)

// TestConfig_AllProblemsAtOnce: who sets the bot up at night has no time for one problem after the other.
func TestConfig_AllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	p := &program{binary: realhost.Build(t, "rollbackbot/cmd/rollbackbot"), env: map[string]string{
		"SLACK_BOT_TOKEN": "xapp-1-swapped-0123", "ROLLBACK_CHANNEL": "#shop", "ROLLBACK_LEADS": "lena",
		"ROLLBACK_APPS": "shop,help", "ROLLBACK_SIGNOFF_TIMEOUT": "soon", "ROLLBACK_CHANEL": "C0SHOP",
		"ROLLBACK_APP_SHOP_HOSTS": "one", "ROLLBACK_APP_SHOP_DIR": "shop", "ROLLBACK_APP_SHOP_HEALTH_URL": "api/health",
		"ROLLBACK_APP_SHOP_HEALTH_ATTEMPTS": "none",
	}}
	status, stdout, stderr := p.run(t, "serve")
	if status != 2 || stdout != "" {
		t.Errorf("ends with status %d and prints %q, want 2 and nothing", status, stdout)
	}
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	for _, variable := range []string{
		"SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "ROLLBACK_CHANNEL", "ROLLBACK_LEADS", "ROLLBACK_REQUESTERS", "ROLLBACK_APPS",
		"ROLLBACK_SIGNOFF_TIMEOUT", "ROLLBACK_CHANEL", "ROLLBACK_SSH_KNOWN_HOSTS",
		"ROLLBACK_APP_SHOP_HOSTS", "ROLLBACK_APP_SHOP_DIR", "ROLLBACK_APP_SHOP_HEALTH_URL", "ROLLBACK_APP_SHOP_HEALTH_ATTEMPTS",
	} {
		found := 0
		for _, line := range lines {
			if strings.HasPrefix(line, variable+": ") {
				found++
			}
		}
		if found == 0 {
			t.Errorf("no line about %s:\n%s", variable, stderr)
		}
	}
	if strings.Contains(stderr, "0123") {
		t.Errorf("a token is quoted:\n%s", stderr)
	}
}

func TestUsage_EndsWithStatus2(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	p := &program{binary: realhost.Build(t, "rollbackbot/cmd/rollbackbot"), env: map[string]string{
		"ROLLBACK_APPS": "shop", "ROLLBACK_DATABASE_URL": "sqlite:" + filepath.Join(folder, "journal.db"),
	}}
	const digest = "@sha256:0123456789012345678901234567890123456789012345678901234567890123"
	// A question is no reason to make a database.
	for _, line := range []string{"history shop", "audit verify", "allowed a/api" + digest} {
		status, _, stderr := p.run(t, strings.Fields(line)...)
		if status != 1 || stderr == "" {
			t.Errorf("%s without a database: status %d, %q; want 1 and why", line, status, stderr)
		}
	}
	if files, err := os.ReadDir(folder); err != nil || len(files) > 0 {
		t.Errorf("commands that only read have made %v (%v)", files, err)
	}
	for _, c := range []struct {
		line string
		want []string // what standard error has to name
	}{
		{"nonsense", []string{"nonsense"}},
		{"history", []string{"the app"}},
		{"history shop shop", []string{"one argument"}},
		{"plan --nonsense", []string{"nonsense"}},
		{"deployed shopp --image api=a/api" + digest, []string{"shopp", "shop"}},
		{"deployed shop --image api=a/api:v1 --image api --migration maybe", []string{"sha256:", "SERVICE=", "maybe"}},
		{"deployed shop --image api=a/api" + digest, []string{"worker", "web"}},
		{"allowed", []string{"images"}},
		{"allowed a/api:v1", []string{"a/api:v1", "sha256:"}},
		{"demo --addr 0.0.0.0:8400", []string{"loopback"}},
		{"audit", []string{"export", "verify"}},
		{"lock", []string{"the app"}},
		{"lock shop --for 1s", []string{"--for", "1m"}},
		{"lock shop --for 900h", []string{"--for", "24h"}},
		{"lock shop", []string{"ROLLBACK_SSH_KNOWN_HOSTS"}},
		{"unlock shop", []string{"ROLLBACK_SSH_KNOWN_HOSTS"}},
		{"unlock shop shop", []string{"one argument"}},
		{"version extra", []string{"no arguments"}},
	} {
		status, stdout, stderr := p.run(t, strings.Fields(c.line)...)
		if status != 2 || stdout != "" {
			t.Errorf("%s: status %d, want 2: %s%s", c.line, status, stdout, stderr)
		}
		for _, want := range c.want {
			if !strings.Contains(stderr, want) {
				t.Errorf("%s: %q does not name %q", c.line, stderr, want)
			}
		}
	}
}
