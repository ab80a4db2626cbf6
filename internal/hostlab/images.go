package hostlab

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Form is how an image lies in a registry.
type Form string

// The forms: one manifest as `docker push` makes it, and what buildx pushes, an OCI index over OCI manifests.
const (
	Docker Form = "docker"
	OCI    Form = "oci"
)

// App is an image with the tests' program alone in it: it needs no engine to be built.
type App struct {
	Role    string // what its program does: api, worker, web, db
	Version string // that of its label, and what the api's /health says
	Sick    bool   // /health answers 503
	Form    Form   // Docker where it is empty
	// Weight is how many bytes its manifest says that one more layer of it has, which no other image has; 0: there is none.
	// What nobody is to fetch can be of any size so.
	Weight int64
}

// Push puts an image into the registry under a repository and a tag, and gives its reference by digest.
func (l *Lab) Push(repository, tag string, app App) (string, error) {
	ref, err := name.NewTag(fmt.Sprintf("%s/%s:%s", l.registry, repository, tag), name.Insecure)
	if err != nil {
		return "", err
	}
	if app.Weight > 0 {
		// As it is, first: what a registry has is not sent again under the other size.
		if err := remote.WriteLayer(ref.Context(), app.ballast(types.OCILayer)); err != nil {
			return "", err
		}
	}
	image, err := app.image()
	if err != nil {
		return "", err
	}
	var pushed interface{ Digest() (v1.Hash, error) } = image
	if app.Form == OCI {
		index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: runtime.GOARCH}},
		})
		pushed, err = index, remote.WriteIndex(ref, index)
	} else {
		err = remote.Write(ref, image)
	}
	if err != nil {
		return "", err
	}
	digest, err := pushed.Digest()
	return fmt.Sprintf("%s/%s@%s", l.registry, repository, digest), err
}

func (a App) image() (v1.Image, error) {
	manifest, config, layer := types.DockerManifestSchema2, types.DockerConfigJSON, types.DockerLayer
	if a.Form == OCI {
		manifest, config, layer = types.OCIManifestSchema1, types.OCIConfigJSON, types.OCILayer
	}
	content, err := programLayer()
	if err != nil {
		return nil, err
	}
	program, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}, tarball.WithMediaType(layer))
	if err != nil {
		return nil, err
	}
	layers := []v1.Layer{program}
	if a.Weight > 0 {
		layers = append(layers, weighed{a.ballast(layer), a.Weight})
	}
	image, err := mutate.AppendLayers(mutate.ConfigMediaType(mutate.MediaType(empty.Image, manifest), config), layers...)
	if err != nil {
		return nil, err
	}
	behaviour := "good"
	if a.Sick {
		behaviour = "sick"
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", runtime.GOARCH
	file.Config = v1.Config{
		Entrypoint: []string{"/app"}, Cmd: []string{a.Role},
		Env: []string{"VERSION=" + a.Version, "BEHAVIOUR=" + behaviour},
		// The containers have them, too.
		Labels: map[string]string{"org.opencontainers.image.version": a.Version, "role": a.Role},
	}
	return mutate.ConfigFile(image, file)
}

// ballast is a layer that no other image has.
func (a App) ballast(of types.MediaType) v1.Layer {
	return static.NewLayer([]byte(a.Role+a.Version), of)
}

// weighed is a layer of which the manifest says another size.
type weighed struct {
	v1.Layer
	bytes int64
}

func (l weighed) Size() (int64, error) { return l.bytes, nil }

// programLayer is a layer with the tests' program, built once per process.
var programLayer = sync.OnceValues(func() ([]byte, error) {
	folder, err := os.MkdirTemp("", "rollbackbot-app-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	binary := filepath.Join(folder, "app")
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "rollbackbot/internal/realhost/app")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the tests' program: %w: %s", err, out)
	}
	program, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	// Packed here, once: who is given it unpacked packs it again for each image.
	var layer bytes.Buffer
	packed := gzip.NewWriter(&layer)
	w := tar.NewWriter(packed)
	if err := w.WriteHeader(&tar.Header{Name: "app", Mode: 0o755, Size: int64(len(program))}); err != nil {
		return nil, err
	}
	if _, err := w.Write(program); err != nil {
		return nil, err
	}
	if err := errors.Join(w.Close(), packed.Close()); err != nil {
		return nil, err
	}
	return layer.Bytes(), nil
})

// DeleteChildren deletes the manifests below an index, as a clean-up of what has no tag does.
func (l *Lab) DeleteChildren(index string) error {
	ref, err := name.NewDigest(index, name.Insecure)
	if err != nil {
		return err
	}
	found, err := remote.Index(ref)
	if err != nil {
		return err
	}
	manifest, err := found.IndexManifest()
	if err != nil {
		return err
	}
	for _, child := range manifest.Manifests {
		if err := remote.Delete(ref.Context().Digest(child.Digest.String())); err != nil {
			return err
		}
	}
	return nil
}
