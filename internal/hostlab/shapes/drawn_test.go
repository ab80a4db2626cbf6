package shapes

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rollbackbot/internal/hostlab"
	"rollbackbot/internal/parts"
	"rollbackbot/internal/realhost"
)

var (
	// drawn is how many shapes are drawn, on all generations together.
	drawn = flag.Int("drawn", 6, "how many shapes TestLaw draws")
	// drawnFrom makes the same shapes again.
	drawnFrom = flag.Uint64("drawn-from", 0, "the seed of TestLaw; 0 takes one by the clock")
)

// TestLaw draws hosts from the habits of many teams and holds the bot to HOST.md's law on real ones: what the preflight
// accepts ends with the planned images and pins and leaves everything else as it was; what the team's own line does right is
// accepted, or refused with the true cause and a fix, and accepted when that was followed.
func TestLaw(t *testing.T) {
	roots := parts.HostRoots(t)
	seed := *drawnFrom
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("%d shapes, seed %d: -drawn %d -drawn-from %d", *drawn, seed, *drawn, seed)
	binary := *binaryFile
	if binary == "" {
		binary = realhost.Build(t, "rollbackbot/cmd/rollbackbot")
	}
	shop := newShop(t, hostlab.Open(t))
	var next, broken atomic.Int64
	t.Run("hosts", func(t *testing.T) {
		for _, root := range roots {
			t.Run(root.Suite, func(t *testing.T) {
				t.Parallel()
				on := newStage(t, shop, hostlab.Generation(root.Suite))
				// A host takes the next shape when it is through with one: the numbers are shared, each shape is its number's alone.
				for n := next.Add(1); n <= int64(*drawn); n = next.Add(1) {
					shape := draw(int(rand.New(rand.NewPCG(seed, uint64(n))).Int64() >> 1))
					t.Run(fmt.Sprint(n), func(t *testing.T) {
						a := &attempt{stage: on, shape: shape}
						if word, wrong := a.make(t, binary); len(wrong) > 0 {
							broken.Add(1)
							t.Errorf("%s: %s: %s\n%s\n%s", shape.About, word, strings.Join(wrong, "\n"), a.said, shape.written())
						}
					})
				}
			})
		}
	})
	t.Logf("%d breaches of the law in %d shapes, seed %d", broken.Load(), *drawn, seed)
}

// draw draws a shape.
func draw(seed int) Shape { return rapid.Custom(drawShape).Example(seed) }

// draft is a shape while it is drawn: what each habit adds to.
type draft struct {
	Shape
	about  []string
	base   map[string][]string // lines of each service in the first compose file
	second string              // a second compose file, which has the api's ports; empty: the first has them
	pins   []string            // lines of the pins file that pin
	other  []string            // other lines of the pins file, before them
	ends   string              // between lines
	head   string              // before the first line
	cut    bool                // no final newline
	file   string              // of compose, in the app's folder
	env    string              // the pins file, in the app's folder
	files  string              // -f and the like, as typed
	flags  string              // what else is typed before `up`
	name   string              // the line of the compose file with the project's name
	docker string
}

// habit is one way of doing something.
type habit struct {
	about string
	take  func(*draft)
}

// images writes the images' lines in a form, and what pins them. Of "role" and "ROLE" it makes each role's name.
func (d *draft) images(form, pin string) {
	for _, role := range []string{"api", "worker", "web"} {
		fill := strings.NewReplacer("role", role, "ROLE", strings.ToUpper(role)).Replace
		d.base[role][0] = "image: " + fill(form)
		d.pins = append(d.pins, fill(pin))
	}
	variable, _, _ := strings.Cut(strings.TrimPrefix(pin, "ROLE"), "=")
	if variable != "_IMAGE" {
		d.Config["IMAGES"] = strings.ReplaceAll("api=API#,worker=WORKER#,web=WEB#", "#", variable)
	}
}

func (d *draft) add(service string, lines ...string) {
	d.base[service] = append(d.base[service], lines...)
}

// refused draws a fault that has to be found before anybody is asked: what root does to make it so, what the refusal says,
// and the lines of its fix, which it prints.
func (d *draft) refused(setup, says string, fix ...string) {
	d.Right, d.Says = refused, []string{says}
	d.Setup = append(d.Setup, d.fill(setup))
	for _, line := range fix {
		if before, at, found := strings.Cut(line, "@"); found && strings.Contains(d.fill("@"+at), " ") {
			line = before + "'@" + at + "'"
		}
		d.Follow.Setup = append(d.Follow.Setup, d.fill(line))
	}
	d.Says = append(d.Says, d.Follow.Setup...)
}

// fill names the pins file and its folder.
func (d *draft) fill(text string) string {
	file := appFolder + "/" + d.env
	return strings.NewReplacer("@env@", file, "@folder@", file[:strings.LastIndex(file, "/")]).Replace(text)
}

// The dimensions, in the order in which they are drawn.
var (
	places = []habit{
		{"infra/docker-compose.prod.yml by -f", func(d *draft) {
			d.file, d.env, d.files = "infra/docker-compose.prod.yml", "infra/.env", "-f infra/docker-compose.prod.yml"
		}},
		{"docker-compose.yml", func(d *draft) { d.file, d.Config["COMPOSE_FILE"] = "docker-compose.yml", "docker-compose.yml" }},
		{"compose.yaml, nothing configured", func(d *draft) { d.file = "compose.yaml" }},
		{"an override file", func(d *draft) { d.file, d.second = "docker-compose.yml", "docker-compose.override.yml" }},
		{"two -f files", func(d *draft) {
			d.file, d.second, d.files = "docker-compose.yml", "prod.yml", "-f docker-compose.yml -f prod.yml"
		}},
		{"COMPOSE_FILE in .env", func(d *draft) {
			d.file, d.second = "base.yml", "deploy/prod.yml"
			d.other = append(d.other, "COMPOSE_FILE=base.yml:deploy/prod.yml")
		}},
		{"--env-file", func(d *draft) {
			d.file, d.env, d.flags = "docker-compose.yml", "config/prod.env", "--env-file config/prod.env "
			d.Config["COMPOSE_FILE"], d.Config["ENV_FILE"] = "docker-compose.yml", "config/prod.env"
		}},
		{"a folder with a space", func(d *draft) {
			d.file, d.env, d.files = "the infra/compose.yml", "the infra/.env", "-f 'the infra/compose.yml'"
		}},
	}
	projects = []habit{
		{"", func(d *draft) { d.name = "name: shop" }},
		{"", func(d *draft) { d.name = "name: shop" }},
		{"a project by its folder", func(*draft) {}},
		{"-p", func(d *draft) { d.flags += "-p shop-prod " }},
		{"COMPOSE_PROJECT_NAME in the pins file", func(d *draft) { d.other = append(d.other, "COMPOSE_PROJECT_NAME=store") }},
	}
	writings = []habit{
		{"${VAR}", func(d *draft) { d.images("${ROLE_IMAGE}", "ROLE_IMAGE=@role.v2@") }},
		{"$VAR", func(d *draft) { d.images("$ROLE_IMAGE", "ROLE_IMAGE=@role.v2@") }},
		{"${VAR:-default}", func(d *draft) { d.images("${ROLE_IMAGE:-@registry@/shop/role:latest}", "ROLE_IMAGE=@role.v2@") }},
		{"${VAR:?}", func(d *draft) { d.images(`"${ROLE_IMAGE:?no image}"`, "ROLE_IMAGE=@role.v2@") }},
		{"repo@${DIGEST}", func(d *draft) { d.images("@registry@/shop/role@${ROLE_DIGEST}", "ROLE_DIGEST=@digest.role.v2@") }},
		{"repo:${TAG}", func(d *draft) { d.images("@registry@/shop/role:${ROLE_TAG}", "ROLE_TAG=v2") }},
		{"${REGISTRY}/repo:${TAG}", func(d *draft) {
			d.images("${REGISTRY}/shop/role:${ROLE_TAG:-latest}", "ROLE_TAG=v2")
			d.other = append(d.other, "REGISTRY=@registry@")
		}},
	}
	envHabits = []habit{
		{"CRLF", func(d *draft) { d.ends = "\r\n" }},
		{"a byte order mark", func(d *draft) { d.head = "\ufeff" }},
		{"no final newline", func(d *draft) { d.cut = true }},
		{"export", func(d *draft) { d.eachPin(func(name, value string) string { return "export " + name + "=" + value }) }},
		{"double quotes", func(d *draft) { d.eachPin(func(name, value string) string { return name + `="` + value + `"` }) }},
		{"single quotes and comments", func(d *draft) {
			d.eachPin(func(name, value string) string {
				return "# " + name + " of today\n" + name + "='" + value + "' # set by CI"
			})
		}},
		{"spaces around =", func(d *draft) { d.eachPin(func(name, value string) string { return name + " = " + value }) }},
		{"each pin twice", func(d *draft) {
			d.other = append(d.other, slices.Collect(func(yield func(string) bool) {
				for _, pin := range d.pins {
					name, _, _ := strings.Cut(pin, "=")
					if !yield(name + "=old") {
						return
					}
				}
			})...)
		}},
		{"a $ in a password", func(d *draft) {
			d.other = append(d.other, "DB_PASSWORD=s3cret$word")
			d.add("api", "environment:", "  DB_PASSWORD: ${DB_PASSWORD}", "  SENTRY_DSN: ${SENTRY_DSN}")
			d.Never = append(d.Never, "s3cret")
		}},
		{"a value of several lines", func(d *draft) { d.other = append(d.other, "CERT=\"-----BEGIN-----\nAPI_IMAGE=none\n-----END-----\"") }},
		{"a value made of another", func(d *draft) { d.other = append(d.other, "BASE=https://shop.example", "PAGE=${BASE}/page") }},
		{"blank lines", func(d *draft) { d.other = append(d.other, "", "   ", "EMPTY=") }},
	}
	shells   = []string{"/bin/bash", "/bin/bash", "/bin/dash", "/usr/bin/zsh", "/usr/bin/fish", "/bin/ksh"}
	profiles = []habit{
		{"", func(*draft) {}},
		{"", func(*draft) {}},
		{"a banner", func(d *draft) { d.profile("echo Welcome to $(uname -n); echo 3 updates") }},
		{"umask 077", func(d *draft) { d.profile("umask 077") }},
		{"a profile that goes elsewhere", func(d *draft) { d.profile("cd /tmp") }},
		{"CDPATH", func(d *draft) { d.profile("export CDPATH=/srv:/opt:.") }},
		{"a German locale", func(d *draft) { d.profile("export LANG=de_DE.UTF-8 LANGUAGE=de LC_ALL=C.UTF-8") }},
		{"a profile that fails", func(d *draft) { d.profile(". /opt/nvm/nvm.sh; false") }},
	}
	hangs = []habit{
		{"", func(*draft) {}},
		{"", func(*draft) {}},
		{"a sidecar in the api's network", func(d *draft) { d.sidecar("network_mode: service:api") }},
		{"a sidecar in the worker's processes", func(d *draft) { d.sidecar("pid: service:worker") }},
		{"depends_on with restart", func(d *draft) { d.sidecar("depends_on:", "  web: {condition: service_started, restart: true}") }},
		{"depends_on alone", func(d *draft) { d.base["proxy"] = []string{`image: "@db.v2@"`, "depends_on: [api, web]"} }},
	}
	extras = []habit{
		// Not beside what hangs on the worker: which of several containers that gets, Compose decides again at each `up`.
		{"a scaled web", func(d *draft) { d.add("web", "scale: 2") }},
		{"a name of its own", func(d *draft) { d.add("worker", "container_name: the-worker") }},
		{"env_file for the web", func(d *draft) {
			d.add("web", "env_file: "+appFolder+"/web.env")
			d.App["web.env"] = "LOG_LEVEL=info\nTOKEN=abc\n"
		}},
		{"a profile that nobody started", func(d *draft) { d.base["console"] = []string{"image: @registry@/shop/db:v2", "profiles: [debug]"} }},
		{"volumes", func(d *draft) { d.add("worker", "volumes: [\"/data\"]") }},
		{"a health check", func(d *draft) {
			d.add("api", "healthcheck: {test: [\"CMD\", \"/app\", \"healthcheck\"], interval: 1s, timeout: 1s, retries: 30}")
		}},
		{"labels and limits", func(d *draft) {
			d.add("web", "labels: {team: shop}", "mem_limit: 200m", "init: true", "stop_grace_period: 2s")
		}},
		{"pull_policy always", func(d *draft) { d.add("web", "pull_policy: always") }},
	}
	faults = []habit{
		{"the pins file belongs to ci", func(d *draft) {
			d.refused("chown ci:deploy '@env@'; chmod 0664 '@env@'", "ci:deploy", "chown deploy @env@")
		}},
		{"its folder is root's", func(d *draft) {
			d.refused("chown root:root '@folder@'; chmod 0755 '@folder@'", "Permission denied", "chown deploy @folder@")
		}},
		{"chattr holds it", func(d *draft) { d.refused("chattr +i '@env@'", "chattr", "chattr -ia @env@") }},
		{"~/.rollbackbot is root's", func(d *draft) {
			d.refused("install -d -m 0700 /home/deploy/.rollbackbot", "~/.rollbackbot", "chown deploy /home/deploy/.rollbackbot")
		}},
	}
)

func (d *draft) eachPin(write func(name, value string) string) {
	for i, pin := range d.pins {
		name, value, _ := strings.Cut(pin, "=")
		d.pins[i] = write(name, value)
	}
}

func (d *draft) profile(line string) {
	// The one that the login shells here read, each its own.
	d.Setup = append(d.Setup, "for f in .profile .bash_profile .zprofile; do printf '%s\\n' '"+line+"' >>/home/deploy/$f; done; chown deploy:deploy /home/deploy/.*profile")
}

func (d *draft) sidecar(lines ...string) {
	d.base["proxy"] = append([]string{`image: "@db.v2@"`}, lines...)
	d.Moves = append(d.Moves, "proxy")
}

// drawShape draws one habit of each dimension, and some of those that go together.
func drawShape(t *rapid.T) Shape {
	d := &draft{
		Shape: Shape{
			Right: succeeds, Images: map[string]string{"api": "api", "worker": "worker", "web": "web"}, Repository: "@registry@/shop/",
			Config: map[string]string{}, App: map[string]string{},
		},
		base: map[string][]string{"api": {""}, "worker": {""}, "web": {""}, "db": {`image: "@db.v2@"`}},
		ends: "\n", env: ".env", docker: "docker",
	}
	take := func(h habit) {
		h.take(d)
		if h.about != "" {
			d.about = append(d.about, h.about)
		}
	}
	one := func(name string, all []habit) { take(rapid.SampledFrom(all).Draw(t, name)) }
	some := func(name string, all []habit, most int) {
		chosen := rapid.SliceOfNDistinct(rapid.IntRange(0, len(all)-1), 0, most, rapid.ID[int]).Draw(t, name)
		slices.Sort(chosen)
		for _, i := range chosen {
			take(all[i])
		}
	}
	one("place", places)
	one("project", projects)
	one("writing", writings)
	// At most one of those that write each pin's line.
	pinHabits := slices.DeleteFunc(slices.Clone(envHabits), func(h habit) bool {
		return !slices.Contains([]string{"export", "double quotes", "single quotes and comments", "spaces around ="}, h.about)
	})
	rest := slices.DeleteFunc(slices.Clone(envHabits), func(h habit) bool {
		return slices.ContainsFunc(pinHabits, func(p habit) bool { return p.about == h.about })
	})
	some("env file", rest, 3)
	some("pins", pinHabits, 1)
	one("profile", profiles)
	one("hang", hangs)
	some("extras", extras, 3)
	d.Shell = rapid.SampledFrom(shells).Draw(t, "shell")
	if rapid.IntRange(0, 5).Draw(t, "sudo") == 0 {
		take(habit{"sudo", func(d *draft) {
			d.docker = "sudo -n docker"
			d.Setup = append(d.Setup, "gpasswd --delete deploy docker", "echo 'deploy ALL=(root) NOPASSWD: /usr/bin/docker' >/etc/sudoers.d/deploy; chmod 0440 /etc/sudoers.d/deploy")
			d.Config["DOCKER_COMMAND"], d.Config["COMPOSE_COMMAND"] = "sudo -n docker", "sudo -n docker compose"
		}})
	}
	d.Absent = rapid.IntRange(0, 5).Draw(t, "absent") == 0
	if rapid.IntRange(0, 4).Draw(t, "fault") == 0 {
		one("which fault", faults)
	}
	return d.shape()
}

// shape writes the drawn files.
func (d *draft) shape() Shape {
	s := d.Shape
	ports := "    ports: [\"8080:8080\"]\n"
	var file strings.Builder
	if d.name != "" {
		fmt.Fprintln(&file, d.name)
	}
	file.WriteString("services:\n")
	for _, service := range slices.Sorted(maps.Keys(d.base)) {
		fmt.Fprintf(&file, "  %s:\n    restart: unless-stopped\n    %s\n", service, strings.Join(d.base[service], "\n    "))
		if service == "api" && d.second == "" {
			file.WriteString(ports)
		}
	}
	s.App[d.file] = file.String()
	if d.second != "" {
		s.App[d.second] = "services:\n  api:\n" + ports + "  worker:\n    environment: {QUEUES: mail}\n"
	}
	lines := strings.Join(append(slices.Clone(d.other), d.pins...), "\n") + "\n"
	if d.cut {
		lines = strings.TrimSuffix(lines, "\n")
	}
	s.App[d.env] = d.head + strings.ReplaceAll(lines, "\n", d.ends)
	s.Deploy = d.docker + " compose " + d.files + " " + d.flags + "up -d"
	s.About = strings.Join(append(d.about, s.Shell), ", ")
	return s
}

// written is the shape as it can be looked at.
func (s Shape) written() string {
	var b strings.Builder
	fmt.Fprintf(&b, "deploys by %s\nset up by %s\nconfigured by %v\n", s.Deploy, strings.Join(s.Setup, "\n"), s.Config)
	for _, name := range slices.Sorted(maps.Keys(s.App)) {
		fmt.Fprintf(&b, "--- %s\n%s\n", name, s.App[name])
	}
	return b.String()
}

// The same seed draws the same shape, whichever host takes it.
func TestDraw_IsTheSameAgain(t *testing.T) {
	for seed := range 50 {
		if was, is := draw(seed).written(), draw(seed).written(); was != is {
			t.Fatalf("seed %d: it is\n%s\nand was\n%s", seed, is, was)
		}
	}
}
