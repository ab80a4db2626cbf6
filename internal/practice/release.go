package practice

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"rollbackbot/runbook"
)

// The versions of the shop that the registry holds.
const (
	V1 = "v1" // healthy
	V2 = "v2" // its api answers 503
)

// services are those that go live together.
var services = []string{"api", "worker", "web"}

// repository is under a name that can't be anybody's: RFC 2606, section 2.
const repository = "registry.shop.example/shop/"

// Release is one version of the shop, as its deployment note would tell.
type Release struct {
	Version   string
	Commit    string                   // 40 hex digits, always the same for a version
	Migration runbook.Migration        // yes for V2: it came with one, and whether that may stay is the lead's to say
	Images    map[string]runbook.Image // by service: api, worker, web
}

// Releases gives what may be deployed, oldest first. It is the same on every host.
func Releases() []Release {
	return []Release{newRelease(V1, runbook.MigrationNone), newRelease(V2, runbook.MigrationYes)}
}

func newRelease(version string, migration runbook.Migration) Release {
	commit := sha1.Sum([]byte(version))
	r := Release{Version: version, Commit: hex.EncodeToString(commit[:]), Migration: migration, Images: map[string]runbook.Image{}}
	for _, service := range services {
		digest := sha256.Sum256([]byte(service + " " + version))
		r.Images[service] = runbook.Image{Name: repository + service, Digest: runbook.Digest("sha256:" + hex.EncodeToString(digest[:]))}
	}
	return r
}

// imagesOf are a version's images by service; nil for a version that Releases doesn't name.
func imagesOf(version string) map[string]runbook.Image {
	i := slices.IndexFunc(Releases(), func(r Release) bool { return r.Version == version })
	if i < 0 {
		return nil
	}
	return Releases()[i].Images
}
