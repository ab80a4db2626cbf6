package demohost

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestDocker_Answers(t *testing.T) {
	h := furnished(t)
	pinned := ref(V2, "api")
	id := serviceImage("api", V2).id()
	absent := "registry.shop.example/shop/api@sha256:" + strings.Repeat("0", 64)
	for _, c := range []struct {
		line []string
		want result
	}{
		{[]string{"version", "--format", "{{.Server.Version}}"}, result{0, "28.2.2\n", ""}},
		{[]string{"info", "--format", "{{.DockerRootDir}}"}, result{0, h.folder.engine() + "\n", ""}},
		{[]string{"compose", "version", "--short"}, result{0, "5.6.0\n", ""}},
		{[]string{"compose", "version"}, result{0, "Docker Compose version v5.6.0\n", ""}},
		{[]string{"ps", "--all", "--quiet", "--no-trunc", "--filter", "label=com.docker.compose.project=shop"}, result{0, "", ""}},
		{[]string{"image", "inspect", "--format", "{{json .RepoDigests}}", pinned}, result{0, `["` + pinned + `"]` + "\n", ""}},
		{[]string{"image", "inspect", "--format", "{{.Id}}", absent, pinned}, result{1, id + "\n", "Error response from daemon: no such image: " + absent + ": No such image: " + absent + "\n"}},
		{[]string{"image", "inspect", "--format", "{{json .RepoTags}}", id, "postgres:16-alpine"}, result{0, "[]\n[\"postgres:16-alpine\"]\n", ""}},
		{[]string{"inspect", "--format", "{{.Id}}", "nosuch"}, result{1, "", "Error: No such object: nosuch\n"}},
		{[]string{"logs", "--tail", "20", "nosuch"}, result{1, "", "Error response from daemon: No such container: nosuch\n"}},
		{[]string{"manifest", "inspect", "--insecure", absent}, result{1, "", "no such manifest: " + absent + "\n"}},
		{[]string{"pull", absent}, result{1, "", "Error response from daemon: manifest for " + absent + " not found: manifest unknown: manifest unknown\n"}},

		{[]string{}, result{1, "", "docker: unknown command: docker \n\nRun 'docker --help' for more information\n"}},
		{[]string{"run", "alpine"}, result{1, "", "docker: unknown command: docker run\n\nRun 'docker --help' for more information\n"}},
		{[]string{"ps", "--nonsense"}, result{125, "", "unknown flag: --nonsense\n\nUsage:  docker ps [OPTIONS]\n\nRun 'docker ps --help' for more information\n"}},
		{[]string{"pull"}, result{1, "", "docker: 'docker pull' requires 1 argument\n\nUsage:  docker pull [OPTIONS] NAME[:TAG|@DIGEST]\n\nRun 'docker pull --help' for more information\n"}},
		{[]string{"inspect", "--format", "{{.Foo", "x"}, result{64, "", "template parsing error: template: :1: unclosed action\n"}},
		{[]string{"compose", "-f", composeFileName, "down"}, result{1, "", "unknown docker command: \"compose down\"\n"}},
		{[]string{"compose", "-f", composeFileName, "config", "--nonsense"}, result{1, "", "unknown flag: --nonsense\n"}},
		{[]string{"compose", "-f", composeFileName, "config", "--hash", "nosuch"}, result{1, "", "no such service: nosuch\n"}},
	} {
		if got := docker(h, nil, c.line...); got != c.want {
			t.Errorf("docker %s:\ngot  %+v\nwant %+v", strings.Join(c.line, " "), got, c.want)
		}
	}
}

func TestDocker_RefusesWhatItCannot(t *testing.T) {
	h := furnished(t)
	for _, line := range []string{
		"version", "info", "ps --all", "ps -q --filter status=running", "compose", "compose up", "compose config",
		"compose -f infra/docker-compose.prod.yml config", "compose -f infra/docker-compose.prod.yml config --format json api",
		"compose -f infra/docker-compose.prod.yml up -d", "compose -f infra/docker-compose.prod.yml up -d --no-deps api",
		"compose -f infra/docker-compose.prod.yml up -d --no-deps --pull never",
	} {
		if got := docker(h, nil, strings.Fields(line)...); got.status != 1 || got.stdout != "" || got.stderr == "" {
			t.Errorf("docker %s: %+v", line, got)
		}
	}
	if got := containers(t, h); len(got) > 0 {
		t.Errorf("what was refused made %v", got)
	}
}

func TestPull_TellsOfEachLayerOnce(t *testing.T) {
	h := furnished(t)
	web := serviceImage("web", V1)
	base, own := short(web.layers[0].Digest), short(web.layers[1].Digest)
	got := docker(h, nil, "pull", web.pinned())
	want := web.digest() + ": Pulling from shop/web\n" + base + ": Already exists\n" + own + ": Pulling fs layer\n" +
		own + ": Verifying Checksum\n" + own + ": Download complete\n" + own + ": Pull complete\n" +
		"Digest: " + web.digest() + "\nStatus: Downloaded newer image for " + web.pinned() + "\n" + web.pinned() + "\n"
	if got != (result{0, want, ""}) {
		t.Errorf("pulled: %+v\nwant %s", got, want)
	}
	got = docker(h, nil, "pull", web.pinned())
	if got.status != 0 || !strings.Contains(got.stdout, "Image is up to date") || strings.Contains(got.stdout, "layer") {
		t.Errorf("pulled again: %+v", got)
	}
	if got = docker(h, nil, "image", "inspect", "--format", "{{.Id}}", web.pinned()); got.stdout != web.id()+"\n" {
		t.Errorf("pulled, it is seen as %+v", got)
	}
}

func TestManifest_IsWhatTheDigestSays(t *testing.T) {
	h := furnished(t)
	for _, i := range registry() {
		got := docker(h, nil, "manifest", "inspect", i.pinned())
		if digest := digestOf([]byte(strings.TrimSuffix(got.stdout, "\n"))); got.status != 0 || digest != i.digest() {
			t.Errorf("%s: status %d, the manifest's digest is %s", i.pinned(), got.status, digest)
		}
	}
}

func TestConfig_RendersTheEnvironmentOverTheFile(t *testing.T) {
	h := furnished(t)
	got := docker(h, []string{"API_IMAGE=other@sha256:1"}, "compose", "-f", composeFileName, "config", "--format", "json")
	var stack struct {
		Name     string
		Services map[string]struct {
			Image       string
			Restart     string
			Command     []string
			Environment map[string]string
			Deploy      struct{ Replicas int }
			Ports       []struct{ Published string }
		}
	}
	if err := json.Unmarshal([]byte(got.stdout), &stack); err != nil || got.status != 0 || got.stderr != "" {
		t.Fatalf("config: %v, %+v", err, got)
	}
	api := stack.Services["api"]
	if stack.Name != "shop" || len(stack.Services) != 5 || api.Image != "other@sha256:1" || stack.Services["web"].Image != ref(V2, "web") {
		t.Errorf("rendered: %+v", stack)
	}
	if want := "postgres://shop:" + SecretValue + "@db/shop?sslmode=disable"; api.Environment["DATABASE_URL"] != want || api.Environment["LOG_LEVEL"] != "info" {
		t.Errorf("the api's environment: %v", api.Environment)
	}
	if len(api.Ports) != 1 || api.Ports[0].Published != "18080" || stack.Services["worker"].Deploy.Replicas != 2 || stack.Services["migrate"].Restart != "no" {
		t.Errorf("rendered: %+v", stack)
	}
}

func TestConfig_HashesChangeWithTheirServiceAlone(t *testing.T) {
	h := furnished(t)
	hashes := func(env ...string) string {
		r := docker(h, env, "compose", "-f", composeFileName, "config", "--hash", "*")
		if r.status != 0 {
			t.Fatalf("%+v", r)
		}
		return r.stdout
	}
	before, after := strings.Split(hashes(), "\n"), strings.Split(hashes("WEB_IMAGE=other"), "\n")
	if len(before) != 6 || before[5] != "" {
		t.Fatalf("hashes of five services: %q", before)
	}
	for i, line := range before {
		if changed := line != after[i]; changed != strings.HasPrefix(line, "web ") {
			t.Errorf("%s: changed %v", line, changed)
		}
	}
}

func TestUp_MissingImageLeavesTheOldContainer(t *testing.T) {
	h := startHost(t)
	old := containers(t, h)["shop-web-1"]
	r := docker(h, []string{"WEB_IMAGE=" + ref(V1, "web")}, "compose", "-f", composeFileName, "up", "-d", "--no-deps", "--pull", "never", "web")
	if r.status != 1 || !strings.Contains(r.stderr, "Error response from daemon: No such image: "+ref(V1, "web")) {
		t.Errorf("up: %+v", r)
	}
	if got := containers(t, h)["shop-web-1"]; got.ID != old.ID || got.Status != statusRunning {
		t.Errorf("the old container is %s as %s", got.Status, got.ID)
	}
}

func TestUp_TouchesWhatIsNamedAndChanged(t *testing.T) {
	h := startHost(t)
	before := containers(t, h)
	r := docker(h, []string{"API_IMAGE=" + ref(V1, "api"), "WEB_IMAGE=" + ref(V1, "web")},
		"compose", "-f", composeFileName, "up", "-d", "--no-deps", "--pull", "never", "--scale", "worker=3", "api", "worker")
	const want = ` Container shop-api-1 Recreate 
 Container shop-api-1 Recreated 
 Container shop-api-1 Starting 
 Container shop-api-1 Started 
 Container shop-worker-1 Running 
 Container shop-worker-2 Running 
 Container shop-worker-3 Creating 
 Container shop-worker-3 Created 
 Container shop-worker-3 Starting 
 Container shop-worker-3 Started 
`
	if r != (result{0, "", want}) {
		t.Fatalf("up: %+v", r)
	}
	after := containers(t, h)
	for name, c := range before {
		if replaced := after[name].ID != c.ID; replaced != (name == "shop-api-1") {
			t.Errorf("%s: replaced %v", name, replaced)
		}
	}
	if r := up(h, "worker"); r.status != 0 || !strings.Contains(r.stderr, "shop-worker-3 Removed") {
		t.Errorf("up without --scale: %+v", r)
	}
	if got := containers(t, h); len(got) != len(before) || got["shop-worker-3"].ID != "" {
		t.Errorf("%d containers, want %d", len(got), len(before))
	}
	for _, args := range [][]string{{"nosuch"}, {"--scale", "nosuch=1", "api"}, {"--scale", "api", "api"}} {
		if r := up(h, args...); r.status != 1 {
			t.Errorf("up %v: %+v", args, r)
		}
	}
}

func TestLogs_LastLinesAlone(t *testing.T) {
	h := startHost(t)
	health(t, h)
	all := docker(h, nil, "logs", "shop-api-1")
	last := docker(h, nil, "logs", "--tail", "1", "shop-api-1")
	if all.status != 0 || strings.Count(all.stdout, "\n") < 3 || strings.Count(last.stdout, "\n") != 1 || !strings.HasSuffix(all.stdout, last.stdout) {
		t.Errorf("logs: %+v, the last: %+v", all, last)
	}
	if !strings.Contains(last.stdout, "column orders.discount does not exist") {
		t.Errorf("the last line: %s", last.stdout)
	}
}
