package main_test

import (
	"path/filepath"
	"strings"
	"testing"

	"rollbackbot/internal/githubtest"
	"rollbackbot/internal/localslack"
	"rollbackbot/internal/practice"
	"rollbackbot/internal/realhost"
)

// homeWorld is the real binary on a host in process, with a GitHub for its tickets.
type homeWorld struct {
	*program
	*people
	host *practice.Host
}

func newHomeWorld(t *testing.T) *homeWorld {
	t.Helper()
	hub := githubtest.Start(t)
	binary := realhost.Build(t, "rollbackbot/cmd/rollbackbot")
	host, err := practice.Start(t.Context(), practice.Options{Start: -1, Pull: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := host.Close(); err != nil {
			t.Errorf("close the host: %v", err)
		}
	})
	slack := startSlack(t)
	workspace := slack.Workspace()
	p := &program{binary: binary, env: map[string]string{
		"SLACK_BOT_TOKEN": workspace.BotToken, "SLACK_APP_TOKEN": workspace.AppToken, "SLACK_API_URL": slack.APIURL(),
		"ROLLBACK_CHANNEL": channel, "ROLLBACK_LEADS": leads, "ROLLBACK_REQUESTERS": onCall, "ROLLBACK_APPS": "shop",
		"ROLLBACK_DATABASE_URL": "sqlite:" + filepath.Join(t.TempDir(), "journal.db"),
		"ROLLBACK_SSH_KEY":      host.KeyFile, "ROLLBACK_SSH_KNOWN_HOSTS": host.KnownHosts, "ROLLBACK_OBSERVE_INTERVAL": "1s",
		"ROLLBACKBOT_DEMO_BOT":  "1", // its host is a stand-in
		"ROLLBACK_GITHUB_TOKEN": githubtest.Token, "ROLLBACK_GITHUB_URL": hub.URL,
	}}
	app := host.App()
	for name, value := range map[string]string{
		"HOSTS": string(host.Host), "DIR": app.Dir, "COMPOSE_FILE": strings.Join(app.ComposeFiles, ","), "ENV_FILE": app.EnvFile,
		"HEALTH_URL": host.HealthURL, "HEALTH_ATTEMPTS": "300", "HEALTH_INTERVAL": "1s",
		"ERROR_RATE_WINDOW": "1s", "VERIFY_AFTER": "2s", "REPOSITORY": githubtest.Private,
	} {
		p.env[appVariable("shop", name)] = value
	}
	return &homeWorld{program: p, people: &people{slack: slack, app: "shop"}, host: host}
}

// deploys puts a version on the host and notes it, as CI would.
func (w *homeWorld) deploys(t *testing.T, version, migration string) {
	t.Helper()
	args := []string{"deployed", "shop", "--version", version, "--migration", migration}
	for service, image := range w.host.Images(version) {
		args = append(args, "--image", service+"="+image.String())
	}
	w.mustRun(t, args...)
	if err := w.host.Deploy(t.Context(), version); err != nil {
		t.Fatal(err)
	}
}

// homeOf waits until a person's Home tab shows all of these.
func (w *homeWorld) homeOf(t *testing.T, person string, parts ...string) localslack.View {
	t.Helper()
	var home localslack.View
	w.await(t, "the Home tab of "+person+" with "+strings.Join(parts, ", "), func(now *localslack.Snapshot) bool {
		var ok bool
		home, ok = now.Home(person)
		for _, part := range parts {
			ok = ok && strings.Contains(string(home.Blocks), part)
		}
		return ok
	})
	return home
}

func (w *homeWorld) opens(t *testing.T, person string) {
	t.Helper()
	if _, err := w.slack.OpenHome(t.Context(), person); err != nil {
		t.Fatal(err)
	}
}

// TestHome_FromHealthyToRolledBack: a tab that is opened once follows the shop from a healthy release by a failing one
// and a rollback, asked for by its button, to the quarantined images and the ticket of the postmortem.
func TestHome_FromHealthyToRolledBack(t *testing.T) {
	t.Parallel()
	w := newHomeWorld(t)
	w.deploys(t, practice.V1, "none")
	bot := w.serve(t, nil)
	w.connected(t)
	w.opens(t, onCall)
	w.homeOf(t, onCall, "The bot is listening", "version ", "shop: v1 is healthy", ", known-good; ", "Plan a rollback", "none yet.")
	w.opens(t, guest)
	if home := w.homeOf(t, guest, "Nothing is shown here: guests don't count"); strings.Contains(string(home.Blocks), "v1") {
		t.Errorf("the guest is shown %s", home.Blocks)
	}

	w.deploys(t, practice.V2, "yes")
	home := w.homeOf(t, onCall, "shop: v2 is FAILING", "Failing since ", "answers 503", "a rollback goes to ", "v1")
	if _, err := w.slack.ClickView(t.Context(), onCall, home.ID, "home_plan", nil); err != nil {
		t.Fatal(err)
	}
	var form localslack.View
	w.await(t, "the form", func(now *localslack.Snapshot) bool {
		form, _ = now.OpenView(onCall)
		return strings.Contains(string(form.Blocks), "Default: v1")
	})
	if _, err := w.slack.Submit(t.Context(), onCall, form.ID, map[string]map[string]any{"reason": {"reason": "v2 answers 503"}}); err != nil {
		t.Fatal(err)
	}
	request, _ := w.request(t, 1)
	open := w.homeOf(t, onCall, "shop: a rollback waits for somebody", "It waits for a lead's sign-off until ", linkOf(request))
	if strings.Contains(string(open.Blocks), "home_plan") {
		t.Error("the tab offers a rollback while one is open")
	}
	w.clicks(t, lead, request.TS, "signoff_in_place")
	w.clicks(t, onCall, w.question(t, request.TS, "error_rate_baseline"), "error_rate_baseline")
	w.record(t, 1)
	w.homeOf(t, onCall, "shop: v1 is healthy", "Quarantined, not to be deployed again", w.host.Images(practice.V2)["api"].Digest.Short(), "ticket #1",
		"Last rollback: ", "Rolled back", "signed off after ", "ended after ")
	if home, _ := w.slack.Home(guest); strings.Contains(string(home.Blocks), "shop") {
		t.Errorf("the guest's tab shows more by now: %s", home.Blocks)
	}
	for _, secret := range []string{"xoxb-", "xapp-", githubtest.Token} {
		if home, _ := w.slack.Home(onCall); strings.Contains(string(home.Blocks), secret) {
			t.Errorf("the tab shows %q", secret)
		}
	}
	bot.stop(t)
}

// linkOf is the end of a message's address.
func linkOf(m localslack.Message) string {
	return "/archives/" + m.Channel + "/p" + strings.ReplaceAll(m.TS, ".", "")
}
