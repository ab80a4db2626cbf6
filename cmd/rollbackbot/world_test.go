package main_test

import (
	"path/filepath"
	"strings"
	"testing"

	"rollbackbot/internal/localslack"
	"rollbackbot/internal/parts"
	"rollbackbot/internal/realhost"
)

// The team of the end-to-end tests.
const (
	channel = "C0SHOP"
	onCall  = "U0ANA"
	lead    = "U0LENA" // by way of the user group alone
	nobody  = "U0MALLORY"
	guest   = "U0GUS"
	botUser = "U0BOT"
	leads   = "S0LEADS"
)

func team() localslack.Workspace {
	return localslack.Workspace{
		TeamName: "Acme", BotUser: botUser, Commands: []string{"/rollback"},
		Users: []localslack.User{
			{ID: onCall, Name: "ana", RealName: "Ana"}, {ID: lead, Name: "lena", RealName: "Lena"},
			{ID: nobody, Name: "mallory", RealName: "Mallory"}, {ID: guest, Name: "gus", RealName: "Gus", Guest: true},
			{ID: botUser, Name: "rollbackbot", Bot: true},
		},
		Channels: []localslack.Channel{{ID: channel, Name: "shop", Members: []string{onCall, lead, nobody, guest, botUser}}},
		// The guest is in the group too: that they are a guest has to weigh more.
		Groups: []localslack.UserGroup{{ID: leads, Handle: "engineering-leads", Members: []string{lead, guest}}},
	}
}

// startSlack starts a local Slack that ends with the test.
func startSlack(tb testing.TB, options ...localslack.Option) *localslack.Server {
	tb.Helper()
	slack := localslack.New(team(), options...)
	if err := slack.Start("127.0.0.1:0"); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := slack.Close(); err != nil {
			tb.Errorf("close the local Slack: %v", err)
		}
	})
	return slack
}

// world is everything around the program: a team in a Slack, and an app on a host made of real parts.
type world struct {
	*program
	*people
	registry *realhost.Registry
	host     *realhost.SSHD
	stack    *realhost.Stack
}

// newWorld makes a world in which nothing is deployed yet. Its releases are v1, which is good, and v2, whose api answers
// 503 and which brings a migration, where no others are given.
func newWorld(tb testing.TB, releases ...realhost.Release) *world {
	tb.Helper()
	parts.Compose(tb)
	parts.SSHD(tb)
	registry := realhost.StartRegistry(tb)
	if len(releases) == 0 {
		releases = []realhost.Release{realhost.V1, realhost.V2}
	}
	images := realhost.BuildImages(tb, registry, releases...)
	host := realhost.StartSSHD(tb)
	stack := realhost.NewStack(tb, registry, images)
	slack := startSlack(tb)
	return &world{
		program:  &program{binary: realhost.Build(tb, "rollbackbot/cmd/rollbackbot"), env: environment(tb, slack, host, stack)},
		people:   &people{slack: slack, app: stack.App},
		registry: registry, host: host, stack: stack,
	}
}

// environment is the whole configuration, with waiting times for tests: the runbook's own are minutes.
func environment(tb testing.TB, slack *localslack.Server, host *realhost.SSHD, stack *realhost.Stack) map[string]string {
	tb.Helper()
	workspace := slack.Workspace()
	env := map[string]string{
		"SLACK_BOT_TOKEN": workspace.BotToken, "SLACK_APP_TOKEN": workspace.AppToken, "SLACK_API_URL": slack.APIURL(),
		"ROLLBACK_CHANNEL": channel, "ROLLBACK_LEADS": leads, "ROLLBACK_REQUESTERS": onCall,
		"ROLLBACK_APPS": stack.App, "ROLLBACK_DATABASE_URL": "sqlite:" + filepath.Join(tb.TempDir(), "journal.db"),
		"ROLLBACK_SSH_KEY": host.KeyFile(), "ROLLBACK_SSH_KNOWN_HOSTS": host.KnownHosts(tb),
		"ROLLBACK_OBSERVE_INTERVAL": "4s",
	}
	for name, value := range map[string]string{
		"HOSTS": host.Target(), "DIR": stack.Dir, "HEALTH_URL": stack.HealthURL(), "HEALTH_ATTEMPTS": "300", "HEALTH_INTERVAL": "1s",
		"ERROR_RATE_WINDOW": "1s", "VERIFY_AFTER": "2s", "DASHBOARD_URL": "https://grafana.acme.example/d/shop",
	} {
		env[appVariable(stack.App, name)] = value
	}
	return env
}

// appVariable is the name of an app's variable.
func appVariable(app, name string) string {
	return "ROLLBACK_APP_" + strings.ToUpper(strings.ReplaceAll(app, "-", "_")) + "_" + name
}

// brokenRelease tells the story before a rollback: v1 was deployed by hand and noted, then v2, whose api answers 503.
func (w *world) brokenRelease(tb testing.TB) {
	tb.Helper()
	w.stack.Up(tb, "v1")
	w.note(tb, "v1", "none")
	w.note(tb, "v2", "yes")
	w.stack.Up(tb, "v2")
}

// note notes a release as CI would.
func (w *world) note(tb testing.TB, version, migration string) {
	tb.Helper()
	args := []string{"deployed", w.stack.App, "--version", version, "--migration", migration}
	for service, ref := range w.stack.Images(version) {
		args = append(args, "--image", service+"="+ref)
	}
	w.mustRun(tb, args...)
}

// runs fails the test unless the stack's containers run a version, three workers among them, and the host's pins say so.
func (w *world) runs(tb testing.TB, version string) {
	tb.Helper()
	containers, env := w.stack.Containers(tb), w.stack.Env(tb)
	for service, want := range map[string]int{"api": 1, "worker": realhost.Workers, "web": 1} {
		ref := w.stack.Images(version)[service]
		id := realhost.ImageID(tb, ref)
		if got := len(containers[service]); got != want {
			tb.Errorf("%d containers of %s, want %d", got, service, want)
		}
		for _, c := range containers[service] {
			if c.ImageID != id || c.State != "running" {
				tb.Errorf("%s: %+v, want it running %s of %s", service, c, id, version)
			}
		}
		if pin := strings.ToUpper(service) + "_IMAGE=" + ref + "\n"; !strings.Contains("\n"+env, "\n"+pin) {
			tb.Errorf("the file of the pins lacks %q:\n%s", pin, env)
		}
	}
}

// untouched fails the test where a container that no plan names is another one than before.
func (w *world) untouched(tb testing.TB, before map[string][]realhost.Container) {
	tb.Helper()
	after := w.stack.Containers(tb)
	for _, service := range []string{"db", "migrate"} {
		if len(before[service]) != 1 || len(after[service]) != 1 {
			tb.Fatalf("containers of %s: %+v, before %+v; want one", service, after[service], before[service])
		}
		if was, is := before[service][0], after[service][0]; is != was {
			tb.Errorf("%s was touched: it is\n%+v, and was\n%+v", service, is, was)
		}
	}
}
