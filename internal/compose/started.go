package compose

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"rollbackbot/internal/compose/dotenv"
	"rollbackbot/runbook"
)

// How a stack was started is told by labels that Compose puts on each container it makes, read here as its sources write
// them (docker/compose, cmd/compose/compose.go and pkg/api/labels.go):
//
//   - project.config_files: the files in their order, absolute, joined by commas, whether they came by -f, by COMPOSE_FILE or
//     by their usual names; what they include or extend is not among them. "-" is what was piped in. A file from a
//     repository is a path into Compose's cache (2.2.3 to 5.6).
//   - project.working_dir: the project directory, absolute; without --project-directory the first file's folder.
//   - project.environment_file: what --env-file or COMPOSE_ENV_FILES named, and nothing for a default .env. Since 2.18 several,
//     absolute, joined by commas; in 2.2.3 one, joined to the project directory wherever it was relative to.
//
// Profiles have no label. A container that `up` leaves alone keeps the labels of the `up` that made it.

// started is how a container was started.
type started struct {
	project, service string
	files            []string // absolute, or piped
	folder           string
	envFiles         []string // of --env-file; none: the default one is read
}

// piped stands for a file that was read from standard input.
const piped = "-"

func startedAs(project, service, files, folder, envFiles string) started {
	s := started{project: project, service: service, folder: folder}
	if files != "" {
		s.files = strings.Split(files, ",")
	}
	if envFiles != "" {
		s.envFiles = strings.Split(envFiles, ",")
	}
	for _, list := range [][]string{s.files, s.envFiles} {
		for i, file := range list {
			if file != piped && !path.IsAbs(file) {
				list[i] = path.Join(folder, file)
			}
		}
	}
	return s
}

// shape is what stays the same where a whole folder moves, as from releases/41 to releases/42: the files as seen from it.
func (s started) shape() string {
	var all []string
	for _, file := range s.files {
		all = append(all, strings.TrimPrefix(file, s.folder+"/"))
	}
	return strings.Join(all, "\n")
}

// dropped are its files that another was not started with.
func (s started) dropped(by started) (files []string) {
	kept := strings.Split(by.shape(), "\n")
	for i, name := range strings.Split(s.shape(), "\n") {
		if !slices.Contains(kept, name) {
			files = append(files, s.files[i])
		}
	}
	return files
}

// launch is how compose is called for the app on a host.
type launch struct {
	words    []string // between the words of COMPOSE_COMMAND and compose's own command
	files    []string // those that have to be there, as the words name them
	envFiles []string // the same
	pins     string   // the file that compose reads last: relative to Dir, or absolute
	project  string   // the one that runs; "": none is known
	warnings []string
}

func (l launch) same(other launch) bool {
	return slices.Equal(l.words, other.words) && l.pins == other.pins && l.project == other.project
}

// defaultComposeFile is the runbook's.
const defaultComposeFile = "infra/docker-compose.prod.yml"

// flagged are the values that COMPOSE_COMMAND itself has of a flag.
func flagged(words []string, names ...string) (values []string) {
	for i, word := range words {
		for _, name := range names {
			if word == name && i+1 < len(words) {
				values = append(values, words[i+1])
			} else if value, found := strings.CutPrefix(word, name+"="); found {
				values = append(values, value)
			}
		}
	}
	return values
}

// configuredFiles are those that the configuration names, as it does; none: it leaves that to the containers.
func configuredFiles(a runbook.App) []string {
	return slices.Concat(flagged(a.Compose, "-f", "--file"), a.ComposeFiles)
}

// configured is how compose is called by what is configured alone.
func configured(a runbook.App) launch {
	l := launch{files: configuredFiles(a)}
	named := a.ComposeFiles
	if len(l.files) == 0 {
		l.files, named = []string{defaultComposeFile}, []string{defaultComposeFile}
	}
	l.words = flags("-f", named)
	l.envFiles = flagged(a.Compose, "--env-file")
	folder := path.Dir(l.files[0])
	if values := flagged(a.Compose, "--project-directory"); len(values) > 0 {
		folder = values[0]
	}
	l.pins = path.Join(folder, ".env")
	if n := len(l.envFiles); n > 0 {
		l.pins = l.envFiles[n-1]
	}
	if a.EnvFile != "" {
		l.pins = a.EnvFile
	}
	return l
}

// flags are a flag once for each value.
func flags(name string, values []string) (words []string) {
	for _, value := range values {
		words = append(words, name, value)
	}
	return words
}

// absolute are paths as they are from Dir.
func absolute(a runbook.App, files []string) []string {
	all := make([]string, len(files))
	for i, file := range files {
		if all[i] = path.Clean(file); !path.IsAbs(file) {
			all[i] = path.Join(a.Dir, file)
		}
	}
	return all
}

// shown are paths as a person in Dir would type them.
func shown(a runbook.App, files []string) []string {
	all := make([]string, len(files))
	for i, file := range files {
		all[i] = strings.TrimPrefix(file, strings.TrimSuffix(path.Clean(a.Dir), "/")+"/")
	}
	return all
}

func within(file, folder string) bool {
	folder = path.Clean(folder)
	return file == folder || strings.HasPrefix(file, strings.TrimSuffix(folder, "/")+"/")
}

// listProjects prints how every container of any project was started, the newest first, and before them what the .env of
// Dir says of files: with COMPOSE_FILE there compose reads two, that one and the one beside the first file.
func listProjects(a runbook.App) runbook.Command {
	const format = `started={"project":{{json (.Label "com.docker.compose.project")}},"service":{{json (.Label "com.docker.compose.service")}},` +
		`"oneoff":{{json (.Label "com.docker.compose.oneoff")}},"files":{{json (.Label "com.docker.compose.project.config_files")}},` +
		`"folder":{{json (.Label "com.docker.compose.project.working_dir")}},"env_files":{{json (.Label "com.docker.compose.project.environment_file")}}}`
	const script = `[ -f .env ] && grep -E "^[[:space:]]*(export[[:space:]]+)?COMPOSE_(FILE|PATH_SEPARATOR)[[:space:]]*=" .env | sed "s/^/env=/"; exec "$@"`
	list := docker(a, "ps", "--all", "--no-trunc", "--filter", "label=com.docker.compose.project", "--format", format)
	return runbook.Command{Args: append([]string{"sh", "-c", script, "rollbackbot"}, list.Args...), Dir: a.Dir}
}

// projects is what listProjects printed.
type projects struct {
	started []started // of the app's services alone, the newest first
	byEnv   []string  // what COMPOSE_FILE in the .env of Dir names, absolute
}

func (h *appHost) projects(ctx context.Context) (projects, error) {
	r, err := h.ask(ctx, listProjects(h.app))
	if err != nil {
		return projects{}, err
	}
	if r.status != 0 {
		return projects{}, h.dockerProblem("list the containers", r)
	}
	var found projects
	var lines, env []byte
	for line := range strings.Lines(string(r.stdout)) {
		if json, is := strings.CutPrefix(line, "started="); is {
			lines = append(lines, json...)
		}
		if setting, is := strings.CutPrefix(line, "env="); is {
			env = append(env, setting...)
		}
	}
	found.byEnv = absolute(h.app, filesOfEnv(env))
	all, err := Lines[container](lines)
	if err != nil {
		return projects{}, h.problem("Check DOCKER_COMMAND", "%v", err)
	}
	for _, c := range all {
		if h.app.HasService(c.Service) && !c.oneOff() {
			found.started = append(found.started, c.started())
		}
	}
	return found, nil
}

// filesOfEnv are the files that COMPOSE_FILE names, as compose-go splits it (cli/options.go, WithConfigFileEnv).
func filesOfEnv(env []byte) []string {
	values := dotenv.Values(env)
	if values["COMPOSE_FILE"] == "" {
		return nil
	}
	return strings.Split(values["COMPOSE_FILE"], cmp.Or(values["COMPOSE_PATH_SEPARATOR"], ":"))
}

// discover finds the app's project among those that run, and how it was started.
func (h *appHost) discover(ctx context.Context) (launch, error) {
	all, err := h.projects(ctx)
	if err != nil {
		return launch{}, err
	}
	names, err := h.candidates(ctx, all.started)
	if err != nil {
		return launch{}, err
	}
	project, err := h.oneOf(ctx, names, all)
	if err != nil {
		return launch{}, err
	}
	return h.remember(ctx, project, projects{of(all.started, project), all.byEnv})
}

// oneOf chooses among projects: the one with exactly the configured files, or else the one that the files are by themselves.
func (h *appHost) oneOf(ctx context.Context, names []string, all projects) (string, error) {
	files := absolute(h.app, configuredFiles(h.app))
	var exact []string
	for _, name := range names {
		if running := of(all.started, name); len(running) > 0 && slices.Equal(running[0].files, files) {
			exact = append(exact, name)
		}
	}
	switch {
	case len(names) == 0:
		return "", nil
	case len(names) == 1:
		return names[0], nil
	case len(exact) == 1:
		return exact[0], nil
	}
	l, err := h.launchFor(ctx, projects{of(all.started, names[0]), all.byEnv})
	if err != nil {
		return "", err
	}
	stack, err := h.render(ctx, l, h.placeholders())
	if err != nil || slices.Contains(names, stack.Project) {
		return stack.Project, err
	}
	return "", h.problem(h.setting("COMPOSE_COMMAND", strings.Join(h.app.Compose, " ")+" -p "+names[0]),
		"several projects run services of these names with files of this folder, %s: which of them is meant?", listed(names))
}

// remember finds out how compose is called for a project, and keeps it with what it was found from.
func (h *appHost) remember(ctx context.Context, project string, found projects) (launch, error) {
	l, err := h.launchFor(ctx, found)
	if err != nil {
		return launch{}, err
	}
	l.project = project
	h.memory.launched(l, found)
	return l, nil
}

// launch is how compose was called at last, or what is configured.
func (h *appHost) launch() launch {
	if known := h.memory.recall(); len(known.launch.files) > 0 {
		return known.launch
	}
	return configured(h.app)
}

// launched is how compose is called: as it was at last, or found out now.
func (h *appHost) launched(ctx context.Context) (launch, error) {
	if known := h.memory.recall(); len(known.launch.files) > 0 {
		return known.launch, nil
	}
	return h.discover(ctx)
}

// launchOf is how compose is called for what was just seen to run. Where nothing of the app runs, it is as it was.
func (h *appHost) launchOf(ctx context.Context, s sight) (launch, error) {
	known := h.memory.recall()
	if len(known.launch.files) == 0 {
		if _, err := h.discover(ctx); err != nil {
			return launch{}, err
		}
		known = h.memory.recall()
	}
	running := slices.Clone(s.containers)
	slices.SortStableFunc(running, func(a, b container) int { return b.Created.Compare(a.Created) })
	var now []started
	for _, c := range running {
		if c.Files != "" {
			now = append(now, c.started())
		}
	}
	same := func(a, b started) bool {
		return a.project == b.project && a.service == b.service && slices.Equal(a.files, b.files) && a.folder == b.folder && slices.Equal(a.envFiles, b.envFiles)
	}
	if len(now) == 0 || slices.EqualFunc(now, known.found.started, same) {
		return known.launch, nil
	}
	return h.remember(ctx, s.project, projects{now, known.found.byEnv})
}

// launchSeen is the same for who only looks: what is wrong there is a preflight's to say.
func (h *appHost) launchSeen(ctx context.Context, s sight) launch {
	if l, err := h.launchOf(ctx, s); err == nil {
		return l
	}
	return h.launch()
}

// called is how compose is called in a plan: with the project's name and the profiles where they are needed.
func (h *appHost) called(ctx context.Context) (launch, error) {
	if known := h.memory.recall(); len(known.called.files) > 0 {
		return known.called, nil
	}
	l, err := h.launched(ctx)
	if err == nil {
		_, _, err = h.stackAndSight(ctx, &l)
	}
	return l, err
}

// planned are the words that a plan has to keep: none where they are the configured ones.
func (h *appHost) planned(l launch) []string {
	if slices.Equal(l.words, configured(h.app).words) {
		return nil
	}
	return l.words
}

func (c container) started() started {
	return startedAs(c.Project, c.Service, c.Files, c.Folder, c.EnvFiles)
}

// of are those of one project.
func of(all []started, project string) []started {
	return slices.DeleteFunc(slices.Clone(all), func(s started) bool { return s.project != project })
}

// candidates are the projects that may be the app's: those that have a service of its names, and whose files are in Dir or
// are the configured ones. A -p of COMPOSE_COMMAND decides.
func (h *appHost) candidates(ctx context.Context, all []started) ([]string, error) {
	if name := flagged(h.app.Compose, "-p", "--project-name"); len(name) > 0 {
		return name[:1], nil
	}
	files := absolute(h.app, configuredFiles(h.app))
	near := func(real func(string) string) (names []string) {
		for _, s := range all {
			inside := func(file string) bool {
				return within(real(file), real(h.app.Dir)) || slices.Contains(files, file)
			}
			if slices.ContainsFunc(append(slices.Clone(s.files), s.folder), inside) {
				names = appendOnce(names, s.project)
			}
		}
		return names
	}
	names := near(func(file string) string { return file })
	if len(names) > 0 || len(all) == 0 {
		return names, nil
	}
	paths := []string{h.app.Dir}
	for _, s := range all {
		paths = append(append(paths, s.folder), s.files...)
	}
	real, err := h.real(ctx, paths)
	return near(func(file string) string { return real[file] }), err
}

// real gives what paths lead to on the host; "" where nothing is there.
func (h *appHost) real(ctx context.Context, paths []string) (map[string]string, error) {
	const script = `for path; do [ -e "$path" ] && printf "%s\n" "real=$(readlink -f "$path")" || printf "%s\n" real=; done`
	r, err := h.ask(ctx, runbook.Command{Args: append([]string{"sh", "-c", script, "rollbackbot"}, paths...), Dir: h.app.Dir})
	if err != nil {
		return nil, err
	}
	real, i := map[string]string{}, 0
	for line := range strings.Lines(string(r.stdout)) {
		if is, found := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "real="); found && i < len(paths) {
			real[paths[i]] = is
			i++
		}
	}
	return real, nil
}

// reals are what all of the paths lead to; false where one isn't there.
func reals(real map[string]string, paths []string) ([]string, bool) {
	all := make([]string, len(paths))
	for i, file := range paths {
		all[i] = real[file]
	}
	return all, !slices.Contains(all, "")
}

// launchFor says how compose is called so that it reads what the running containers were started with, the newest first.
// Where the configuration says something else, nobody can tell which of the two is meant: that is a problem.
func (h *appHost) launchFor(ctx context.Context, found projects) (launch, error) {
	l := configured(h.app)
	if len(found.started) == 0 || len(found.started[0].files) == 0 {
		return l, nil
	}
	now, err := h.asStarted(ctx, &l, found.started)
	if err != nil {
		return launch{}, err
	}
	h.projectFolder(&l, now)
	if len(now.envFiles) == 0 && slices.Equal(now.files, found.byEnv) {
		if now.envFiles, err = h.envFilesOfDir(ctx, now); err != nil {
			return launch{}, err
		}
	}
	if err := h.envFilesFor(ctx, &l, now); err != nil {
		return launch{}, err
	}
	if h.app.EnvFile != "" {
		l.pins = h.app.EnvFile
	}
	return l, nil
}

// asStarted gives the launch its files, and says which of the containers it follows.
func (h *appHost) asStarted(ctx context.Context, l *launch, all []started) (started, error) {
	a, newest := h.app, all[0]
	if slices.Contains(newest.files, piped) {
		return newest, h.problem("Write what is piped in into a file there, and deploy once from that: docker compose -f FILE up -d",
			"%s was started from standard input, so that nobody can read again what it was started with", newest.service)
	}
	files := absolute(a, configuredFiles(a))
	if len(files) == 0 {
		return h.follow(ctx, l, all)
	}
	// One that an `up` with fewer files than configured has left alone decides, and not what a file that isn't configured was
	// added to: that one would lose it.
	for _, s := range all {
		if slices.Equal(s.files, files) && len(newest.dropped(s)) == 0 {
			if s.shape() != newest.shape() {
				l.warnings = append(l.warnings, fmt.Sprintf("%s was started with %s, and not with %s as %s was and as is configured", newest.service, listed(newest.files), listed(s.files), s.service))
			}
			return s, nil
		}
	}
	return h.elsewhere(ctx, l, all, files)
}

// follow takes the files from the newest container: nothing is configured. One that `up` has left alone since may have been
// started with fewer; a file that only an older one has, and that is there still, was dropped by somebody.
func (h *appHost) follow(ctx context.Context, l *launch, all []started) (started, error) {
	newest := all[0]
	for _, s := range all {
		dropped := s.dropped(newest)
		if len(dropped) == 0 {
			continue
		}
		real, err := h.real(ctx, dropped)
		if err != nil {
			return newest, err
		}
		if slices.ContainsFunc(dropped, func(file string) bool { return real[file] != "" }) {
			return newest, h.problem("Say which it is: "+h.setFiles(s.files), "%s was started with %s, and %s with %s", newest.service, listed(newest.files), s.service, listed(s.files))
		}
	}
	moved := make([]string, len(newest.files))
	for i, file := range newest.files {
		moved[i] = path.Join(h.app.Dir, strings.TrimPrefix(file, newest.folder+"/"))
	}
	real, err := h.real(ctx, slices.Concat(newest.files, moved))
	if err != nil {
		return newest, err
	}
	if _, there := reals(real, newest.files); !there {
		if _, there := reals(real, moved); !there || !within(newest.files[0], newest.folder) {
			return newest, h.problem("Put them back, or say where they are now, as in "+h.setFiles(moved), "%s was started with %s, and that is not there any more", newest.service, listed(newest.files))
		}
		l.warnings = append(l.warnings, fmt.Sprintf("%s was started with %s; that is not there any more, and %s is taken", newest.service, listed(newest.files), listed(moved)))
		newest.files, newest.folder = moved, path.Dir(moved[0])
	}
	l.files = shown(h.app, newest.files)
	l.words = flags("-f", l.files)
	l.pins = path.Join(path.Dir(l.files[0]), ".env")
	return newest, nil
}

// elsewhere compares the configured files to those of the containers where their names differ: by what they lead to, or, where
// a whole folder was replaced or moved, as seen from it.
func (h *appHost) elsewhere(ctx context.Context, l *launch, all []started, files []string) (started, error) {
	newest := all[0]
	real, err := h.real(ctx, slices.Concat(files, newest.files))
	if err != nil {
		return newest, err
	}
	want, _ := reals(real, files)
	is, _ := reals(real, newest.files)
	missing := slices.Index(want, "")
	switch here := (started{files: files, folder: path.Dir(files[0])}); {
	case missing >= 0:
		return newest, h.problem(h.setFiles(newest.files), "there is no readable compose file %s in %s: %s was started with %s", configuredFiles(h.app)[missing], h.app.Dir, newest.service, listed(newest.files))
	case slices.Equal(want, is):
		newest.files, newest.folder = files, strings.Replace(newest.folder, path.Dir(newest.files[0]), here.folder, 1)
		return newest, nil
	case (started{files: newest.files, folder: newest.folder}).shape() == here.shape():
		l.warnings = append(l.warnings, fmt.Sprintf("%s was started with %s, and %s is taken", newest.service, listed(newest.files), listed(files)))
		newest.files, newest.folder = files, here.folder
		return newest, nil
	}
	return newest, h.problem(h.setFiles(newest.files), "%s was started with %s, and COMPOSE_FILE says %s: what the others hold would be lost or added", newest.service, listed(newest.files), listed(files))
}

func listed(files []string) string { return strings.Join(files, " and ") }

// setFiles is the line of the bot's configuration that names these files.
func (h *appHost) setFiles(files []string) string {
	return h.setting("COMPOSE_FILE", strings.Join(shown(h.app, files), ","))
}

// setting is a line of the bot's configuration.
func (h *appHost) setting(name, value string) string {
	return "Set ROLLBACK_APP_" + strings.ToUpper(strings.ReplaceAll(h.app.Name, "-", "_")) + "_" + name + "=" + value
}

// projectFolder names the project directory where it isn't the one that compose takes by itself.
func (h *appHost) projectFolder(l *launch, now started) {
	if now.folder == path.Dir(now.files[0]) || now.folder == "" || len(flagged(h.app.Compose, "--project-directory")) > 0 {
		return
	}
	l.words = append([]string{"--project-directory", now.folder}, l.words...)
	l.pins = shown(h.app, []string{now.folder + "/.env"})[0]
}

// envFilesOfDir are what compose reads where the .env of Dir names the files in COMPOSE_FILE: that one, which wins, and the
// one beside the first file (compose-go, cli/options.go: WithEnvFiles and WithDotEnv stand there twice). With -f alone it
// would read the second only.
func (h *appHost) envFilesOfDir(ctx context.Context, now started) ([]string, error) {
	beside, own := now.folder+"/.env", path.Join(h.app.Dir, ".env")
	if beside == own {
		return nil, nil
	}
	real, err := h.real(ctx, []string{beside})
	if err != nil || real[beside] == "" {
		return []string{own}, err
	}
	return []string{beside, own}, nil
}

// envFilesFor gives the launch the env files of --env-file: those of the containers, unless COMPOSE_COMMAND has some. The
// last one wins (compose-go, dotenv.GetEnvFromFile).
func (h *appHost) envFilesFor(ctx context.Context, l *launch, now started) error {
	a, files := h.app, shown(h.app, now.envFiles)
	if len(files) == 0 || len(flagged(a.Compose, "--env-file")) > 0 {
		return nil
	}
	last := files[len(files)-1]
	if a.EnvFile != "" {
		configured := absolute(a, append([]string{a.EnvFile}, files...))
		real, err := h.real(ctx, configured)
		if err != nil {
			return err
		}
		if of, there := reals(real, configured); there && !slices.Contains(of[1:], of[0]) || !there && !slices.Contains(configured[1:], configured[0]) {
			return h.problem(h.setting("ENV_FILE", last), "%s was started with the env file %s, and ENV_FILE says %s: pins written there would not count", now.service, listed(files), a.EnvFile)
		}
	}
	l.envFiles, l.pins = files, last
	l.words = append(l.words, flags("--env-file", files)...)
	return nil
}
