package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"rollbackbot/internal/realhost"
)

// TestPlan_SaysWhatIsWrongWithAHost has everything go wrong with a host that can, one thing after the other: each has
// its own sentence, and the remedy in it.
func TestPlan_SaysWhatIsWrongWithAHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stack.Up(t, "v1")
	w.note(t, "v1", "none")
	w.note(t, "v2", "yes")
	if out := w.mustRun(t, "plan", w.app, "--to", "v2"); !strings.Contains(out, "up -d --no-deps") {
		t.Fatalf("the plan on a sound host:\n%s", out)
	}

	one := realhost.StartSSHD(t, realhost.WithHostKeys(ssh.KeyAlgoED25519))
	gone := realhost.StartSSHD(t)
	goneKnown := gone.KnownHosts(t)
	gone.Stop(t)
	outsider := w.withoutDocker(t)
	app := func(name string) string { return appVariable(w.app, name) }
	for _, c := range []struct {
		what    string
		changes map[string]string
		want    []string
	}{
		{"the host key has changed", map[string]string{"ROLLBACK_SSH_KNOWN_HOSTS": w.host.KnownHostsWrong(t)},
			[]string{"the host key has changed", "stand in between"}},
		{"another key type", map[string]string{app("HOSTS"): one.Target(), "ROLLBACK_SSH_KEY": one.KeyFile(), "ROLLBACK_SSH_KNOWN_HOSTS": one.KnownHostsWrong(t, ssh.KeyAlgoRSA)},
			[]string{"another key type", "ssh-keyscan"}},
		// It has a certificate too, and no authority is known here: ssh asks about its key then.
		{"an unknown host", map[string]string{"ROLLBACK_SSH_KNOWN_HOSTS": goneKnown},
			[]string{"it is not in " + goneKnown, "it shows the key ssh-", "compare that fingerprint", "ssh-keyscan"}},
		{"a key that is refused", map[string]string{"ROLLBACK_SSH_KEY": gone.KeyFile()},
			[]string{"refuses the key of deploy", "authorized_keys"}},
		{"nobody listens", map[string]string{app("HOSTS"): gone.Target(), "ROLLBACK_SSH_KNOWN_HOSTS": goneKnown},
			[]string{"refuses connections on port", "check that sshd runs"}},
		{"Compose v1", map[string]string{app("COMPOSE_COMMAND"): w.script(t, `case "$*" in *version*) echo 1.29.2; exit ;; esac; exec docker compose "$@"`)},
			[]string{"this is Docker Compose 1.29.2", "docker-compose-plugin"}},
		{"no Compose at all", map[string]string{app("COMPOSE_COMMAND"): w.script(t, `case "$*" in *--short) echo "unknown flag: --short" >&2 ;; *) echo "unknown shorthand flag: 'f' in -f" >&2 ;; esac; exit 125`)},
			[]string{"Docker Compose 2 or newer is needed", "docker-compose-plugin"}},
		{"no docker", map[string]string{app("DOCKER_COMMAND"): "dockerr"},
			[]string{"`dockerr` isn't found", "DOCKER_COMMAND"}},
		{"docker is not for this user", outsider,
			[]string{"may not talk to the docker engine", "usermod -aG docker"}},
		{"no compose file", map[string]string{app("COMPOSE_FILE"): "infra/nosuch.yml"},
			[]string{"no readable compose file infra/nosuch.yml", "COMPOSE_FILE"}},
		{"no folder", map[string]string{app("DIR"): "/opt/nosuch"},
			[]string{"/opt/nosuch", "DIR"}},
		{"a service that isn't there", map[string]string{app("IMAGES"): "api=API_IMAGE,worker=WORKER_IMAGE,web=WEB_IMAGE,scheduler=WORKER_IMAGE"},
			[]string{"scheduler"}},
	} {
		status, stdout, stderr := w.with(c.changes).run(t, "plan", w.app, "--to", "v2")
		if status != 1 || stdout != "" {
			t.Errorf("%s: status %d, want 1: %s", c.what, status, stdout)
		}
		said := withoutLog(stderr)
		for _, want := range c.want {
			if !strings.Contains(said, want) {
				t.Errorf("%s: %q does not say %q", c.what, said, want)
			}
		}
		if strings.Contains(stderr, realhost.SecretValue) {
			t.Errorf("%s: a secret got out:\n%s", c.what, stderr)
		}
	}
	w.runs(t, "v1")
}

// withoutLog is standard error without the lines of the log.
func withoutLog(stderr string) string {
	var said strings.Builder
	for line := range strings.Lines(stderr) {
		if !strings.HasPrefix(line, "{") {
			said.WriteString(line)
		}
	}
	return said.String()
}

// script is a program on the host, for commands that are not what they should be.
func (w *world) script(tb testing.TB, content string) string {
	tb.Helper()
	file, err := os.CreateTemp(w.stack.Dir, "command-")
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := file.WriteString("#!/bin/sh\n" + content + "\n"); err != nil {
		tb.Fatal(err)
	}
	if err := file.Chmod(0o755); err != nil {
		tb.Fatal(err)
	}
	if err := file.Close(); err != nil {
		tb.Fatal(err)
	}
	return file.Name()
}

// withoutDocker is the configuration for an account that owns the app's folder and may not use docker.
func (w *world) withoutDocker(tb testing.TB) map[string]string {
	tb.Helper()
	const user = "deploy-nodocker"
	host := realhost.StartSSHD(tb, realhost.WithUser(user))
	folder, err := os.MkdirTemp(host.Home(), "app-")
	if err != nil {
		tb.Fatal(err)
	}
	for _, args := range [][]string{
		{"gpasswd", "--delete", user, "docker"},
		{"cp", "--recursive", filepath.Dir(w.stack.ComposeFile()), folder},
		{"chown", "--recursive", user + ":", folder},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			tb.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	return map[string]string{
		appVariable(w.app, "HOSTS"): host.Target(), appVariable(w.app, "DIR"): folder,
		"ROLLBACK_SSH_KEY": host.KeyFile(), "ROLLBACK_SSH_KNOWN_HOSTS": host.KnownHosts(tb),
	}
}
