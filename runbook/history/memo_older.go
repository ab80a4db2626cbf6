package history

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"slices"
	"strings"

	"rollbackbot/runbook"
)

// markLength is how many bytes stand for a name that a memo leaves out. They are 48 bits of its hash: where two names had
// the same, the journal would be read although it need not be.
const markLength = 8

func markOf(name string) string {
	sum := sha256.Sum256([]byte(name))
	return base64.RawURLEncoding.EncodeToString(sum[:markLength*6/8])
}

// parted gives the releases that are kept, the one that went live last first, and the marks of what is not: of the other
// releases, of the commits in their images' labels, and of blocked digests that no kept release has.
func (h History) parted() (kept []*knownRelease, older string) {
	kept = slices.SortedFunc(maps.Values(h.releases), laterLive)
	var marks []string
	for _, r := range kept[min(Recent, len(kept)):] {
		marks = append(marks, markOf(r.ID))
		if commit := r.lore.labels.Commit; commit != "" {
			marks = append(marks, markOf(commit))
		}
	}
	kept = kept[:min(Recent, len(kept))]
	held := h.blockedIn(kept)
	for digest := range h.quarantine {
		if _, ok := held[digest]; !ok {
			marks = append(marks, markOf(string(digest)))
		}
	}
	for at := 0; at < len(h.older); at += markLength {
		marks = append(marks, h.older[at:at+markLength])
	}
	slices.Sort(marks)
	return kept, strings.Join(slices.Compact(marks), "")
}

// laterLive orders releases, the one that went live last first.
func laterLive(a, b *knownRelease) int {
	return cmp.Or(b.LastLiveAt.Compare(a.LastLiveAt), strings.Compare(a.ID, b.ID))
}

// blockedIn is the quarantine of these releases' images.
func (h History) blockedIn(releases []*knownRelease) map[runbook.Digest]string {
	held := map[runbook.Digest]string{}
	for _, r := range releases {
		for _, image := range r.Images {
			if rollback, blocked := h.quarantine[image.Digest]; blocked {
				held[image.Digest] = rollback
			}
		}
	}
	return held
}

// Short reports that older releases or rollbacks are left out: the history began with what a Chronicle has kept.
func (h History) Short() bool { return h.short }

// leavesOut reports whether one of the events is about something that was left out, so that it can't be folded.
func (h History) leavesOut(events []runbook.Event) bool {
	if h.older == "" {
		return false
	}
	for _, event := range events {
		if slices.ContainsFunc(namesIn(event.Fact), h.isOlder) {
			return true
		}
	}
	return false
}

// isOlder looks a name up among the marks, which are sorted.
func (h History) isOlder(name string) bool {
	mark := markOf(name)
	low, high := 0, len(h.older)/markLength
	for low < high {
		middle := (low + high) / 2
		switch at := h.older[middle*markLength:][:markLength]; {
		case at == mark:
			return true
		case at < mark:
			low = middle + 1
		default:
			high = middle
		}
	}
	return false
}

// namesIn are the releases, digests and labelled commits whose place in a history a fact changes.
func namesIn(fact runbook.Fact) []string {
	switch fact := fact.(type) {
	case runbook.Deployed:
		return namesOf(fact.Images)
	case runbook.Observed:
		return namesOf(fact.Images)
	case runbook.Verified:
		return namesOf(fact.Images)
	case runbook.Reconfigured:
		return namesOf(fact.Images)
	case runbook.HealthChanged:
		return namesOf(fact.Images)
	case runbook.ImagesChecked:
		return namesOf(fact.Images)
	case runbook.Described:
		labels, _ := agreed(fact)
		return append(namesOf(fact.Images), labels.Commit)
	case runbook.Quarantined:
		var names []string
		for _, image := range fact.Images {
			names = append(names, string(image.Digest))
		}
		return names
	case runbook.Lifted:
		return []string{string(fact.Digest)}
	}
	return nil
}

func namesOf(images map[string]runbook.Image) []string {
	names := []string{runbook.ReleaseID(images)}
	for _, image := range images {
		names = append(names, string(image.Digest))
	}
	return names
}
