package config

import (
	"math"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"rollbackbot/runbook"
	"rollbackbot/runbook/endpoint"
)

var (
	appPattern        = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)
	servicePattern    = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]*$`) // compose's own, without what reads as an option
	variablePattern   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	repositoryPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$`)
)

// reserved are the words that stand where an app's name may stand: subcommands, verbs of /rollback.
var reserved = []string{
	"demo", "serve", "init", "doctor", "plan", "run", "signoff", "deployed", "allowed", "history", "audit", "postmortem",
	"lock", "unlock", "manifest", "version", "completion",
	"status", "abort", "quarantine", "lift", "help",
}

// rollbackPrefix begins the ID of every rollback.
const rollbackPrefix = "rb-"

// apps reads ROLLBACK_APPS and each app's variables.
func (r *reader) apps(s setting) ([]runbook.App, error) {
	var apps []runbook.App
	before := len(r.problems)
	names := r.appNames(s)
	// Without the names nobody can tell a typo in an app's variable from the variable of an app left out.
	r.appsUnsure = len(r.problems) > before || len(names) == 0
	for _, name := range names {
		app, err := r.app(name)
		if err != nil {
			return nil, err
		}
		apps = append(apps, app)
	}
	return apps, nil
}

// appNames are the well-formed names, each once.
func (r *reader) appNames(s setting) []string {
	var names []string
	for _, name := range r.list(s) {
		wrong, remedy := CheckApp(name)
		switch {
		case wrong != "":
			r.problem(s, wrong, remedy)
		case slices.Contains(names, name):
			r.problem(s, show(name)+" is there twice", "name each app once")
		default:
			names = append(names, name)
		}
	}
	return names
}

// CheckApp says what is wrong with an app's name, and the remedy; "" where nothing is.
func CheckApp(name string) (wrong, remedy string) {
	switch {
	case !appPattern.MatchString(name):
		return show(name) + " is no app name", "use lower-case letters, digits and -, a letter or digit first"
	case slices.Contains(reserved, name):
		return show(name) + " is a command of this program", "give the app another name"
	case strings.HasPrefix(name, rollbackPrefix):
		return show(name) + " begins as the IDs of rollbacks do (rb-)", "give the app another name"
	}
	return "", ""
}

// appVariables is what an app's variables begin with, without the last underscore.
func appVariables(name string) string {
	return "ROLLBACK_APP_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

func (r *reader) app(name string) (runbook.App, error) {
	var env appEnvironment
	if err := r.read(appVariables(name), &env); err != nil {
		return runbook.App{}, err
	}
	hosts := r.hosts(env.Hosts)
	services := r.services(env.Images)
	return runbook.App{
		Name:              name,
		Hosts:             hosts,
		Dir:               r.dir(env.Dir),
		ComposeFiles:      r.paths(env.ComposeFile),
		EnvFile:           r.path(env.EnvFile),
		Docker:            r.words(env.DockerCommand),
		Compose:           r.words(env.ComposeCommand),
		Services:          services,
		Restart:           r.restart(env.Restart, services),
		Health:            r.health(env, hosts),
		ErrorRate:         r.errorRate(name, env),
		VerifyAfter:       r.duration(env.VerifyAfter),
		Repository:        r.repository(env.Repository),
		MigrationsPaths:   r.migrationsPaths(env),
		RestoreRunbookURL: r.restoreRunbook(env.RestoreRunbookURL),
	}, nil
}

// dir is an absolute path: what a login shell makes of a relative one depends on its start files.
func (r *reader) dir(s setting) string {
	dir := r.path(s)
	if dir != "" && !strings.HasPrefix(dir, "/") {
		r.problem(s, show(dir)+" is no absolute path", "give the whole path on the hosts, as in /opt/your-app")
	}
	return dir
}

// path is a path on the hosts.
func (r *reader) path(s setting) string { return r.pathIn(s, r.text(s)) }

// paths are several, comma-separated. Between them a colon does as well, as compose's own COMPOSE_FILE has it: who copies
// that is understood.
func (r *reader) paths(s setting) (paths []string) {
	for _, item := range r.list(s) {
		parts := []string{item}
		if !strings.Contains(item, "://") {
			parts = strings.Split(item, ":")
		}
		for _, part := range parts {
			if part == "" {
				r.problem(s, "a path between its colons is empty", "leave out the colon too many")
				continue
			}
			paths = append(paths, r.pathIn(s, part))
		}
	}
	return paths
}

// pathIn is one path of a setting. It is quoted on the hosts, so that a ~ or a variable in it would mean itself.
func (r *reader) pathIn(s setting, path string) string {
	switch {
	case strings.ContainsFunc(path, isControl):
		r.problem(s, "it holds control characters", "give the path alone")
	case strings.HasPrefix(path, "~") || strings.HasPrefix(path, "$"):
		r.problem(s, show(path)+" is not expanded on the hosts", "give the whole path, as in /opt/your-app")
	case strings.HasPrefix(path, "-"):
		r.problem(s, show(path)+" reads as an option", "put ./ before it")
	}
	return path
}

func isControl(c rune) bool { return c < ' ' || c == 0x7f }

// words are the words of a command. No shell reads them: each is quoted on its own.
func (r *reader) words(s setting) []string {
	if text := s.text(); strings.ContainsFunc(text, isControl) || strings.ContainsAny(text, "'\"\\`$;&|<>()*?#") {
		r.problem(s, show(text)+" holds what only a shell would read", "give plain words, as in sudo -n "+s.Default)
	}
	return strings.Fields(s.text())
}

// services are the pairs of IMAGES. Two services may share a variable: a scheduler runs the worker's image.
func (r *reader) services(s setting) []runbook.Service {
	var services []runbook.Service
	seen := map[string]bool{}
	for _, item := range r.list(s) {
		name, variable, found := strings.Cut(item, "=")
		switch {
		case !found || !servicePattern.MatchString(name) || !variablePattern.MatchString(variable):
			r.problem(s, show(item)+" is not service=VARIABLE", "write it as in "+s.Default)
		case seen[name]:
			r.problem(s, "the service "+show(name)+" is there twice", "name each service once")
		default:
			seen[name] = true
			services = append(services, runbook.Service{Name: name, Variable: variable})
		}
	}
	return services
}

// restart are services beside those of IMAGES, which are replaced anyway.
func (r *reader) restart(s setting, replaced []runbook.Service) []string {
	var names []string
	for _, name := range r.list(s) {
		switch {
		case !servicePattern.MatchString(name):
			r.problem(s, show(name)+" is no name of a service", "name services as the compose file does, as in proxy")
		case slices.ContainsFunc(replaced, func(service runbook.Service) bool { return service.Name == name }):
			r.problem(s, show(name)+" is in IMAGES, and is replaced", "take it out of RESTART")
		case !slices.Contains(names, name):
			names = append(names, name)
		}
	}
	return names
}

// maxBudget bounds attempts x interval: nobody waits longer than a day for a release to become healthy, and the
// product has to stay a length of time.
const maxBudget = 24 * time.Hour

func (r *reader) health(env appEnvironment, hosts []runbook.Host) runbook.Health {
	h := runbook.Health{
		URLs:     r.list(env.HealthURL),
		Attempts: r.attempts(env.HealthAttempts),
		Interval: r.duration(env.HealthInterval),
		CAFile:   r.caFile(env.HealthCAFile),
	}
	for _, text := range h.URLs {
		if strings.ContainsAny(strings.ReplaceAll(text, endpoint.Host, ""), "{}") {
			r.problem(env.HealthURL, "it holds braces around something else than {host}", "write {host} for each host's name")
			continue
		}
		if r.address(env.HealthURL, text); strings.Contains(text, endpoint.Host) {
			r.healthOfEach(env.HealthURL, text, hosts)
		}
	}
	if float64(h.Attempts)*float64(h.Interval) > float64(maxBudget) {
		r.problem(env.HealthAttempts, "attempts x interval is more than a day", "give less of one of them; the runbook has 12 attempts, 10s apart")
	}
	return h
}

// healthOfEach looks at what becomes of a URL for each host: an IPv6 address can't be a part of a name.
func (r *reader) healthOfEach(s setting, template string, hosts []runbook.Host) {
	for _, host := range hosts {
		if _, err := url.Parse(endpoint.For(template, host)); err != nil {
			r.problem(s, "with "+show(host.Name())+" in the place of {host} it is no URL", "let {host} be the whole name, as in http://{host}:8080/health")
			return
		}
	}
}

func (r *reader) attempts(s setting) int {
	n, err := strconv.ParseInt(s.text(), 10, 0)
	if err != nil || n < 1 || n > math.MaxInt32 {
		r.problem(s, show(s.text())+" is no number of attempts", "give a whole number from 1, as in "+s.Default)
		return 0
	}
	return int(n)
}

func (r *reader) repository(s setting) string {
	text := s.text()
	if text != "" && !repositoryPattern.MatchString(text) {
		r.problem(s, show(text)+" is not owner/name", "write it as in acme/shop")
	}
	return text
}

// migrationsPaths are folders of the repository, which has to be known.
func (r *reader) migrationsPaths(env appEnvironment) []string {
	folders := r.folders(env.MigrationsPath)
	if len(folders) > 0 && env.Repository.text() == "" {
		r.problem(env.MigrationsPath, "it is set without REPOSITORY, so no migration could be judged", "give the repository as well, as in acme/shop, or leave it out")
	}
	return folders
}

// folders are paths within the repository.
func (r *reader) folders(s setting) []string {
	var folders []string
	for _, folder := range r.list(s) {
		switch clean := path.Clean(folder); {
		case strings.ContainsFunc(folder, isControl) || strings.ContainsAny(folder, "*?["):
			r.problem(s, show(folder)+" is no folder", "name the folder alone, without patterns, as in db/migrations")
		case strings.HasPrefix(folder, "/") || clean == ".." || strings.HasPrefix(clean, "../"):
			r.problem(s, show(folder)+" is not inside the repository", "give it as seen from the repository's top, as in db/migrations")
		default:
			folders = append(folders, clean)
		}
	}
	return folders
}

// restoreRunbook is a URL, or a path in the repository.
func (r *reader) restoreRunbook(s setting) string {
	text := s.text()
	switch {
	case strings.Contains(text, ":"):
		return r.optionalAddress(s)
	case strings.ContainsFunc(text, isControl):
		r.problem(s, "it holds control characters", "give a URL, or a path in the repository")
	}
	return text
}
