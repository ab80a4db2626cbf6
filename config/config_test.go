package config

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"rollbackbot/runbook"
)

// set makes the environment hold these variables of ours and no others.
func set(t *testing.T, env map[string]string) {
	t.Helper()
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, "ROLLBACK_") || strings.HasPrefix(name, "SLACK_") || name == "SSH_AUTH_SOCK" {
			t.Setenv(name, "") // restores it after the test
			os.Unsetenv(name)
		}
	}
	for name, value := range env {
		t.Setenv(name, value)
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func certificate(t *testing.T) string {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// least is the least that serve needs.
func least(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{
		"SLACK_BOT_TOKEN":              "xoxb-hunter2",
		"SLACK_APP_TOKEN":              "xapp-hunter3",
		"ROLLBACK_CHANNEL":             "C0TEAM",
		"ROLLBACK_LEADS":               "U0LEAD, S0LEADS",
		"ROLLBACK_REQUESTERS":          "channel",
		"ROLLBACK_APPS":                "shop",
		"ROLLBACK_SSH_KEY":             write(t, "key", "-----BEGIN OPENSSH PRIVATE KEY-----\n"),
		"ROLLBACK_SSH_KNOWN_HOSTS":     write(t, "known_hosts", "your-vps ssh-ed25519 AAAA\n"),
		"ROLLBACK_APP_SHOP_HOSTS":      "deploy@your-vps",
		"ROLLBACK_APP_SHOP_DIR":        "/opt/your-app",
		"ROLLBACK_APP_SHOP_HEALTH_URL": "https://api.yourdomain.com/health",
	}
}

// token is one that is hard enough to guess.
const token = "hunter5-0123456789abcdef0123456789abcdef"

func with(env map[string]string, more map[string]string) map[string]string {
	for name, value := range more {
		env[name] = value
	}
	return env
}

func TestLoad_Defaults(t *testing.T) {
	env := least(t)
	set(t, env)
	got, err := Load(Everything)
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		DatabaseURL: NewSecret("sqlite:rollbackbot.db"),
		Apps: []runbook.App{{
			Name: "shop", Hosts: []runbook.Host{"deploy@your-vps"}, Dir: "/opt/your-app",
			Docker: []string{"docker"}, Compose: []string{"docker", "compose"},
			Services: []runbook.Service{{Name: "api", Variable: "API_IMAGE"}, {Name: "worker", Variable: "WORKER_IMAGE"}, {Name: "web", Variable: "WEB_IMAGE"}},
			Health:   runbook.Health{URLs: []string{"https://api.yourdomain.com/health"}, Attempts: 12, Interval: 10 * time.Second},
			ErrorRate: runbook.ErrorRate{
				Window: 5 * time.Minute, Tolerance: 0.1, Floor: 0.01,
			},
			VerifyAfter:       10 * time.Minute,
			RestoreRunbookURL: "docs/runbooks/restore-database-backup.md",
		}},
		Slack: Slack{
			BotToken: NewSecret("xoxb-hunter2"), AppToken: NewSecret("xapp-hunter3"),
			APIURL: "https://slack.com/api/", Channel: "C0TEAM",
		},
		People:          People{Leads: []string{"U0LEAD", "S0LEADS"}, ChannelMayRequest: true},
		SSH:             SSH{Key: env["ROLLBACK_SSH_KEY"], KnownHosts: env["ROLLBACK_SSH_KNOWN_HOSTS"]},
		Log:             Log{Level: "info", Format: "json"},
		SignoffTimeout:  30 * time.Minute,
		ObserveInterval: time.Minute,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestLoad_EverythingSet(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "agent")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ca := write(t, "ca.pem", certificate(t))
	env := with(least(t), map[string]string{
		"SLACK_API_URL":                  "http://127.0.0.1:8400/api",
		"ROLLBACK_CHANNEL":               " G0TEAM\n",
		"ROLLBACK_REQUESTERS":            "W1,U2,U2",
		"ROLLBACK_APPS":                  "shop,blog-2",
		"ROLLBACK_DATABASE_URL":          "sqlite:/data/journal.db",
		"ROLLBACK_SIGNOFF":               "always",
		"ROLLBACK_SIGNOFF_TIMEOUT":       "90s",
		"ROLLBACK_SELF_SIGNOFF":          "true",
		"ROLLBACK_SSH_KEY":               "",
		"SSH_AUTH_SOCK":                  socket,
		"ROLLBACK_SSH_JUMP":              "jump@bastion:2222",
		"ROLLBACK_OBSERVE_INTERVAL":      "250ms",
		"ROLLBACK_LOG_LEVEL":             "debug",
		"ROLLBACK_URL":                   "http://rollbackbot:8080",
		"ROLLBACK_HTTP_TOKEN":            token,
		"ROLLBACK_LOG_FORMAT":            "console",
		"ROLLBACK_SUGGEST":               "true",
		"ROLLBACK_BREAK_GLASS":           "true",
		"ROLLBACK_DEPUTIES":              "U3, S4,U3",
		"ROLLBACK_APP_BLOG_2_HOSTS":      "a@10.0.0.1, b_1@host.example:2222,c@[2001:db8::1]:22,d@[::1]",
		"ROLLBACK_APP_BLOG_2_DIR":        "/srv/blog",
		"ROLLBACK_APP_BLOG_2_IMAGES":     "web=WEB,scheduler=WORKER, worker=WORKER",
		"ROLLBACK_APP_BLOG_2_HEALTH_URL": "http://{host}:8080/health,https://blog.example/{host}",

		"ROLLBACK_APP_BLOG_2_COMPOSE_FILE":         "/srv/blog/compose.yaml, prod.yml:more.yml",
		"ROLLBACK_APP_BLOG_2_RESTART":              "proxy,cache,proxy",
		"ROLLBACK_APP_BLOG_2_ENV_FILE":             "images.env",
		"ROLLBACK_APP_BLOG_2_DOCKER_COMMAND":       "sudo -n  docker",
		"ROLLBACK_APP_BLOG_2_COMPOSE_COMMAND":      "sudo -n docker compose",
		"ROLLBACK_APP_BLOG_2_HEALTH_ATTEMPTS":      "3",
		"ROLLBACK_APP_BLOG_2_HEALTH_INTERVAL":      "1s",
		"ROLLBACK_APP_BLOG_2_HEALTH_CA_FILE":       ca,
		"ROLLBACK_APP_BLOG_2_ERROR_RATE_WINDOW":    "2m",
		"ROLLBACK_APP_BLOG_2_PROMETHEUS_URL":       "https://bot:hunter2@prometheus.example/blog",
		"ROLLBACK_APP_BLOG_2_ERROR_RATE_QUERY":     "sum(rate(errors[1m]))\n/ sum(rate(requests[1m]))",
		"ROLLBACK_APP_BLOG_2_ERROR_RATE_TOLERANCE": "0",
		"ROLLBACK_APP_BLOG_2_ERROR_RATE_FLOOR":     "1e-3",
		"ROLLBACK_APP_BLOG_2_DASHBOARD_URL":        "https://grafana.example/d/1?from=now-1h",
		"ROLLBACK_APP_BLOG_2_VERIFY_AFTER":         "1h",
		"ROLLBACK_APP_BLOG_2_REPOSITORY":           "acme/blog.v2",
		"ROLLBACK_APP_BLOG_2_RESTORE_RUNBOOK_URL":  "https://wiki.example/restore",
	})
	set(t, env)
	got, err := Load(Everything)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Apps) != 2 {
		t.Fatalf("apps %+v", got.Apps)
	}
	blog := runbook.App{
		Name:  "blog-2",
		Hosts: []runbook.Host{"a@10.0.0.1", "b_1@host.example:2222", "c@[2001:db8::1]:22", "d@[::1]"},
		Dir:   "/srv/blog", ComposeFiles: []string{"/srv/blog/compose.yaml", "prod.yml", "more.yml"}, EnvFile: "images.env", Restart: []string{"proxy", "cache"},
		Docker: []string{"sudo", "-n", "docker"}, Compose: []string{"sudo", "-n", "docker", "compose"},
		Services: []runbook.Service{{Name: "web", Variable: "WEB"}, {Name: "scheduler", Variable: "WORKER"}, {Name: "worker", Variable: "WORKER"}},
		Health: runbook.Health{
			URLs:     []string{"http://{host}:8080/health", "https://blog.example/{host}"},
			Attempts: 3, Interval: time.Second, CAFile: ca,
		},
		ErrorRate: runbook.ErrorRate{
			Window: 2 * time.Minute, DashboardURL: "https://grafana.example/d/1?from=now-1h",
			Query: "sum(rate(errors[1m]))\n/ sum(rate(requests[1m]))", Floor: 0.001,
		},
		VerifyAfter:       time.Hour,
		Repository:        "acme/blog.v2",
		RestoreRunbookURL: "https://wiki.example/restore",
	}
	if !reflect.DeepEqual(got.Apps[1], blog) {
		t.Errorf("got  %+v\nwant %+v", got.Apps[1], blog)
	}
	got.Apps = nil
	want := Config{
		DatabaseURL: NewSecret("sqlite:/data/journal.db"),
		HTTPToken:   NewSecret(token),
		URL:         "http://rollbackbot:8080",
		Prometheus:  map[string]Secret{"blog-2": NewSecret("https://bot:hunter2@prometheus.example/blog")},
		Slack: Slack{
			BotToken: NewSecret("xoxb-hunter2"), AppToken: NewSecret("xapp-hunter3"),
			APIURL: "http://127.0.0.1:8400/api/", Channel: "G0TEAM",
		},
		People:          People{Leads: []string{"U0LEAD", "S0LEADS"}, Requesters: []string{"W1", "U2"}, Deputies: []string{"U3", "S4"}, BreakGlass: true, SelfSignoff: true},
		SSH:             SSH{AgentSocket: socket, KnownHosts: env["ROLLBACK_SSH_KNOWN_HOSTS"], Jump: "jump@bastion:2222"},
		Log:             Log{Level: "debug", Format: "console"},
		SignoffAlways:   true,
		SignoffTimeout:  90 * time.Second,
		ObserveInterval: 250 * time.Millisecond,
		Suggest:         true,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// One wrong value, and the one line that it gets.
func TestLoad_OneProblem(t *testing.T) {
	const app = "ROLLBACK_APP_SHOP_"
	missing := filepath.Join(t.TempDir(), "missing")
	empty, text := write(t, "empty", " \n"), write(t, "text", "just text\n")
	for _, c := range []struct{ name, value, want string }{
		{"SLACK_BOT_TOKEN", "", "it is not set: give the bot's token, xoxb-…"},
		{"SLACK_BOT_TOKEN", "  ", "it is not set"},
		{"SLACK_BOT_TOKEN", "xapp-hunter2", "this is the app-level token (xapp-): the two tokens are swapped"},
		{"SLACK_BOT_TOKEN", "xoxp-hunter2", "this is a user's token (xoxp-)"},
		{"SLACK_BOT_TOKEN", "hunter2", "it does not begin with xoxb-"},
		{"SLACK_BOT_TOKEN", "xoxb-", "it is only xoxb-"},
		{"SLACK_BOT_TOKEN", "xoxb-hunter2 # the bot", "has spaces or quotes in it"},
		{"SLACK_APP_TOKEN", "", "it is not set"},
		{"SLACK_APP_TOKEN", "xoxb-hunter2", "this is the bot token (xoxb-): the two tokens are swapped"},
		{"SLACK_API_URL", "slack.com/api", "it is no http or https URL"},
		{"SLACK_API_URL", "http://{host}/", "{host} has no meaning here"},
		{"ROLLBACK_CHANNEL", "", "it is not set: give ID of the team channel"},
		{"ROLLBACK_CHANNEL", "#ops", `"#ops" is no channel ID: copy the ID`},
		{"ROLLBACK_CHANNEL", "xoxb-hunter2", "<secret> is no channel ID"},
		{"ROLLBACK_LEADS", "", "it is not set"},
		{"ROLLBACK_LEADS", "U1,@anna", `"@anna" is neither a user ID nor a user group ID`},
		{"ROLLBACK_LEADS", "U1,,U2", "an item between its commas is empty"},
		{"ROLLBACK_LEADS", "channel", "the word channel"},
		{"ROLLBACK_REQUESTERS", "", "it is not set"},
		{"ROLLBACK_REQUESTERS", "channel,U1", "it stands alone"},
		{"ROLLBACK_REQUESTERS", "C1", `"C1" is neither`},
		{"ROLLBACK_APPS", "", "it is not set: give the apps' names"},
		{"ROLLBACK_APPS", "shop,Shop", `"Shop" is no app name: use lower-case`},
		{"ROLLBACK_APPS", "shop,-x", `"-x" is no app name`},
		{"ROLLBACK_APPS", "shop,a_b", `"a_b" is no app name`},
		{"ROLLBACK_APPS", "shop,shop", `"shop" is there twice`},
		{"ROLLBACK_APPS", "shop,rb-1", `"rb-1" begins as the IDs of rollbacks do`},
		{"ROLLBACK_APPS", "shop,quarantine", `"quarantine" is a command`},
		{"ROLLBACK_DATABASE_URL", "postgres://bot:hunter2@db", "it names no database: write postgres://"},
		{"ROLLBACK_DATABASE_URL", "postgresql://bot:hunter2@db/", "it names no database: write postgres://"},
		{"ROLLBACK_DATABASE_URL", "postgres://bot:hunter2%zz@db/x", "it is no URL: write postgres://"},
		{"ROLLBACK_DATABASE_URL", "postgres:hunter2", "it is no URL: write postgres://"},
		{"ROLLBACK_DATABASE_URL", "mysql://bot:hunter2@db/x", "it is neither sqlite:PATH nor postgres://"},
		{"ROLLBACK_DATABASE_URL", "rollbackbot.db", "it is neither sqlite:PATH nor postgres://"},
		{"ROLLBACK_DATABASE_URL", "sqlite:///data/x.db", "it is neither sqlite:PATH nor postgres://"},
		{"ROLLBACK_DATABASE_URL", "sqlite::memory:", "it names no file"},
		{"ROLLBACK_SIGNOFF", "never", `"never" is not known: write migration or always`},
		{"ROLLBACK_SIGNOFF_TIMEOUT", "30", `"30" is no length of time: write it as in 90s`},
		{"ROLLBACK_SIGNOFF_TIMEOUT", "0s", `"0s" is not positive: give a length of time such as 30m`},
		{"ROLLBACK_SELF_SIGNOFF", "yes", `"yes" is neither true nor false`},
		{"ROLLBACK_SSH_KEY", missing, "there is no file"},
		{"ROLLBACK_SSH_KEY", t.TempDir(), "can't be read: name a file"},
		{"ROLLBACK_SSH_KEY", empty, "is empty"},
		{"ROLLBACK_SSH_KEY", text, "holds no private key: name the private key, not the .pub file"},
		{"ROLLBACK_SSH_KEY", "", "it is not set, and no agent is there"},
		{"ROLLBACK_SSH_KNOWN_HOSTS", "", "it is not set"},
		{"ROLLBACK_SSH_KNOWN_HOSTS", missing, "there is no file"},
		{"ROLLBACK_SSH_KNOWN_HOSTS", empty, "is empty"},
		{"ROLLBACK_SSH_JUMP", "bastion", `"bastion" names no user: write user@host`},
		{"ROLLBACK_OBSERVE_INTERVAL", "-1m", `"-1m" is not positive`},
		{"ROLLBACK_LOG_LEVEL", "loud", `"loud" is not known: write trace, debug`},
		{"ROLLBACK_LOG_FORMAT", "xml", `"xml" is not known: write json or console`},

		{app + "HOSTS", "", "it is not set"},
		{app + "HOSTS", "your-vps", `"your-vps" names no user`},
		{app + "HOSTS", "@your-vps", "has no user name before the @"},
		{app + "HOSTS", "-oProxyCommand=x@your-vps", "has no user name before the @"},
		{app + "HOSTS", "a@-oX", "is no host"},
		{app + "HOSTS", "a@b@c", "is no host"},
		{app + "HOSTS", "a@b:0", "is no host"},
		{app + "HOSTS", "a@b:65536", "is no host"},
		{app + "HOSTS", "a@b:", "is no host"},
		{app + "HOSTS", "a@b:+22", "is no host"},
		{app + "HOSTS", "a@::1", "is no host, since it has an IPv6 address without brackets, where nobody can tell a port from its end: write a@[::1], and a port after that"},
		{app + "HOSTS", "a@2001:db8::10:22", "write a@[2001:db8::10:22], and a port after that"},
		{app + "HOSTS", "a@[::1", "has a bracket that is not closed"},
		{app + "HOSTS", "a@[::1]22", "write the port after the bracket"},
		{app + "HOSTS", "a@[::1]:0", "no port from 1 to 65535"},
		{app + "HOSTS", "a@[203.0.113.7]", "leave the brackets out"},
		{app + "HOSTS", "a@[fe80::1]", "write it with that, as in a@[fe80::1%eth0]"},
		{app + "HOSTS", "a@[fe80::1%e h]", "names no interface"},
		{app + "HOSTS", "a@b:022", "no port from 1 to 65535"},
		{app + "HOSTS", "a@host.example.", "leave the dot out"},
		{app + "HOSTS", "a@bücher.example", "with xn--"},
		{app + "HOSTS", "a@256.1.1.1", "write four numbers"},
		{app + "HOSTS", "a@010.0.0.1", "write four numbers"},
		{app + "HOSTS", "a@10.1", "write four numbers"},
		{app + "HOSTS", "a@b..c", "is no host"},
		{app + "HOSTS", "ssh://a@b", "leave out ssh://"},
		{app + "HOSTS", "a@vps,a@VPS", `"a@VPS" is "a@vps" in another spelling`},
		{app + "HOSTS", "a@vps,a@vps:22", `"a@vps:22" is "a@vps" in another spelling`},
		{app + "HOSTS", "a@[2001:db8::10],a@[2001:DB8:0:0::10]:22", "in another spelling"},
		{app + "HOSTS", "a@[b]", "is no host"},
		{app + "HOSTS", "a@b c", "is no host"},
		{app + "HOSTS", "a@" + strings.Repeat("b", 254), "is no host"},
		{app + "HOSTS", "a@b,a@b", `"a@b" is there twice`},
		{app + "DIR", "", "it is not set"},
		{app + "DIR", "app", `"app" is no absolute path`},
		{app + "COMPOSE_FILE", "~/compose.yaml", "is not expanded on the hosts"},
		{app + "COMPOSE_FILE", "-f", "reads as an option"},
		{app + "COMPOSE_FILE", "a.yml,~/b.yml", "is not expanded on the hosts"},
		{app + "COMPOSE_FILE", "a.yml::b.yml", "a path between its colons is empty"},
		{app + "RESTART", "-a", `"-a" is no name of a service`},
		{app + "RESTART", "worker", `"worker" is in IMAGES, and is replaced`},
		{app + "ENV_FILE", "a\nb", "it holds control characters"},
		{app + "DOCKER_COMMAND", "docker; id", "holds what only a shell would read"},
		{app + "COMPOSE_COMMAND", "docker 'compose'", "holds what only a shell would read"},
		{app + "IMAGES", "api", `"api" is not service=VARIABLE`},
		{app + "IMAGES", "api=1X", `"api=1X" is not service=VARIABLE`},
		{app + "IMAGES", "-a=X", `"-a=X" is not service=VARIABLE`},
		{app + "IMAGES", "api=A,api=B", `the service "api" is there twice`},
		{app + "HEALTH_URL", "", "it is not set"},
		{app + "HEALTH_URL", "ftp://a/health", "it is no http or https URL"},
		{app + "HEALTH_URL", "https:///health", "it is no http or https URL"},
		{app + "HEALTH_URL", "https://bot:hunter2@a/health", "it holds a user name or password"},
		{app + "HEALTH_URL", "https://a%zz:hunter2@b", "it is no URL"},
		{app + "HEALTH_URL", "https://{hosts}/", "braces around something else than {host}"},
		{app + "HEALTH_ATTEMPTS", "0", `"0" is no number of attempts`},
		{app + "HEALTH_ATTEMPTS", "many", `"many" is no number of attempts`},
		{app + "HEALTH_ATTEMPTS", "999999999", "more than a day"},
		{app + "HEALTH_INTERVAL", "soon", `"soon" is no length of time`},
		{app + "HEALTH_CA_FILE", missing, "there is no file"},
		{app + "HEALTH_CA_FILE", text, "holds no certificate"},
		{app + "ERROR_RATE_WINDOW", "0", `"0" is not positive`},
		{app + "DASHBOARD_URL", "grafana", "it is no http or https URL"},
		{app + "VERIFY_AFTER", "1 minute", `"1 minute" is no length of time`},
		{app + "REPOSITORY", "https://github.com/acme/shop", "is not owner/name: write it as in acme/shop"},
		{app + "RESTORE_RUNBOOK_URL", "javascript:alert(1)", "it is no http or https URL"},
		{app + "RESTORE_RUNBOOK_URL", "docs\tx", "it holds control characters"},

		{app + "PROMETHEUS_URL", "http://127.0.0.1:9090", "_ERROR_RATE_QUERY is not: give the query too, or leave out both"},
		{app + "PROMETHEUS_URL", "127.0.0.1:9090", "it is no URL"},
		{app + "PROMETHEUS_URL", "ftp://bot:hunter2@a", "it is no http or https URL"},
		{app + "PROMETHEUS_URL", "https://bot:hunter2@", "it is no http or https URL"},
		{app + "PROMETHEUS_URL", "https://bot:hunter2%zz@a", "it is no URL"},
		{app + "PROMETHEUS_URL", "https://bot:hunter2@a/?x=1", "holds a ? or a #"},
		{app + "PROMETHEUS_URL", "https://bot:hunter2@a/api/v1/", "it ends in /api/v1"},
		{app + "ERROR_RATE_QUERY", "x", "_PROMETHEUS_URL is not: give Prometheus's address too, or leave out both"},
		{app + "ERROR_RATE_QUERY", "a\x1bb", "it holds control characters"},
		{app + "ERROR_RATE_QUERY", strings.Repeat("x", 10_001), "longer than 10,000 bytes"},
		{app + "ERROR_RATE_TOLERANCE", "a tenth", `"a tenth" is no number`},
		{app + "ERROR_RATE_TOLERANCE", "-0.1", `"-0.1" is negative`},
		{app + "ERROR_RATE_TOLERANCE", "NaN", `"NaN" is no number`},
		{app + "ERROR_RATE_TOLERANCE", "Inf", `"Inf" is no number`},
		{app + "ERROR_RATE_FLOOR", "5", `"5" is more than 1: give a fraction`},
		{app + "ERROR_RATE_FLOOR", "1 %", `"1 %" is no number`},
		{"ROLLBACK_SUGGEST", "maybe", `"maybe" is neither true nor false`},
		{app + "MIGRATIONS_PATH", "db/migrations", "it is set without REPOSITORY"},
		{app + "MIGRATIONS_PATH", "/db/migrations", `"/db/migrations" is not inside the repository`},
		{app + "MIGRATIONS_PATH", "db/../../x", "is not inside the repository"},
		{app + "MIGRATIONS_PATH", "db/*.sql", "is no folder"},
		{"ROLLBACK_BREAK_GLASS", "maybe", `"maybe" is neither true nor false`},
		{"ROLLBACK_DEPUTIES", "@ben", "neither a user ID nor a user group ID"},
		{"ROLLBACK_DEPUTIES", "channel", "the word channel stands in a list"},
		{"ROLLBACK_SIGNERS", "/nowhere/signers", `there is no file "/nowhere/signers"`},
		{"ROLLBACK_GITHUB_TOKEN", "ghp_hunter2 ghp_hunter3", "it has spaces or quotes in it"},
		{"ROLLBACK_GITHUB_URL", "https://github.example.com/api/v3/", "it is set without ROLLBACK_GITHUB_TOKEN"},
		{"ROLLBACK_URL", "rollbackbot.example.com", "it is no http or https URL"},
		{"ROLLBACK_URL", "https://bot:hunter2@rollbackbot.example.com", "it holds a user name or password"},
		{"ROLLBACK_URL", "https://rollbackbot.example.com?token=hunter2", "it holds more than an address"},
		{"ROLLBACK_URL", "http://rollbackbot.example.com", "over http:// everybody on the way could read the token"},
		{"ROLLBACK_URL", "http://203.0.113.7:8080", "write https://…, or go through a tunnel"},
		{"ROLLBACK_HTTP_ADDR", "8080", `"8080" is no address to listen on: write HOST:PORT`},
		{"ROLLBACK_HTTP_ADDR", "127.0.0.1:http", `"127.0.0.1:http" is no address to listen on`},
		{"ROLLBACK_HTTP_TOKEN", "hunter2", "it is too short to be safe: 7 characters of at least 32: make one with: openssl rand -hex 32"},
		{"ROLLBACK_HTTP_TOKEN", "hunter2 hunter2 hunter2 hunter2 hunter2", "it holds characters that no bearer token can have"},
		{"ROLLBACK_HTTP_TOKEN", "hunter2hunter2hunter2hunter2hunter2", "it is easily guessed"},

		{"ROLLBACK_SIGNOF", "always", "unknown variable: did you mean ROLLBACK_SIGNOFF?"},
		{"ROLLBACK_NONSENSE_ALTOGETHER", "hunter2", "unknown variable: remove it; the README lists all variables"},
		{app + "HOST", "a@b", "unknown variable: did you mean ROLLBACK_APP_SHOP_HOSTS?"},
		{"ROLLBACK_APP_SHPO_DIR", "/x", "unknown variable: did you mean ROLLBACK_APP_SHOP_DIR?"},
	} {
		t.Run(c.name+"="+c.value, func(t *testing.T) {
			env := with(least(t), map[string]string{c.name: c.value})
			if c.name == "ROLLBACK_URL" {
				env["ROLLBACK_HTTP_TOKEN"] = token
			}
			set(t, env)
			cfg, err := Load(Everything)
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("got %+v, %v; want a problem", cfg, err)
			}
			// An app whose name is refused has variables that are missing or nobody's: they must not add noise.
			if len(problems) != 1 || problems[0].Variable != c.name || !strings.Contains(problems[0].String(), c.want) {
				t.Errorf("got\n%v\nwant one line, %s: …%s…", err, c.name, c.want)
			}
			if strings.Contains(err.Error(), "hunter") || strings.Contains(err.Error(), "\n") {
				t.Errorf("a secret shows, or a line breaks: %q", err)
			}
			if !reflect.DeepEqual(cfg, Config{}) {
				t.Errorf("a Config beside problems: %+v", cfg)
			}
		})
	}
}

func TestLoad_AllProblemsTogether(t *testing.T) {
	set(t, map[string]string{
		"SLACK_BOT_TOKEN":           "xapp-hunter2",
		"SLACK_APP_TOKEN":           "xoxb-hunter3",
		"ROLLBACK_CHANNEL":          "ops",
		"ROLLBACK_REQUESTERS":       "channel",
		"ROLLBACK_APPS":             "shop,blog",
		"ROLLBACK_SIGNOFF_TIMEOUT":  "soon",
		"ROLLBACK_APP_SHOP_DIR":     "/opt/shop",
		"ROLLBACK_APP_BLOG_HOSTS":   "deploy@a",
		"ROLLBACK_APP_BLOG_DIR":     "/opt/blog",
		"ROLLBACK_GITHUB_TOKEN":     "'ghp_hunter4",
		"ROLLBACK_APP_BLOG_HEALTHY": "x",
	})
	_, err := Load(Everything)
	want := []string{
		"SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "ROLLBACK_CHANNEL", "ROLLBACK_LEADS", "ROLLBACK_SSH_KNOWN_HOSTS",
		"ROLLBACK_SSH_KEY", "ROLLBACK_GITHUB_TOKEN", "ROLLBACK_SIGNOFF_TIMEOUT", "ROLLBACK_APP_SHOP_HOSTS", "ROLLBACK_APP_SHOP_HEALTH_URL",
		"ROLLBACK_APP_BLOG_HEALTH_URL", "ROLLBACK_APP_BLOG_HEALTHY",
	}
	if err == nil {
		t.Fatal("no problems")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(want) {
		t.Fatalf("got %d lines, want %d:\n%v", len(lines), len(want), err)
	}
	for i, line := range lines {
		if !strings.HasPrefix(line, want[i]+": ") || strings.Count(line, ": ") < 2 {
			t.Errorf("line %d is %q, want %s, what is wrong, what to do", i+1, line, want[i])
		}
	}
	if strings.Contains(err.Error(), "hunter") {
		t.Errorf("a secret shows:\n%v", err)
	}
}

// A command demands only what it uses, and is not held up by what is wrong elsewhere.
func TestLoad_Needs(t *testing.T) {
	all := least(t)
	levels := []struct {
		need  Need
		names []string // what this level adds
		wrong map[string]string
	}{
		{Nothing, nil, nil},
		{Remote, nil, map[string]string{"ROLLBACK_URL": "https://x", "ROLLBACK_HTTP_TOKEN": "x", "ROLLBACK_ULR": "https://x"}},
		{Database, nil, map[string]string{"ROLLBACK_DATABASE_URL": "x"}},
		{Apps, []string{"ROLLBACK_APPS"}, map[string]string{"ROLLBACK_APP_SHOP_IMAGES": "x", "ROLLBACK_APP_SHOP_IMAGE": "x"}},
		{Hosts, []string{"ROLLBACK_SSH_KEY", "ROLLBACK_SSH_KNOWN_HOSTS", "ROLLBACK_APP_SHOP_HOSTS", "ROLLBACK_APP_SHOP_DIR"},
			map[string]string{"ROLLBACK_SSH_KEY": "/missing", "ROLLBACK_APP_SHOP_HOSTS": "x"}},
		{Everything, []string{"SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "ROLLBACK_CHANNEL", "ROLLBACK_LEADS", "ROLLBACK_REQUESTERS", "ROLLBACK_APP_SHOP_HEALTH_URL"},
			map[string]string{"SLACK_BOT_TOKEN": "x", "ROLLBACK_APP_SHOP_HEALTH_URL": "x", "ROLLBACK_APP_SHOP_PROMETHEUS_URL": "x"}},
	}
	env := map[string]string{}
	for i, level := range levels {
		for _, name := range level.names {
			set(t, env)
			if _, err := Load(level.need); err == nil || !strings.Contains(err.Error(), name+": it is not set") {
				t.Errorf("level %d without %s: %v", level.need, name, err)
			}
		}
		for _, name := range level.names {
			env[name] = all[name]
		}
		set(t, env)
		if _, err := Load(level.need); err != nil {
			t.Errorf("level %d with what it needs: %v", level.need, err)
		}
		for name, value := range level.wrong {
			set(t, with(least(t), map[string]string{name: value}))
			if i > 0 {
				if _, err := Load(levels[i-1].need); err != nil {
					t.Errorf("level %d is held up by %s: %v", levels[i-1].need, name, err)
				}
			}
			if _, err := Load(level.need); err == nil {
				t.Errorf("level %d takes a wrong %s", level.need, name)
			}
		}
	}
}

// Where the token may travel in the clear.
func TestLoad_RemoteAddresses(t *testing.T) {
	for address, want := range map[string]bool{
		"https://rollbackbot.example.com": true, "https://203.0.113.7/bot": true, "http://127.0.0.1:8080": true, "http://localhost:8080": true,
		"http://[::1]:8080": true, "http://rollbackbot:8080": true, "http://10.1.2.3": true, "http://192.168.0.9:80": true, "http://[fd00::1]:1": true,
		"http://100.100.1.2": true, "http://rollbackbot.internal": false, "http://8.8.8.8": false, "http://[2001:db8::1]": false,
		"http://[::ffff:8.8.8.8]": false, "http://localhost.example.com": false, "http://0x7f.1": false, "ftp://127.0.0.1": false,
	} {
		set(t, map[string]string{"ROLLBACK_URL": address, "ROLLBACK_HTTP_TOKEN": token})
		cfg, err := Load(Remote)
		if (err == nil) != want || want && (cfg.URL != address || cfg.HTTPToken.Reveal() != token) {
			t.Errorf("%s: %+v, %v", address, cfg, err)
		}
		set(t, map[string]string{"ROLLBACK_URL": address})
		if _, err := Load(Remote); err == nil || !strings.Contains(err.Error(), "ROLLBACK_HTTP_TOKEN: it is not set, and ROLLBACK_URL is") {
			t.Errorf("%s without a token: %v", address, err)
		}
	}
}

// The variables of an app count under its prefix alone.
func TestLoad_NoVariableWithoutItsPrefix(t *testing.T) {
	env := least(t)
	delete(env, "ROLLBACK_APP_SHOP_DIR")
	set(t, env)
	t.Setenv("DIR", "/wrong")
	t.Setenv("ENV_FILE", "wrong")
	_, err := Load(Everything)
	if err == nil || err.Error() != (Problem{"ROLLBACK_APP_SHOP_DIR", "it is not set",
		"give the folder on the hosts in which compose is called, as in /opt/your-app"}).String() {
		t.Errorf("got %v", err)
	}
	env["ROLLBACK_APP_SHOP_DIR"] = "/right"
	set(t, env)
	cfg, err := Load(Everything)
	if err != nil || cfg.Apps[0].EnvFile != "" {
		t.Errorf("got %+v, %v", cfg.Apps, err)
	}
}

func TestLoad_AgentThatIsNotThere(t *testing.T) {
	set(t, with(least(t), map[string]string{"ROLLBACK_SSH_KEY": "", "SSH_AUTH_SOCK": "/nowhere"}))
	_, err := Load(Hosts)
	if err == nil || !strings.HasPrefix(err.Error(), `SSH_AUTH_SOCK: there is no agent at "/nowhere": start the agent`) {
		t.Errorf("got %v", err)
	}
}

// One file serves a shell, systemd and `docker run --env-file`: the last one hands quotes on.
func TestLoad_QuotesAroundAValue(t *testing.T) {
	for text, want := range map[string][]string{
		`sudo -n docker`: {"sudo", "-n", "docker"}, `'sudo -n docker'`: {"sudo", "-n", "docker"}, `"sudo -n docker"`: {"sudo", "-n", "docker"},
	} {
		set(t, with(least(t), map[string]string{"ROLLBACK_APP_SHOP_DOCKER_COMMAND": text}))
		cfg, err := Load(Everything)
		if err != nil || !reflect.DeepEqual(cfg.Apps[0].Docker, want) {
			t.Errorf("%s: got %v (%v), want %q", text, cfg.Apps, err, want)
		}
	}
	for _, query := range []string{`'a' or 'b'`, `"`, `'a" or "b'x`} {
		set(t, with(least(t), map[string]string{"ROLLBACK_APP_SHOP_DOCKER_COMMAND": query}))
		if _, err := Load(Everything); err == nil {
			t.Errorf("%s: quotes inside of a command pass", query)
		}
	}
}
