package discover

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"rollbackbot/internal/compose"
	"rollbackbot/runbook"
)

// toldHost answers each command with the first answer whose words are part of its line, and keeps what it was asked.
type toldHost struct {
	t       *testing.T
	answers []told
	asked   []string
}

type told struct {
	words          string
	status         int
	stdout, stderr string
}

func (h *toldHost) Run(_ context.Context, cmd runbook.Command, _ []byte) (status int, stdout, stderr []byte, err error) {
	line := cmd.Dir + ": " + strings.Join(append(slices.Clone(cmd.Env), cmd.Args...), " ")
	h.asked = append(h.asked, line)
	for _, a := range h.answers {
		if strings.Contains(line, a.words) {
			return a.status, []byte(a.stdout), []byte(a.stderr), nil
		}
	}
	h.t.Errorf("nobody expected %q", line)
	return 127, nil, nil, nil
}

func discover(t *testing.T, answers ...told) (Engine, *toldHost, error) {
	t.Helper()
	h := &toldHost{t: t, answers: answers}
	e, err := compose.Discover(t.Context(), "deploy@one", h)
	return Engine{e}, h, err
}

// The commands that work are found in the order in which a person would try them.
func TestDiscover_Commands(t *testing.T) {
	denied := told{words: ": docker version", status: 1, stderr: "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock"}
	engine := func(prefix string) told { return told{words: ": " + prefix + "docker version", stdout: "26.1.5\n"} }
	for name, test := range map[string]struct {
		answers         []told
		docker, compose string
		problem         string
	}{
		"plain":            {[]told{engine(""), {words: "docker compose version", stdout: "2.26.1-4\n"}}, "docker", "docker compose", ""},
		"by sudo":          {[]told{denied, engine("sudo -n "), {words: "sudo -n docker compose version", stdout: "v2.2.3\n"}}, "sudo -n docker", "sudo -n docker compose", ""},
		"standalone":       {[]told{engine(""), {words: "docker compose version", status: 1, stderr: "docker: 'compose' is not a docker command."}, {words: "docker-compose version", stdout: "2.40.3\n"}}, "docker", "docker-compose", ""},
		"v1 alone":         {[]told{engine(""), {words: "docker compose version", status: 1}, {words: "docker-compose version", stdout: "1.29.2\n"}}, "", "", "`docker-compose` is Compose v1 (\"1.29.2\"): 2 or newer is needed"},
		"none":             {[]told{engine(""), {words: "version", status: 127}}, "", "", "there is no Docker Compose: 2 or newer is needed"},
		"nobody may":       {[]told{denied, {words: "sudo -n docker version", status: 1, stderr: "sudo: a password is required"}}, "", "", "the SSH user may not talk to the docker engine"},
		"no docker at all": {[]told{{words: "docker version", status: 127, stderr: "sh: docker: not found"}}, "", "", "isn't found in a login shell's PATH"},
	} {
		t.Run(name, func(t *testing.T) {
			e, _, err := discover(t, test.answers...)
			if test.problem != "" {
				if err == nil || !strings.Contains(err.Error(), test.problem) {
					t.Errorf("got %v, want %q", err, test.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			docker, compose := e.Words()
			if strings.Join(docker, " ") != test.docker || strings.Join(compose, " ") != test.compose {
				t.Errorf("got %q and %q", docker, compose)
			}
		})
	}
}

// found are containers as Docker 26.1 with Compose 2.26.1 tells of them (recorded), and some with labels that nobody should
// believe.
const found = `{"project":"shop","service":"web","oneoff":"False","dir":"/opt/shop/infra","files":"/opt/shop/infra/base.yml,/opt/shop/prod.yml","env_files":"/opt/shop/prod.env","version":"2.26.1","after":"api:service_started:false","image":"r/web@sha256:1","state":"running","restart":"always","network":"shop_default","ports":{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8081"},{"HostIp":"::","HostPort":"8081"}],"9000/udp":[{"HostIp":"0.0.0.0","HostPort":"9000"}],"9/tcp":null},"health":null}
{"project":"shop","service":"api","oneoff":"False","dir":"/opt/shop/infra","files":"/opt/shop/infra/base.yml,/opt/shop/prod.yml","env_files":"/opt/shop/prod.env","version":"2.26.1","after":"","image":"r/api@sha256:2","state":"running","restart":"unless-stopped","network":"shop_default","ports":{"8080/tcp":[{"HostIp":"127.0.0.1","HostPort":"18080"}]},"health":["CMD","curl","-fsS","http://localhost:8080/health?token=geheim"]}
{"project":"shop","service":"migrate","oneoff":"False","dir":"/old/place","files":"/old/place/base.yml","env_files":"","version":"2.2.3","after":"","image":"r/api@sha256:2","state":"exited","restart":"no","network":"shop_default","ports":{},"health":null}
{"project":"shop","service":"api","oneoff":"True","dir":"/opt/shop/infra","files":"x","env_files":"","version":"2.26.1","after":"","image":"r/api:debug","state":"running","restart":"no","network":"shop_default","ports":{},"health":null}
{"project":"a b","service":"api","oneoff":"False","dir":"/x","files":"/x/y","env_files":"","version":"2.26.1","after":"","image":"i","state":"running","restart":"no","network":"n","ports":null,"health":null}
{"project":"agent","service":"agent","oneoff":"","dir":"/opt/agent","files":"compose.yml","env_files":"","version":"1.29.2","after":"","image":"i","state":"running","restart":"no","network":"host","ports":{},"health":["CMD-SHELL","wget -qO- localhost:9100/ready || exit 1"]}
`

var engineAnswers = []told{{words: "docker version", stdout: "26.1.5\n"}, {words: "compose version", stdout: "2.26.1-4\n"}, {words: "docker ps", stdout: "1\n2\n"}, {words: "docker inspect", stdout: found}}

func stacks(t *testing.T, more ...told) ([]Stack, Engine, *toldHost) {
	t.Helper()
	e, h, err := discover(t, append(slices.Clone(engineAnswers), more...)...)
	if err != nil {
		t.Fatal(err)
	}
	all, err := e.Stacks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all, e, h
}

func TestEngine_Stacks(t *testing.T) {
	got, _, _ := stacks(t)
	want := []Stack{
		{Project: "agent", Dir: "/opt/agent", Files: []string{"compose.yml"}, Version: "1.29.2", envFiles: []string{}, Services: []StackService{
			{Name: "agent", Image: "i", Containers: 1, Running: true, Health: HealthPage{"http", 9100, "/ready"}, Ports: []Port{{Published: 9100, Target: 9100}}},
		}},
		{Project: "shop", Dir: "/opt/shop/infra", Files: []string{"base.yml", "/opt/shop/prod.yml"}, Version: "2.26.1", envFiles: []string{"/opt/shop/prod.env"}, Services: []StackService{
			{Name: "api", Image: "r/api@sha256:2", Containers: 1, Running: true, Restarts: true, Health: HealthPage{"http", 8080, "/health"}, Ports: []Port{{"127.0.0.1", 18080, 8080}}},
			{Name: "migrate", Image: "r/api@sha256:2", Containers: 1},
			{Name: "web", Image: "r/web@sha256:1", Containers: 1, Running: true, Restarts: true, Ports: []Port{{"", 8081, 80}}, after: []string{"api"}},
		}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestEngine_NothingRuns(t *testing.T) {
	e, _, err := discover(t, append(engineAnswers[:2:2], told{words: "docker ps"})...)
	if err != nil {
		t.Fatal(err)
	}
	if all, err := e.Stacks(t.Context()); len(all) > 0 || err != nil {
		t.Errorf("got %v, %v", all, err)
	}
}

// Rubbish is no stack, and is not quoted.
func TestEngine_Rubbish(t *testing.T) {
	e, _, err := discover(t, append(engineAnswers[:3:3], told{words: "docker inspect", stdout: "\x1b[2Jwelcome"})...)
	if err != nil {
		t.Fatal(err)
	}
	var problem *runbook.PreflightError
	if _, err := e.Stacks(t.Context()); !errors.As(err, &problem) || strings.Contains(err.Error(), "welcome") {
		t.Errorf("got %v", err)
	}
}

const (
	noEnvAbove = `[ -f "$d/.env" ]`
	// As Compose 5.6 prints a file in which numbers are variables, too.
	uninterpolated = `{"services":{"api":{"image":"${REGISTRY:-r}/api@${API_DIGEST:?}","ports":["${PORT}:8080"]},"web":{"image":"${WEB_IMAGE:-${FALLBACK}}","profiles":["front"]},"db":{"image":"postgres:15"}}}`
)

func readShop(t *testing.T, more ...told) (Stack, *toldHost, error) {
	t.Helper()
	all, e, h := stacks(t, more...)
	err := e.Read(t.Context(), &all[1])
	return all[1], h, err
}

func variables(s Stack) string {
	var all []string
	for _, service := range s.Services {
		all = append(all, service.Name+"="+service.Variable+" "+string(service.Form))
	}
	return strings.Join(all, ", ")
}

// A mark in each variable's place shows which one gives the image, however the file writes it.
func TestEngine_ReadFindsVariables(t *testing.T) {
	s, h, err := readShop(t,
		told{words: "--no-interpolate", stdout: uninterpolated},
		told{words: "REGISTRY=rollbackbot-mark-", stdout: `{"services":{"api":{"image":"rollbackbot-mark-0/api@rollbackbot-mark-1"},"web":{"image":"rollbackbot-mark-2"}}}`},
		told{words: noEnvAbove},
		told{words: "config --format json", stdout: `{"services":{"api":{"image":"r/api@sha256:2"},"web":{"image":"r/web@sha256:1"}}}`})
	if err != nil {
		t.Fatal(err)
	}
	if got := variables(s); got != "api=API_DIGEST digest, migrate= , web=WEB_IMAGE reference" {
		t.Errorf("got %s", got)
	}
	if !s.Pinned || s.EnvFile != "/opt/shop/prod.env" || s.Dir != "/opt/shop/infra" || !slices.Equal(s.Services[2].Profiles, []string{"front"}) {
		t.Errorf("got %+v", s)
	}
	// Services are named, which switches their profiles on; those that the file lacks are not.
	want := "/opt/shop/infra: REGISTRY=rollbackbot-mark-0 API_DIGEST=rollbackbot-mark-1 WEB_IMAGE=rollbackbot-mark-2 FALLBACK=rollbackbot-mark-3 " +
		"docker compose -p shop -f base.yml -f /opt/shop/prod.yml --env-file /opt/shop/prod.env config --format json api web"
	if !slices.Contains(h.asked, want) {
		t.Errorf("asked %q, want %q", h.asked, want)
	}
}

// Compose before 2.24.7 fails on a file in which a number is a variable: then the names come from the lines about images.
func TestEngine_ReadWithAnOldCompose(t *testing.T) {
	s, h, err := readShop(t,
		told{words: "--no-interpolate", status: 15, stderr: "1 error(s) decoding: cannot parse 'published' as int: \"${PORT}\""},
		told{words: "grep -h image", stdout: "$WEB_IMAGE\n${TAG\n${TAG\n"},
		told{words: "WEB_IMAGE=rollbackbot-mark-0 TAG=rollbackbot-mark-1", stdout: `{"services":{"api":{"image":"r/api:rollbackbot-mark-1"},"web":{"image":"rollbackbot-mark-0"}}}`},
		told{words: noEnvAbove, stdout: "banner\n/opt/shop\n"},
		told{words: "/opt/shop: docker compose", stdout: `{"services":{"api":{"image":"r/api@sha256:2"},"web":{"image":"r/web@sha256:1"}}}`},
		told{words: "config --format json", stdout: `{"services":{"api":{"image":"r/api:latest"},"web":{"image":""}}}`})
	if err != nil {
		t.Fatal(err)
	}
	if got := variables(s); got != "api=TAG tag, migrate= , web=WEB_IMAGE reference" {
		t.Errorf("got %s", got)
	}
	if !slices.ContainsFunc(h.asked, func(line string) bool { return strings.Contains(line, "--profile * config --format json") }) {
		t.Errorf("profiles stay off: %q", h.asked)
	}
	// The folder above has the .env that gives what runs.
	if s.Dir != "/opt/shop" || !slices.Equal(s.Files, []string{"infra/base.yml", "prod.yml"}) || !s.Pinned {
		t.Errorf("got %+v", s)
	}
}

// sudo's env_reset lets no mark through: the file's own text decides then.
func TestEngine_ReadBehindSudo(t *testing.T) {
	s, _, err := readShop(t,
		told{words: "--no-interpolate", stdout: uninterpolated},
		told{words: noEnvAbove},
		told{words: "config --format json", stdout: `{"services":{"api":{"image":"r/api@sha256:2"},"web":{"image":"r/web:other"}}}`})
	if got := variables(s); err != nil || got != "api=API_DIGEST digest, migrate= , web=WEB_IMAGE reference" {
		t.Errorf("got %s, %v", got, err)
	}
	if s.Pinned {
		t.Error("web runs another image than the file gives")
	}
}

// What stands in the way is named, and nothing of what compose says: it quotes values.
func TestEngine_ReadRefuses(t *testing.T) {
	uninterpolated := told{words: "--no-interpolate", stdout: uninterpolated}
	for name, test := range map[string]struct {
		stderr, want, fix string
	}{
		"required": {"error while interpolating services.api.image: required variable DB_PASSWORD is missing a value: geheim", "the variable DB_PASSWORD has no value there", "Write it into the .env file beside base.yml"},
		"broken":   {"failed to read /opt/shop/.env: unexpected character \"geheim\"", "compose can't read shop (status 1)", "Run `cd /opt/shop/infra && docker compose -p shop -f base.yml -f /opt/shop/prod.yml --env-file /opt/shop/prod.env config --quiet` there"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := readShop(t, uninterpolated, told{words: "config --format json", status: 1, stderr: test.stderr})
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.fix) || strings.Contains(err.Error(), "geheim") {
				t.Errorf("got %v", err)
			}
		})
	}
	all, e, _ := stacks(t)
	if err := e.Read(t.Context(), &all[0]); err == nil || !strings.Contains(err.Error(), "was started by Compose v1 (\"1.29.2\")") {
		t.Errorf("got %v", err)
	}
	for _, files := range [][]string{nil, {"-"}, {"https://github.com/acme/shop.git"}, {"a\x1b[2Jb"}} {
		s := Stack{Project: "shop", Dir: "/opt/shop", Files: files}
		if err := e.Read(t.Context(), &s); err == nil || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%q: got %v", files, err)
		}
	}
}

func TestFormOf(t *testing.T) {
	for image, want := range map[string]string{
		"${API}": "API reference", "$API": "API reference", "${API:-r/api:1}": "API reference", "${API:?no image}": "API reference", "${A:-${B}}": "A reference",
		"$${API}": "API reference", "r/api@${D}": "D digest", "r/api@$D": "D digest", "${R}/api:${TAG:-latest}": "TAG tag", "r/api:$TAG": "TAG tag", "r:5000/api:${TAG}": "TAG tag",
		"r/api:1": " ", "": " ", "${R}/api": " ", "r/${NAME}": " ", "r/api:v${N}": " ", "${R}/api:1": " ", "r/api:${A}-${B}": " ",
	} {
		if variable, form := formOf(image); variable+" "+string(form) != want {
			t.Errorf("%s: got %s %s, want %s", image, variable, form, want)
		}
	}
}

func TestHealthPage(t *testing.T) {
	for test, want := range map[string]HealthPage{
		"CMD curl -f http://localhost:8080/health": {"http", 8080, "/health"}, "CMD-SHELL wget -qO- http://127.0.0.1/ || exit 1": {"http", 80, "/"},
		"CMD-SHELL curl -sk https://localhost:8443/-/ready | grep ok": {"https", 8443, "/-/ready"}, "CMD curl http://[::1]:3000": {"http", 3000, "/"},
		"CMD-SHELL curl http://localhost:${PORT:-3000}/up": {"http", 0, "/up"}, "CMD-SHELL wget --spider localhost:9000/ping": {"http", 9000, "/ping"},
		"CMD curl http://u:geheim@localhost:8080/health": {"http", 8080, "/health"},
		"CMD pg_isready -h localhost":                    {}, "CMD redis-cli -h localhost:6379 ping": {}, "CMD-SHELL nc -z localhost 80": {}, "NONE": {}, "": {}, "CMD /healthcheck": {},
	} {
		if got := healthPage(strings.Fields(test)); got != want {
			t.Errorf("%s: got %+v, want %+v", test, got, want)
		}
	}
}
