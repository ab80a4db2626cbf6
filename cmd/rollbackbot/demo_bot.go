package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"rollbackbot/config"
)

// demoBotVariable marks a process of the demo: its hosts are stand-ins. Without arguments it is the demo's bot: this program
// as `serve`, which ends with its standard input, so that it doesn't outlive a demo that was killed.
const demoBotVariable = "ROLLBACKBOT_DEMO_BOT"

func isDemoBot() bool { return os.Getenv(demoBotVariable) != "" }

// runDemoBot is `rollbackbot serve`, until standard input ends or SIGTERM comes. Ctrl-C is the demo's to deal with.
func runDemoBot() int {
	signal.Ignore(os.Interrupt)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	return run(ctx, []string{"serve"}, os.Stdout, os.Stderr)
}

// demoBotProcess is the demo's bot as a process of its own.
type demoBotProcess struct {
	cmd      *exec.Cmd
	lifeline io.Closer
	ended    chan struct{} // closed when it has ended
}

func startDemoBot(cfg config.Config, errs io.Writer) (*demoBotProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	b := &demoBotProcess{cmd: exec.Command(self), ended: make(chan struct{})}
	b.cmd.Env = append(demoEnvironment(cfg), demoBotVariable+"=1")
	b.cmd.Stdout, b.cmd.Stderr = errs, errs
	if b.lifeline, err = b.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := b.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the bot: %w", err)
	}
	go func() {
		_ = b.cmd.Wait() // how it ended is in its ProcessState
		close(b.ended)
	}()
	return b, nil
}

func (b *demoBotProcess) pid() int { return b.cmd.Process.Pid }

// kill is kill -9, and waits until the process is gone.
func (b *demoBotProcess) kill() error {
	err := b.cmd.Process.Signal(syscall.SIGKILL)
	<-b.ended
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// demoStopTimeout bounds how long the bot may take to stop by itself.
const demoStopTimeout = 5 * time.Second

func (b *demoBotProcess) stop() error {
	_ = b.lifeline.Close() // closed already when the process has ended
	select {
	case <-b.ended:
		return nil
	case <-time.After(demoStopTimeout):
		return b.kill()
	}
}

// demoEnvironment is the demo's configuration as the bot's process reads it, and what every process needs.
func demoEnvironment(cfg config.Config) []string {
	app := cfg.Apps[0]
	var hosts []string
	for _, h := range app.Hosts {
		hosts = append(hosts, string(h))
	}
	env := []string{
		"SLACK_BOT_TOKEN=" + cfg.Slack.BotToken.Reveal(), "SLACK_APP_TOKEN=" + cfg.Slack.AppToken.Reveal(), "SLACK_API_URL=" + cfg.Slack.APIURL,
		"ROLLBACK_CHANNEL=" + cfg.Slack.Channel,
		"ROLLBACK_LEADS=" + strings.Join(cfg.People.Leads, ","), "ROLLBACK_DEPUTIES=" + strings.Join(cfg.People.Deputies, ","),
		"ROLLBACK_REQUESTERS=" + strings.Join(cfg.People.Requesters, ","), "ROLLBACK_BREAK_GLASS=" + strconv.FormatBool(cfg.People.BreakGlass),
		"ROLLBACK_SIGNOFF_TIMEOUT=" + cfg.SignoffTimeout.String(), "ROLLBACK_OBSERVE_INTERVAL=" + cfg.ObserveInterval.String(),
		"ROLLBACK_DATABASE_URL=" + cfg.DatabaseURL.Reveal(), "ROLLBACK_SSH_KEY=" + cfg.SSH.Key, "ROLLBACK_SSH_KNOWN_HOSTS=" + cfg.SSH.KnownHosts,
		"ROLLBACK_LOG_LEVEL=" + cfg.Log.Level, "ROLLBACK_LOG_FORMAT=" + cfg.Log.Format, "ROLLBACK_APPS=" + app.Name,
	}
	prefix := "ROLLBACK_APP_" + strings.ToUpper(app.Name) + "_"
	for _, setting := range [][2]string{
		{"HOSTS", strings.Join(hosts, ",")}, {"DIR", app.Dir}, {"COMPOSE_FILE", strings.Join(app.ComposeFiles, ",")},
		{"HEALTH_URL", strings.Join(app.Health.URLs, ",")}, {"HEALTH_ATTEMPTS", strconv.Itoa(app.Health.Attempts)},
		{"HEALTH_INTERVAL", app.Health.Interval.String()}, {"ERROR_RATE_WINDOW", app.ErrorRate.Window.String()}, {"VERIFY_AFTER", app.VerifyAfter.String()},
	} {
		env = append(env, prefix+setting[0]+"="+setting[1])
	}
	for _, name := range []string{"PATH", "HOME", "TMPDIR"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}
