package history

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"rollbackbot/runbook"
)

// reservedName is what means something else where a release is named.
var reservedName = regexp.MustCompile(`^(previous|r-[0-9a-f]{12}|sha256:.*)$`)

// BuildOf checks what labels say. A version alone is left out: images inherit it from what they are built on, as from
// ubuntu, whose own has one and no revision.
func BuildOf(revision, version string) runbook.Build {
	commit := strings.ToLower(strings.TrimSpace(revision))
	if !runbook.IsCommit(commit) {
		return runbook.Build{}
	}
	version = NameOf(version)
	return runbook.Build{Version: version, Commit: commit}
}

// NameOf is a text from elsewhere as a name in one line; "" where it is none, or may be a secret.
func NameOf(text string) string {
	text = strings.TrimSpace(text)
	odd := func(r rune) bool { return !unicode.IsPrint(r) } // controls, and what turns the direction of writing
	if !utf8.ValidString(text) || utf8.RuneCountInString(text) > runbook.MaxNoteText || strings.ContainsFunc(text, odd) ||
		reservedName.MatchString(text) || runbook.Mask(text) != text {
		return ""
	}
	return text
}

// lore is where a release's name and commit come from. A note wins over labels, and labels over the source.
type lore struct {
	note   runbook.Build
	labels runbook.Build // what all its images agree on
	shared bool          // another release has the same commit in its labels: they say nothing of either
	source runbook.Build // the version alone
	unsure string
	asked  string   // the commit that the source was asked for
	known  bool     // it was described
	lacks  []string // Missing
}

// described folds what was learnt of a release.
func (h *History) described(fact runbook.Described) {
	r := h.release(fact.Images)
	var differ string
	r.lore.labels, differ = agreed(fact)
	r.lore.source, r.lore.asked = runbook.Build{Version: fact.Version}, fact.Commit
	r.lore.known, r.lore.lacks = true, fact.Missing
	r.Author, r.URL = fact.Author, fact.URL
	r.lore.unsure = differ
	if commit := r.lore.labels.Commit; commit != "" {
		h.shares(r, commit)
	}
	r.settle()
}

// several stands in History.labelled where more than one release has a commit in its labels.
const several = "several"

// shares finds out whether another release has the same commit in its labels.
func (h *History) shares(r *knownRelease, commit string) {
	switch first := h.labelled[commit]; {
	case first == several:
		r.lore.shared = true
	case first == "" || first == r.ID || h.releases[first].lore.labels.Commit != commit:
		h.labelled[commit] = r.ID
	default:
		other := *h.releases[first]
		r.lore.shared, other.lore.shared = true, true
		other.settle()
		h.releases[first], h.labelled[commit] = &other, several
	}
}

// agreed is what the labels of all images say alike, and what they say where their commits differ. An image without
// them is no other opinion.
func agreed(d runbook.Described) (b runbook.Build, differ string) {
	var says []string
	for _, service := range runbook.SortedKeys(d.Labels) {
		label := d.Labels[service]
		says = append(says, service+" "+runbook.ShortCommit(label.Commit))
		if b.Commit == "" {
			b = label
			continue
		}
		if b.Commit != label.Commit {
			differ = "its images were built from different commits"
		}
		if b.Version != label.Version {
			b.Version = ""
		}
	}
	if differ != "" {
		return runbook.Build{}, differ + ": " + runbook.Truncate(strings.Join(says, ", "), runbook.MaxNoteText)
	}
	return b, ""
}

// settle says what the release is called and which commit it is.
func (r *knownRelease) settle() {
	labels := r.lore.labels
	r.Untold = r.lore.unsure
	if r.lore.shared {
		labels = runbook.Build{}
		r.Untold = "another release has the same commit in its images' labels, so they don't tell"
	}
	r.Version, r.Commit = r.lore.note.Version, r.lore.note.Commit
	if r.Version == "" {
		r.Version = labels.Version
	}
	if r.Commit == "" {
		r.Commit = labels.Commit
	} else {
		r.Untold = ""
	}
	asked := r.lore.asked != "" && strings.EqualFold(r.lore.asked, r.Commit)
	if r.Version == "" && asked {
		r.Version = r.lore.source.Version
	}
	if !asked {
		r.Author, r.URL = "", "" // they are about another commit
	}
	missing := slices.Clone(r.lore.lacks)
	if r.Untold != "" {
		missing = append([]string{r.Untold}, missing...)
	}
	r.Untold = strings.Join(missing, "; ")
}

// loreOf is zero for a release that nobody has seen or noted.
func (h History) loreOf(images map[string]runbook.Image) lore {
	if r := h.releases[runbook.ReleaseID(images)]; r != nil {
		return r.lore
	}
	return lore{}
}

// CommitOf is the commit of a release that is being described: by its note, or else by the labels in the fact. Empty where
// neither tells.
func (h History) CommitOf(d runbook.Described) string {
	l := h.loreOf(d.Images)
	if l.note.Commit != "" || l.shared {
		return strings.ToLower(l.note.Commit)
	}
	labels, _ := agreed(d)
	return labels.Commit
}

// TellsMore reports whether a fact says more of its release than what is known.
func (h History) TellsMore(d runbook.Described) bool {
	l := h.loreOf(d.Images)
	return !l.known || l.asked != d.Commit || len(d.Missing) < len(l.lacks)
}

// Undescribed is one of the latest releases about which something is to be asked.
func (h History) Undescribed(asked map[string]time.Time, source bool, now time.Time) (runbook.Release, bool) {
	for _, id := range slices.Backward(h.live[max(0, len(h.live)-describedLately):]) {
		r := h.releases[id]
		if r == nil {
			continue // the hosts differed
		}
		l := r.lore
		unasked := source && runbook.IsCommit(r.Commit) && !strings.EqualFold(l.asked, r.Commit)
		missing := len(l.lacks) > 0 && now.Sub(r.LastLiveAt) < describeFor
		if (!l.known || unasked || missing) && now.Sub(asked[id]) >= describeRetry {
			return r.Release, true
		}
	}
	return runbook.Release{}, false
}
