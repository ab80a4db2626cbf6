package realhost

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rollbackbot/internal/parts"
)

// Images are references of the form name@sha256:… by version and service, as in images["v1"]["api"].
type Images map[string]map[string]string

// Services are the services of a release, each with an image of its own, in the order of the product's default.
func Services() []string { return []string{"api", "worker", "web"} }

// BuildImages builds the images of the releases (without any: V1, V2 and V3) and of the database with the real
// engine, and pushes them. Afterwards all of them are on this machine too, as after a deployment; RemoveFromHost
// makes one absent. They are removed with the test.
func BuildImages(tb testing.TB, registry *Registry, releases ...Release) Images {
	tb.Helper()
	parts.Docker(tb)
	if len(releases) == 0 {
		releases = []Release{V1, V2, V3}
	}
	tb.Cleanup(func() { removeAll(tb, registry) })
	builder := newBuilder(tb)
	images := Images{}
	for _, release := range releases {
		images[release.Version] = map[string]string{}
		for _, service := range Services() {
			tag := registry.Addr() + "/shop/" + service + ":" + release.Version
			images[release.Version][service] = builder.push(release.dockerfile(service), tag)
		}
	}
	builder.floatingDatabase(databaseRef(registry))
	return images
}

// databaseRef is the floating tag of the stack's database.
func databaseRef(registry *Registry) string { return registry.Addr() + "/shop/db:15" }

// builder builds images in one folder that holds the program.
type builder struct {
	tb     testing.TB
	folder string
}

func newBuilder(tb testing.TB) builder {
	tb.Helper()
	app, err := appBinary()
	if err != nil {
		tb.Fatalf("build the test app: %v\n%s", err, app)
	}
	folder := tb.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "app"), app, 0o755); err != nil {
		tb.Fatal(err)
	}
	// The engine's build cache looks at the content and the mode of a file only, so the program's layer is the same
	// in every test.
	return builder{tb, folder}
}

// build builds and tags an image.
func (b builder) build(dockerfile, tag string) {
	b.tb.Helper()
	if err := os.WriteFile(filepath.Join(b.folder, "Dockerfile"), []byte(dockerfile), 0o600); err != nil {
		b.tb.Fatal(err)
	}
	withImages(b.tb, func() {
		// The classic builder: an engine 20.10 without buildx has no other.
		run(b.tb, "env", "DOCKER_BUILDKIT=0", "docker", "build", "--quiet", "--tag", tag, b.folder)
	})
}

// push builds an image, pushes it and gives its reference by digest.
func (b builder) push(dockerfile, tag string) string {
	b.tb.Helper()
	b.build(dockerfile, tag)
	run(b.tb, "docker", "push", "--quiet", tag)
	name := tag[:strings.LastIndex(tag, ":")]
	for _, ref := range namesOf(b.tb, tag) {
		if strings.HasPrefix(ref, name+"@") {
			return ref
		}
	}
	b.tb.Fatalf("no digest of %s after its push", tag)
	return ""
}

// floatingDatabase pushes two images one after the other to the same tag and leaves the first under it on this
// machine: whoever pulls that tag replaces the database.
func (b builder) floatingDatabase(tag string) {
	b.tb.Helper()
	b.push(databaseDockerfile("15.1"), tag)
	first := ImageID(b.tb, tag)
	b.push(databaseDockerfile("15.2"), tag)
	run(b.tb, "docker", "tag", first, tag)
}

func databaseDockerfile(version string) string {
	return "FROM scratch\nCOPY app /app\nENV VERSION=" + version + "\nENTRYPOINT [\"/app\"]\nCMD [\"db\"]\n"
}
