package compose

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"rollbackbot/runbook"
)

// formed is a host that renders templates as compose does, for as much of it as a value in the middle of a text, and that
// has some images.
type formed struct {
	t        *testing.T
	files    map[string]string   // by service, its image as the files have it
	more     string              // JSON of the first service besides
	pins     map[string]string   // what the pins file says
	images   map[string][]string // by digest reference: the tags that it has on the host
	running  map[string]string   // by service: by what its container was started
	rendered int
}

func (f *formed) Run(_ context.Context, cmd runbook.Command, _ []byte) (status int, stdout, stderr []byte, err error) {
	line := strings.Join(cmd.Args, " ")
	value := func(variable string) (value string) {
		for _, pair := range cmd.Env {
			if name, is, _ := strings.Cut(pair, "="); name == variable {
				return is
			}
		}
		return f.pins[variable]
	}
	switch {
	case strings.HasSuffix(line, "config --format json"):
		f.rendered++
		var services []string
		for _, name := range runbook.SortedKeys(f.files) {
			services = append(services, service(name, os.Expand(f.files[name], value), forLong))
		}
		if f.more != "" {
			services[0] = strings.TrimSuffix(services[0], "}") + ", " + os.Expand(f.more, value) + "}"
		}
		return 0, []byte(stack(services...)), nil, nil
	case strings.HasPrefix(line, "docker image inspect"):
		for _, ref := range cmd.Args[5:] {
			if tags, here := f.images[ref]; here {
				text, _ := json.Marshal(map[string][]string{"tags": tags, "digests": {ref}}) // texts always encode
				stdout = append(append(stdout, text...), '\n')
			}
		}
		return 0, stdout, nil, nil
	case isSeeing(cmd):
		return seen(cmd, runbook.SortedKeys(f.running), func(name string) string {
			return fmt.Sprintf(`{"id":%[1]q,"image_id":"i-%[1]s","ref":%[2]q,"state":"running","service":%[1]q}`, name, f.running[name])
		}, "")
	case strings.Contains(line, "docker ps"): // of all projects: the configured files are taken
		return 0, nil, nil, nil
	}
	f.t.Errorf("nobody expected the command %s", cmd)
	return 64, nil, nil, nil
}

func (f *formed) host(services ...runbook.Service) *appHost {
	app := recordedApp()
	app.Services = services
	return &appHost{app: app, host: one, shell: f}
}

func digest(c string) runbook.Digest { return runbook.Digest("sha256:" + strings.Repeat(c, 64)) }

// A value is found for every way in which a variable can name an image, and it is the one that compose makes the image of.
func TestPins_EachForm(t *testing.T) {
	ours := runbook.Image{Name: "ghcr.io/acme/shop-api", Digest: digest("b")}
	hub := runbook.Image{Name: "acme/api", Digest: digest("b")}
	for _, row := range []struct {
		file  string
		image runbook.Image
		want  string
	}{
		{"${V}", ours, ours.String()},
		{"ghcr.io/acme/shop-api@${V}", ours, string(digest("b"))},
		{"ghcr.io/acme/shop-api:v42@${V}", ours, string(digest("b"))},
		{"ghcr.io/acme/shop-api@sha256:${V}", ours, strings.Repeat("b", 64)},
		{"ghcr.io/acme/shop-api:${V}", ours, "rollback@" + string(digest("b"))},
		{"ghcr.io/acme/shop-api:release-${V}", ours, "rollback@" + string(digest("b"))},
		{"ghcr.io/acme/${V}", ours, "shop-api@" + string(digest("b"))},
		{"acme/api:${V}", hub, "rollback@" + string(digest("b"))},
		{"docker.io/acme/api:${V}", hub, "rollback@" + string(digest("b"))},
		{"index.docker.io/acme/api@${V}", hub, string(digest("b"))},
		{"docker.io/library/nginx@${V}", runbook.Image{Name: "nginx", Digest: digest("b")}, string(digest("b"))},
		{"localhost:5000/api:${V}", runbook.Image{Name: "localhost:5000/api", Digest: digest("b")}, "rollback@" + string(digest("b"))},
	} {
		host := &formed{t: t, files: map[string]string{"api": row.file}, pins: map[string]string{}}
		h := host.host(runbook.Service{Name: "api", Variable: "V"})
		images := map[string]runbook.Image{"api": row.image}
		pins, err := h.Pins(t.Context(), images)
		if err != nil || pins[0] != (runbook.Pin{Variable: "V", Value: row.want}) {
			t.Errorf("%s: the pins are %+v, %v; want %s", row.file, pins, err, row.want)
			continue
		}
		if err := h.Prove(t.Context(), images, runbook.FromPlan); err != nil {
			t.Errorf("%s: %v", row.file, err)
		}
		if got := h.tagWarnings(h.memory.recall().forms); len(got) > 0 {
			t.Errorf("%s: it warns %q", row.file, got)
		}
		host.pins["V"] = row.want
		if err := h.Prove(t.Context(), images, runbook.FromFile); err != nil {
			t.Errorf("%s, written: %v", row.file, err)
		}
		row.image.Digest = digest("c")
		if err := h.Prove(t.Context(), map[string]runbook.Image{"api": row.image}, runbook.FromFile); err == nil {
			t.Errorf("%s, with another digest: nothing was found", row.file)
		}
		if host.rendered != 4 {
			t.Errorf("%s: compose was asked %d times, want once for the form and once a proof", row.file, host.rendered)
		}
	}
}

var sharedTag = map[string]string{"api": "ghcr.io/acme/shop-api:${TAG}", "worker": "ghcr.io/acme/shop-worker:${TAG}"}

func sharedServices() []runbook.Service {
	return []runbook.Service{{Name: "api", Variable: "TAG"}, {Name: "worker", Variable: "TAG"}}
}

func sharedImages(c string) map[string]runbook.Image {
	return map[string]runbook.Image{
		"api": {Name: "ghcr.io/acme/shop-api", Digest: digest(c)}, "worker": {Name: "ghcr.io/acme/shop-worker", Digest: "sha256:1" + digest(c)[len("sha256:1"):]},
	}
}

// One tag for several services is a pin where it names all their images on the host.
func TestPins_OneTagForSeveral(t *testing.T) {
	api, worker := sharedImages("b")["api"].String(), sharedImages("b")["worker"].String()
	tags := func(repository string, tags ...string) (all []string) {
		for _, tag := range tags {
			all = append(all, "ghcr.io/acme/"+repository+":"+tag)
		}
		return all
	}
	for _, row := range []struct {
		name        string
		api, worker []string
		files       map[string]string
		want        string
	}{
		{"one tag", tags("shop-api", "v41"), tags("shop-worker", "v41"), sharedTag, "v41"},
		{"the one that says most", tags("shop-api", "latest", "stable", "v41", "v41.2"), tags("shop-worker", "latest", "stable", "v41", "v41.2"), sharedTag, "v41.2"},
		{"only what both have", tags("shop-api", "latest", "v41"), tags("shop-worker", "latest", "v40"), sharedTag, "latest"},
		{"in the middle", tags("shop-api", "r-v41-slim"), tags("shop-worker", "r-v41-slim"), map[string]string{"api": "ghcr.io/acme/shop-api:r-${TAG}-slim", "worker": "ghcr.io/acme/shop-worker:r-${TAG}-slim"}, "v41"},
		{"none in common", tags("shop-api", "v41"), tags("shop-worker", "v42"), sharedTag, ""},
		{"pulled by digest, without a tag", nil, nil, sharedTag, ""},
		{"of another repository", []string{"ghcr.io/acme/shop-api:v41"}, []string{"ghcr.io/other/shop-worker:v41"}, sharedTag, ""},
	} {
		host := &formed{t: t, files: row.files, pins: map[string]string{}, images: map[string][]string{api: row.api, worker: row.worker}}
		h := host.host(sharedServices()...)
		pins, err := h.Pins(t.Context(), sharedImages("b"))
		if row.want == "" {
			if err == nil {
				t.Errorf("%s: the pins are %v, want a refusal", row.name, pins)
			}
			continue
		}
		if want := []runbook.Pin{{Variable: "TAG", Value: row.want}, {Variable: "TAG", Value: row.want}}; err != nil || !slices.Equal(pins, want) {
			t.Errorf("%s: the pins are %v, %v; want %v", row.name, pins, err, want)
		}
		host.pins["TAG"] = row.want
		for _, from := range []runbook.PinSource{runbook.FromPlan, runbook.FromFile} {
			if err := h.Prove(t.Context(), sharedImages("b"), from); err != nil {
				t.Errorf("%s: %v", row.name, err)
			}
		}
		if got := h.tagWarnings(h.memory.recall().forms); !slices.Equal(got, []string{"TAG pins api and worker by one tag: who pulls it later gets what the registry has under it then"}) {
			t.Errorf("%s: it warns %q", row.name, got)
		}
		// The tag is moved to other images, which tags allow.
		host.images = map[string][]string{api: nil, worker: nil}
		if err := h.Prove(t.Context(), sharedImages("b"), runbook.FromFile); err == nil {
			t.Errorf("%s: that the tag was moved wasn't found", row.name)
		}
	}
}

// Where a tag holds several services' images, and none names them, each service gets a variable of its own: the lines are
// there to be copied, with what runs today.
func TestPins_LinesToWrite(t *testing.T) {
	images := sharedImages("b")
	one := sharedServices()[:1]
	for _, row := range []struct {
		name      string
		files     map[string]string
		more      string
		services  []runbook.Service
		what, fix string
	}{
		{
			"one tag for two", sharedTag, "", sharedServices(),
			fmt.Sprintf("TAG can hold no more than a tag for api and worker, and no tag on this host names exactly %s and %s", images["api"], images["worker"]),
			"Write `image: ${API_IMAGE}` for api and `image: ${WORKER_IMAGE}` for worker in the compose file, and API_IMAGE=ghcr.io/acme/shop-api:v42 and WORKER_IMAGE=ghcr.io/acme/shop-worker:v42 into infra/.env; set IMAGES to api=API_IMAGE,worker=WORKER_IMAGE",
		},
		{
			"another repository", map[string]string{"api": "ghcr.io/former/api@${TAG}"}, "", one,
			fmt.Sprintf("the compose file gives api the repository ghcr.io/former/api, so that no value of TAG makes it run %s", images["api"]),
			"Write `image: ${API_IMAGE}` for api in the compose file, and API_IMAGE=ghcr.io/acme/shop-api:v42 into infra/.env; set IMAGES to api=API_IMAGE",
		},
		{
			"a container's name", map[string]string{"api": "ghcr.io/acme/shop-api:${TAG}"}, `"container_name": "api-${TAG}"`, one,
			fmt.Sprintf("TAG can hold no digest, since the container_name of api is made of it as well, and no tag on this host names exactly %s", images["api"]),
			"Write `image: ${API_IMAGE}` for api in the compose file, and API_IMAGE=ghcr.io/acme/shop-api:v42 into infra/.env; set IMAGES to api=API_IMAGE",
		},
		{
			"a literal", map[string]string{"api": "ghcr.io/acme/shop-api:v42"}, "", []runbook.Service{{Name: "api", Variable: "API_REF"}},
			"api doesn't take its image from API_REF, so a rollback would change nothing",
			"Write `image: ${API_REF}` for api in the compose file, and API_REF=ghcr.io/acme/shop-api:v42 into infra/.env",
		},
	} {
		host := &formed{t: t, files: maps.Clone(row.files), more: row.more, images: map[string][]string{},
			running: map[string]string{}}
		for name := range row.files {
			host.running[name] = "ghcr.io/acme/shop-" + name + ":v42"
		}
		h := host.host(row.services...)
		_, err := h.Pins(t.Context(), images)
		wantProblem(t, err, row.what, row.fix)

		// Who writes the lines is let through.
		if _, pairs, changed := strings.Cut(row.fix, "set IMAGES to "); changed {
			h.app.Services = nil
			for _, pair := range strings.Split(pairs, ",") {
				name, variable, _ := strings.Cut(pair, "=")
				h.app.Services = append(h.app.Services, runbook.Service{Name: name, Variable: variable})
			}
		}
		for _, s := range h.app.Services {
			host.files[s.Name] = "${" + s.Variable + "}"
		}
		h.memory = memory{}
		if err := h.Prove(t.Context(), images, runbook.FromPlan); err != nil {
			t.Errorf("%s, after the fix: %v", row.name, err)
		}
	}
}

// What stands where any text may stand keeps no digest out.
func TestStrictPlaces(t *testing.T) {
	place := placeholder(runbook.Service{Variable: "TAG"})
	for text, want := range map[string]string{
		stack(service("api", place, `"environment": {"VERSION": "`+place+`"}`, `"labels": {"v": "`+place+`"}`, `"x-any": "`+place+`"`)): "",
		stack(service("api", place, `"hostname": "api-`+place+`"`)):                                                                     "the hostname of api",
		`{"name": "shop-` + place + `", "services": {}}`:                                                                                "the file's name",
		"no JSON": "",
	} {
		if got := strictPlaces([]byte(text))[place]; got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}
