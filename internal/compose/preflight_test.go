package compose

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"rollbackbot/runbook"
)

// answer is what a host was seen to answer to a command: the first one counts whose part is in the command's words, of
// which those that are exported come first.
type answer struct {
	part   string
	status int
	stdout string
	stderr string
}

// recorded is a host that answers as others were seen to, and fails the test at anything else.
type recorded struct {
	t       *testing.T
	answers []answer
}

func (r recorded) Run(_ context.Context, cmd runbook.Command, _ []byte) (status int, stdout, stderr []byte, err error) {
	if isSeeing(cmd) {
		status, stdout, stderr = r.sees()
		return status, stdout, stderr, nil
	}
	a := r.to(strings.Join(slices.Concat(cmd.Env, cmd.Args), " "))
	return a.status, []byte(a.stdout), []byte(a.stderr), nil
}

func (r recorded) to(words string) answer {
	for _, a := range r.answers {
		if strings.Contains(words, a.part) {
			return a
		}
	}
	r.t.Errorf("nobody expected the command %s", words)
	return answer{status: 64}
}

// sees is what seeProject prints of what docker answers to its two commands.
func (r recorded) sees() (status int, stdout, stderr []byte) {
	list, inspection := r.to(containerList+" --all"), answer{}
	if ids := strings.Join(strings.Fields(list.stdout), " "); list.status == 0 && ids != "" {
		inspection = r.to(containers + " --format " + containerFormat + " " + ids)
	}
	stdout = fmt.Appendf([]byte("again\n"+strings.TrimRight(inspection.stdout, "\n")+"\n"), "seen %d %d %s\n", list.status, inspection.status, strings.Join(strings.Fields(list.stdout), " "))
	return 0, stdout, []byte(list.stderr + inspection.stderr)
}

// The commands, each by a part of its words.
const (
	anything       = ""
	around         = "missing="
	engineAsked    = "docker version"
	composeAsked   = "compose version"
	placedConfig   = "rollbackbot.invalid" // with placeholders in the place of the images
	config         = "config --format json"
	configHash     = "config --hash"
	containerList  = "docker ps"
	containers     = "docker inspect"
	hostImages     = "docker image inspect"
	pinsRead       = "exec cat"
	manifestIsRead = "manifest inspect"
)

const one = runbook.Host("deploy@one")

func recordedApp() runbook.App {
	return runbook.App{
		Name: "shop", Hosts: []runbook.Host{one}, Dir: "/opt/shop", ComposeFiles: []string{"infra/docker-compose.prod.yml"},
		Docker: []string{"docker"}, Compose: []string{"docker", "compose"},
		Services: []runbook.Service{{Name: "api", Variable: "API_IMAGE"}, {Name: "worker", Variable: "WORKER_IMAGE"}},
	}
}

// running is the image that a service runs on a sound host.
func running(service string) runbook.Image {
	return runbook.Image{Name: "ghcr.io/acme/" + service, Digest: runbook.Digest("sha256:" + strings.Repeat("2", 64))}
}

// lookedAround is what the first command prints, with some lines otherwise; a line without a value is left out.
func lookedAround(otherwise ...string) answer {
	lines := []string{"missing=", "env_file=/opt/shop/infra/.env", "user=deploy:users", "pins=replaceable", "clock=" + fmt.Sprint(time.Now().Unix()), "free_kib=9999999"}
	for _, line := range otherwise {
		key, value, _ := strings.Cut(line, "=")
		lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, key+"=") })
		if value != "" {
			lines = append(lines, line)
		}
	}
	return answer{part: around, stdout: strings.Join(lines, "\n") + "\n"}
}

// stack is how Compose 5.6 prints a stack of these services, each given as its JSON.
func stack(services ...string) string {
	return `{"name": "shop", "networks": {"default": {"name": "shop_default", "ipam": {}}}, "services": {` + strings.Join(services, ", ") + `}}`
}

func service(name, image string, more ...string) string {
	return fmt.Sprintf(`%q: {"command": null, "entrypoint": null, "image": %q, "networks": {"default": null}%s}`, name, image, strings.Join(append([]string{""}, more...), ", "))
}

const (
	forLong = `"restart": "always"`
	secret  = `"environment": {"PASSWORD": "hunter2"}`
)

// placed is a stack that takes its images from the variables, and more services.
func placed(more ...string) answer {
	services := recordedApp().Services
	return answer{part: placedConfig, stdout: stack(append([]string{service("api", placeholder(services[0]), forLong, secret), service("worker", placeholder(services[1]), forLong)}, more...)...)}
}

// sound is what a host answers that has all that a rollback needs.
func sound() []answer {
	api, worker := running("api").String(), running("worker").String()
	container := func(service, hash string) string {
		return fmt.Sprintf(`{"id":"c-%[1]s","name":"/shop-%[1]s-1","image_id":"i-%[1]s","ref":%[2]q,"restarts":0,"state":"running","health":"","service":%[1]q,"oneoff":"False","config_hash":%[3]q}`, service, running(service), hash)
	}
	image := func(service string) string {
		return fmt.Sprintf(`{"id":"i-%s","digests":[%q],"revision":"3f2c1ab","version":"v2"}`, service, running(service))
	}
	return []answer{
		lookedAround(),
		{part: engineAsked, stdout: "20.10.24+dfsg1\n"},
		{part: composeAsked, stdout: "5.6.0\n"},
		placed(),
		{part: config, stdout: stack(service("api", api, forLong, secret), service("worker", worker, forLong))},
		{part: configHash, stdout: "api de18e3\nworker 31299b\n"},
		{part: containerList, stdout: "c-api\nc-worker\n"},
		{part: containers, stdout: container("api", "de18e3") + "\n" + container("worker", "31299b") + "\n"},
		{part: hostImages, stdout: image("api") + "\n" + image("worker") + "\n"},
		{part: pinsRead, stdout: "PASSWORD=hunter2\nAPI_IMAGE=" + api + "\nWORKER_IMAGE=" + worker + "\n"},
	}
}

// hostThat is a sound host that answers some commands otherwise.
func hostThat(t *testing.T, says ...answer) *appHost {
	t.Helper()
	return &appHost{app: recordedApp(), host: one, shell: recorded{t, append(says, sound()...)}}
}

// wantProblem fails the test unless all that is wrong is this, word for word.
func wantProblem(t *testing.T, err error, what, fix string) {
	t.Helper()
	var found *runbook.PreflightError
	if !errors.As(err, &found) {
		t.Fatalf("got %v; want the problem %q", err, what)
	}
	want := []runbook.Problem{{Host: one, What: what, Remedy: fix}}
	if !slices.Equal(found.Problems, want) {
		t.Errorf("the problems are\n%q, want\n%q", found.Problems, want)
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a secret shows: %v", err)
	}
}

func TestPreflight_ASoundHost(t *testing.T) {
	report, err := hostThat(t).Preflight(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	set, known := report.Set()
	if !known || set["api"] != running("api") || set["worker"] != running("worker") || report.Project != "shop" {
		t.Errorf("it runs %v as %q", report.Running(), report.Project)
	}
	if report.PinsFile != "/opt/shop/infra/.env" || report.FreeBytes != 9999999<<10 || report.ClockOff != 0 || len(report.Warnings) != 0 {
		t.Errorf("the report is %+v", report)
	}
	if want := (runbook.ServiceReport{Scale: 1, ConfigHash: "de18e3"}); len(report.Stack) != 2 || report.Stack[0] != want {
		t.Errorf("the stack is %+v", report.Stack)
	}
	if want := "Free some there: `docker system df -v` says what images and volumes take; `docker image prune` would take former releases too"; report.MakeRoom != want {
		t.Errorf("room is made so: %q, want %q", report.MakeRoom, want)
	}
}

func TestPreflight_ClockAndRoom(t *testing.T) {
	for _, row := range []struct {
		name  string
		says  string
		clock func(off time.Duration) bool
		free  int64
	}{
		{"a clock that is behind", fmt.Sprintf("clock=%d", time.Now().Add(-5*time.Minute).Unix()), func(off time.Duration) bool { return off > 4*time.Minute && off < 6*time.Minute }, 9999999 << 10},
		{"a clock that is ahead", fmt.Sprintf("clock=%d", time.Now().Add(5*time.Minute).Unix()), func(off time.Duration) bool { return off > 4*time.Minute && off < 6*time.Minute }, 9999999 << 10},
		{"no clock", "clock=", func(off time.Duration) bool { return off == -1 }, 9999999 << 10},
		{"no room", "free_kib=1024", func(off time.Duration) bool { return off == 0 }, 1 << 20},
		{"a disk that df doesn't know", "free_kib=", func(off time.Duration) bool { return off == 0 }, -1},
	} {
		report, err := hostThat(t, lookedAround(row.says)).Preflight(t.Context(), false)
		if err != nil || !row.clock(report.ClockOff) || report.FreeBytes != row.free {
			t.Errorf("%s: the clock is off by %s and %d bytes are free, %v", row.name, report.ClockOff, report.FreeBytes, err)
		}
	}
}

// What a host answers is read as what is wrong, and as its fix. The answers are those of Docker 20.10.24 and 28.2.2, Compose
// 1.29.2 and 5.6.0, dash and bash.
func TestPreflight_TellsWhatIsWrong(t *testing.T) {
	const (
		pins     = "the pins file, /opt/shop/infra/.env, "
		warned   = "time=\"2026-12-01T00:48:22Z\" level=warning msg=\"The \\\"WORKER_IMAGE\\\" variable is not set. Defaulting to a blank string.\"\n"
		usage    = "Usage:  docker [OPTIONS] COMMAND [ARG...]\n\nRun 'docker --help' for more information\n"
		oldUsage = "See 'docker --help'.\n\nUsage:  docker [OPTIONS] COMMAND\n\nTo get more help with docker, check out our guides at https://docs.docker.com/go/guides/\n"
		noPlugin = "`docker compose` isn't there: Docker Compose 2 or newer is needed"
		plugin   = "Install the docker-compose-plugin package, or set COMPOSE_COMMAND"
		noDocker = "`docker` isn't found in a login shell's PATH"
		install  = "Install it, or set DOCKER_COMMAND and COMPOSE_COMMAND to where it is"
		noFolder = "there is no folder /opt/shop that the SSH user may enter"
	)
	for _, row := range []struct {
		name      string
		says      []answer
		what, fix string
	}{
		{"no flock", []answer{lookedAround("missing= flock")}, "a rollback needs these, which a login shell doesn't find: flock", "Install util-linux and coreutils there"},
		{"no compose file", []answer{lookedAround("unreadable=infra/docker-compose.prod.yml")}, "there is no readable compose file infra/docker-compose.prod.yml in /opt/shop", "Check DIR and COMPOSE_FILE"},
		{"no folder for the pins", []answer{lookedAround("pins=no-folder")}, "the pins file would be /opt/shop/infra/.env, and there is no such folder", "Check ENV_FILE, or make the folder there: mkdir -p /opt/shop/infra"},
		{"a link into a folder that isn't there", []answer{lookedAround("pins=no-folder", "dangling=../shared/.env")}, "the pins file, /opt/shop/infra/.env, is a link to ../shared/.env, and there is no such folder", "Make what it leads to, or remove the link"},
		{"a variable that the login shell exports", []answer{lookedAround("exported= API_IMAGE")}, "a login shell exports API_IMAGE, which wins over the pins file: pins written there would not count", "Take API_IMAGE out of the login shell's profile there"},
		{"a folder in the place of the pins", []answer{lookedAround("pins=no-file")}, pins + "is no file", "Check ENV_FILE"},
		{"pins that can't be read", []answer{lookedAround("pins=unreadable")}, pins + "can't be read by the SSH user", "Let the SSH user own it, as root there: chown deploy /opt/shop/infra/.env"},
		{"pins in a folder that can't be written", []answer{lookedAround("pins=unwritable", "why=Permission denied")}, pins + "can't be replaced: no file can be written into its folder (Permission denied)", "Let the SSH user write there, as root: chown deploy /opt/shop/infra"},
		{"pins in a folder that chattr holds", []answer{lookedAround("pins=unwritable", "why=Operation not permitted")}, pins + "can't be replaced: no file can be written into its folder (Operation not permitted)", "Take chattr's hold off it, as root there: chattr -ia /opt/shop/infra"},
		{"pins on a disk for reading", []answer{lookedAround("pins=unwritable", "why=Read-only file system", "disk=/opt")}, pins + "can't be replaced: no file can be written into its folder (Read-only file system)", "Mount it for writing, as root there: mount -o remount,rw /opt"},
		{"pins on a full disk", []answer{lookedAround("pins=unwritable", "why=No space left on device")}, pins + "can't be replaced: no file can be written into its folder (No space left on device)", "Free some room there; how much is left, say: df -h /opt/shop/infra and df -i /opt/shop/infra"},
		{"pins under a mount", []answer{lookedAround("pins=mounted")}, pins + "can't be replaced: something is mounted on it", "Put a plain file there, as root: cp -p /opt/shop/infra/.env /opt/shop/infra/.env.plain && umount /opt/shop/infra/.env && mv /opt/shop/infra/.env.plain /opt/shop/infra/.env"},
		{"pins that chattr holds", []answer{lookedAround("pins=held")}, pins + "can't be replaced: chattr has made it immutable, or for appending alone", "Take that off, as root there: chattr -ia /opt/shop/infra/.env"},
		{"no home", []answer{lookedAround("pins=replaceable", "locks=/home/deploy", "locks_why=No such file or directory")}, "the bot keeps its locks in ~/.rollbackbot there, and /home/deploy can't be written (No such file or directory)", "Make that folder, as root there: install -d -o deploy /home/deploy"},
		{"a home for reading", []answer{lookedAround("pins=replaceable", "locks=/home/deploy", "locks_why=Read-only file system", "locks_disk=/home")}, "the bot keeps its locks in ~/.rollbackbot there, and /home/deploy can't be written (Read-only file system)", "Mount it for writing, as root there: mount -o remount,rw /home"},
		{"locks of root's", []answer{lookedAround("pins=replaceable", "locks=/home/deploy/.rollbackbot/shop", "locks_why=Permission denied")}, "the bot keeps its locks in ~/.rollbackbot there, and /home/deploy/.rollbackbot/shop can't be written (Permission denied)", "Let the SSH user write there, as root: chown deploy /home/deploy/.rollbackbot/shop"},
		{"pins of root's", []answer{lookedAround("pins=owner", "owner=root:root, mode 644")}, pins + "belongs to root:root, mode 644: the SSH user can't replace it without changing that", "Let the SSH user own it, as root there: chown deploy:users /opt/shop/infra/.env"},
		{"pins of root's, with our group", []answer{lookedAround("pins=owner", "owner=root:users, mode 664", "group=kept")}, pins + "belongs to root:users, mode 664: the SSH user can't replace it without changing that", "Let the SSH user own it, as root there: chown deploy /opt/shop/infra/.env"},
		{"pins of which nothing is said", []answer{lookedAround("pins=")}, "whether " + pins + "can be replaced could not be tried", "Log in there as the SSH user, and see whether a file can be written beside it"},
		{"an old Compose", []answer{{part: composeAsked, stdout: "1.29.2\n"}}, "this is Docker Compose 1.29.2: version 2 or newer is needed", plugin},
		{"no Compose", []answer{
			{part: composeAsked, status: 125, stderr: "unknown flag: --short\n\n" + usage}, {part: "compose -f", status: 125, stderr: "unknown shorthand flag: 'f' in -f\n\n" + usage},
		}, noPlugin, plugin},
		{"no Compose for an old Docker", []answer{
			{part: composeAsked, status: 125, stderr: "unknown flag: --short\n" + oldUsage}, {part: "compose -f", status: 125, stderr: "unknown shorthand flag: 'f' in -f\n" + oldUsage},
		}, noPlugin, plugin},
		{"no Docker", []answer{lookedAround("free_kib="), {part: "docker", status: 127, stderr: "bash: docker: command not found\n"}}, noDocker, install},
		{"no Docker, says dash", []answer{lookedAround("free_kib="), {part: "docker", status: 127, stderr: "sh: 1: docker: not found\n"}}, noDocker, install},
		{"no right to Docker", []answer{lookedAround("free_kib="), {part: engineAsked, status: 1, stdout: "\n", stderr: "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get \"http://%2Fvar%2Frun%2Fdocker.sock/v1.50/version\": dial unix /var/run/docker.sock: connect: permission denied\n"}},
			"the SSH user may not talk to the docker engine", "Let the SSH user use docker (`usermod -aG docker USER`), or set DOCKER_COMMAND and COMPOSE_COMMAND, as in `sudo -n docker`"},
		{"no folder", []answer{{part: anything, status: 2, stderr: "sh: 1: cd: can't cd to /opt/shop\n"}}, noFolder, "Check DIR"},
		{"no folder, says bash", []answer{{part: anything, status: 1, stderr: "bash: line 1: cd: /opt/shop: No such file or directory\n"}}, noFolder, "Check DIR"},
		{"a compose file that is gone in between", []answer{{part: config, status: 1, stderr: "compose file \"/opt/shop/infra/docker-compose.prod.yml\" is invalid: open /opt/shop/infra/docker-compose.prod.yml: no such file or directory\n"}},
			"there is no compose file infra/docker-compose.prod.yml in /opt/shop", "Check DIR and COMPOSE_FILE"},
		{"a variable that has to be there", []answer{{part: config, status: 1, stderr: "error while interpolating services.api.environment.PASSWORD: required variable PASSWORD is missing a value: not set\n"}},
			"compose can't read the stack: services.api.environment.PASSWORD in infra/docker-compose.prod.yml needs the variable PASSWORD, which isn't set in a login shell", "Write PASSWORD into infra/.env"},
		{"a file that isn't right", []answer{{part: config, status: 15, stderr: "services.api.ports must be a list\n"}}, "compose can't read the stack: services.api.ports in infra/docker-compose.prod.yml is not as a compose file has it", "Correct it there"},
		{"a file that isn't right in a new way", []answer{{part: config, status: 15, stderr: "the value hunter2 is bad\n"}}, "compose can't read the stack: it ends with status 15; what it printed is not shown, for it may hold secrets", "Run it there by hand in a login shell, and fix what it says: `cd /opt/shop && docker compose -f infra/docker-compose.prod.yml config -q`"},
		{"another program by that name", []answer{{part: config, stdout: "name: shop\n"}}, "compose printed no JSON: invalid character 'a' in literal null (expecting 'u')", "Check COMPOSE_COMMAND; Docker Compose 2 or newer is needed"},
		{"a service that isn't there", []answer{{part: placedConfig, stdout: stack(service("api", placeholder(recordedApp().Services[0])))}}, `the compose file has no service "worker"`, "Check IMAGES"},
		{"an image that isn't taken from the variable", []answer{{part: placedConfig, stdout: stack(service("api", "api:latest"), service("worker", placeholder(recordedApp().Services[1])))}},
			"api doesn't take its image from API_IMAGE, so a rollback would change nothing", "Write `image: ${API_IMAGE}` for api in the compose file, and API_IMAGE=" + running("api").String() + " into infra/.env"},
		{"another service that takes the variable", []answer{placed(service("cron", placeholder(recordedApp().Services[0]), forLong))}, "cron takes API_IMAGE too and would be left on the failed image", "Add cron=API_IMAGE to IMAGES"},
		{"variables that aren't set", []answer{{part: placedConfig, stdout: placed().stdout, stderr: warned + warned}}, "compose sees no value of WORKER_IMAGE, and would start worker without an image", "Write WORKER_IMAGE into infra/.env or the login shell's profile"},
		{"a variable that wins over the pins", []answer{placed(), {part: config, stdout: stack(service("api", "ghcr.io/acme/api:exported"), service("worker", running("worker").String()))}},
			"/opt/shop/infra/.env says API_IMAGE=" + running("api").String() + ", but compose reads ghcr.io/acme/api:exported: pins written there would not count", "Take API_IMAGE out of the login shell's profile, or point ENV_FILE at the file that compose reads"},
		{"a docker that prints something else", []answer{{part: containers, stdout: "[]\n"}}, "docker printed something unexpected: json: cannot unmarshal array into Go value of type compose.container", "Check DOCKER_COMMAND"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := hostThat(t, row.says...).Preflight(t.Context(), false)
			wantProblem(t, err, row.what, row.fix)
		})
	}
}

// Where Docker and Compose are two programs, the one that isn't found is named.
func TestPreflight_NamesTheProgramThatIsNotFound(t *testing.T) {
	const fix = "Install it, or set DOCKER_COMMAND and COMPOSE_COMMAND to where it is"
	h := hostThat(t, answer{part: "docker-compose", status: 127, stderr: "sh: 1: docker-compose: not found\n"})
	h.app.Compose = []string{"docker-compose"}
	_, err := h.Preflight(t.Context(), false)
	wantProblem(t, err, "`docker-compose` isn't found in a login shell's PATH", fix)

	h = hostThat(t, lookedAround(), answer{part: "dockerr", status: 127, stderr: "bash: line 1: dockerr: command not found\n"})
	h.app.Docker = []string{"dockerr"}
	_, err = h.Preflight(t.Context(), false)
	wantProblem(t, err, "`dockerr` isn't found in a login shell's PATH", fix)
}

// Whatever is asked, an engine that doesn't answer is told as that, and can be waited for.
func TestPreflight_NoEngine(t *testing.T) {
	const says = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n"
	for _, part := range []string{engineAsked, containerList, containers} {
		_, err := hostThat(t, answer{part: part, status: 1, stdout: "[]\n", stderr: says}).Preflight(t.Context(), false)
		if wantProblem(t, err, "the docker engine doesn't answer", "Start it there: `systemctl start docker`"); !errors.Is(err, runbook.ErrNoEngine) {
			t.Errorf("%s: it isn't told as an engine that doesn't answer: %v", part, err)
		}
	}
}

// All that is wrong with a compose file comes together.
func TestPreflight_TellsAllOfAFile(t *testing.T) {
	_, err := hostThat(t, answer{part: placedConfig, stdout: stack(service("api", "api:latest"))}).Preflight(t.Context(), false)
	var found *runbook.PreflightError
	if !errors.As(err, &found) || len(found.Problems) != 2 {
		t.Errorf("got %v, want two problems", err)
	}
}

// What isn't wrong, and whoever signs should know.
func TestPreflight_Warns(t *testing.T) {
	for _, row := range []struct {
		name string
		says answer
		want string
	}{
		{"fewer containers", answer{part: placedConfig, stdout: stack(service("api", placeholder(recordedApp().Services[0]), forLong, `"deploy": {"replicas": 3}`), service("worker", placeholder(recordedApp().Services[1])))},
			"api runs in 1 containers, the compose file says 3: `up` starts the others"},
		{"another configuration", answer{part: configHash, stdout: "api de18e3\nworker 777777\n"}, "`up` will change more of worker than its image: its configuration is not the one that its containers were made with"},
		{"a one-shot", placed(service("migrate", placeholder(recordedApp().Services[0]))), "migrate takes API_IMAGE too; it is a one-shot and is not started"},
		{"a pin in the environment", placed(service("proxy", "nginx", `"environment": {"API_IMAGE": "x"}`)), "proxy has API_IMAGE in its environment (env_file?): the new pin changes its configuration"},
	} {
		report, err := hostThat(t, row.says).Preflight(t.Context(), false)
		if err != nil || !slices.Equal(report.Warnings, []string{row.want}) {
			t.Errorf("%s: it warns %q, %v; want %q", row.name, report.Warnings, err, row.want)
		}
	}
}

func TestProve_TellsWhatIsWrong(t *testing.T) {
	planned := map[string]runbook.Image{"api": running("api"), "worker": running("worker")}
	other := answer{part: config, stdout: stack(service("api", "api:latest"), service("worker", running("worker").String()))}
	for from, want := range map[runbook.PinSource]runbook.Problem{
		runbook.FromPlan: {What: "compose would run api as api:latest and not as " + running("api").String(), Remedy: "Write `image: ${API_IMAGE}` for api in the compose file, and API_IMAGE=" + running("api").String() + " into infra/.env"},
		runbook.FromFile: {What: "the pins are written to infra/.env, but compose renders api as api:latest: another file or an exported variable wins", Remedy: "Take API_IMAGE out of the login shell's profile, or point ENV_FILE at the file that compose reads"},
	} {
		if err := hostThat(t).Prove(t.Context(), planned, from); err != nil {
			t.Errorf("on a sound host: %v", err)
		}
		wantProblem(t, hostThat(t, placed(), other).Prove(t.Context(), planned, from), want.What, want.Remedy)
	}
}

// says is a registry as the bot's machine hears it.
type says struct {
	found runbook.Found
	err   error
}

func (s says) Find(context.Context, runbook.Image, string, []runbook.Image) (runbook.Found, error) {
	return s.found, s.err
}

// What is said of an image that the host lacks. Docker's own command alone never ends a request: what it prints of one that is
// gone it prints of many others.
func TestImages_TellsWhetherOneCanBeHad(t *testing.T) {
	former := runbook.Image{Name: "ghcr.io/acme/api", Digest: runbook.Digest("sha256:" + strings.Repeat("1", 64))}
	ref := former.String()
	lacks := answer{part: hostImages, status: 1, stdout: "\n", stderr: "Error response from daemon: no such image: " + ref + ": No such image: " + ref + "\n"}
	refused := says{err: errors.New("the registry doesn't let the bot's machine read the image")}
	has := says{found: runbook.Found{Layers: []runbook.Layer{{Bytes: 900 << 20}}}}
	// As `docker manifest inspect --verbose` of docker/cli's documentation prints it, and with what buildx adds.
	verbose := answer{part: "--verbose", stdout: `[{"Ref":"a","Descriptor":{"digest":"sha256:3","platform":{"architecture":"amd64","os":"linux"}},"OCIManifest":{"layers":[{"size":1000},{"size":2000}]}},
		{"Ref":"b","Descriptor":{"platform":{"architecture":"arm64","os":"linux"}},"SchemaV2Manifest":{"layers":[{"size":70000}]}},
		{"Ref":"c","Descriptor":{"platform":{"architecture":"unknown","os":"unknown"}},"OCIManifest":{"layers":[{"size":500}]}}]`}
	platform := answer{part: "{{.Server.Os}}", stdout: "linux/amd64\n"}
	const unknown = ": the bot's machine can't tell (the registry doesn't let the bot's machine read the image), nor docker's command here ("
	unread := answer{status: 1, stderr: "no such manifest: " + ref + "\n"}
	for _, row := range []struct {
		name     string
		bot      runbook.Registry
		docker   answer
		registry runbook.RegistryAnswer
		bytes    int64
		what     string
		note     string
	}{
		{"both have it", has, answer{stdout: `{"layers":[{"size":99000000}]}`}, runbook.RegistryHas, 3600 << 20, "", ""},
		{"docker 20.10 reads no OCI image", has, unread, runbook.RegistryHas, 3600 << 20, "", ""},
		{"docker alone has it", refused, answer{stdout: `{"layers":[{"size":99000000}]}`}, runbook.RegistryHas, 4 * 99000000, "", ""},
		{"docker alone has an index", refused, answer{stdout: `{"manifests":[{"digest":"sha256:3"}]}`}, runbook.RegistryHas, 4 * 3000, "", ""},
		{"the manifest of the platform is gone", says{found: runbook.Found{Lacks: "the registry has its index, and no manifest for linux/amd64 any more"}}, unread, runbook.RegistryLacks, 0,
			ref + " is not on this host and can't be fetched: the registry has its index, and no manifest for linux/amd64 any more", ""},
		{"nobody reads it", refused, unread, runbook.RegistrySilent, 0, "", unknown + "it got no manifest, and doesn't say why)"},
		{"docker's words alone", refused, answer{status: 1, stderr: "manifest unknown\n"}, runbook.RegistrySilent, 0, "", unknown + "manifest unknown)"},
		{"its repository is not known", refused, answer{status: 1, stderr: "errors:\nname unknown: repository name not known to registry\n"}, runbook.RegistrySilent, 0, "", unknown + "name unknown: repository name not known to registry)"},
		{"an expired login", refused, answer{status: 1, stderr: "unauthorized: authentication required\n"}, runbook.RegistrySilent, 0, "", unknown + "its login isn't let in: `docker login` there as the SSH user)"},
		{"the host's login alone has expired", has, answer{status: 1, stderr: "Error response from daemon: denied\n"}, runbook.RegistryHas, 3600 << 20, "", "the registry has " + ref + ", but docker's login here can't read it: run `docker login` there as the SSH user"},
		{"a registry without TLS", refused, answer{status: 1, stderr: "Get \"https://registry.lan:5000/v2/\": http: server gave HTTP response to HTTPS client\n"}, runbook.RegistrySilent, 0, "", unknown + "Get \"https://registry.lan:5000/v2/\": http: server gave HTTP response to HTTPS client)"},
		{"a name that DNS doesn't have", refused, answer{status: 1, stderr: "dial tcp: lookup ghcr.io: not found\n"}, runbook.RegistrySilent, 0, "", unknown + "dial tcp: lookup ghcr.io: not found)"},
	} {
		row.docker.part = manifestIsRead
		host := hostThat(t, lacks, verbose, platform, row.docker)
		host.registry = row.bot
		states, err := host.Images(t.Context(), []runbook.Image{former}, true)
		want := runbook.ImageState{Image: former, Registry: row.registry, Bytes: row.bytes, Guessed: row.bytes == 0}
		if row.what != "" {
			want.Problem = runbook.Problem{Host: one, What: row.what, Remedy: "Choose another release; `history` lists them"}
		}
		if strings.HasPrefix(row.note, ":") {
			row.note = ref + " is not on this host, and only the fetch will tell whether it can be had" + row.note
		}
		want.Note = row.note
		if err != nil || !slices.Equal(states, []runbook.ImageState{want}) {
			t.Errorf("%s: got\n%+v, %v; want\n%+v", row.name, states, err, want)
		}
	}
}

// Loopback is another machine's for the bot, unless the host is the bot's own.
func TestImages_AsksForNoLoopbackOfAnotherMachine(t *testing.T) {
	image := runbook.Image{Name: "127.0.0.1:5000/shop/api", Digest: runbook.Digest("sha256:" + strings.Repeat("1", 64))}
	for on, asks := range map[runbook.Host]bool{"deploy@web-1": false, "deploy@10.0.0.7:22": false, "deploy@127.0.0.1:2222": true, "deploy@localhost": true} {
		host := hostThat(t)
		host.host, host.registry = on, says{}
		if _, err := host.find(t.Context(), image, "linux/amd64"); (err == nil) != asks {
			t.Errorf("%s: %v, want it asked: %t", on, err, asks)
		}
	}
}

// Layers that lie there below another image need no room; of an image of unknown size the others of its repository tell.
func TestRoom(t *testing.T) {
	layers := []runbook.Layer{{Content: "sha256:base", Bytes: 100}, {Content: "sha256:libs", Bytes: 20}, {Content: "sha256:app", Bytes: 3}}
	for name, c := range map[string]struct {
		known []imageView
		want  int64
	}{
		"nothing is there":        {nil, 4 * 123},
		"the base is there":       {[]imageView{{Layers: []runbook.Digest{"sha256:base", "sha256:old"}}}, 4 * 23},
		"the best counts":         {[]imageView{{Layers: []runbook.Digest{"sha256:base", "sha256:libs"}}, {Layers: []runbook.Digest{"sha256:base"}}}, 4 * 3},
		"all is there":            {[]imageView{{Layers: []runbook.Digest{"sha256:base", "sha256:libs", "sha256:app"}}}, 1},
		"the same on another one": {[]imageView{{Layers: []runbook.Digest{"sha256:other", "sha256:libs"}}}, 4 * 123},
	} {
		if got := room(layers, c.known); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if got := sizeLike([]imageView{{Size: 10}, {Size: 30}}); got != 120 {
		t.Errorf("like those of 10 and 30 bytes: %d, want 120", got)
	}
}

// What docker has it has under the short name, whichever one a plan of an older version has.
func TestImages_HereUnderAnyNameOfItsRepository(t *testing.T) {
	digest := runbook.Digest("sha256:" + strings.Repeat("1", 64))
	host := hostThat(t, answer{part: hostImages, stdout: `{"id":"i-api","digests":["mirror.lan/acme/api@` + string(digest) + `","acme/api@` + string(digest) + `"],"revision":"3f2c1ab","version":"v1"}` + "\n"})
	for name, here := range map[string]bool{"docker.io/acme/api": true, "index.docker.io/acme/api": true, "acme/api": true, "mirror.lan/acme/api": true, "acme/worker": false} {
		states, err := host.Images(t.Context(), []runbook.Image{{Name: name, Digest: digest}}, false)
		if err != nil || len(states) != 1 || states[0].Here != here || here && states[0].Label.Version != "v1" {
			t.Errorf("%s: %+v, %v; want it here: %t", name, states, err, here)
		}
	}
}
