package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"rollbackbot/runbook"
)

// Images finds images in their registries. Its methods may be called from any goroutine.
type Images struct{}

var _ runbook.Registry = Images{}

// Find follows an index to the manifest of the host's platform: retention deletes those, and leaves the index. The layers
// themselves are not asked for: registries delete no blob that a manifest still names, and each would be a call that counts.
//
// An image is denied only by a registry's own words for it, in its own format, while the registry shows something else of the
// repository: a page of a proxy, a refused login (as GHCR answers for what isn't there, too), a limit or an outage says nothing.
func (Images) Find(ctx context.Context, image runbook.Image, platform string, known []runbook.Image) (runbook.Found, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	ref, err := name.NewDigest(image.String())
	if err != nil {
		return runbook.Found{}, errors.New("no registry has an image of that name")
	}
	puller, err := remote.NewPuller(ask(ctx)...) // it logs in once
	if err != nil {
		return runbook.Found{}, problem(ctx, err)
	}
	found, err := puller.Get(ctx, ref)
	switch {
	case denied(err) && shows(ctx, puller, ref, known):
		return runbook.Found{Lacks: "the registry has no such manifest"}, nil
	case denied(err):
		return runbook.Found{}, errors.New("the registry shows nothing of its repository")
	case err != nil:
		return runbook.Found{}, problem(ctx, err)
	}
	if found.MediaType.IsIndex() {
		child, err := forPlatform(found, platform)
		switch {
		case errors.Is(err, errOtherPlatforms):
			return runbook.Found{Lacks: fmt.Sprintf("it is not built for %s, which this host is", platform)}, nil
		case err != nil:
			return runbook.Found{}, err
		}
		found, err = puller.Get(ctx, ref.Context().Digest(child.String()))
		switch {
		case denied(err):
			return runbook.Found{Lacks: fmt.Sprintf("the registry has its index, and no manifest for %s any more (%s)", platform, runbook.Digest(child.String()).Short())}, nil
		case err != nil:
			return runbook.Found{}, problem(ctx, err)
		}
	}
	layers, err := layersOf(found)
	if err != nil {
		return runbook.Found{}, problem(ctx, err)
	}
	return runbook.Found{Layers: layers}, nil
}

// ask are the options of every question: the login of docker on the bot's machine, bounded answers, asked once.
func ask(ctx context.Context) []remote.Option {
	return []remote.Option{
		remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain),
		remote.WithTransport(bounded{remote.DefaultTransport}), remote.WithRetryPredicate(func(error) bool { return false }),
	}
}

// denials are the codes with which registries say that they have no such manifest: the specification's
// (https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes), and Harbor's.
var denials = []transport.ErrorCode{transport.ManifestUnknownErrorCode, "NOT_FOUND"}

func denied(err error) bool {
	var refused *transport.Error
	return errors.As(err, &refused) && refused.StatusCode == http.StatusNotFound &&
		slices.ContainsFunc(refused.Errors, func(d transport.Diagnostic) bool { return slices.Contains(denials, d.Code) })
}

// shows reports whether the registry shows something else of a repository: a tag, or an image that it is known to have had.
func shows(ctx context.Context, puller *remote.Puller, ref name.Digest, known []runbook.Image) bool {
	if tags, err := puller.Lister(ctx, ref.Context()); err == nil && tags.HasNext() {
		if page, err := tags.Next(ctx); err == nil && len(page.Tags) > 0 {
			return true
		}
	}
	return slices.ContainsFunc(known[:min(len(known), 3)], func(other runbook.Image) bool {
		if string(other.Digest) == ref.DigestStr() {
			return false
		}
		_, err := puller.Get(ctx, ref.Context().Digest(string(other.Digest)))
		return err == nil
	})
}

var errOtherPlatforms = errors.New("the index has no image for the platform")

// forPlatform chooses from an index as engines do: https://github.com/containerd/platforms/blob/main/compare.go (Only).
func forPlatform(found *remote.Descriptor, platform string) (v1.Hash, error) {
	index, err := found.ImageIndex()
	if err != nil {
		return v1.Hash{}, errors.New("the registry's answer can't be read")
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return v1.Hash{}, errors.New("the registry's answer can't be read")
	}
	wanted, err := v1.ParsePlatform(platform)
	if err != nil || platform == "" {
		return v1.Hash{}, errors.New("the host's engine doesn't say for which platform it runs images")
	}
	for _, fits := range runnable(*wanted) {
		for _, m := range manifest.Manifests {
			if m.Platform != nil && plain(*m.Platform) == fits {
				return m.Digest, nil
			}
		}
	}
	for _, m := range manifest.Manifests {
		if m.Platform == nil && m.MediaType.IsImage() {
			return m.Digest, nil // its configuration says for what it is: the engine looks there
		}
	}
	return v1.Hash{}, errOtherPlatforms
}

// runnable are the platforms whose images run on one, the best first.
func runnable(p v1.Platform) (all []string) {
	own := plain(p)
	all = append(all, own)
	arm := 0
	switch p.Architecture {
	case "amd64":
		all = append(all, p.OS+"/386")
	case "arm64":
		arm = 8
	case "arm":
		arm, _ = strconv.Atoi(own[len(own)-1:])
		arm--
	}
	for ; arm >= 5; arm-- {
		all = append(all, fmt.Sprintf("%s/arm/v%d", p.OS, arm))
	}
	return all
}

// plain names a platform without a variant that goes without saying.
func plain(p v1.Platform) string {
	variant := p.Variant
	switch {
	case p.Architecture == "arm" && variant == "":
		variant = "v7"
	case p.Architecture == "arm64" && strings.TrimPrefix(variant, "v") == "8", p.Architecture == "amd64" && variant == "v1":
		variant = ""
	}
	return strings.TrimRight(p.OS+"/"+p.Architecture+"/"+variant, "/")
}

// layersOf are an image's layers. What they unpack to only its configuration says; without that they are counted whole.
func layersOf(found *remote.Descriptor) ([]runbook.Layer, error) {
	if !found.MediaType.IsImage() {
		return nil, fmt.Errorf("it is a %s", found.MediaType)
	}
	image, err := found.Image()
	if err != nil {
		return nil, err
	}
	manifest, err := image.Manifest()
	if err != nil {
		return nil, err
	}
	layers := make([]runbook.Layer, len(manifest.Layers))
	for i, layer := range manifest.Layers {
		layers[i].Bytes = layer.Size
	}
	if config, err := image.ConfigFile(); err == nil && len(config.RootFS.DiffIDs) == len(layers) {
		for i, content := range config.RootFS.DiffIDs {
			layers[i].Content = runbook.Digest(content.String())
		}
	}
	return layers, nil
}
