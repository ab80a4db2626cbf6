package main_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"rollbackbot/internal/localslack"
	"rollbackbot/internal/realhost"
)

// TestServe_SaysWhatIsWrongWithSlack: a bot that can't do its work in Slack ends at its start, and says why and what to do.
func TestServe_SaysWhatIsWrongWithSlack(t *testing.T) {
	t.Parallel()
	without := func(scope string) []string {
		return slices.DeleteFunc(slices.Clone(localslack.DefaultScopes), func(s string) bool { return s == scope })
	}
	for _, c := range []struct {
		what   string
		change func(*localslack.Server, *program)
		want   []string
	}{
		{"no such channel", func(_ *localslack.Server, p *program) { p.env["ROLLBACK_CHANNEL"] = "C0NOSUCH" },
			[]string{"channel_not_found", "ROLLBACK_CHANNEL", "/invite"}},
		{"not in the channel", func(s *localslack.Server, _ *program) {
			s.SetChannel(localslack.Channel{ID: channel, Name: "shop", Members: []string{onCall, lead}})
		}, []string{channel, "/invite"}},
		{"archived", func(s *localslack.Server, _ *program) {
			s.SetChannel(localslack.Channel{ID: channel, Name: "shop", Archived: true, Members: []string{onCall, lead, botUser}})
		}, []string{"archived", "ROLLBACK_CHANNEL"}},
		{"shared", func(s *localslack.Server, _ *program) {
			s.SetChannel(localslack.Channel{ID: channel, Name: "shop", Shared: true, Members: []string{onCall, lead, botUser}})
		}, []string{"another organisation"}},
		{"no scope to see channels", func(s *localslack.Server, _ *program) { s.SetScopes(without("channels:read")...) },
			[]string{"missing_scope", "rollbackbot manifest"}},
		{"no scope to read the history", func(s *localslack.Server, _ *program) { s.SetScopes(without("channels:history")...) },
			[]string{"missing_scope", "rollbackbot manifest"}},
		{"a token that is not valid", func(_ *localslack.Server, p *program) { p.env["SLACK_BOT_TOKEN"] = "xoxb-0-forged" },
			[]string{"invalid_auth", "SLACK_BOT_TOKEN"}},
	} {
		t.Run(strings.ReplaceAll(c.what, " ", "_"), func(t *testing.T) {
			t.Parallel()
			slack := startSlack(t)
			p := unreachable(t, slack)
			c.change(slack, p)
			bot := p.serve(t, nil)
			if status := bot.wait(t); status != 1 {
				t.Errorf("ends with status %d, want 1", status)
			}
			said := bot.text()
			for _, want := range c.want {
				if !strings.Contains(said, want) {
					t.Errorf("does not say %q:\n%s", want, said)
				}
			}
			if strings.Contains(said, p.env["SLACK_BOT_TOKEN"]) || strings.Contains(said, p.env["SLACK_APP_TOKEN"]) {
				t.Errorf("a token got out:\n%s", said)
			}
		})
	}
}

// unreachable is the program with an app whose host nobody has ever seen: for what is judged before a host is asked.
func unreachable(tb testing.TB, slack *localslack.Server) *program {
	tb.Helper()
	folder := tb.TempDir()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	hostKey, err := ssh.NewPublicKey(public)
	if err != nil {
		tb.Fatal(err)
	}
	known := "nowhere.example " + string(ssh.MarshalAuthorizedKey(hostKey))
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		tb.Fatal(err)
	}
	for name, content := range map[string][]byte{"key": pem.EncodeToMemory(block), "known_hosts": []byte(known)} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	workspace := slack.Workspace()
	return &program{binary: realhost.Build(tb, "rollbackbot/cmd/rollbackbot"), env: map[string]string{
		"SLACK_BOT_TOKEN": workspace.BotToken, "SLACK_APP_TOKEN": workspace.AppToken, "SLACK_API_URL": slack.APIURL(),
		"ROLLBACK_CHANNEL": channel, "ROLLBACK_LEADS": leads, "ROLLBACK_REQUESTERS": onCall, "ROLLBACK_APPS": "shop",
		"ROLLBACK_DATABASE_URL": "sqlite:" + filepath.Join(folder, "journal.db"),
		"ROLLBACK_SSH_KEY":      filepath.Join(folder, "key"), "ROLLBACK_SSH_KNOWN_HOSTS": filepath.Join(folder, "known_hosts"),
		"ROLLBACK_APP_SHOP_HOSTS": "deploy@127.0.0.1:1", "ROLLBACK_APP_SHOP_DIR": "/opt/shop", "ROLLBACK_APP_SHOP_HEALTH_URL": "http://127.0.0.1:1/health",
	}}
}
