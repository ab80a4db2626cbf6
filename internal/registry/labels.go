// Package registry reads what a registry says of images that lie on no host. It implements runbook.LabelReader and
// runbook.Registry.
//
// It signs in as docker on the bot's own machine does, by the keychain that `docker login` fills there, or not at all.
package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"rollbackbot/runbook"
)

const (
	// timeout bounds all calls for one image: the host's login, its manifest and its configuration.
	timeout = 10 * time.Second
	// maxAnswer bounds an answer in bytes: a manifest is at most 4 MiB, which registries refuse to take above:
	// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests
	maxAnswer = 8 << 20
)

// Labels reads images' labels. Its methods may be called from any goroutine.
type Labels struct{}

var _ runbook.LabelReader = Labels{}

// Labels gives the two labels of an image; of an image for several platforms, those of the one for linux on amd64, or
// else of the first. The errors say why not, and neither address nor login.
func (Labels) Labels(ctx context.Context, image runbook.Image) (revision, version string, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	ref, err := name.NewDigest(image.String())
	if err != nil {
		return "", "", errors.New("no registry has an image of that name")
	}
	found, err := read(ref, ask(ctx)...)
	if err != nil {
		return "", "", problem(ctx, err)
	}
	return found[runbook.LabelRevision], found[runbook.LabelVersion], nil
}

func read(ref name.Digest, options ...remote.Option) (map[string]string, error) {
	descriptor, err := remote.Get(ref, options...)
	if err != nil {
		return nil, err
	}
	image, err := descriptor.Image()
	if err != nil {
		index, otherwise := descriptor.ImageIndex()
		if otherwise != nil {
			return nil, err
		}
		if image, otherwise = first(index); otherwise != nil {
			return nil, err
		}
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	return config.Config.Labels, nil
}

// first is the first image of an index that is for a platform.
func first(index v1.ImageIndex) (v1.Image, error) {
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	for _, m := range manifest.Manifests {
		if m.Platform != nil && m.Platform.OS != "unknown" { // as attestations have it
			return index.Image(m.Digest)
		}
	}
	return nil, errors.New("an index without images")
}

// problem says for people why a registry didn't tell.
func problem(ctx context.Context, err error) error {
	var refused *transport.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil:
		return errors.New("the registry didn't answer in time")
	case !errors.As(err, &refused):
		return errors.New("the registry can't be reached from the bot's machine, or its answer can't be read")
	case refused.StatusCode == http.StatusUnauthorized || refused.StatusCode == http.StatusForbidden:
		return errors.New("the registry doesn't let the bot's machine read the image (`docker login` there)")
	case refused.StatusCode == http.StatusNotFound:
		return errors.New("the registry has no such image")
	}
	return fmt.Errorf("the registry answers with status %d", refused.StatusCode)
}

// bounded keeps an answer from filling the memory.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.next.RoundTrip(r)
	if err == nil {
		answer.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(answer.Body, maxAnswer), answer.Body}
	}
	return answer, err
}
