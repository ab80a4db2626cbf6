package compose

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"rollbackbot/internal/runbooktest"
	"rollbackbot/runbook"
)

// scripted is a host that answers as Docker 20.10.24 and Compose 5.6.0 do, with what they printed for a stack like this
// one, and keeps what it was asked. A command that has no answer fails the test.
type scripted struct {
	t          *testing.T
	containers []scriptedContainer // as `docker ps` lists them

	mu    sync.Mutex
	asked []string
}

type scriptedContainer struct {
	id, service string
	image       runbook.Image
}

// onRecorded gives an app on a host whose containers run a release.
func onRecorded(t *testing.T, running map[string]runbook.Image) (*scripted, runbook.AppHost) {
	a := runbook.App{
		Name: "shop", Dir: "/opt/shop", ComposeFiles: []string{"infra/docker-compose.prod.yml"}, Docker: []string{"docker"}, Compose: []string{"docker", "compose"},
		Services: []runbook.Service{{Name: "api", Variable: "API_IMAGE"}, {Name: "worker", Variable: "WORKER_IMAGE"}, {Name: "web", Variable: "WEB_IMAGE"}},
	}
	r := &scripted{t: t}
	for _, service := range a.Services {
		r.containers = append(r.containers, scriptedContainer{service.Name + "-1", service.Name, running[service.Name]})
	}
	hosts := &Hosts{Shell: func(runbook.Host) Shell { return r }}
	return r, hosts.On(a, "deploy@one")
}

// answers are what commands print, by how their words end. Compose puts in what it is given for the variables; its hashes
// are the images here.
var answers = []struct{ words, prints string }{
	{"infra/.env docker", "missing=\nenv_file=/opt/shop/infra/.env\nuser=deploy:deploy\npins=replaceable\nfree_kib=9999999\n"},
	{"cat \"$0\" infra/.env", recordedPins},
	{"docker version --format {{.Server.Version}}", "20.10.24+dfsg1\n"},
	{"docker compose version --short", "5.6.0\n"},
	{"config --hash *", "api ${API_IMAGE}\ndb a83b8864be978a4651617144f273f47947ade95e43bc90bc57b43ba8815eeb0a\nweb ${WEB_IMAGE}\nworker ${WORKER_IMAGE}\n"},
	{"config --format json", `{
  "name": "shop",
  "services": {
    "api": {"restart": "always", "command": null, "entrypoint": null, "image": "${API_IMAGE}", "networks": {"default": null}},
    "db": {"restart": "always", "command": null, "entrypoint": null, "image": "postgres:15", "networks": {"default": null}},
    "web": {"restart": "always", "command": null, "entrypoint": null, "image": "${WEB_IMAGE}", "networks": {"default": null}},
    "worker": {"restart": "always", "command": null, "entrypoint": null, "image": "${WORKER_IMAGE}", "networks": {"default": null}}
  }
}`},
}

var recordedPins = fmt.Sprintf("API_IMAGE=%s\nWORKER_IMAGE=%s\nWEB_IMAGE=%s\n", runbooktest.Image("api", 2), runbooktest.Image("worker", 2), runbooktest.Image("web", 2))

// Run answers.
func (r *scripted) Run(_ context.Context, cmd runbook.Command, _ []byte) (status int, stdout, stderr []byte, err error) {
	line := strings.Join(cmd.Args, " ")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, line)
	switch {
	case strings.Contains(line, "--format started="):
		return 0, []byte(r.projects()), nil, nil
	case strings.HasPrefix(line, "docker ps"):
		return 0, []byte(r.list()), nil, nil
	case isSeeing(cmd):
		return seen(cmd, strings.Fields(r.list()), r.inspect, recordedPins)
	case strings.HasPrefix(line, "docker inspect --format"):
		return each(cmd.Args[4:], "object", r.inspect)
	case strings.HasPrefix(line, "docker image inspect --format"):
		return each(cmd.Args[5:], "image", r.inspectImage)
	}
	for _, answer := range answers {
		if strings.HasSuffix(line, answer.words) {
			return 0, []byte(os.Expand(answer.prints, given(cmd.Env))), nil, nil
		}
	}
	r.t.Errorf("there is no answer to %s", cmd)
	return 127, nil, nil, nil
}

// given is what compose makes of a variable: the environment wins over the pins file.
func given(env []string) func(variable string) string {
	return func(variable string) (value string) {
		for _, line := range slices.Concat(strings.Split(recordedPins, "\n"), env) {
			if is, found := strings.CutPrefix(line, variable+"="); found {
				value = is
			}
		}
		return value
	}
}

// labels are how each of its containers was started.
const labels = `"project":"shop","files":"/opt/shop/infra/docker-compose.prod.yml","folder":"/opt/shop/infra","env_files":""`

func (r *scripted) projects() (text string) {
	for _, c := range r.containers {
		text += fmt.Sprintf("started={%s,\"service\":%q,\"oneoff\":\"False\"}\n", labels, c.service)
	}
	return text
}

func (r *scripted) list() (text string) {
	for _, c := range r.containers {
		text += c.id + "\n"
	}
	return text
}

// isSeeing reports whether a command is seeProject's.
func isSeeing(cmd runbook.Command) bool {
	return slices.ContainsFunc(cmd.Env, func(pair string) bool { return strings.HasPrefix(pair, "guess=") })
}

// seen is what seeProject prints where docker lists these, by what docker says of each.
func seen(cmd runbook.Command, ids []string, inspect func(id string) string, pins string) (status int, stdout, stderr []byte, err error) {
	value := func(name string) (value string) {
		for _, pair := range cmd.Env {
			if text, is := strings.CutPrefix(pair, name+"="); is {
				value = text
			}
		}
		return value
	}
	guess := strings.Fields(value("guess"))
	inspected, stdout, stderr, _ := each(guess, "object", inspect)
	if len(ids) > 0 && !slices.Equal(ids, guess) {
		var again []byte
		inspected, again, stderr, _ = each(ids, "object", inspect)
		stdout = append(append(stdout, "again\n"...), again...)
	}
	stdout = fmt.Appendf(stdout, "seen 0 %d %s\n", inspected, strings.Join(ids, " "))
	if value("file") != "" {
		stdout = append(stdout, pins...)
	}
	return 0, stdout, stderr, nil
}

// each is how docker answers about several things: a line for each that it has.
func each(names []string, what string, inspect func(name string) string) (status int, stdout, stderr []byte, err error) {
	for _, name := range names {
		if line := inspect(name); line != "" {
			stdout = fmt.Appendln(stdout, line)
		} else {
			status, stderr = 1, fmt.Appendf(stderr, "Error: No such %s: %s\n", what, name)
		}
	}
	return status, stdout, stderr, nil
}

func (r *scripted) inspect(id string) string {
	for _, c := range r.containers {
		if c.id == id {
			return fmt.Sprintf(`{"id":%q,"name":"/shop-%[1]s","image_id":"sha256:of-%[2]s","ref":%[2]q,"restarts":0,"state":"running","health":"","service":%[3]q,"oneoff":"False","config_hash":%[2]q,%[4]s}`, c.id, c.image, c.service, labels)
		}
	}
	return ""
}

func (r *scripted) inspectImage(id string) string {
	ref := strings.TrimPrefix(id, "sha256:of-")
	return fmt.Sprintf(`{"id":"sha256:of-%s","digests":[%[1]q],"revision":"","version":""}`, ref)
}

// count is how many commands were asked whose line holds the words, since the last count.
func (r *scripted) count(words string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.asked {
		if strings.Contains(line, words) {
			n++
		}
	}
	r.asked = nil
	return n
}

func TestLook_AsksOnceWhatAnImageIs(t *testing.T) {
	v1, v2 := runbooktest.Release(1), runbooktest.Release(2)
	r, host := onRecorded(t, v2)
	look := func() runbook.View {
		t.Helper()
		view, err := host.Look(t.Context(), "shop")
		if err != nil {
			t.Fatal(err)
		}
		return view
	}
	for range 3 {
		if view := look(); !view.Runs(v2) {
			t.Fatalf("saw %+v, want v2", view.Services)
		}
	}
	if n := r.count("docker image inspect"); n != 1 {
		t.Errorf("docker was asked %d times what the images are, want once", n)
	}
	r.containers[0] = scriptedContainer{"api-2", "api", v1["api"]}
	if view := look(); view.Services[0].Image != v1["api"] {
		t.Errorf("saw %+v, want the api of v1", view.Services)
	}
	// What was there a moment ago is inspected while docker lists; what isn't there any more is no answer.
	r.containers = append(r.containers[:2], scriptedContainer{"api-3", "api", v1["api"]})
	if view := look(); view.Services[0].Containers != 2 || view.Services[2].Containers != 0 || !view.Stopped() {
		t.Errorf("saw %+v, want two containers of api and none of web", view.Services)
	}
}

// A plan that is made again is asked for with fewer calls of compose, which take five times as long as docker's.
func TestPreflight_AgainAsksComposeLess(t *testing.T) {
	r, host := onRecorded(t, runbooktest.Release(2))
	reports := map[bool]runbook.HostReport{}
	preflight := func(again bool) int {
		t.Helper()
		report, err := host.Preflight(t.Context(), again)
		if err != nil {
			t.Fatal(err)
		}
		reports[again] = report
		return r.count("docker compose")
	}
	// Its version, the stack with placeholders, its hashes of what runs, and the stack with the pins file as it stands.
	if n := preflight(false); n != 4 {
		t.Errorf("%d calls of compose, want 4", n)
	}
	if err := host.Prove(t.Context(), runbooktest.Release(1), runbook.FromPlan); err != nil {
		t.Error(err)
	}
	if n := r.count("docker compose"); n != 1 {
		t.Errorf("a proof takes %d calls of compose, want 1", n)
	}
	// What is left are the stack with placeholders and the hashes.
	if n := preflight(true); n != 2 {
		t.Errorf("made again it takes %d calls of compose, want 2", n)
	}
	if first, again := reports[false], reports[true]; !slices.Equal(first.Stack, again.Stack) || first.PinsFile != again.PinsFile || !slices.Equal(first.Running(), again.Running()) {
		t.Errorf("made again it reports %+v, and reported %+v", again, first)
	}
}
