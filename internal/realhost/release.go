package realhost

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
)

// Behaviour is what the api of a release does once deployed.
type Behaviour string

// The behaviours of an api.
const (
	Good     Behaviour = "good"     // /health answers 200
	Sick     Behaviour = "sick"     // /health answers 503
	Crashing Behaviour = "crashing" // the process exits with status 1 at its start, and compose restarts it
)

// Release is one version of the app, from which the images api, worker and web are built.
type Release struct {
	Version string // also the tag of its images and their org.opencontainers.image.version
	// API is what its api does; empty means Good.
	API Behaviour
	// Schema is the version of the database schema that its migrate service brings about. A release with a higher
	// one than its predecessor comes with a migration.
	Schema int
	// HealthCheck gives the api's image a HEALTHCHECK that docker runs every second.
	HealthCheck bool
	// Build makes the images others than those of any other build: where the same image is there under another name,
	// of a test beside this one, the engine has nothing to fetch. Empty: the same images in every test.
	Build string
}

// The releases that BuildImages builds unless told otherwise. V2 and V3 come with a migration.
var (
	V1 = Release{Version: "v1", API: Good, Schema: 1}
	V2 = Release{Version: "v2", API: Sick, Schema: 2}
	V3 = Release{Version: "v3", API: Crashing, Schema: 2}
)

// Commit is the release's org.opencontainers.image.revision: 40 hex digits, always the same for a version.
func (r Release) Commit() string {
	sum := sha1.Sum([]byte(r.Version))
	return hex.EncodeToString(sum[:])
}

// dockerfile is the recipe of one service's image. The program comes first and is the same in every image, so that
// they share the one layer that has a size.
func (r Release) dockerfile(service string) string {
	behaviour := r.API
	if behaviour == "" {
		behaviour = Good
	}
	text := fmt.Sprintf(`FROM scratch
COPY app /app
ENV VERSION=%s BEHAVIOUR=%s SCHEMA=%d
LABEL org.opencontainers.image.version=%[1]s org.opencontainers.image.revision=%[4]s
ENTRYPOINT ["/app"]
CMD ["%[5]s"]
`, r.Version, behaviour, r.Schema, r.Commit(), service)
	if r.Build != "" {
		text += "LABEL build=" + r.Build + "\n"
	}
	if r.HealthCheck && service == "api" {
		// The exec form: an image from scratch has no shell to run the other.
		text += `HEALTHCHECK --interval=1s --timeout=2s --retries=2 CMD ["/app", "healthcheck"]` + "\n"
	}
	return text
}
