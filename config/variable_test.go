package config

import (
	"slices"
	"strings"
	"testing"
)

func TestVariables_AllExplained(t *testing.T) {
	var names, required []string
	for _, v := range Variables() {
		names = append(names, v.Name)
		if v.Meaning == "" || strings.HasSuffix(v.Meaning, ".") {
			t.Errorf("%s: its meaning is %q", v.Name, v.Meaning)
		}
		if v.Required && v.Default != "" {
			t.Errorf("%s is required and has the default %q", v.Name, v.Default)
		}
		if v.Required {
			required = append(required, v.Name)
		}
	}
	const app = "ROLLBACK_APP_<APP>_"
	want := []string{
		"SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_API_URL", "ROLLBACK_CHANNEL", "ROLLBACK_LEADS", "ROLLBACK_REQUESTERS",
		"ROLLBACK_DEPUTIES", "ROLLBACK_BREAK_GLASS", "ROLLBACK_APPS", "ROLLBACK_DATABASE_URL", "ROLLBACK_SIGNOFF",
		"ROLLBACK_SIGNOFF_TIMEOUT", "ROLLBACK_SELF_SIGNOFF", "ROLLBACK_SSH_KEY", "SSH_AUTH_SOCK", "ROLLBACK_SSH_KNOWN_HOSTS",
		"ROLLBACK_SSH_JUMP", "ROLLBACK_OBSERVE_INTERVAL", "ROLLBACK_SUGGEST", "ROLLBACK_URL", "ROLLBACK_HTTP_ADDR",
		"ROLLBACK_HTTP_TOKEN", "ROLLBACK_GITHUB_TOKEN", "ROLLBACK_GITHUB_URL", "ROLLBACK_SIGNERS", "ROLLBACK_LOG_LEVEL",
		"ROLLBACK_LOG_FORMAT",
		app + "HOSTS", app + "DIR", app + "COMPOSE_FILE", app + "ENV_FILE", app + "DOCKER_COMMAND", app + "COMPOSE_COMMAND",
		app + "IMAGES", app + "RESTART", app + "HEALTH_URL", app + "HEALTH_ATTEMPTS", app + "HEALTH_INTERVAL", app + "HEALTH_CA_FILE",
		app + "ERROR_RATE_WINDOW", app + "PROMETHEUS_URL", app + "ERROR_RATE_QUERY", app + "DASHBOARD_URL",
		app + "ERROR_RATE_TOLERANCE", app + "ERROR_RATE_FLOOR", app + "VERIFY_AFTER", app + "REPOSITORY",
		app + "MIGRATIONS_PATH", app + "RESTORE_RUNBOOK_URL",
	}
	if !slices.Equal(names, want) {
		t.Errorf("got  %v\nwant %v", names, want)
	}
	wantRequired := []string{
		"SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "ROLLBACK_CHANNEL", "ROLLBACK_LEADS", "ROLLBACK_REQUESTERS", "ROLLBACK_APPS",
		"ROLLBACK_SSH_KNOWN_HOSTS", app + "HOSTS", app + "DIR", app + "HEALTH_URL",
	}
	if !slices.Equal(required, wantRequired) {
		t.Errorf("required: got %v\nwant %v", required, wantRequired)
	}
}

// Every setting belongs to a level: one without would be demanded by commands that read nothing.
func TestVariables_EveryOneHasANeed(t *testing.T) {
	for prefix, env := range map[string]any{"": &environment{}, "ROLLBACK_APP_X": &appEnvironment{}} {
		settings, err := declare(prefix, env)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range settings {
			if s.need == Nothing {
				t.Errorf("%s has no need", s.Name)
			}
		}
	}
}

// No two apps can share a variable: shop-x's ROLLBACK_APP_SHOP_X_DIR would be shop's X_DIR, if there were one.
func TestVariables_AppsCanNotCollide(t *testing.T) {
	settings, err := declare("A", &appEnvironment{})
	if err != nil {
		t.Fatal(err)
	}
	for _, long := range settings {
		for _, short := range settings {
			if strings.HasSuffix(strings.TrimPrefix(long.Name, "A"), strings.TrimPrefix(short.Name, "A")) && long != short {
				t.Errorf("%s ends in %s: the app \"a\" and one named for what stands before it share a variable", long.Name, short.Name)
			}
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"HOST", "HOSTS", 1}, {"SHPO", "SHOP", 2}, {"same", "same", 0},
	} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
