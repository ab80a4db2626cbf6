package shapes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"rollbackbot/internal/localslack"
)

// patience bounds a command of the bot.
const patience = 3 * time.Minute

// lead asks for and signs off every rollback, and channel hears of it.
const (
	lead    = "U0LENA"
	channel = "C0SHOP"
)

// startSlack starts a local Slack that ends with the test.
func startSlack(t *testing.T) *localslack.Server {
	t.Helper()
	slack := localslack.New(localslack.Workspace{
		TeamName: "Acme", BotUser: "U0BOT", Commands: []string{"/rollback"},
		Users:    []localslack.User{{ID: lead, Name: "lena"}, {ID: "U0BOT", Name: "rollbackbot", Bot: true}},
		Channels: []localslack.Channel{{ID: channel, Name: "shop", Members: []string{lead, "U0BOT"}}},
	})
	if err := slack.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := slack.Close(); err != nil {
			t.Errorf("close the local Slack: %v", err)
		}
	})
	return slack
}

// bot is the real binary, configured for the app on one host. What is asked and answered goes through the terminal, which has
// the same plan, rules, lock, journal and executor as Slack has; Slack is there, so that nothing waits for it.
type bot struct {
	binary string
	env    map[string]string
	key    string
}

// newBot configures the bot for a shape, and tells it of release v1. The error is what the bot says against that.
func newBot(t *testing.T, binary string, s *stage, shape Shape) (*bot, error) {
	t.Helper()
	folder := t.TempDir()
	b := &bot{binary, map[string]string{}, filepath.Join(folder, "key")}
	slack := startSlack(t)
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", lead, "-f", b.key).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v: %s", err, out)
	}
	public, err := os.ReadFile(b.key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	signers := filepath.Join(folder, "signers")
	if err := os.WriteFile(signers, []byte(lead+` namespaces="rollbackbot" `+string(public)), 0o600); err != nil {
		t.Fatal(err)
	}
	maps.Copy(b.env, map[string]string{
		"SLACK_BOT_TOKEN": slack.Workspace().BotToken, "SLACK_APP_TOKEN": slack.Workspace().AppToken, "SLACK_API_URL": slack.APIURL(),
		"ROLLBACK_CHANNEL": channel, "ROLLBACK_LEADS": lead, "ROLLBACK_REQUESTERS": lead, "ROLLBACK_SELF_SIGNOFF": "true",
		"ROLLBACK_SIGNERS": signers, "ROLLBACK_DATABASE_URL": "sqlite:" + filepath.Join(folder, "journal.db"),
		"ROLLBACK_SSH_KEY": s.KeyFile(), "ROLLBACK_SSH_KNOWN_HOSTS": s.KnownHosts(), "ROLLBACK_APPS": "shop",
		"PATH": os.Getenv("PATH"), "HOME": folder,
	})
	b.configure(map[string]string{
		"HOSTS": "deploy@" + s.Addr(), "DIR": appFolder, "HEALTH_URL": "http://" + s.Addr() + ":8080/health",
		"HEALTH_ATTEMPTS": "60", "HEALTH_INTERVAL": "1s", "ERROR_RATE_WINDOW": "1s", "VERIFY_AFTER": "1s",
		"DASHBOARD_URL": "https://grafana.acme.example/d/shop",
	})
	for name, value := range shape.Config {
		b.configure(map[string]string{name: s.images.Replace(value)})
	}
	return b, b.knows(t, s.release(shape))
}

// configure changes the app's variables; an empty value takes one away.
func (b *bot) configure(variables map[string]string) {
	for name, value := range variables {
		b.env["ROLLBACK_APP_SHOP_"+name] = value
	}
}

func (b *bot) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, b.binary, args...)
	cmd.Env = []string{}
	for name, value := range b.env {
		if value != "" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	return cmd
}

// says runs a command to its end, and gives what it printed and whether its status was 0.
func (b *bot) says(t *testing.T, args ...string) (string, bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := b.command(ctx, args...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("rollbackbot %s: %v", strings.Join(args, " "), err)
	}
	return string(out), err == nil
}

// knows tells the bot of release v1.
func (b *bot) knows(t *testing.T, images map[string]string) error {
	t.Helper()
	args := []string{"deployed", "shop", "--version", "v1", "--migration", "none"}
	for service, ref := range images {
		args = append(args, "--image", service+"="+ref)
	}
	if out, ok := b.says(t, args...); !ok {
		return fmt.Errorf("the bot can't be told of v1: %s", out)
	}
	return nil
}

// answers are what is typed for what a terminal shows, in this order.
var answers = []struct {
	shown *regexp.Regexp
	typed string
}{
	{regexp.MustCompile(`waiting for an engineering lead`), "signoff_none\n"},
	{regexp.MustCompile(`waiting for an answer until .*error rate`), "error_rate_baseline\n"},
}

// another is a question that no rollback has which goes well.
var another = regexp.MustCompile(`waiting for an answer until .*`)

// rollsBack carries a rollback to v1 from the request to its end. succeeded is false, too, where something else was asked than in one
// that goes well.
func (b *bot) rollsBack(t *testing.T) (said string, succeeded bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := b.command(ctx, "run", "shop", "--as", lead, "--sign-with", b.key, "to", "v1", "because", "v2", "answers", "503")
	screen := &screen{}
	cmd.Stdout, cmd.Stderr = screen, screen
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	next := 0
	for {
		text := screen.text()
		if next < len(answers) && answers[next].shown.MatchString(text) {
			if _, err := io.WriteString(in, answers[next].typed); err != nil {
				t.Log(err)
			}
			next++
			continue
		}
		for _, asked := range another.FindAllString(text, -1) {
			if !strings.Contains(asked, "error rate") {
				cancel()
				<-ended
				return screen.text(), false
			}
		}
		select {
		case err := <-ended:
			return screen.text(), err == nil
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// screen is what a command has printed so far.
type screen struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(p)
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.String()
}
