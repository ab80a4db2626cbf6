package compose_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rollbackbot/internal/parts"
	"rollbackbot/runbook"
	"rollbackbot/runbook/hosttest"
)

// wantPlan wants a preflight that warns of this and nothing else, of a host where nobody edited anything, and a proof that
// another release would run.
func (b *bench) wantPlan(app runbook.App, warnings ...string) {
	b.tb.Helper()
	host := b.hosts.On(app, b.Host())
	report, err := host.Preflight(b.tb.Context(), false)
	if err != nil {
		b.tb.Fatal(err)
	}
	for i, service := range report.Stack {
		if service.Drifted {
			b.tb.Errorf("%s is told to have drifted, and nobody edited it", app.Services[i].Name)
		}
	}
	// The benches beside it on the engine run the same images.
	report.Warnings = slices.DeleteFunc(report.Warnings, func(w string) bool { return strings.HasPrefix(w, "the project bench-") })
	if got, want := strings.Join(report.Warnings, "\n"), strings.Join(warnings, "\n"); got != want {
		b.tb.Errorf("it warns of %q, want %q", got, want)
	}
	if err := host.Prove(b.tb.Context(), b.Release(hosttest.Former).Images, runbook.FromPlan); err != nil {
		b.tb.Errorf("prove another release: %v", err)
	}
}

// sudoers has the account run the bench's docker as root, and nothing else. What sudo keeps of the environment is its
// default: env_reset.
func (b *bench) sudoers(t *testing.T, lines ...string) {
	t.Helper()
	account := b.lane.account.Username
	file := filepath.Join("/etc/sudoers.d", account)
	rule := account + " ALL=(root) NOPASSWD: " + b.app.Docker[0]
	if err := os.WriteFile(file, []byte(strings.Join(append(lines, rule), "\n")+"\n"), 0o440); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(file); err != nil {
			t.Error(err)
		}
	})
}

// underSudo is an app whose docker is run by a sudo that drops what is exported.
func underSudo(t *testing.T, b *bench) {
	parts.Sudo(t)
	app := b.App()
	app.Docker = append([]string{"sudo", "-n"}, app.Docker...)
	app.Compose = append([]string{"sudo", "-n"}, app.Compose...)
	_, err := b.hosts.On(app, b.Host()).Preflight(t.Context(), false)
	var found *runbook.PreflightError
	if !errors.As(err, &found) || !strings.HasPrefix(found.Problems[0].What, "sudo doesn't let the SSH user run ") {
		t.Errorf("without a rule: %v", err)
	}
	b.sudoers(t)
	b.wantPlan(app)
}

// blanks is an app that runs with a blank that nobody set, and one that was set and is gone.
func blanks(t *testing.T, b *bench) {
	write := func(line string) error { return appendTo(b.pinsFile(), "\n"+line+"\n") }
	if err := errors.Join(
		b.edit("\n  "+b.app.Services[0].Name+":\n", "    environment:\n      DB_PASSWORD: ${DB_PASSWORD}\n      SENTRY_DSN: ${SENTRY_DSN}\n"),
		write("DB_PASSWORD=s3cret$word"), b.deploy(t.Context(), hosttest.Current)); err != nil {
		t.Fatal(err)
	}
	b.wantPlan(b.App(), "these run with blanks, and will again, since these variables are not set: "+b.app.Services[0].Name+" (word, SENTRY_DSN)")

	if err := errors.Join(b.lane.exports("SENTRY_DSN=x"), b.deploy(t.Context(), hosttest.Current), b.lane.exports("")); err != nil {
		t.Fatal(err)
	}
	_, err := b.hosts.On(b.App(), b.Host()).Preflight(t.Context(), false)
	var found *runbook.PreflightError
	if !errors.As(err, &found) || len(found.Problems) != 1 || !strings.HasSuffix(found.Problems[0].What, ": SENTRY_DSN") || !strings.HasPrefix(found.Problems[0].Remedy, "Write SENTRY_DSN into ") {
		t.Fatalf("a variable that is gone: %v", err)
	}
	if err := write("SENTRY_DSN=x"); err != nil {
		t.Fatal(err)
	}
	b.wantPlan(b.App(), "these run with blanks, and will again, since these variables are not set: "+b.app.Services[0].Name+" (word)")
}

// exports has the account's profile export a variable besides, or nothing.
func (l *lane) exports(pair string) error {
	content := string(l.profile)
	if pair != "" {
		content += "\nexport " + pair + "\n"
	}
	return os.WriteFile(l.profileFile(), []byte(content), 0o644)
}

// elsewhere is an app whose engine the profile names, as that of a rootless docker, or by a context.
func elsewhere(t *testing.T, b *bench) {
	const socket = "unix:///var/run/docker.sock"
	if err := b.types(t.Context(), "docker context create bench --docker host="+socket); err != nil {
		t.Fatal(err)
	}
	for _, pair := range []string{"DOCKER_HOST=" + socket, "DOCKER_CONTEXT=bench"} {
		if err := b.lane.exports(pair); err != nil {
			t.Fatal(err)
		}
		b.wantPlan(b.App())
	}
	if err := b.lane.exports("DOCKER_CONTEXT=nobody-made-it"); err != nil {
		t.Fatal(err)
	}
	_, err := b.hosts.On(b.App(), b.Host()).Preflight(t.Context(), false)
	var found *runbook.PreflightError
	if !errors.As(err, &found) || !strings.Contains(err.Error(), "nobody-made-it") {
		t.Errorf("a context that isn't there: %v", err)
	}
}
