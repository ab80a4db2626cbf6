package runbook

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Facts that the Observer adds to an app's journal beside Observed, Diverged and Verified.
type (
	// Reconfigured is the configuration that the release which runs everywhere was seen to run with, where another one, or
	// none, was known.
	Reconfigured struct {
		Images       map[string]Image    `json:"images"`
		ConfigHashes map[string][]string `json:"config_hashes"` // as in Observed
	}
	// HealthChanged says that the release which runs everywhere began to fail its health checks, fails for another reason,
	// or passes them again. It is written at the look that saw it first, and not at those after it that see the same.
	HealthChanged struct {
		Images  map[string]Image `json:"images"`
		Healthy bool             `json:"healthy"`
		Reason  string           `json:"reason,omitempty"` // what failed, masked; empty where Healthy
	}
)

// Kind is the fact's name in the journal.
func (Reconfigured) Kind() string { return "reconfigured" }

// Kind is the fact's name in the journal.
func (HealthChanged) Kind() string { return "health_changed" }

// Build is what an image's labels say of what it was built from. Whoever built it chose these texts: they come through
// BuildOf, and are never more than a name.
type Build struct {
	Version string `json:"version,omitempty"` // org.opencontainers.image.version
	Commit  string `json:"commit,omitempty"`  // org.opencontainers.image.revision: 7 to 64 lower-case hex digits
}

// The labels that tie an image to its source: https://specs.opencontainers.org/image-spec/annotations/
const (
	LabelRevision = "org.opencontainers.image.revision"
	LabelVersion  = "org.opencontainers.image.version"
)

// Described is what is known of a release beside what it runs: what the labels of its images say, and what the source's
// history says of their commit. It is written once for a release, and again where more is known by then.
type Described struct {
	Images  map[string]Image `json:"images"`
	Labels  map[string]Build `json:"labels,omitempty"`  // by service; one without a usable label is left out
	Commit  string           `json:"commit,omitempty"`  // which the source was asked for; empty: it wasn't asked
	Version string           `json:"version,omitempty"` // what the source calls it
	Author  string           `json:"author,omitempty"`  // who deployed it, as the source names them
	URL     string           `json:"url,omitempty"`     // the source's page about it
	Missing []string         `json:"missing,omitempty"` // what could not be learnt and why, without full stops; masked
}

// Kind is the fact's name in the journal.
func (Described) Kind() string { return "described" }

// commitPattern is an abbreviated or whole commit: git abbreviates to 7 digits at least, and a SHA-256 has 64.
var commitPattern = regexp.MustCompile(`^[0-9a-f]{7,64}$`)

// IsCommit reports whether a text is an abbreviated or whole commit.
func IsCommit(text string) bool { return commitPattern.MatchString(strings.ToLower(text)) }

// ShortCommit is a commit as git abbreviates it; what isn't one stays as it is.
func ShortCommit(commit string) string {
	if len(commit) > 12 && IsCommit(commit) {
		return commit[:12]
	}
	return commit
}

// LabelReader reads images' labels where no host has the image: from its registry.
type LabelReader interface {
	// Labels gives what the image's labels say, as they are. An error is one for people, with nothing secret in it.
	Labels(ctx context.Context, image Image) (revision, version string, err error)
}

// Lacks notes what could not be learnt; it is masked and cut to 200 characters.
func (d *Described) Lacks(format string, args ...any) {
	d.Missing = append(d.Missing, Truncate(Mask(fmt.Sprintf(format, args...)), 200))
}

// Drifted says that hosts are not as they should be, and has been so for a while; people are told once of each point.
type Drifted struct {
	Key    string       `json:"key"`
	Points []DriftPoint `json:"points"`
}

// DriftPoint is one thing on one host.
type DriftPoint struct {
	Key  string `json:"key"`
	Host Host   `json:"host"`
	Text string `json:"text"` // without the host and without a full stop
}

// Kind is the fact's name in the journal.
func (Drifted) Kind() string { return "drifted" }

// SomeHosts names a few hosts, and counts them where there are more.
func SomeHosts(hosts []Host) string {
	const few = 3
	if len(hosts) > few {
		return fmt.Sprintf("%d hosts", len(hosts))
	}
	var names []string
	for _, host := range hosts {
		names = append(names, string(host))
	}
	return strings.Join(names, ", ")
}

// Suggested is written once for a release that meets one of the runbook's measured criteria, where the bot may suggest:
// people are told, and decide.
type Suggested struct {
	Release  string      `json:"release"` // the ID of the one to leave
	Target   string      `json:"target"`  // the ID of the one that a rollback would go to
	Evidence []Criterion `json:"evidence"`
}

// Kind is the fact's name in the journal.
func (Suggested) Kind() string { return "suggested" }

// SuggestionKey is the key of the bulletin that suggests to leave a release.
func SuggestionKey(release string) string { return "suggestion-" + release }

// Bulletin is a message about an app that belongs to no rollback: that the hosts drifted, or that a rollback is suggested.
// Each is posted once, and updated once where it doesn't stand any more.
type Bulletin struct {
	App        string
	Key        string // the same for the same message
	At         time.Time
	Drift      *Drifted   // one of the two
	Suggestion *Suggested // is there
	Running    Release    // for a suggestion: the release that it is about
	Target     Release    // for a suggestion: where a rollback would have gone then
	Withdrawn  string     // why it doesn't stand any more, without a full stop; empty: it does
	Post       Post       // where it is; without a TS: not known to be anywhere
	Closed     bool       // it was brought to its last state
}

// NoticeClosed says that a bulletin which doesn't stand any more says so in Slack.
type NoticeClosed struct {
	Key string `json:"key"`
}

// Kind is the fact's name in the journal.
func (NoticeClosed) Kind() string { return "notice_closed" }

// NoticeBulletin is the kind of notice that a Bulletin is.
const NoticeBulletin NoticeKind = "bulletin"

// ImagesChecked is the result of the daily look at the images of the release that a rollback would go to.
type ImagesChecked struct {
	Release string           `json:"release"` // its ID
	Images  map[string]Image `json:"images"`
	Hosts   []ImagesOnHost   `json:"hosts"`
	Absent  []Image          `json:"absent,omitempty"` // the registry says that it has no such image
	Gone    []Image          `json:"gone,omitempty"`   // those of them that are on no host either
}

// ImagesOnHost is what one host has of them.
type ImagesOnHost struct {
	Host    Host    `json:"host"`
	Missing []Image `json:"missing,omitempty"` // still, at the end of the look
	Fetched []Image `json:"fetched,omitempty"` // were missing, and are there now
	Problem string  `json:"problem,omitempty"` // why something is missing still, or could not be seen; masked
}

// Kind is the fact's name in the journal.
func (ImagesChecked) Kind() string { return "images_checked" }

// Examined says that the daily checkup was done. What is wrong stands in it only where that is news.
type Examined struct {
	Notice string    `json:"notice,omitempty"` // the key under which the channel is told; empty: it is as it was, and nobody is told
	Wrong  []Trouble `json:"wrong,omitempty"`  // sorted, masked; none beside a Notice: all is well again
	More   int       `json:"more,omitempty"`   // how many more there are
}

// Trouble is what a checkup found wrong.
type Trouble struct {
	About  string `json:"about"`
	Seen   string `json:"seen"`
	Remedy string `json:"remedy,omitempty"`
}

// Kind is the fact's name in the journal.
func (Examined) Kind() string { return "examined" }

// Examination is what the channel is told of a daily checkup.
type Examination struct {
	Examined
	At time.Time
}

// NoticeCheckup is the kind of notice that tells of an Examination, at top level.
const NoticeCheckup NoticeKind = "checkup"
