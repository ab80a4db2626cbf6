package watch

import (
	"strings"
	"testing"

	"rollbackbot/runbook"
)

// A fetch of which no person was asked leaves room for a database, and guesses nothing.
func TestNoRoom(t *testing.T) {
	const gib = 1 << 30
	image := runbook.Image{Name: "ghcr.io/acme/shop/api", Digest: "sha256:1"}
	for name, c := range map[string]struct {
		state      runbook.ImageState
		free, disk int64
		want       string
	}{
		"there is room":                       {runbook.ImageState{Bytes: 2 * gib}, 5 * gib, 20 * gib, ""},
		"as like the others of its name":      {runbook.ImageState{Bytes: 2 * gib, Guessed: true}, 5 * gib, 20 * gib, ""},
		"what is here needs none":             {runbook.ImageState{Here: true, Bytes: 100 * gib}, 5 * gib, 20 * gib, ""},
		"it doesn't fit":                      {runbook.ImageState{Bytes: 3600 << 20}, 300 << 20, 20 * gib, "needs about 3600 MiB on the disk of the images, and 300 MiB are free"},
		"it would take the last room":         {runbook.ImageState{Bytes: 2 * gib}, 3 * gib, 20 * gib, "2048 MiB stay free for everything else"},
		"at least 1 GiB stays":                {runbook.ImageState{Bytes: gib / 2}, gib, 4 * gib, "1024 MiB stay free"},
		"also where the disk isn't known":     {runbook.ImageState{Bytes: gib / 2}, gib, 0, "1024 MiB stay free"},
		"at most 10 GiB stay":                 {runbook.ImageState{Bytes: gib}, 12 * gib, 4000 * gib, ""},
		"nobody knows how large it is":        {runbook.ImageState{}, 100 * gib, 400 * gib, "how much room it needs is not known"},
		"nobody knows how much room there is": {runbook.ImageState{Bytes: 1}, -1, 0, "how much room is free"},
	} {
		c.state.Image = image
		got := noRoom([]runbook.ImageState{c.state}, runbook.HostReport{FreeBytes: c.free, DiskBytes: c.disk})
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want something about %q", name, got, c.want)
		}
	}
}
