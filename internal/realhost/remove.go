package realhost

import (
	"strings"
	"testing"
)

// RemoveFromHost removes images from this machine, whatever their tags, so that only the registry has them. No
// container may run them.
func RemoveFromHost(tb testing.TB, refs ...string) {
	tb.Helper()
	for _, ref := range refs {
		name, _, _ := strings.Cut(ref, "@")
		removeNames(tb, ImageID(tb, ref), name)
		if _, err := try("docker", "image", "inspect", ref); err == nil {
			tb.Fatalf("%s is still on this machine", ref)
		}
	}
}

// removeAll removes what a registry's images are called on this machine, and with its last name each image.
func removeAll(tb testing.TB, registry *Registry) {
	tb.Helper()
	prefix := registry.Addr() + "/"
	ids, err := try("docker", "images", "--no-trunc", "--quiet", "--filter", "reference="+prefix+"*/*")
	if err != nil {
		tb.Errorf("remove the images: %v", err)
	}
	for _, id := range lines(ids) {
		removeNames(tb, id, prefix)
	}
}

// removeNames takes the names that begin with the prefix away from an image. Another test may have the same image
// from a registry of its own: its names stay, and so does the image.
func removeNames(tb testing.TB, id, prefix string) {
	tb.Helper()
	withImages(tb, func() {
		for _, name := range namesOf(tb, id) {
			if strings.HasPrefix(name, prefix) {
				// The last tag takes the digests along, so a later name may be gone already.
				_, _ = try("docker", "image", "rm", name)
			}
		}
	})
}

// namesOf are an image's tags and digests, as name:tag and name@sha256:…; none if there is no such image any more.
func namesOf(tb testing.TB, image string) []string {
	tb.Helper()
	format := "{{range .RepoTags}}{{println .}}{{end}}{{range .RepoDigests}}{{println .}}{{end}}"
	out, err := try("docker", "image", "inspect", "--format", format, image)
	if err != nil {
		return nil
	}
	return lines(out)
}
