package compose

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"rollbackbot/runbook"
)

// labelled is a host whose containers carry these labels, as Compose was seen to write them.
type labelled struct {
	containers []string          // the newest first: as listProjects prints them, without what begins a line
	env        string            // the lines about files in the .env of Dir
	leads      map[string]string // what paths lead to; "" where nothing is there. The others lead to themselves
}

func (l labelled) Run(_ context.Context, cmd runbook.Command, _ []byte) (status int, stdout, stderr []byte, err error) {
	words := strings.Join(cmd.Args, " ")
	switch {
	case strings.Contains(words, "started="):
		for line := range strings.Lines(l.env) {
			stdout = append(stdout, "env="+line...)
		}
		for _, c := range l.containers {
			stdout = fmt.Appendf(stdout, "started=%s\n", c)
		}
	case strings.Contains(words, "real="):
		for _, path := range cmd.Args[4:] {
			real, named := l.leads[path]
			if !named {
				real = path
			}
			stdout = fmt.Appendf(stdout, "real=%s\n", real)
		}
	case strings.Contains(words, "config --format json"):
		stdout = []byte(stack(service("api", "x"), service("worker", "x")))
	default:
		return 127, nil, []byte("nobody expected " + words), nil
	}
	return 0, stdout, nil, nil
}

// by is a container of the app by its labels, those of one project.
func by(service, files, folder string, envFiles ...string) string {
	return of2("shop", service, files, folder, envFiles...)
}

func of2(project, service, files, folder string, envFiles ...string) string {
	return fmt.Sprintf(`{"project":%q,"service":%q,"oneoff":"False","files":%q,"folder":%q,"env_files":%q}`, project, service, files, folder, strings.Join(envFiles, ","))
}

// both are containers of both services, started alike.
func both(files, folder string, envFiles ...string) []string {
	return []string{by("api", files, folder, envFiles...), by("worker", files, folder, envFiles...)}
}

const (
	base = "/opt/shop/docker-compose.yml"
	prod = "/opt/shop/docker-compose.prod.yml"
	two  = base + "," + prod
)

func TestLaunch_IsReadFromWhatRuns(t *testing.T) {
	for _, row := range []struct {
		name       string
		host       labelled
		configured []string
		command    string // of compose
		envFile    string
		words      string
		pins       string
		warns      string
	}{
		{name: "nothing runs, and nothing is configured", words: "-f infra/docker-compose.prod.yml", pins: "infra/.env"},
		{name: "as configured", host: labelled{containers: both("/opt/shop/infra/docker-compose.prod.yml", "/opt/shop/infra")}, configured: []string{"infra/docker-compose.prod.yml"},
			words: "-f infra/docker-compose.prod.yml", pins: "infra/.env"},
		{name: "the runbook's file, and nothing is configured", host: labelled{containers: both("/opt/shop/infra/docker-compose.prod.yml", "/opt/shop/infra")},
			words: "-f infra/docker-compose.prod.yml", pins: "infra/.env"},
		{name: "several files", host: labelled{containers: both(two, "/opt/shop")}, words: "-f docker-compose.yml -f docker-compose.prod.yml", pins: ".env"},
		{name: "the same, configured", host: labelled{containers: both(two, "/opt/shop")}, configured: []string{"docker-compose.yml", prod}, words: "-f docker-compose.yml -f " + prod, pins: ".env"},
		{name: "an override by its usual name", host: labelled{containers: both(base+",/opt/shop/docker-compose.override.yml", "/opt/shop")},
			words: "-f docker-compose.yml -f docker-compose.override.yml", pins: ".env"},
		{name: "files of COMPOSE_COMMAND", host: labelled{containers: both(two, "/opt/shop")}, command: "docker compose -f docker-compose.yml --file=docker-compose.prod.yml", words: "", pins: ".env"},
		{name: "COMPOSE_FILE in the folder's own .env, files below it", host: labelled{containers: both("/opt/shop/infra/a.yml,/opt/shop/infra/b.yml", "/opt/shop/infra"), env: "COMPOSE_FILE=infra/a.yml:infra/b.yml\n"},
			words: "-f infra/a.yml -f infra/b.yml --env-file infra/.env --env-file .env", pins: ".env"},
		{name: "the same with a separator, and no other .env", host: labelled{containers: both("/opt/shop/infra/a.yml", "/opt/shop/infra"), env: "COMPOSE_PATH_SEPARATOR=';'\nexport COMPOSE_FILE=\"infra/a.yml\"\n", leads: map[string]string{"/opt/shop/infra/.env": ""}},
			words: "-f infra/a.yml --env-file .env", pins: ".env"},
		{name: "env files, of which the last one wins", host: labelled{containers: both(base, "/opt/shop", "/opt/shop/.env", "/etc/shop/prod.env")},
			words: "-f docker-compose.yml --env-file .env --env-file /etc/shop/prod.env", pins: "/etc/shop/prod.env"},
		{name: "pins in an env file that is configured", host: labelled{containers: both(base, "/opt/shop", "/opt/shop/.env", "/opt/shop/images.env")}, envFile: "images.env",
			words: "-f docker-compose.yml --env-file .env --env-file images.env", pins: "images.env"},
		{name: "another project directory", host: labelled{containers: both("/opt/shop/infra/a.yml", "/opt/shop")}, words: "--project-directory /opt/shop -f infra/a.yml", pins: ".env"},
		{name: "a folder by another name", host: labelled{containers: both("/srv/shop/docker-compose.yml", "/srv/shop"), leads: map[string]string{"/opt/shop": "/srv/shop", base: "/srv/shop/docker-compose.yml"}}, configured: []string{"docker-compose.yml"},
			words: "-f docker-compose.yml", pins: ".env"},
		{name: "a former release's folder", host: labelled{containers: both("/srv/releases/41/docker-compose.yml", "/srv/releases/41"), leads: map[string]string{"/opt/shop": "/srv/releases/42", base: "/srv/releases/42/docker-compose.yml", "/srv/releases/41": "/srv/releases/42"}}, configured: []string{"docker-compose.yml"},
			words: "-f docker-compose.yml", pins: ".env", warns: "api was started with /srv/releases/41/docker-compose.yml, and /opt/shop/docker-compose.yml is taken"},
		{name: "a former folder that is gone", host: labelled{containers: both("/opt/shop/old/a.yml", "/opt/shop/old"), leads: map[string]string{"/opt/shop/old/a.yml": ""}},
			words: "-f a.yml", pins: ".env", warns: "api was started with /opt/shop/old/a.yml; that is not there any more, and /opt/shop/a.yml is taken"},
		{name: "one service of two started otherwise than configured", host: labelled{containers: []string{by("worker", base, "/opt/shop"), by("api", two, "/opt/shop")}}, configured: []string{"docker-compose.yml", "docker-compose.prod.yml"},
			words: "-f docker-compose.yml -f docker-compose.prod.yml", pins: ".env",
			warns: "worker was started with " + base + ", and not with " + base + " and " + prod + " as api was and as is configured"},
		{name: "a service that was left alone since a file was added", host: labelled{containers: []string{by("worker", two, "/opt/shop"), by("api", base, "/opt/shop")}},
			words: "-f docker-compose.yml -f docker-compose.prod.yml", pins: ".env"},
		{name: "a service that was left alone since a file was removed", host: labelled{containers: []string{by("worker", base, "/opt/shop"), by("api", two, "/opt/shop")}, leads: map[string]string{prod: ""}},
			words: "-f docker-compose.yml", pins: ".env"},
		{name: "a service that was left alone since there is an env file", host: labelled{containers: []string{by("worker", base, "/opt/shop", "/opt/shop/prod.env"), by("api", base, "/opt/shop")}},
			words: "-f docker-compose.yml --env-file prod.env", pins: "prod.env"},
		{name: "a project beside it, elsewhere", host: labelled{containers: append([]string{of2("other", "api", "/srv/other/compose.yaml", "/srv/other")}, both(two, "/opt/shop")...)},
			words: "-f docker-compose.yml -f docker-compose.prod.yml", pins: ".env"},
		{name: "a service of another name alone", host: labelled{containers: []string{of2("db", "postgres", base, "/opt/shop")}}, words: "-f infra/docker-compose.prod.yml", pins: "infra/.env"},
	} {
		t.Run(row.name, func(t *testing.T) {
			l, err := launchOn(t, row.host, row.configured, row.command, row.envFile)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(l.words, " "); got != row.words || l.pins != row.pins || strings.Join(l.warnings, "\n") != row.warns {
				t.Errorf("it is called by %q with the pins in %s, and warns %q;\nwant %q, %s, %q", got, l.pins, l.warnings, row.words, row.pins, row.warns)
			}
		})
	}
}

func launchOn(t *testing.T, host labelled, configured []string, command, envFile string) (launch, error) {
	t.Helper()
	a := recordedApp()
	a.ComposeFiles, a.EnvFile = configured, envFile
	if command != "" {
		a.Compose = strings.Fields(command)
	}
	return (&appHost{app: a, host: one, shell: host}).launched(t.Context())
}

// What is configured and what runs differ, or nobody can tell: that is said before anything is asked, with what to do.
// Who does it is let through.
func TestLaunch_NamesADifference(t *testing.T) {
	for _, row := range []struct {
		name       string
		host       labelled
		configured []string
		envFile    string
		what, fix  string
		then       []string // the configured files, as the fix has them
	}{
		{name: "the override would be dropped", host: labelled{containers: both(two, "/opt/shop")}, configured: []string{"docker-compose.yml"},
			what: "api was started with " + base + " and " + prod + ", and COMPOSE_FILE says " + base + ": what the others hold would be lost or added",
			fix:  "Set ROLLBACK_APP_SHOP_COMPOSE_FILE=docker-compose.yml,docker-compose.prod.yml", then: []string{"docker-compose.yml", "docker-compose.prod.yml"}},
		{name: "an override that changed one service, so that `up` left the other alone", host: labelled{containers: []string{by("api", two, "/opt/shop"), by("worker", base, "/opt/shop")}}, configured: []string{"docker-compose.yml"},
			what: "api was started with " + base + " and " + prod + ", and COMPOSE_FILE says " + base + ": what the others hold would be lost or added",
			fix:  "Set ROLLBACK_APP_SHOP_COMPOSE_FILE=docker-compose.yml,docker-compose.prod.yml", then: []string{"docker-compose.yml", "docker-compose.prod.yml"}},
		{name: "a file that isn't there", host: labelled{containers: both(base, "/opt/shop"), leads: map[string]string{"/opt/shop/nosuch.yml": ""}}, configured: []string{"nosuch.yml"},
			what: "there is no readable compose file nosuch.yml in /opt/shop: api was started with " + base, fix: "Set ROLLBACK_APP_SHOP_COMPOSE_FILE=docker-compose.yml", then: []string{"docker-compose.yml"}},
		{name: "two services by different files", host: labelled{containers: []string{by("api", base, "/opt/shop"), by("worker", two, "/opt/shop")}},
			what: "api was started with " + base + ", and worker with " + base + " and " + prod,
			fix:  "Say which it is: Set ROLLBACK_APP_SHOP_COMPOSE_FILE=docker-compose.yml,docker-compose.prod.yml", then: []string{"docker-compose.yml", "docker-compose.prod.yml"}},
		{name: "from standard input", host: labelled{containers: both("-", "/opt/shop")},
			what: "api was started from standard input, so that nobody can read again what it was started with",
			fix:  "Write what is piped in into a file there, and deploy once from that: docker compose -f FILE up -d"},
		{name: "files that are gone", host: labelled{containers: both("/opt/shop/old/a.yml", "/opt/shop/old"), leads: map[string]string{"/opt/shop/old/a.yml": "", "/opt/shop/a.yml": ""}},
			what: "api was started with /opt/shop/old/a.yml, and that is not there any more",
			fix:  "Put them back, or say where they are now, as in Set ROLLBACK_APP_SHOP_COMPOSE_FILE=a.yml"},
		{name: "another env file", host: labelled{containers: both(base, "/opt/shop", "/opt/shop/prod.env")}, envFile: "images.env",
			what: "api was started with the env file prod.env, and ENV_FILE says images.env: pins written there would not count", fix: "Set ROLLBACK_APP_SHOP_ENV_FILE=prod.env"},
		{name: "two projects of one folder", host: labelled{containers: []string{of2("blue", "api", base, "/opt/shop"), of2("green", "api", base, "/opt/shop")}}, configured: []string{"docker-compose.yml"},
			what: "several projects run services of these names with files of this folder, blue and green: which of them is meant?", fix: "Set ROLLBACK_APP_SHOP_COMPOSE_COMMAND=docker compose -p blue"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := launchOn(t, row.host, row.configured, "", row.envFile)
			wantProblem(t, err, row.what, row.fix)
			if row.then == nil {
				return
			}
			if _, err := launchOn(t, row.host, row.then, "", row.envFile); err != nil {
				t.Errorf("after the fix: %v", err)
			}
		})
	}
}

// The commands of a plan have exactly the words of its launch; without one they are those of every version before.
func TestCommands_HaveTheWordsOfTheLaunch(t *testing.T) {
	services := []runbook.ServicePlan{{Service: "api", Scale: 3}, {Service: "worker"}}
	a := recordedApp()
	plain := (&Hosts{}).Commands(a, runbook.HostPlan{Services: services})
	if got, want := plain.Up.String(), "cd /opt/shop && docker compose -f infra/docker-compose.prod.yml up -d --no-deps --pull never --scale api=3 api worker"; got != want || plain.Restart.Args != nil {
		t.Errorf("the lines are %s and %s, want %s alone", got, plain.Restart, want)
	}
	full := (&Hosts{}).Commands(a, runbook.HostPlan{
		Services: services, Launch: []string{"-p", "blue", "-f", "a.yml", "--env-file", "prod.env", "--profile", "jobs"},
		Dependents: []runbook.Dependent{{Service: "sidecar", Scale: 2}, {Service: "proxy", Restart: true}, {Service: "cron", Restart: true}},
	})
	for got, want := range map[string]string{
		full.Prove.String():   "cd /opt/shop && docker compose -p blue -f a.yml --env-file prod.env --profile jobs config --format json",
		full.Up.String():      "cd /opt/shop && docker compose -p blue -f a.yml --env-file prod.env --profile jobs up -d --no-deps --pull never --scale api=3 --scale sidecar=2 api worker sidecar",
		full.Restart.String(): "cd /opt/shop && docker compose -p blue -f a.yml --env-file prod.env --profile jobs restart proxy cron",
	} {
		if got != want {
			t.Errorf("the line is\n%s, want\n%s", got, want)
		}
	}
}

// runningThat is a sound host on which one more container runs, as `docker inspect` prints it, and one more service is
// rendered by its name alone.
func runningThat(t *testing.T, hidden string, more string) *appHost {
	t.Helper()
	all := sound()
	says := []answer{{part: "config --format json scheduler", stdout: stack(hidden)}, {part: "config --format json gone", status: 1, stderr: "no such service: gone\n"}}
	if ofTheProject := strings.Contains(more, `"project":"shop"`); ofTheProject {
		i := slices.IndexFunc(all, func(a answer) bool { return a.part == containers })
		all[i].stdout += more
	} else if more != "" {
		says = append(says, answer{part: "docker ps --quiet", stdout: "c-api\nc-worker\nc-more\n"}, answer{part: "}} c-more", stdout: more})
	}
	return &appHost{app: recordedApp(), host: one, shell: recorded{t, append(says, all...)}}
}

// also is a container beside the app's that runs the worker's image.
func also(service, project, oneOff string) string {
	files, folder := "/opt/jobs/jobs.yml", "/opt/jobs"
	if project == "shop" {
		files, folder = "/opt/shop/infra/docker-compose.prod.yml", "/opt/shop/infra"
	}
	return fmt.Sprintf(`{"id":"c-more","name":"/shop-%s-1","image_id":"i-worker","ref":%q,"state":"running","service":%[1]q,"oneoff":%[3]q,"project":%[4]q,"files":%[5]q,"folder":%[6]q}`, service, running("worker"), oneOff, project, files, folder)
}

// A service behind a profile that isn't active takes the worker's variable: it is in the plan, or stops it.
func TestPreflight_NamesAServiceBehindAProfile(t *testing.T) {
	scheduler := service("scheduler", placeholder(recordedApp().Services[1]), forLong, `"profiles": ["jobs"]`)
	h := runningThat(t, scheduler, also("scheduler", "shop", "False"))
	_, err := h.Preflight(t.Context(), false)
	wantProblem(t, err, "scheduler, behind the profile jobs, takes WORKER_IMAGE too and would be left on the failed image", "Add scheduler=WORKER_IMAGE to IMAGES")

	h = runningThat(t, scheduler, also("scheduler", "shop", "False"))
	r := h.shell.(recorded)
	now := func(name string) string {
		return service(name, running(strings.Replace(name, "scheduler", "worker", 1)).String(), forLong)
	}
	r.answers = append([]answer{{part: "--profile jobs config --format json", stdout: stack(now("api"), now("worker"), now("scheduler"))}}, r.answers...)
	h.shell = r
	h.app.Services = append(h.app.Services, runbook.Service{Name: "scheduler", Variable: "WORKER_IMAGE"})
	report, err := h.Preflight(t.Context(), false)
	if want := []string{"-f", "infra/docker-compose.prod.yml", "--profile", "jobs"}; err != nil || !slices.Equal(report.Launch, want) {
		t.Errorf("with it in IMAGES it is called by %q, %v; want %q", report.Launch, err, want)
	}
}

// Whatever else runs an image of the app's is named, with where it is from and what to do.
func TestPreflight_NamesWhatElseRunsTheImage(t *testing.T) {
	const stop = "End it there: docker stop shop-"
	for _, row := range []struct {
		name, container string
		hidden          string
		what, fix       string
	}{
		{"by hand", strings.Replace(also("x", "", ""), `"service":"x"`, `"service":""`, 1), "", "shop-x-1, which was started by hand, runs the image of worker and would stay on it", stop + "x-1"},
		{"started to do one thing", also("api", "shop", "True"), "", "shop-api-1, which was started by `compose run`, runs the image of worker and would stay on it", stop + "api-1"},
		{"of another project", also("cron", "jobs", "False"), "", "shop-cron-1 of the project jobs (/opt/jobs/jobs.yml) runs the image of worker and would stay on it", stop + "cron-1"},
		{"in no file", also("gone", "shop", "False"), "", "shop-gone-1 runs the image of worker and would stay on it: its service gone is in none of the files that compose reads", stop + "gone-1"},
		{"by another variable", also("scheduler", "shop", "False"), service("scheduler", "acme/other", `"profiles": ["jobs"]`),
			"scheduler, behind the profile jobs, runs the image of worker and would stay on it", "Write `image: ${WORKER_IMAGE}` for scheduler in the compose file, and add scheduler=WORKER_IMAGE to IMAGES"},
	} {
		t.Run(row.name, func(t *testing.T) {
			report, err := runningThat(t, row.hidden, row.container).Preflight(t.Context(), false)
			want := []runbook.Stranger{{Service: "worker", Problem: runbook.Problem{Host: one, What: row.what, Remedy: row.fix}}}
			if err != nil || !slices.Equal(report.Strangers, want) {
				t.Errorf("it names %+v, %v;\nwant %+v", report.Strangers, err, want)
			}
		})
	}
	report, err := runningThat(t, "", also("api", "staging", "False")).Preflight(t.Context(), false)
	if want := []string{"the project staging on this host runs some of these images too, and stays on them"}; err != nil || len(report.Strangers) > 0 || !slices.Equal(report.Warnings, want) {
		t.Errorf("of another deployment it says %+v, %q, %v; want %q", report.Strangers, report.Warnings, err, want)
	}
}

// rendered5 is what Compose 5.6.0 prints of services that share something with api, or depend on it.
const rendered5 = `{"name": "shop", "services": {
  "api": {"image": "api"}, "worker": {"image": "worker"},
  "side": {"image": "side", "network_mode": "service:api", "depends_on": {"api": {"condition": "service_started", "restart": true, "required": true}}},
  "second": {"image": "second", "pid": "service:side", "depends_on": {"side": {"condition": "service_started", "restart": true, "required": true}}},
  "vol": {"image": "vol", "volumes_from": ["api:ro"], "depends_on": {"api": {"condition": "service_started", "required": true}}},
  "dep": {"image": "dep", "depends_on": {"api": {"condition": "service_healthy", "restart": true, "required": true}}},
  "byname": {"image": "byname", "network_mode": "container:shop-api-1"},
  "plain": {"image": "plain", "depends_on": {"api": {"condition": "service_started", "required": true}}},
  "proxy": {"image": "proxy"},
  "asleep": {"image": "asleep", "network_mode": "service:api"}
}}`

func TestDependents(t *testing.T) {
	stack, err := parseRendered(result{stdout: []byte(rendered5)})
	if err != nil {
		t.Fatal(err)
	}
	h := &appHost{app: recordedApp(), host: one}
	h.app.Restart = []string{"proxy", "asleep"}
	s := sight{project: "shop", containers: []container{{ID: "c-api", Name: "/shop-api-1", Service: "api", State: "running"}}}
	for name := range stack.Services {
		state := "running"
		if name == "asleep" {
			state = "exited"
		}
		if !h.app.HasService(name) {
			s.others = append(s.others, container{ID: "c-" + name, Name: "/shop-" + name + "-1", Service: name, State: state})
		}
	}
	s.others = append(s.others, container{ID: "c-vol-2", Name: "/shop-vol-2", Service: "vol", State: "running"})
	want := []runbook.Dependent{
		{Service: "side", Why: "it shares the network of api"},
		{Service: "vol", Why: "it has the volumes of api", Scale: 2},
		{Service: "second", Why: "it shares the PID namespace of side"},
		{Service: "byname", Why: "it shares the network of api, by the name of its container", Restart: true},
		{Service: "dep", Why: "it depends on api with restart: true", Restart: true},
		{Service: "proxy", Why: "RESTART names it", Restart: true},
	}
	if got := h.dependents(stack, s); !slices.Equal(got, want) {
		t.Errorf("they are\n%+v, want\n%+v", got, want)
	}
	warnings := h.dependentWarnings(want, stack, s)
	if last := warnings[len(warnings)-1]; len(warnings) != len(want)+1 || last != "RESTART names asleep, of which no container runs: it is left as it is" {
		t.Errorf("it warns %q", warnings)
	}
}

// A dependent stays on its own image: where its name means another one by now, `up` would take that.
func TestPreflight_ADependentStaysOnItsImage(t *testing.T) {
	side := service("side", "envoy:1", `"network_mode": "service:api"`)
	container := `{"id":"c-side","name":"/shop-side-1","image_id":"i-old","ref":"envoy:1","state":"running","service":"side","oneoff":"False","project":"shop"}`
	on := func(image string) *appHost {
		h := runningThat(t, "", container)
		r := h.shell.(recorded)
		r.answers = append([]answer{placed(side), {part: "{{end}}} envoy:1", stdout: image}}, r.answers...)
		h.shell = r
		return h
	}
	_, err := on(`{"id":"i-new","digests":[]}`).Preflight(t.Context(), false)
	wantProblem(t, err, "side has to be replaced with it (it shares the network of api), and envoy:1 is another image on this host by now than the one that it runs", "Give that its name back there: docker tag i-old envoy:1")
	report, err := on(`{"id":"i-old","digests":[]}`).Preflight(t.Context(), false)
	if err != nil || len(report.Dependents) != 1 || !slices.Equal(report.Warnings, []string{"the containers of side are replaced too, on the image that they run and as the files have it now: it shares the network of api"}) {
		t.Errorf("it reports %+v with %q, %v", report.Dependents, report.Warnings, err)
	}
}

func TestPreflight_RestartNamesAServiceThatIsThere(t *testing.T) {
	h := runningThat(t, "", "")
	h.app.Restart = []string{"gone"}
	_, err := h.Preflight(t.Context(), false)
	wantProblem(t, err, "RESTART names gone, and the compose file has no such service", "Check RESTART")
	if errors.Is(err, runbook.ErrNoEngine) {
		t.Error("it is told as an engine that doesn't answer")
	}
}
