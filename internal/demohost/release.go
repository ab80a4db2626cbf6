package demohost

import (
	"crypto/sha1"
	"encoding/hex"
	"slices"

	"rollbackbot/runbook"
)

// The versions of the shop that the registry holds.
const (
	V1 = "v1" // healthy
	V2 = "v2" // its api answers 503
)

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

// releaseOf finds a release by its version.
func releaseOf(version string) (Release, bool) {
	all := Releases()
	i := slices.IndexFunc(all, func(r Release) bool { return r.Version == version })
	if i < 0 {
		return Release{}, false
	}
	return all[i], true
}

func newRelease(version string, migration runbook.Migration) Release {
	r := Release{Version: version, Commit: commitOf(version), Migration: migration, Images: map[string]runbook.Image{}}
	for _, service := range services {
		r.Images[service] = serviceImage(service, version).named()
	}
	return r
}

func commitOf(version string) string {
	sum := sha1.Sum([]byte(version))
	return hex.EncodeToString(sum[:])
}

// services are those that go live together.
var services = []string{"api", "worker", "web"}

// repository is under a name that can't be anybody's: RFC 2606, section 2.
const repository = "registry.shop.example/shop/"

// serviceImage is the image of one service in one version. All share the lowest layer, as images do.
func serviceImage(service, version string) image {
	return image{
		repository: repository + service,
		config: imageConfig{
			Env: []string{"VERSION=" + version},
			Cmd: []string{service},
			Labels: map[string]string{
				"org.opencontainers.image.version":  version,
				"org.opencontainers.image.revision": commitOf(version),
			},
		},
		layers: []layer{newLayer("base", 2_412_857), newLayer(service+" "+version, 1_180_493)},
	}
}

// databaseImage is on a floating tag, as databases often are: what a rollback must leave alone.
func databaseImage() image {
	return image{
		repository: "postgres",
		tag:        "16-alpine",
		config:     imageConfig{Env: []string{"VERSION=16"}, Cmd: []string{"db"}},
		layers:     []layer{newLayer("base", 2_412_857), newLayer("postgres 16", 5_730_112)},
	}
}

// registry is all that can be fetched.
func registry() []image {
	images := []image{databaseImage()}
	for _, version := range []string{V1, V2} {
		for _, service := range services {
			images = append(images, serviceImage(service, version))
		}
	}
	return images
}

// imagesAtStart are on the host from the beginning: v2's, and v1's but for the web's. Somebody tidied that one away,
// so that a rollback has an image to fetch.
func imagesAtStart() []string {
	var refs []string
	for _, i := range registry() {
		if i.repository != repository+"web" || slices.Contains(i.config.Env, "VERSION="+V2) {
			refs = append(refs, i.ref())
		}
	}
	return refs
}
