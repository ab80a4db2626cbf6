package runbook

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"time"
)

// Migration says whether a release brought a database migration, as far as its note tells.
type Migration string

// What a deployment note may say of a release's migration.
const (
	MigrationNone    Migration = "none"
	MigrationYes     Migration = "yes"
	MigrationUnknown Migration = "unknown"
)

// ParseMigration reads none, yes or unknown; the empty text is unknown.
func ParseMigration(s string) (Migration, bool) {
	switch m := Migration(s); m {
	case MigrationNone, MigrationYes, MigrationUnknown:
		return m, true
	case "":
		return MigrationUnknown, true
	}
	return MigrationUnknown, false
}

// Release is the images of all services that go live together. Two releases with the same images are the same release.
type Release struct {
	ID         string           `json:"id"`                // "r-" and 12 hex digits, made from Images
	Images     map[string]Image `json:"images"`            // by service
	Version    string           `json:"version,omitempty"` // by its note, or else its images' labels, or else the source; empty: not known
	Commit     string           `json:"commit,omitempty"`  // by its note, or else its images' labels; empty: not known
	Author     string           `json:"author,omitempty"`  // who deployed it, as the source names them; empty: not told
	URL        string           `json:"url,omitempty"`     // the source's page about it; empty: not told
	Untold     string           `json:"untold,omitempty"`  // what is not known of its commit and why, without a full stop
	Migration  Migration        `json:"migration"`
	Noted      bool             `json:"noted"`                // somebody noted it with `deployed`
	SeenAt     time.Time        `json:"seen_at,omitzero"`     // when it was first seen running; zero: never
	VerifiedAt time.Time        `json:"verified_at,omitzero"` // when it last became known-good; zero: never
	// FailedBack is the last rollback to it, where that failed and it was not seen healthy long enough since; empty: no such.
	FailedBack string    `json:"failed_back,omitempty"`
	Quarantine string    `json:"quarantine,omitempty"`  // the rollback that quarantined one of its images; empty: none
	LastLiveAt time.Time `json:"last_live_at,omitzero"` // when it last began to run, or was noted
	UpAt       time.Time `json:"up_at,omitzero"`        // when it was last seen to have come up on every host; zero: never
	// ConfigHashes are those that it last ran with, as Observed has them; nil: not known.
	ConfigHashes map[string][]string `json:"config_hashes,omitempty"`
	Hosts        []Host              `json:"hosts,omitempty"`     // on which it was last seen; nil: not known
	Tags         []string            `json:"tags,omitempty"`      // what was started by tag when it last came up; it is known by its digest all the same
	CheckedAt    time.Time           `json:"checked_at,omitzero"` // when its images were last looked for; zero: never
	Gone         []Image             `json:"gone,omitempty"`      // those of them that were on no host and in no registry then
	// FailingSince is when its health checks were first seen failing since it came up; zero: they passed when it was last
	// observed, or it is not known. Failure says what failed.
	FailingSince time.Time `json:"failing_since,omitzero"`
	Failure      string    `json:"failure,omitempty"`
	// Healthy is how long it ran healthy until HealthySince; HealthySince is zero where it doesn't run, or not healthy. A
	// history alone knows them: what is written of a release leaves them out.
	Healthy      time.Duration `json:"-"`
	HealthySince time.Time     `json:"-"`
}

// KnownGood reports whether the bot itself saw the release running and healthy long enough.
func (r Release) KnownGood() bool { return !r.VerifiedAt.IsZero() }

// Name is what people call the release: its version, or else its ID.
func (r Release) Name() string {
	if r.Version != "" {
		return r.Version
	}
	return r.ID
}

// ReleaseID is the same for the same images, by whatever name, at any time.
func ReleaseID(images map[string]Image) string {
	sum := sha256.New()
	for _, service := range slices.Sorted(maps.Keys(images)) {
		sum.Write([]byte(service + "=" + images[service].Canonical().String() + "\n"))
	}
	return "r-" + hex.EncodeToString(sum.Sum(nil))[:12]
}
