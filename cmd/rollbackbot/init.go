package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"rollbackbot/bot"
	"rollbackbot/config"
	"rollbackbot/internal/compose"
	"rollbackbot/internal/compose/discover"
	"rollbackbot/internal/probe"
	"rollbackbot/internal/setup"
	"rollbackbot/runbook"
	"rollbackbot/runbook/endpoint"
	"rollbackbot/ssh"
)

func initCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "init USER@HOST [--app NAME]",
		Short: "Look at what Compose runs on a host, and write rollbackbot.env and known_hosts; changes nothing there",
		Long: "Logs in, lists what Compose runs, asks what can't be seen there, and writes rollbackbot.env and known_hosts, ready for\n" +
			"`rollbackbot doctor`. Each question has a flag; without a terminal the flags are the answers, and a missing one is named.\n" +
			"A rollbackbot.env that is there already is never overwritten; known_hosts only gets a line for a key that was confirmed.\n" +
			"With SLACK_BOT_TOKEN it offers the channels and user groups to choose from.",
		Example: "  rollbackbot init deploy@your-vps\n" +
			"  rollbackbot init deploy@your-vps --app shop --host-key SHA256:… --leads @engineering-leads --channel shop",
		Args: exactly("the host"),
		RunE: func(cmd *cobra.Command, args []string) error {
			interview, err := newInterview(cmd, runbook.Host(args[0]), dir)
			if err != nil {
				return err
			}
			err = interview.Run(cmd.Context())
			var missing *setup.MissingError
			var answer *setup.AnswerError
			if errors.As(err, &missing) || errors.As(err, &answer) {
				return usage("%v", err)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&dir, "dir", ".", "the folder for rollbackbot.env, and for known_hosts where ROLLBACK_SSH_KNOWN_HOSTS names none")
	for _, flag := range [][2]string{
		{"app", "the project of this name, and what people call it in Slack"},
		{"project", "Compose's project, where the app is called otherwise"},
		{"ssh-key", "the private key file with which the bot logs in, or agent"},
		{"jump", "the jump host, user@host[:port]"},
		{"host-key", "the host key's fingerprint, SHA256:…, as ssh-keygen -lf prints it on the host"},
		{"jump-host-key", "the same of the jump host"},
		{"services", "the services that go back together, comma-separated, in the order in which they are deployed"},
		{"health-url", "the address that answers 200 when the release is well"},
		{"channel", "the team's channel in Slack, its name or ID; empty leaves it open"},
		{"leads", "who signs off: user groups, names, e-mail addresses or IDs, comma-separated; empty leaves it open"},
	} {
		cmd.Flags().String(flag[0], "", flag[1])
	}
	return cmd
}

// newInterview takes the answers from flags, and what the environment says already.
func newInterview(cmd *cobra.Command, host runbook.Host, dir string) (*setup.Interview, error) {
	answers := map[string]string{}
	cmd.Flags().Visit(func(f *pflag.Flag) { answers[f.Name] = f.Value.String() })
	cfg, err := config.Load(config.Nothing)
	if err != nil {
		return nil, err
	}
	jump := cmp.Or(answers["jump"], string(cfg.SSH.Jump))
	for _, h := range []string{string(host), jump} {
		if wrong, remedy := config.CheckHost(h); h != "" && wrong != "" {
			return nil, usage("%s: %s", wrong, remedy)
		}
	}
	folder, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return nil, usage("--dir: there is no folder %s: make it", folder)
	}
	given := setup.Given{
		BotToken: cfg.Slack.BotToken.Reveal(), AppToken: cfg.Slack.AppToken.Reveal(), APIURL: otherSlack(cfg.Slack.APIURL),
		SSHKey: absolute(cfg.SSH.Key), Keys: keyFiles(), Agent: cfg.SSH.AgentSocket != "",
		KnownHosts: cmp.Or(absolute(cfg.SSH.KnownHosts), filepath.Join(folder, "known_hosts")), Jump: runbook.Host(jump),
	}
	return &setup.Interview{
		Host: host, Answers: answers, Terminal: isTerminal(cmd.InOrStdin()) && isTerminal(cmd.OutOrStdout()),
		In: cmd.InOrStdin(), Out: cmd.OutOrStdout(), Folder: folder, Given: given, World: &initWorld{host: host, cfg: cfg, given: given},
	}, nil
}

// otherSlack is an address that isn't Slack's own, which needs no line in the file.
func otherSlack(apiURL string) string {
	for _, v := range config.Variables() {
		if v.Name == "SLACK_API_URL" && v.Default == apiURL {
			return ""
		}
	}
	return apiURL
}

// absolute is a path as the bot may read it from any folder.
func absolute(path string) string {
	if whole, err := filepath.Abs(path); path != "" && err == nil {
		return whole
	}
	return path
}

// keyFiles are the private keys that OpenSSH itself would try, as far as they are there: ssh_config(5), IdentityFile.
func keyFiles() (files []string) {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil
	}
	for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
		file := filepath.Join(home, ".ssh", name)
		if _, err := os.Stat(file); err == nil {
			files = append(files, file)
		}
	}
	return files
}

// initWorld is what init reaches in earnest.
type initWorld struct {
	host  runbook.Host
	cfg   config.Config
	given setup.Given
}

var _ setup.World = (*initWorld)(nil)

// ssh is how hosts are reached; the way to the jump host itself leads through none.
func (w *initWorld) ssh(host runbook.Host, keyFile string) ssh.Config {
	c := ssh.Config{KeyFile: keyFile, AgentSocket: w.cfg.SSH.AgentSocket, KnownHosts: w.given.KnownHosts}
	if host != w.given.Jump {
		c.Jump = string(w.given.Jump)
	}
	return c
}

// Knows asks known_hosts.
func (w *initWorld) Knows(host runbook.Host) (bool, error) {
	return ssh.Knows(w.given.KnownHosts, host)
}

// Scan asks the host.
func (w *initWorld) Scan(ctx context.Context, host runbook.Host, keyFile string) ([]ssh.HostKey, error) {
	return ssh.Scan(ctx, w.ssh(host, keyFile), host)
}

// Remember writes known_hosts.
func (w *initWorld) Remember(host runbook.Host, key ssh.HostKey) error {
	return ssh.Remember(w.given.KnownHosts, host, key)
}

// Login gives the engine, whose connection lasts until ctx ends.
func (w *initWorld) Login(ctx context.Context, host runbook.Host, keyFile string) (setup.Engine, error) {
	pool, err := ssh.New(w.ssh(host, keyFile), zerolog.Nop())
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { pool.Close() })
	engine, err := compose.Discover(ctx, host, pool.Client(host))
	if err != nil {
		return nil, err
	}
	return discover.Engine{Engine: engine}, nil
}

// Health asks as a rollback would.
func (w *initWorld) Health(ctx context.Context, url string) (int, error) {
	return probe.Health{}.Check(ctx, endpoint.For(url, w.host), "")
}

// Slack is asked with the bot's token.
func (w *initWorld) Slack() setup.Slack {
	if w.given.BotToken == "" {
		return nil
	}
	return bot.Choices{API: bot.NewClient(w.given.BotToken, w.given.AppToken, w.cfg.Slack.APIURL)}
}
