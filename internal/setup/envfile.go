package setup

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"rollbackbot/internal/compose/discover"
	"rollbackbot/runbook"
)

// envFile is what an interview found out, and its text.
type envFile struct {
	host                 runbook.Host
	given                Given
	key                  string // "": the agent's keys
	docker, compose      []string
	stack                discover.Stack
	app                  string
	services             []discover.StackService
	health               string
	channel, channelName string
	leads                string
	leadNames            []string
	open                 []string // variables without a value
	lines                []string
	unwritable           error
}

// text is the file: NAME=value on lines of their own, which a shell, systemd's EnvironmentFile and `docker run --env-file` read
// alike. They differ in quotes, in comments after a value and in what $ means, so that values have none of these: where
// spaces need quotes, these are single ones, which the bot takes off where docker leaves them.
func (f *envFile) text() (string, error) {
	f.comment("Rollbackbot, as `rollbackbot init %s` found it. Every variable is in the README.", f.host)
	f.comment("systemd's EnvironmentFile= and `docker run --env-file` read this file; in a shell: set -a; . ./%s; set +a", FileName)

	f.space("Slack. Both tokens are on the app's pages at https://api.slack.com/apps: the bot's, xoxb-…, under OAuth & Permissions,")
	f.comment("the app's, xapp-…, under Basic Information.")
	f.must("SLACK_BOT_TOKEN", f.given.BotToken)
	f.must("SLACK_APP_TOKEN", f.given.AppToken)
	f.may("SLACK_API_URL", f.given.APIURL)
	f.named("The team's channel. Its ID, C…, is at the end of its details in Slack", f.channelName)
	f.must("ROLLBACK_CHANNEL", f.channel)
	f.named("The engineering leads, who sign off: IDs of people, U…, from their profile under Copy member ID, and of user groups, S…", f.leadNames...)
	f.must("ROLLBACK_LEADS", f.leads)
	f.comment("Who may ask for a rollback: every full member of the channel. IDs narrow it.")
	f.set("ROLLBACK_REQUESTERS", "channel")

	f.space("SSH. The paths are those of the machine on which the bot runs.")
	if f.key == "" {
		f.comment("No ROLLBACK_SSH_KEY: the agent at SSH_AUTH_SOCK has the key. A service has no agent: name a key file there.")
	}
	f.may("ROLLBACK_SSH_KEY", f.key)
	f.set("ROLLBACK_SSH_KNOWN_HOSTS", f.given.KnownHosts)
	f.may("ROLLBACK_SSH_JUMP", string(f.given.Jump))

	f.space("The app %s: compose's project %s.", f.app, f.stack.Project)
	f.set("ROLLBACK_APPS", f.app)
	f.comment("More hosts that run all of it go here, comma-separated; known_hosts has to know each.")
	f.ofApp("HOSTS", string(f.host))
	f.ofApp("DIR", f.stack.Dir)
	f.ofApp("COMPOSE_FILE", strings.Join(f.stack.Files, ","))
	if f.stack.EnvFile != "" {
		f.ofApp("ENV_FILE", f.stack.EnvFile)
	}
	if words := strings.Join(f.docker, " "); words != "docker" {
		f.ofApp("DOCKER_COMMAND", words)
	}
	if words := strings.Join(f.compose, " "); words != "docker compose" {
		f.ofApp("COMPOSE_COMMAND", words)
	}
	var pairs []string
	for _, s := range f.services {
		pairs = append(pairs, s.Name+"="+s.Variable)
	}
	f.leftOut()
	f.ofApp("IMAGES", strings.Join(pairs, ","))
	f.ofApp("HEALTH_URL", f.health)
	f.comment("Worth having, each explained in the README: %s or _DASHBOARD_URL, _REPOSITORY.", f.variable("PROMETHEUS_URL"))
	return strings.Join(f.lines, "\n") + "\n", f.unwritable
}

func (f *envFile) leftOut() {
	var names []string
	for _, s := range f.stack.Services {
		if !slices.ContainsFunc(f.services, func(other discover.StackService) bool { return other.Name == s.Name }) {
			names = append(names, s.Name)
		}
	}
	if len(names) > 0 {
		f.comment("Left out, and never touched by a rollback: %s.", strings.Join(names, ", "))
	}
}

func (f *envFile) comment(format string, args ...any) {
	// A name from Slack or a host has no line of its own here.
	text := strings.ReplaceAll(printable(fmt.Sprintf(format, args...)), "\n", " ")
	f.lines = append(f.lines, "# "+text)
}

// space begins a part of the file.
func (f *envFile) space(format string, args ...any) {
	f.lines = append(f.lines, "")
	f.comment(format, args...)
}

// named is a comment about IDs, with the names that belong to them.
func (f *envFile) named(what string, names ...string) {
	// Names are for people: the bot reads the IDs alone.
	if names = slices.DeleteFunc(names, func(name string) bool { return name == "" }); len(names) > 0 {
		what += ": " + strings.Join(names, ", ")
	}
	f.comment("%s.", what)
}

// must is a variable that the bot needs: without a value it is told.
func (f *envFile) must(name, value string) {
	if value == "" {
		f.open = append(f.open, name)
	}
	f.set(name, value)
}

// may is a variable that is left out without a value.
func (f *envFile) may(name, value string) {
	if value != "" {
		f.set(name, value)
	}
}

func (f *envFile) ofApp(name, value string) { f.set(f.variable(name), value) }

func (f *envFile) variable(name string) string {
	return "ROLLBACK_APP_" + strings.ToUpper(strings.ReplaceAll(f.app, "-", "_")) + "_" + name
}

func (f *envFile) set(name, value string) {
	if strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c == 0x7f || c == '\'' }) {
		f.unwritable = fmt.Errorf("%s would be %.60q, which no environment file holds: rename that, deploy, and run this again", name, value)
	}
	f.lines = append(f.lines, name+"="+quoted(value))
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,={}\[\]-]*$`)

func quoted(value string) string {
	if plain.MatchString(value) {
		return value
	}
	return "'" + value + "'"
}
