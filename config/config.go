// Package config reads the environment into one validated Config. Read by cmd, which passes it on as plain values.
//
// Every variable is declared in environment.go and app.go, with what it means and its default. A command names its
// Need, and is held up by nothing that it does not use. All problems are reported together, one a line: the variable,
// what is wrong, what to do. No problem, and no printed Config, shows a secret.
//
// A variable that is set to the empty text, or to white space, counts as not set: that is how .env files and compose
// files say so.
package config

import (
	"time"

	"rollbackbot/runbook"
)

// Config is what the environment says. What a command does not need, and what is not well formed without being needed,
// is left at its zero value.
type Config struct {
	// DatabaseURL is "sqlite:PATH" or "postgres://…", which may hold a password.
	DatabaseURL Secret
	Apps        []runbook.App // in the order of ROLLBACK_APPS
	// Prometheus is where each app's error rate is read, by the app's name: a URL, which may hold a password. An app without
	// one is not in it.
	Prometheus map[string]Secret
	Slack      Slack
	People     People
	SSH        SSH
	Log        Log
	GitHub     GitHub
	// Signers is the allowed_signers file of whoever may sign in a terminal; empty: nobody may.
	Signers string
	// HTTPAddr is where /healthz, /readyz, /metrics and the gate for pipelines are served, host:port; empty: nowhere.
	HTTPAddr string
	// HTTPToken is what pipelines show to the gate, and what deployed and allowed show at URL; empty: none.
	HTTPToken Secret
	// URL is the bot's address, for deployed and allowed away from its machine; empty: they go to the database. There is
	// an HTTPToken where it is set.
	URL string
	// SignoffAlways is true where the lead signs off every rollback; otherwise only where a migration can't be ruled out.
	SignoffAlways bool
	// SignoffTimeout is how long every question waits for its answer.
	SignoffTimeout time.Duration
	// ObserveInterval is how often each host is asked what it runs.
	ObserveInterval time.Duration
	// Suggest allows the bot to suggest a rollback by itself.
	Suggest bool
}

// Hosts are those of all apps.
func (c Config) Hosts() (hosts []runbook.Host) {
	for _, app := range c.Apps {
		hosts = append(hosts, app.Hosts...)
	}
	return hosts
}

// GitHub is where tickets are opened and the source is read.
type GitHub struct {
	Token Secret // empty: nowhere
	URL   string // of the REST API; empty: GitHub's own
}

// Log is how the program logs.
type Log struct {
	Level  string // zerolog's name of a level
	Format string // "json" or "console"
}

// Load reads the environment of the process. An error is Problems, all that the need is concerned with, and the Config
// is then empty.
func Load(need Need) (Config, error) {
	var env environment
	r := &reader{need: need}
	if err := r.read("", &env); err != nil {
		return Config{}, err
	}
	cfg := Config{
		Slack:           r.slack(env),
		People:          r.people(env),
		DatabaseURL:     r.database(env.DatabaseURL),
		SSH:             r.ssh(env),
		GitHub:          r.gitHub(env),
		Signers:         r.signers(env.Signers),
		HTTPAddr:        r.listenAddress(env.HTTPAddr),
		HTTPToken:       r.bearer(env.HTTPToken),
		URL:             r.remote(env.URL, env.HTTPToken),
		SignoffAlways:   r.oneOf(env.Signoff, "migration", "always") == "always",
		SignoffTimeout:  r.duration(env.SignoffTimeout),
		ObserveInterval: r.duration(env.ObserveInterval),
		Suggest:         r.boolean(env.Suggest),
		Log: Log{
			Level:  r.oneOf(env.LogLevel, "trace", "debug", "info", "warn", "error", "fatal", "panic", "disabled"),
			Format: r.oneOf(env.LogFormat, "json", "console"),
		},
	}
	var err error
	if cfg.Apps, err = r.apps(env.Apps); err != nil {
		return Config{}, err
	}
	cfg.Prometheus = r.prometheus
	r.unknown()
	if len(r.problems) > 0 {
		return Config{}, r.problems
	}
	return cfg, nil
}
