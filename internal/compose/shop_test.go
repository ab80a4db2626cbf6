package compose_test

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/rs/zerolog"

	"rollbackbot/internal/parts"
	"rollbackbot/internal/realhost"
	"rollbackbot/runbook"
	"rollbackbot/runbook/hosttest"
)

var quiet = zerolog.Nop()

// shop is what all benches share: the registry, the releases that lie on the engine, and the lanes.
type shop struct {
	registry *realhost.Registry
	images   realhost.Images
	lanes    chan *lane
}

// releases are those that are built. The engine has them under no other name, so that a release that another test built
// can't stand in for one of these.
func releases() map[hosttest.Which]realhost.Release {
	build := strings.ToLower(rand.Text())
	return map[hosttest.Which]realhost.Release{
		hosttest.Former:  {Version: string(hosttest.Former), Build: build},
		hosttest.Current: {Version: string(hosttest.Current), Build: build},
	}
}

func newShop(tb testing.TB) *shop {
	tb.Helper()
	parts.Compose(tb)
	parts.SSHD(tb)
	s := &shop{registry: realhost.StartRegistry(tb), lanes: make(chan *lane, laneCount)}
	built := releases()
	s.images = realhost.BuildImages(tb, s.registry, built[hosttest.Former], built[hosttest.Current])
	for range laneCount {
		s.lanes <- newLane(tb)
	}
	return s
}

// release is one of those on the engine.
func (s *shop) release(which hosttest.Which) hosttest.Release {
	r := hosttest.Release{Images: map[string]runbook.Image{}, Labels: map[string]runbook.Label{}}
	for service, ref := range s.images[string(which)] {
		r.Images[service] = imageOf(ref)
		r.Labels[service] = runbook.Label{Revision: realhost.Release{Version: string(which)}.Commit(), Version: string(which)}
	}
	return r
}

// imageOf is a reference of this package's own making.
func imageOf(ref string) runbook.Image {
	image, err := runbook.ParseImage(ref)
	if err != nil {
		panic(err)
	}
	return image
}

// nowhere are images that nobody ever pushed, in repositories that are there.
func (s *shop) nowhere() map[string]runbook.Image {
	images := map[string]runbook.Image{}
	for i, service := range realhost.Services() {
		digest := "sha256:" + strings.Repeat("0", 63) + string(rune('1'+i))
		images[service] = runbook.Image{Name: s.registry.Addr() + "/shop/" + service, Digest: runbook.Digest(digest)}
	}
	return images
}

// pushRemote pushes images that the engine never saw: those of Former with a label more. All benches have one engine, so
// that each needs images of its own.
func (b *bench) pushRemote() map[string]runbook.Image {
	b.tb.Helper()
	images := map[string]runbook.Image{}
	for service, image := range b.Release(hosttest.Former).Images {
		pushed, err := pushLabelled(image, "bench", b.app.Name)
		if err != nil {
			b.tb.Fatalf("push another image of %s: %v", service, err)
		}
		images[service] = pushed
	}
	return images
}

// pushLabelled pushes an image that is in the registry once more, under a tag, with a label more.
func pushLabelled(image runbook.Image, label, value string) (runbook.Image, error) {
	ref, err := name.ParseReference(image.String())
	if err != nil {
		return runbook.Image{}, err
	}
	former, err := remote.Image(ref)
	if err != nil {
		return runbook.Image{}, err
	}
	config, err := former.ConfigFile()
	if err != nil {
		return runbook.Image{}, err
	}
	config = config.DeepCopy()
	config.Config.Labels[label] = value
	labelled, err := mutate.ConfigFile(former, config)
	if err != nil {
		return runbook.Image{}, err
	}
	digest, err := labelled.Digest()
	if err != nil {
		return runbook.Image{}, err
	}
	return runbook.Image{Name: image.Name, Digest: runbook.Digest(digest.String())}, remote.Write(ref.Context().Tag(value), labelled)
}

// newFolder is a folder of the test that other accounts may enter.
func newFolder(tb testing.TB) string {
	tb.Helper()
	folder := filepath.Join(os.TempDir(), "rollbackbot-bench-"+strings.ToLower(rand.Text()))
	if err := os.Mkdir(folder, 0o755); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			tb.Error(err)
		}
	})
	return folder
}
