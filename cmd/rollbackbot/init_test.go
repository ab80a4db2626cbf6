package main_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"rollbackbot/internal/realhost"
)

// TestInit_RealStack is what init is for: a host that it has never seen, flags for answers, and then doctor and plan with the
// file as it was written. The host is the same before and after.
func TestInit_RealStack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stack.Up(t, "v1")
	folder := t.TempDir()
	workspace := w.slack.Workspace()
	newcomer := &program{binary: w.binary, env: map[string]string{
		"SLACK_BOT_TOKEN": workspace.BotToken, "SLACK_APP_TOKEN": workspace.AppToken, "SLACK_API_URL": w.slack.APIURL(), "ROLLBACK_SSH_KEY": w.host.KeyFile(),
	}}
	before := hostState(t, w)

	status, stdout, stderr := newcomer.run(t, "init", w.host.Target(), "--dir", folder)
	if status != 2 || stderr != "there is no terminal to ask in: give --host-key\n" {
		t.Fatalf("status %d, %q\n%s", status, stderr, stdout)
	}
	shown := regexp.MustCompile(`ED25519\s+(SHA256:\S+)`).FindStringSubmatch(stdout)
	if shown == nil {
		t.Fatalf("no key is shown:\n%s", stdout)
	}
	status, stdout, stderr = newcomer.run(t, "init", w.host.Target(), "--dir", folder, "--app", w.stack.App, "--host-key", shown[1])
	if status != 2 || stderr != "there is no terminal to ask in: give --leads\n" {
		t.Fatalf("status %d, %q\n%s", status, stderr, stdout)
	}
	stdout = newcomer.mustRun(t, "init", w.host.Target(), "--dir", folder, "--app", w.stack.App, "--leads", "@engineering-leads, Ana") // the key is known by now
	t.Log(stdout)
	for _, want := range []string{"migrate      API_IMAGE, left out: it runs once", "db           ", w.stack.HealthURL() + ": answered 200"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("it doesn't say %q", want)
		}
	}
	if after := hostState(t, w); after != before {
		t.Errorf("the host is now\n%s\nand was\n%s", after, before)
	}

	file := filepath.Join(folder, "rollbackbot.env")
	configured := &program{binary: w.binary, env: sourced(t, file)}
	for name, want := range map[string]string{
		"ROLLBACK_CHANNEL": channel, "ROLLBACK_LEADS": leads + "," + onCall, appVariable(w.stack.App, "HEALTH_URL"): w.stack.HealthURL(),
		appVariable(w.stack.App, "IMAGES"): "api=API_IMAGE,web=WEB_IMAGE,worker=WORKER_IMAGE",
	} {
		if got := configured.env[name]; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	// The file leaves the journal where the bot is started; here that is a folder of this repository.
	configured.env["ROLLBACK_DATABASE_URL"] = w.env["ROLLBACK_DATABASE_URL"]
	(&world{program: configured, people: w.people, stack: w.stack}).note(t, "v1", "none")
	// A bot that has seen nothing yet knows no release to go back to; all else is as it should be.
	status, stdout, _ = configured.run(t, "doctor")
	for line := range strings.Lines(stdout) {
		if strings.HasPrefix(line, "WRONG") && !strings.HasPrefix(line, "WRONG: default target of ") || status == 2 {
			t.Errorf("doctor: %s", line)
		}
	}
	if !strings.Contains(stdout, "fine: health of ") || !strings.Contains(stdout, "fine: leads: ") {
		t.Errorf("doctor, status %d:\n%s", status, stdout)
	}
	(&world{program: configured, people: w.people, stack: w.stack}).note(t, "v2", "yes")
	w.stack.Up(t, "v2")
	if plan := configured.mustRun(t, "plan", w.stack.App, "--to", "v1"); !strings.Contains(plan, " up -d --no-deps --pull never --scale worker=3 api web worker") {
		t.Errorf("the plan is\n%s", plan)
	}

	status, _, stderr = newcomer.run(t, "init", w.host.Target(), "--dir", folder, "--app", w.stack.App)
	if status != 1 || !strings.Contains(stderr, file+" is there already, and is not overwritten") {
		t.Errorf("a second run: status %d, %q", status, stderr)
	}
	stranger := newcomer.with(map[string]string{"ROLLBACK_SSH_KNOWN_HOSTS": w.host.KnownHostsWrong(t)})
	status, _, stderr = stranger.run(t, "init", w.host.Target(), "--dir", t.TempDir(), "--host-key", shown[1])
	if status != 1 || !strings.Contains(stderr, "the host key has changed") {
		t.Errorf("a host with another key: status %d, %q", status, stderr)
	}
}

// sourced is a file's environment as a shell reads it.
func sourced(tb testing.TB, file string) map[string]string {
	tb.Helper()
	out, err := exec.Command("env", "-i", "sh", "-c", `set -a; . "$0"; env`, file).CombinedOutput()
	if err != nil {
		tb.Fatalf("%v\n%s", err, out)
	}
	env := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "="); strings.HasPrefix(name, "ROLLBACK_") || strings.HasPrefix(name, "SLACK_") {
			env[name] = value
		}
	}
	return env
}

// hostState is all that a look must leave alone: the stack's containers, its folder and the account's home.
func hostState(tb testing.TB, w *world) string {
	tb.Helper()
	out, err := exec.Command("sh", "-c", `docker ps --all --no-trunc --filter label=com.docker.compose.project="$0" --format "{{.ID}} {{.Image}}" | sort
find "$1" -printf "%p %s %T@ %m %u:%g\n" | sort; find "$1" -type f -exec sha256sum {} + | sort`, w.stack.App, w.stack.Dir).CombinedOutput()
	if err != nil {
		tb.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// TestInit_BadUsage is found before anybody is connected to.
func TestInit_BadUsage(t *testing.T) {
	t.Parallel()
	p := &program{binary: realhost.Build(t, "rollbackbot/cmd/rollbackbot")}
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, "rollbackbot init takes one argument, the host; `rollbackbot help init` says how"},
		{[]string{"your-vps"}, `"your-vps" names no user: write user@host or user@host:port`},
		{[]string{"deploy@your-vps", "--jump", "hop"}, `"hop" names no user`},
		{[]string{"deploy@your-vps", "--dir", "/nowhere/at/all"}, "--dir: there is no folder /nowhere/at/all: make it"},
		{[]string{"deploy@your-vps", "--host"}, "unknown flag: --host"},
		{[]string{"deploy@your-vps", "--ssh-key", "/nowhere/id"}, "--ssh-key: there is no file /nowhere/id"},
		{[]string{"deploy@your-vps", "--dir", t.TempDir()}, "there is no terminal to ask in: give --ssh-key"},
	} {
		if status, _, stderr := p.run(t, append([]string{"init"}, test.args...)...); status != 2 || !strings.Contains(stderr, test.want) {
			t.Errorf("init %q: status %d, %q, want 2 and %q", test.args, status, stderr, test.want)
		}
	}
}
