package compose

import (
	"strings"
	"testing"

	"github.com/distribution/reference"

	"rollbackbot/runbook"
)

// The engine's own library is the judge of which names are one repository.
func TestRepositoryOf_AsTheEngineReadsNames(t *testing.T) {
	for _, name := range []string{
		"nginx", "library/nginx", "docker.io/nginx", "docker.io/library/nginx", "index.docker.io/library/nginx", "index.docker.io/nginx",
		"acme/api", "docker.io/acme/api", "index.docker.io/acme/api", "docker.io/library/acme/api", "library/acme/api",
		"ghcr.io/acme/shop/api", "ghcr.io:443/acme/api", "localhost/api", "localhost:5000/api", "127.0.0.1:5000/library/api", "registry.lan:5000/api",
		"registry-1.docker.io/acme/api", "docker.io:443/acme/api", "Registry/acme/api",
	} {
		named, err := reference.ParseNormalizedNamed(name)
		if err != nil {
			t.Fatal(err)
		}
		got := runbook.RepositoryOf(name)
		if again, err := reference.ParseNormalizedNamed(got); err != nil || again.Name() != named.Name() {
			t.Errorf("%q is %q, and the engine takes that for %v (%v), want %v", name, got, again, err, named)
		}
		if short := reference.FamiliarName(named); got != short {
			t.Errorf("%q is %q, and the engine prints it as %q", name, got, short)
		}
	}
}

func TestParseImage_OneNameForARepository(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("a1", 32)
	for one, names := range map[string][]string{
		"acme/api":          {"acme/api", "docker.io/acme/api", "index.docker.io/acme/api", "Docker.IO/acme/api"},
		"nginx":             {"nginx", "library/nginx", "docker.io/nginx", "docker.io/library/nginx", "index.docker.io/library/nginx"},
		"ghcr.io/acme/api":  {"ghcr.io/acme/api", "GHCR.io/acme/api"},
		"localhost:5000/a":  {"localhost:5000/a", "LOCALHOST:5000/a"},
		"localhost/a":       {"localhost/a", "LOCALHOST/a"},
		"ghcr.io:443/a/b":   {"ghcr.io:443/a/b"}, // docker keeps two entries, and two logins
		"library/acme/api":  {"library/acme/api", "docker.io/library/acme/api"},
		"Registry/acme/api": {"Registry/acme/api"}, // without its case it would be Docker Hub's
	} {
		for _, name := range names {
			if image, err := runbook.ParseImage(name + digest); err != nil || image.String() != one+digest {
				t.Errorf("%s is %s, %v; want %s", name, image, err, one)
			}
			if got := runbook.RepositoryOf(name + ":v1"); got != one {
				t.Errorf("%s:v1 is of %s, want %s", name, got, one)
			}
		}
	}
}
