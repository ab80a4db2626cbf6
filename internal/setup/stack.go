package setup

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"rollbackbot/config"
	"rollbackbot/internal/compose/discover"
)

// stack logs in, and finds the project.
func (i *Interview) stack(ctx context.Context, f *envFile) error {
	engine, err := i.World.Login(ctx, i.Host, f.key)
	if err != nil {
		return err
	}
	f.docker, f.compose = engine.Words()
	i.say("\nWhat runs there. It answers to `%s` and `%s`.", strings.Join(f.docker, " "), strings.Join(f.compose, " "))
	stacks, err := engine.Stacks(ctx)
	if err != nil {
		return err
	}
	if len(stacks) == 0 {
		return fmt.Errorf("%s has no container that compose started: deploy there once with `%s up -d`, then run this again", i.Host, strings.Join(f.compose, " "))
	}
	if f.stack, err = i.choose(ctx, stacks); err != nil {
		return err
	}
	if f.app, err = i.name(ctx, f.stack.Project); err != nil {
		return err
	}
	return engine.Read(ctx, &f.stack)
}

func (i *Interview) choose(ctx context.Context, stacks []discover.Stack) (discover.Stack, error) {
	for n, s := range stacks {
		i.say("  %d  %-12s %s  (%s)", n+1, s.Project, s.Dir, strings.Join(serviceNames(s.Services), ", "))
	}
	q := question{flag: "project", text: "Which project is to be rolled back? Its number or name", check: func(_ context.Context, answer string) (string, error) {
		for n, s := range stacks {
			if s.Project == answer || i.Terminal && strconv.Itoa(n+1) == answer {
				return s.Project, nil
			}
		}
		return "", fmt.Errorf("compose runs no project %q there: it runs %s", answer, strings.Join(projects(stacks), ", "))
	}}
	if len(stacks) == 1 {
		q.preset, q.sure = stacks[0].Project, true
	}
	for _, s := range stacks {
		if app, named := i.Answers["app"]; named && (s.Project == app || appName(s.Project) == app) {
			q.preset, q.sure = s.Project, true
		}
	}
	// --app alone names the project, too.
	if _, named := i.Answers["app"]; named && q.sure && i.Answers["project"] == "" {
		return find(stacks, q.preset), nil
	}
	if app, named := i.Answers["app"]; named && !q.sure && i.Answers["project"] == "" && !i.Terminal {
		return discover.Stack{}, &AnswerError{Flag: "app", Err: fmt.Errorf("compose runs no project %q there, but %s: name one of them with --project", app, strings.Join(projects(stacks), ", "))}
	}
	project, err := i.ask(ctx, q)
	if err := errors.Join(err, i.stop()); err != nil {
		return discover.Stack{}, err
	}
	return find(stacks, project), nil
}

func find(stacks []discover.Stack, project string) discover.Stack {
	return stacks[slices.IndexFunc(stacks, func(s discover.Stack) bool { return s.Project == project })]
}

func projects(stacks []discover.Stack) []string {
	names := make([]string, len(stacks))
	for i, s := range stacks {
		names[i] = s.Project
	}
	return names
}

var noAppName = regexp.MustCompile(`[^a-z0-9-]+`)

// appName makes of a project's name one that an app may have.
func appName(project string) string {
	return strings.Trim(noAppName.ReplaceAllString(strings.ToLower(project), "-"), "-")
}

// name is what people in Slack call the app: the project's name wherever it can be.
func (i *Interview) name(ctx context.Context, project string) (string, error) {
	q := question{flag: "app", text: "What do people call the app in Slack?", preset: appName(project), sure: true, check: func(_ context.Context, answer string) (string, error) {
		if wrong, remedy := config.CheckApp(answer); wrong != "" {
			return "", fmt.Errorf("%s: %s", wrong, remedy)
		}
		return answer, nil
	}}
	if _, named := i.Answers["app"]; !named {
		if wrong, _ := config.CheckApp(q.preset); wrong == "" {
			return q.preset, nil
		}
		q.preset = ""
	}
	app, err := i.ask(ctx, q)
	return app, errors.Join(err, i.stop())
}

func serviceNames(services []discover.StackService) []string {
	names := make([]string, len(services))
	for i, s := range services {
		names[i] = s.Name
	}
	return names
}

// stores are images of programs that keep data: a release doesn't bring their version, and going back with one is no rollback.
var stores = []string{
	"cassandra", "clickhouse", "clickhouse-server", "elasticsearch", "etcd", "influxdb", "kafka", "keydb", "mariadb", "memcached", "minio", "mongo",
	"mongodb", "mysql", "nats", "opensearch", "percona", "postgis", "postgres", "postgresql", "rabbitmq", "redis", "timescaledb", "valkey", "zookeeper",
}

func isStore(image string) bool {
	image, _, _ = strings.Cut(image, "@")
	name, _, _ := strings.Cut(path.Base(image), ":")
	return slices.Contains(stores, name)
}

func lasting(s discover.StackService) bool { return s.Running || s.Restarts }

// forms say how the compose file takes an image.
var forms = map[discover.Form]string{
	discover.Reference: "holds the whole reference",
	discover.Digest:    "holds the digest",
	discover.Tag:       "holds the tag",
}

// images finds the services that a rollback takes back.
func (i *Interview) images(ctx context.Context, f *envFile) error {
	var preset []string
	i.say("\nThe images of %s, and the variables by which the compose file takes them:", f.stack.Project)
	for _, s := range f.stack.Services {
		i.say("  %-12s %s", s.Name, about(s))
		if s.Variable != "" && lasting(s) && !isStore(s.Image) {
			preset = append(preset, s.Name)
		}
	}
	i.literals(f)
	if !slices.ContainsFunc(f.stack.Services, func(s discover.StackService) bool { return s.Variable != "" && lasting(s) }) {
		return f.nothingToRollBack()
	}
	if !f.stack.Pinned {
		i.say("No file on the host gives the images that run: they were exported when it was deployed. A rollback writes them into\n%s.", f.pinsFile())
	}
	answer, err := i.ask(ctx, question{flag: "services", text: "The services that go back together, in the order in which they are deployed", preset: strings.Join(preset, ","), sure: true, check: f.checkServices})
	if err != nil {
		return err
	}
	f.services = nil
	for _, name := range strings.Split(answer, ",") {
		f.services = append(f.services, f.service(name))
	}
	return nil
}

func (f *envFile) service(name string) discover.StackService {
	for _, s := range f.stack.Services {
		if s.Name == name {
			return s
		}
	}
	return discover.StackService{}
}

// about says what becomes of a service.
func about(s discover.StackService) string {
	text := ""
	switch {
	case s.Variable == "" && isStore(s.Image):
		text = s.Image + ", left out: a release doesn't bring its version"
	case s.Built:
		text = "left out: it is built there, and no variable gives its image"
	case s.Variable == "":
		text = "left out: the compose file has its image without a variable"
	case !lasting(s):
		text = fmt.Sprintf("%s, left out: it runs once and ends, and a rollback never starts it", s.Variable)
	case isStore(s.Image):
		text = fmt.Sprintf("%s, left out: %s keeps data, and a release doesn't bring its version", s.Variable, s.Image)
	default:
		text = s.Variable + " " + forms[s.Form]
	}
	if len(s.Profiles) > 0 {
		text += "; behind the profile " + strings.Join(s.Profiles, ", ")
	}
	return text
}

// literals tell of the services whose image no variable gives, with the lines that would change that.
func (i *Interview) literals(f *envFile) {
	told := false
	for _, s := range f.stack.Services {
		if s.Variable != "" || isStore(s.Image) || !lasting(s) {
			continue
		}
		if !told {
			i.say("To have such a service rolled back, write the first of its lines into the compose file, the second into\n%s; deploy, and run this again:", f.pinsFile())
			told = true
		}
		variable := strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(s.Name)) + "_IMAGE"
		ref := s.Image
		if s.Built {
			ref = "the name under which it is pushed to a registry"
		}
		i.say("  %-12s image: ${%s}\n  %-12s %s=%s", s.Name, variable, "", variable, ref)
	}
}

// pinsFile is where the pins are kept: the configured one, or the .env beside the first compose file.
func (f *envFile) pinsFile() string {
	if f.stack.EnvFile != "" {
		return f.stack.EnvFile
	}
	first := f.stack.Files[0]
	if !path.IsAbs(first) {
		first = path.Join(f.stack.Dir, first)
	}
	return path.Join(path.Dir(first), ".env")
}

func (f *envFile) nothingToRollBack() error {
	return fmt.Errorf("no service of %s takes its image from a variable, so that there is nothing to roll back: write the lines above, deploy with them, then run this again", f.stack.Project)
}

func (f *envFile) checkServices(_ context.Context, answer string) (string, error) {
	names := strings.FieldsFunc(answer, func(c rune) bool { return c == ',' || c == ' ' })
	if len(names) == 0 {
		return "", errors.New("no service is named: name at least one")
	}
	for n, name := range names {
		switch s := f.service(name); {
		case s.Name == "":
			return "", fmt.Errorf("%s has no container of a service %q: name some of %s", f.stack.Project, name, strings.Join(serviceNames(f.stack.Services), ", "))
		case s.Variable == "":
			return "", fmt.Errorf("no variable gives the image of %s: leave it out, or write the line above, deploy, and run this again", name)
		case !lasting(s):
			return "", fmt.Errorf("%s runs once and ends, and a rollback never starts it: leave it out", name)
		case slices.Contains(names[:n], name):
			return "", fmt.Errorf("%s is there twice: name it once", name)
		}
	}
	for _, s := range f.stack.Services {
		shares := slices.ContainsFunc(names, func(name string) bool { return f.service(name).Variable == s.Variable })
		if s.Variable != "" && lasting(s) && shares && !slices.Contains(names, s.Name) {
			return "", fmt.Errorf("%s takes its image from %s as well, and would run another release than the rest: name it, too", s.Name, s.Variable)
		}
	}
	return strings.Join(names, ","), nil
}
