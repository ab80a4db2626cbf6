package registry

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"rollbackbot/runbook"
)

// shelf is a registry of this process with one repository, and another way in front of it that may have faults.
type shelf struct {
	t      *testing.T
	host   string
	inside http.Handler
	door   http.HandlerFunc // nil: the registry itself
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	s := &shelf{t: t, inside: registry.New(registry.Logger(log.New(io.Discard, "", 0)))}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.door != nil && r.URL.Path != "/v2/" {
			s.door(w, r)
			return
		}
		s.inside.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.host = strings.TrimPrefix(server.URL, "http://")
	return s
}

func (s *shelf) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *shelf) image(digest string) runbook.Image {
	return runbook.Image{Name: s.host + "/shop/api", Digest: runbook.Digest(digest)}
}

func (s *shelf) ref(identifier string) name.Reference {
	ref, err := name.ParseReference(s.host + "/shop/api" + identifier)
	s.must(err)
	return ref
}

// index is an OCI index as buildx pushes it: an image a platform, and an attestation.
func (s *shelf) index(platforms ...string) (image runbook.Image, children map[string]string) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	children = map[string]string{}
	for _, platform := range append(platforms, "unknown/unknown") {
		built, err := random.Image(1000, 3)
		s.must(err)
		p, err := v1.ParsePlatform(platform)
		s.must(err)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: mutate.MediaType(built, types.OCIManifestSchema1), Descriptor: v1.Descriptor{Platform: p}})
		digest, err := mutate.MediaType(built, types.OCIManifestSchema1).Digest()
		s.must(err)
		children[platform] = digest.String()
	}
	s.must(remote.WriteIndex(s.ref(":v1"), index))
	digest, err := index.Digest()
	s.must(err)
	return s.image(digest.String()), children
}

func (s *shelf) remove(digest string) { s.must(remote.Delete(s.ref("@" + digest))) }

func (s *shelf) find(image runbook.Image, platform string, known ...runbook.Image) (runbook.Found, error) {
	return Images{}.Find(s.t.Context(), image, platform, known)
}

func (s *shelf) wantLacks(image runbook.Image, platform, words string) {
	s.t.Helper()
	if found, err := s.find(image, platform); err != nil || !strings.Contains(found.Lacks, words) {
		s.t.Errorf("found %+v, %v; want that it lacks it: %s", found, err, words)
	}
}

func TestFind_LayersOfTheHostsPlatform(t *testing.T) {
	s := newShelf(t)
	image, _ := s.index("linux/amd64", "linux/arm64/v8", "linux/arm/v6")
	for _, platform := range []string{"linux/amd64", "linux/arm64", "linux/arm"} {
		found, err := s.find(image, platform)
		if err != nil || found.Lacks != "" || len(found.Layers) != 3 {
			t.Fatalf("%s: found %+v, %v", platform, found, err)
		}
		for _, layer := range found.Layers {
			if layer.Bytes < 1000 || layer.Content == "" {
				t.Errorf("%s: a layer is %+v", platform, layer)
			}
		}
	}
	s.wantLacks(image, "linux/s390x", "not built for linux/s390x")
	if found, err := s.find(image, ""); err == nil {
		t.Errorf("without a platform it found %+v", found)
	}
}

// Retention removes untagged manifests: the index is there, and nobody can pull it.
func TestFind_PlatformManifestDeleted(t *testing.T) {
	s := newShelf(t)
	image, children := s.index("linux/amd64", "linux/arm64")
	s.remove(children["unknown/unknown"])
	if found, err := s.find(image, "linux/amd64"); err != nil || found.Lacks != "" {
		t.Errorf("without the attestation it found %+v, %v", found, err)
	}
	s.remove(children["linux/amd64"])
	s.wantLacks(image, "linux/amd64", "no manifest for linux/amd64 any more")
	if found, err := s.find(image, "linux/arm64"); err != nil || found.Lacks != "" {
		t.Errorf("for the other platform it found %+v, %v", found, err)
	}
}

// An image is gone where its repository is seen to be there.
func TestFind_GoneAmongItsSiblings(t *testing.T) {
	s := newShelf(t)
	sibling, _ := s.index("linux/amd64")
	gone := s.image("sha256:" + strings.Repeat("0", 64))
	s.wantLacks(gone, "linux/amd64", "no such manifest")
	s.door = denying(http.StatusForbidden)
	if found, err := s.find(gone, "linux/amd64"); err == nil {
		t.Errorf("of a repository that shows nothing it found %+v", found)
	}
	// One that lists no tags, as to a login that may only pull, shows what a host once got.
	inside := s.inside
	s.door = func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/tags/list") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		inside.ServeHTTP(w, r)
	}
	if found, err := s.find(gone, "linux/amd64", gone, sibling); err != nil || found.Lacks == "" {
		t.Errorf("found %+v, %v", found, err)
	}
}

// denying has no manifest, and lists its tags with a status.
func denying(tags int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/tags/list") {
			w.WriteHeader(tags)
			return
		}
		answer(http.StatusNotFound, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}`)(w, r)
	}
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// Whatever else an answer is, it doesn't say that an image is gone.
func TestFind_NothingElseSaysGone(t *testing.T) {
	s := newShelf(t)
	image, _ := s.index("linux/amd64")
	for name, door := range map[string]http.HandlerFunc{
		"a proxy's page":                   answer(404, "<html><body><h1>404 Not Found</h1></body></html>"),
		"an empty 404":                     answer(404, ""),
		"a repository that isn't known":    answer(404, `{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]}`),
		"GHCR without a login":             answer(401, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`),
		"GHCR of what isn't there":         answer(403, `{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}`),
		"a limit":                          answer(429, `{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}`),
		"an outage":                        answer(503, "upstream connect error"),
		"an outage that says so otherwise": answer(500, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}`),
		"rubbish":                          answer(200, "<html>welcome</html>"),
		"a repository that shows nothing":  denying(401),
	} {
		s.door = door
		if found, err := s.find(image, "linux/amd64"); err == nil || found.Lacks != "" {
			t.Errorf("%s: found %+v, %v; want that it can't be told", name, found, err)
		} else if strings.Contains(err.Error(), s.host) {
			t.Errorf("%s: %v has an address", name, err)
		}
	}
}

// A registry that speaks HTTP and doesn't lie on loopback is none that this client reads; an engine may.
func TestFind_HTTPOnly(t *testing.T) {
	s := newShelf(t)
	_, port, _ := strings.Cut(s.host, ":")
	image := runbook.Image{Name: "registry-of-nobody.invalid:" + port + "/shop/api", Digest: runbook.Digest("sha256:" + strings.Repeat("0", 64))}
	if found, err := s.find(image, "linux/amd64"); err == nil || found.Lacks != "" {
		t.Errorf("found %+v, %v", found, err)
	}
}
