package config

// environment is every variable that is not an app's.
type environment struct {
	// SlackBotToken begins with xoxb-. It is the bot: whoever has it can speak in its name and read its channels.
	SlackBotToken setting `envconfig:"SLACK_BOT_TOKEN" must:"true" need:"everything" desc:"the bot's token, xoxb-…, from the Slack app's page \"OAuth & Permissions\""`
	// SlackAppToken begins with xapp- and has the scope connections:write. It opens the Socket Mode connection.
	SlackAppToken setting `envconfig:"SLACK_APP_TOKEN" must:"true" need:"everything" desc:"the app-level token with connections:write, xapp-…, from the Slack app's page \"Basic Information\""`
	// SlackAPIURL points at another Slack: the local one, for tests and the demo.
	SlackAPIURL setting `envconfig:"SLACK_API_URL" default:"https://slack.com/api/" need:"everything" desc:"the address of Slack's Web API; another one for tests"`
	// Channel has no default: the record must not end up where nobody reads it.
	Channel setting `envconfig:"ROLLBACK_CHANNEL" must:"true" need:"everything" desc:"ID of the team channel (C… or G…): requests, progress and the record go there"`
	// Leads sign off. No default: who may is for the team to say.
	Leads setting `envconfig:"ROLLBACK_LEADS" must:"true" need:"everything" desc:"the engineering leads: user IDs (U…) and user group IDs (S…), comma-separated"`
	// Requesters ask, and confirm where no lead is needed.
	Requesters setting `envconfig:"ROLLBACK_REQUESTERS" must:"true" need:"everything" desc:"who may ask for a rollback: user IDs and user group IDs, comma-separated, or the word channel for every full member of the team channel"`
	// Deputies are asked when no lead answers. Before that their clicks are refused.
	Deputies setting `envconfig:"ROLLBACK_DEPUTIES" need:"everything" desc:"asked when no lead answers for two thirds of ROLLBACK_SIGNOFF_TIMEOUT, and may sign off from then on: user IDs and user group IDs, comma-separated"`
	// BreakGlass lets two requesters stand in for a lead when nobody else answers. Off: a team has to want it.
	BreakGlass setting `envconfig:"ROLLBACK_BREAK_GLASS" default:"false" need:"everything" desc:"may two requesters together sign off, each with a reason: after five sixths of ROLLBACK_SIGNOFF_TIMEOUT, or without deputies after two thirds"`
	// Apps names the apps; each has variables of its own (appEnvironment).
	Apps setting `envconfig:"ROLLBACK_APPS" must:"true" need:"apps" desc:"the apps' names, lower-case letters, digits and -, comma-separated"`
	// DatabaseURL is where the journal is.
	DatabaseURL setting `envconfig:"ROLLBACK_DATABASE_URL" default:"sqlite:rollbackbot.db" need:"database" desc:"where the journal is kept: sqlite:PATH, or postgres://USER:PASSWORD@HOST:5432/DATABASE"`
	// Signoff says when the lead has to sign off: where a migration can't be ruled out, or always.
	Signoff setting `envconfig:"ROLLBACK_SIGNOFF" default:"migration" need:"everything" desc:"migration: a lead signs off unless it is proven that no release to be undone had a migration; always: a lead signs off every rollback"`
	// SignoffTimeout ends every question, so that nothing waits for ever. 30 minutes is what this program promises at most.
	SignoffTimeout setting `envconfig:"ROLLBACK_SIGNOFF_TIMEOUT" default:"30m" need:"everything" desc:"the deadline of every question"`
	// SelfSignoff is off: four eyes unless the team says otherwise.
	SelfSignoff setting `envconfig:"ROLLBACK_SELF_SIGNOFF" default:"false" need:"everything" desc:"may a lead sign off their own request"`
	// SSHKey has no passphrase; keys that have one belong into the agent.
	SSHKey setting `envconfig:"ROLLBACK_SSH_KEY" need:"hosts" desc:"private key file for the hosts, with its certificate in NAME-cert.pub beside it, if it has one; without it the agent at SSH_AUTH_SOCK is asked"`
	// SSHAuthSock is set by the agent itself.
	SSHAuthSock setting `envconfig:"SSH_AUTH_SOCK" need:"hosts" desc:"socket of the SSH agent, as the agent sets it; needed where ROLLBACK_SSH_KEY is not set"`
	// SSHKnownHosts has no default: a host whose key nobody vouched for is not a host of ours.
	SSHKnownHosts setting `envconfig:"ROLLBACK_SSH_KNOWN_HOSTS" must:"true" need:"hosts" desc:"known_hosts file with the keys of the hosts; every host key is checked against it"`
	// SSHJump is the one way in for hosts that are not reachable directly.
	SSHJump setting `envconfig:"ROLLBACK_SSH_JUMP" need:"hosts" desc:"a jump host, user@host[:port]"`
	// ObserveInterval bounds how old the bot's knowledge of a host is.
	ObserveInterval setting `envconfig:"ROLLBACK_OBSERVE_INTERVAL" default:"1m" need:"everything" desc:"how often each host is asked what it runs"`
	// Suggest lets the bot speak first.
	Suggest setting `envconfig:"ROLLBACK_SUGGEST" default:"false" need:"everything" desc:"may the bot suggest a rollback by itself"`
	// URL sends deployed and allowed to the bot instead of the database; they then demand nothing but its token.
	URL setting `envconfig:"ROLLBACK_URL" need:"remote" desc:"the bot's address, as in https://rollbackbot.example.com, for deployed and allowed away from its machine: they then go over HTTP with ROLLBACK_HTTP_TOKEN"`
	// HTTPAddr is for whoever watches over the bot: what is told there is no secret, but nobody else's business either.
	HTTPAddr setting `envconfig:"ROLLBACK_HTTP_ADDR" need:"everything" desc:"address on which /healthz, /readyz, /metrics and the gate for pipelines are served, as in 127.0.0.1:8080; without it nowhere"`
	// HTTPToken guards what pipelines note and ask: whoever has it can note deployments.
	HTTPToken setting `envconfig:"ROLLBACK_HTTP_TOKEN" need:"remote" desc:"the token that pipelines show, 32 characters or more, as from openssl rand -hex 32; without it the gate for pipelines is switched off"`
	// GitHubToken opens tickets and reads the deployment history.
	GitHubToken setting `envconfig:"ROLLBACK_GITHUB_TOKEN" need:"everything" desc:"GitHub token: postmortem tickets are opened in each app's REPOSITORY; without it the postmortem is a file in the record's thread"`
	// GitHubURL points at another GitHub.
	GitHubURL setting `envconfig:"ROLLBACK_GITHUB_URL" need:"everything" desc:"the address of another GitHub's API, as in https://github.example.com/api/v3/; without it github.com's"`
	// Signers are for sign-offs in a terminal.
	Signers setting `envconfig:"ROLLBACK_SIGNERS" need:"everything" desc:"allowed_signers file for sign-offs in a terminal; the principals are Slack IDs"`
	// LogLevel is zerolog's.
	LogLevel setting `envconfig:"ROLLBACK_LOG_LEVEL" default:"info" need:"database" desc:"the least level that is logged: trace, debug, info, warn, error, fatal, panic or disabled"`
	// LogFormat is for machines unless a person reads along.
	LogFormat setting `envconfig:"ROLLBACK_LOG_FORMAT" default:"json" need:"database" desc:"json or console"`
}

// appEnvironment is an app's variables, under ROLLBACK_APP_<APP>_. Their names come from the fields (split_words), not
// from an envconfig tag: under a tag, envconfig falls back to the name without the prefix, and would take any DIR or
// HOSTS that happens to be set.
type appEnvironment struct {
	// Hosts all run all services.
	Hosts setting `split_words:"true" must:"true" need:"hosts" desc:"the hosts, user@host[:port], comma-separated, an IPv6 address in brackets; every host runs all services"`
	// Dir is the runbook's `cd /opt/your-app`.
	Dir setting `split_words:"true" must:"true" need:"hosts" desc:"the folder on the hosts in which compose is called, as in /opt/your-app"`
	// ComposeFile is step 2's.
	ComposeFile setting `split_words:"true" need:"hosts" desc:"the compose files, comma-separated, relative to the folder or absolute; without it what the running containers were started with, else infra/docker-compose.prod.yml"`
	// EnvFile is the file that compose reads by itself, unless named.
	EnvFile setting `split_words:"true" need:"hosts" desc:"the file in which the pins are kept; without it the one that compose reads: the last --env-file of the running containers, else .env beside the first compose file"`
	// DockerCommand allows for sudo and rootless set-ups.
	DockerCommand setting `split_words:"true" default:"docker" need:"hosts" desc:"the docker command, as in sudo -n docker"`
	// ComposeCommand likewise.
	ComposeCommand setting `split_words:"true" default:"docker compose" need:"hosts" desc:"the compose command, as in sudo -n docker compose"`
	// Images are step 2's exports.
	Images setting `split_words:"true" default:"api=API_IMAGE,worker=WORKER_IMAGE,web=WEB_IMAGE" need:"apps" desc:"service=VARIABLE, comma-separated: the services in the order in which they are deployed, and the variable of each one's image; it holds the whole reference, the digest (repo@${VAR}) or the tag (repo:${VAR}), as the compose file has it"`
	// Restart is for a proxy that keeps the addresses of the containers that it knew.
	Restart setting `split_words:"true" need:"hosts" desc:"services to restart once the containers are replaced, comma-separated, as a proxy that keeps old addresses"`
	// HealthURL is step 3's.
	HealthURL setting `split_words:"true" must:"true" need:"everything" desc:"the health endpoint, several comma-separated; {host} stands for each host in turn, an IPv6 address in brackets"`
	// HealthAttempts is step 3's seq 1 12.
	HealthAttempts setting `split_words:"true" default:"12" need:"everything" desc:"how often health is checked; attempts x interval is the time that a release has to become healthy"`
	// HealthInterval is step 3's sleep 10.
	HealthInterval setting `split_words:"true" default:"10s" need:"everything" desc:"the time between two health checks"`
	// HealthCAFile is for a private CA; nothing switches TLS verification off.
	HealthCAFile setting `split_words:"true" need:"everything" desc:"PEM file of a private CA for the health endpoint; without it the system's"`
	// ErrorRateWindow is step 4's 5 minutes.
	ErrorRateWindow setting `split_words:"true" default:"5m" need:"everything" desc:"how long the error rate is watched after a rollback"`
	// PrometheusURL lets the bot read the error rate itself.
	PrometheusURL setting `split_words:"true" need:"everything" desc:"address of Prometheus, which may hold a user name and a password; without it a person is asked about the error rate"`
	// ErrorRateQuery gives one series.
	ErrorRateQuery setting `split_words:"true" need:"everything" desc:"PromQL query that gives one series: failed requests as a fraction in [0, 1]"`
	// DashboardURL is step 4's dashboard.
	DashboardURL setting `split_words:"true" need:"everything" desc:"the error rate dashboard, for who is asked about it"`
	// ErrorRateTolerance is how far above its baseline the error rate counts as back.
	ErrorRateTolerance setting `split_words:"true" default:"0.1" need:"everything" desc:"how far above the baseline counts as back to it, as a fraction of the baseline"`
	// ErrorRateFloor is the error rate that nobody minds.
	ErrorRateFloor setting `split_words:"true" default:"0.01" need:"everything" desc:"an error rate up to which the baseline does not matter, a fraction in [0, 1]"`
	// VerifyAfter is the runbook's 10 minutes in which error rates spike after a deployment.
	VerifyAfter setting `split_words:"true" default:"10m" need:"everything" desc:"a release seen running and healthy on every host this long is known-good"`
	// Repository is where tickets and links go.
	Repository setting `split_words:"true" need:"everything" desc:"owner/name of the source on GitHub: tickets are opened there"`
	// MigrationsPath tells a migration from the files of a commit range.
	MigrationsPath setting `split_words:"true" need:"everything" desc:"the folders of the repository in which its migrations are, comma-separated, as in db/migrations: with ROLLBACK_GITHUB_TOKEN and REPOSITORY, what lies between two releases is judged for the sign-off"`
	// RestoreRunbookURL is step 5's.
	RestoreRunbookURL setting `split_words:"true" default:"docs/runbooks/restore-database-backup.md" need:"everything" desc:"the runbook for restoring the database, a URL or a path in the repository"`
}
