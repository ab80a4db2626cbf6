package runbook

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// History is what is known about an app's releases and rollbacks: a fold over its journal. It is a value that never changes:
// then makes the next one.
type History struct {
	releases   map[string]*knownRelease // by ID; none is changed once it is in a History
	live       []string                 // release IDs in the order in which they went live
	spells     []spell                  // when each of them did
	observed   string                   // the release that every host was last seen to run
	diverged   string                   // what the hosts were seen to run since then, where that isn't one known release
	quarantine map[Digest]string        // the rollback that blocked each digest
	rollbacks  []Past                   // in the order in which they were asked for
	latest     time.Time                // of all events so far

	bulletins []Bulletin      // oldest first
	changed   int64           // the place of the event that last said that something else runs
	told      map[string]bool // the keys of drift that people were told of
	going     Plan            // of the rollback that is open
	pinned    pinned
	left      map[string]bool // the rollbacks that ended well

	labelled map[string]string // by the commit in their images' labels: the release that has it, or several

	short bool   // it began with a memo that left something out
	older string // the marks of what was left out, sorted
}

// historyKinds are the kinds of events that a History is made of. All others leave it as it is.
var historyKinds = []string{
	Deployed{}.Kind(), Observed{}.Kind(), Diverged{}.Kind(), Verified{}.Kind(), Quarantined{}.Kind(), Lifted{}.Kind(),
	Requested{}.Kind(), Replanned{}.Kind(), Ended{}.Kind(),
	Reconfigured{}.Kind(), HealthChanged{}.Kind(), Drifted{}.Kind(), Suggested{}.Kind(), ImagesChecked{}.Kind(), Described{}.Kind(),
	NoticeIntended{}.Kind(), NoticePosted{}.Kind(), NoticeClosed{}.Kind(),
}

// NewHistory folds an app's events, oldest first.
func NewHistory(events []Event) History { return History{}.then(events) }

// then is the history after more events, oldest first.
func (h History) then(events []Event) History {
	h.releases, h.quarantine = cloned(h.releases), cloned(h.quarantine)
	h.told, h.left, h.bulletins = cloned(h.told), cloned(h.left), slices.Clone(h.bulletins)
	h.labelled = cloned(h.labelled)
	h.live, h.spells, h.rollbacks = slices.Clone(h.live), slices.Clone(h.spells), slices.Clone(h.rollbacks)
	for _, event := range events {
		if !slices.Contains(historyKinds, event.Fact.Kind()) {
			continue
		}
		if event.At.Before(h.latest) {
			event.At = h.latest.Add(time.Microsecond) // what came later is later, whatever a clock said
		}
		h.latest = event.At
		h.health(event)
		h.apply(event)
		h.sighting(event)
		h.bulletin(event)
		h.drifts(event)
		h.stocked(event)
	}
	return h
}

// cloned is a copy to be changed; never nil.
func cloned[M ~map[K]V, K comparable, V any](m M) M {
	if m == nil {
		return M{}
	}
	return maps.Clone(m)
}

func (h *History) apply(event Event) {
	switch fact := event.Fact.(type) {
	case Deployed:
		r := h.release(fact.Images)
		r.Noted, r.Migration, r.lore.note = true, fact.Migration, Build{Version: fact.Version, Commit: fact.Commit}
		r.settle()
		h.goLive(r, event.At)
		h.spells[len(h.spells)-1].noted(event.At)
	case Observed:
		r := h.release(fact.Images)
		if r.SeenAt.IsZero() {
			r.SeenAt = event.At
		}
		h.observed = r.ID
		h.goLive(r, event.At)
		h.spells[len(h.spells)-1].seen(fact.After, event.At)
	case Diverged:
		h.observed = ""
		h.goLiveUnknown()
	case Described:
		h.described(fact)
	case Verified:
		r := h.release(fact.Images)
		r.VerifiedAt, r.FailedBack = event.At, ""
	case Quarantined:
		for _, image := range fact.Images {
			h.quarantine[image.Digest] = event.Rollback
		}
	case Lifted:
		delete(h.quarantine, fact.Digest)
	case Requested, Replanned, Ended:
		h.past(event)
	}
}

// knownRelease is a release with what the history alone has to know of it.
type knownRelease struct {
	Release
	lore     lore
	failures int // how often Failure changed since FailingSince
}

// release is the release of these images, to be changed.
func (h *History) release(images map[string]Image) *knownRelease {
	id := ReleaseID(images)
	r := knownRelease{Release: Release{ID: id, Migration: MigrationUnknown}}
	if known := h.releases[id]; known != nil {
		r = *known
	} else {
		r.Images = maps.Clone(images)
	}
	h.releases[id] = &r
	return &r
}

func (h *History) goLive(r *knownRelease, at time.Time) {
	r.LastLiveAt = at
	if len(h.live) == 0 || h.live[len(h.live)-1] != r.ID {
		h.live, h.spells = append(h.live, r.ID), append(h.spells, spell{})
	}
}

// differed stands among the live releases where hosts ran different or unknown images: what ran then, and which
// migration it brought, nobody knows.
const differed = ""

func (h *History) goLiveUnknown() {
	if len(h.live) > 0 && h.live[len(h.live)-1] != differed {
		h.live, h.spells = append(h.live, differed), append(h.spells, spell{})
	}
}

// spell is when a release began to run, as near as anybody knows.
type spell struct {
	after time.Time // it came up no earlier; zero: not known
	by    time.Time // it ran by then
	ran   bool      // it was seen to run
}

// noted takes in a deployment note: it is written when a release goes live, unless the release was seen before.
func (s *spell) noted(at time.Time) {
	if s.by.IsZero() {
		s.after, s.by = at, at
	}
}

// seen takes in that the release was seen to run, and when another one last was.
func (s *spell) seen(after, at time.Time) {
	if s.ran {
		return
	}
	s.ran = true
	if s.by.IsZero() || !after.IsZero() && after.Before(s.after) {
		s.after = after
	}
	s.by = at
}

// Releases gives all releases, the one that went live last first. Their images are the history's own: they are not changed.
func (h History) Releases() []Release {
	all := slices.Collect(maps.Values(h.releases)) // pointers: a release is large to be moved about
	slices.SortFunc(all, laterLive)
	out := make([]Release, len(all))
	for i, r := range all {
		out[i] = h.seen(r.Release)
	}
	return out
}

// seen adds to a release what the whole history knows of it.
func (h History) seen(r Release) Release {
	if len(h.quarantine) == 0 {
		return r
	}
	for _, image := range r.Images {
		// Where several did, it is always the same one.
		if rollback, blocked := h.quarantine[image.Digest]; blocked && (r.Quarantine == "" || rollback < r.Quarantine) {
			r.Quarantine = rollback
		}
	}
	return r
}

// Observed gives the ID of the release that every host was last seen to run; empty where that isn't one known release.
func (h History) Observed() string { return h.observed }

// Quarantined gives the rollback that blocked a digest; "" when it isn't blocked.
func (h History) Quarantined(d Digest) string { return h.quarantine[d] }

// Blocked gives every blocked digest with the rollback that blocked it.
func (h History) Blocked() map[Digest]string { return maps.Clone(h.quarantine) }

// Of gives the release that has these images; false when nobody has seen or noted it.
func (h History) Of(images map[string]Image) (Release, bool) {
	r, ok := h.releases[ReleaseID(images)]
	if !ok {
		return Release{}, false
	}
	return h.seen(r.Release), true
}

// Repositories are the names under which a service ran in known-good releases.
func (h History) Repositories(service string) []string {
	var names []string
	for _, r := range h.releases {
		if name := r.Images[service].Name; r.KnownGood() && name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// harmed are the images of a plan that have to be blocked: those that it replaces by others, unless another
// known-good release holds them too.
func (h History) harmed(p Plan) []Image {
	var out []Image
	for _, host := range p.Hosts {
		from := map[string]Image{}
		for _, s := range host.Services {
			from[s.Service] = s.From
		}
		id := ReleaseID(from)
		for _, s := range host.Services {
			for _, image := range s.replaced() {
				if image.Digest == s.To.Digest || h.heldByAnother(image, id) || slices.Contains(out, image) {
					continue
				}
				out = append(out, image)
			}
		}
	}
	return out
}

func (h History) heldByAnother(image Image, id string) bool {
	for _, r := range h.releases {
		if r.ID == id || !r.KnownGood() {
			continue
		}
		for _, other := range r.Images {
			if other.Digest == image.Digest {
				return true
			}
		}
	}
	return false
}

// TargetError says why no release could be chosen, with what there is to choose from.
type TargetError struct {
	Why        string
	Candidates []Release
}

func (e *TargetError) Error() string {
	lines := []string{e.Why}
	for _, r := range e.Candidates {
		lines = append(lines, "• "+Describe(r))
	}
	return strings.Join(lines, "\n")
}

// Describe is a release in one line: what people call it, since when, and whether it is known-good.
func Describe(r Release) string {
	text := r.ID
	if r.Version != "" {
		text = r.Version + " (" + r.ID + ")"
	}
	if !r.LastLiveAt.IsZero() {
		text += ", live " + r.LastLiveAt.UTC().Format("2006-01-02 15:04 UTC")
	}
	if r.Commit != "" {
		text += ", commit " + shortCommit(r.Commit)
	}
	if r.Author != "" {
		text += " by " + r.Author
	}
	switch {
	case r.Quarantine != "":
		text += ", quarantined by " + r.Quarantine
	case r.KnownGood():
		text += ", known-good"
	default:
		text += ", never seen healthy long enough"
	}
	if r.FailedBack != "" {
		text += ", the rollback " + r.FailedBack + " to it failed"
	}
	if len(r.Gone) > 0 {
		text += ", its images are gone: they were on no host and not in the registry at " + r.CheckedAt.UTC().Format("2006-01-02 15:04 UTC")
	}
	if len(r.Hosts) > 0 {
		text += ", on " + someHosts(r.Hosts)
	}
	if len(r.Tags) > 0 {
		text += ", started by tag: " + strings.Join(r.Tags, ", ")
	}
	if !r.FailingSince.IsZero() {
		text += ", failed its health checks from " + r.FailingSince.UTC().Format("2006-01-02 15:04 UTC") + ": " + Truncate(r.Failure, 100)
	}
	if r.Untold != "" {
		text += "; not known: " + Truncate(r.Untold, 150)
	}
	return text
}

// Previous is the word for the default target.
const Previous = "previous"

// Choose finds the release that a request means. running gives, per host, what runs now (nil: not known).
// Every error is a *TargetError.
func (h History) Choose(a App, request Request, running []map[string]Image) (Release, error) {
	if len(request.Images) > 0 {
		return h.exact(a, request.Images)
	}
	if request.isDefault() {
		return h.previous(running)
	}
	return h.named(request.Release)
}

// previous is the last known-good release that is not quarantined, does not run, and to which no rollback has just failed;
// never "the one before in time".
func (h History) previous(running []map[string]Image) (Release, error) {
	all := h.Releases()
	for _, r := range all {
		if fit(r, running) && r.FailedBack == "" {
			return r, nil
		}
	}
	why := "No other release is known-good. Name one with `to`: a version or an ID from below, or an image for every service, as in `to api=NAME@sha256:… worker=… web=…`"
	if len(all) == 0 {
		why = "No release is known yet. Give an image for every service, as in `to api=NAME@sha256:… worker=… web=…`, or note releases with `rollbackbot deployed`"
	}
	return Release{}, &TargetError{Why: why, Candidates: all}
}

// fit reports whether a rollback could go to a release without being told so.
func fit(r Release, running []map[string]Image) bool {
	return r.KnownGood() && r.Quarantine == "" && len(r.Gone) == 0 && !runsEverywhere(r, running)
}

// passedOver says which releases would have been the default target instead, had a rollback to them not failed.
func (h History) passedOver(target Release, running []map[string]Image) (warnings []string) {
	for _, r := range h.Releases() {
		if r.ID == target.ID {
			break
		}
		if fit(r, running) {
			warnings = append(warnings, fmt.Sprintf("%s is passed over, since the rollback %s to it failed; `to %s` goes there all the same", r.Name(), r.FailedBack, r.Name()))
		}
	}
	return warnings
}

func runsEverywhere(r Release, running []map[string]Image) bool {
	id := ReleaseID(r.Images)
	for _, images := range running {
		if images == nil || ReleaseID(images) != id {
			return false
		}
	}
	return len(running) > 0
}

const minDigestDigits = 12 // SURFACE: fewer digits name too many images by chance

func (h History) named(name string) (Release, error) {
	var found []Release
	prefix := strings.HasPrefix(name, "sha256:")
	if prefix && len(name) < len("sha256:")+minDigestDigits {
		return Release{}, &TargetError{Why: fmt.Sprintf("%s is too short: give at least %d digits of a digest", name, minDigestDigits), Candidates: h.Releases()}
	}
	for _, r := range h.Releases() {
		if r.ID == name || r.Version == name || prefix && holdsPrefix(r, name) {
			found = append(found, r)
		}
	}
	switch len(found) {
	case 0:
		return Release{}, &TargetError{Why: fmt.Sprintf("There is no release %q. These are known:", name), Candidates: h.Releases()}
	case 1:
		if by := found[0].Quarantine; by != "" {
			return Release{}, &TargetError{Why: fmt.Sprintf("%s is quarantined by rollback %s: what was rolled back is not deployed again until its cause is found. These are known:", found[0].Name(), by), Candidates: h.Releases()}
		}
		return found[0], nil
	}
	return Release{}, &TargetError{Why: fmt.Sprintf("%q fits more than one release. Name one by its ID:", name), Candidates: found}
}

func holdsPrefix(r Release, prefix string) bool {
	for _, image := range r.Images {
		if strings.HasPrefix(string(image.Digest), prefix) {
			return true
		}
	}
	return false
}

// exact takes a target given image by image: every service, and nothing that is quarantined.
func (h History) exact(a App, images map[string]Image) (Release, error) {
	for _, service := range a.Services {
		if images[service.Name].IsZero() {
			return Release{}, &TargetError{Why: fmt.Sprintf("no image is given for %s: name every service (%s), since they go live together", service.Name, strings.Join(a.ServiceNames(), ", "))}
		}
	}
	for _, service := range slices.Sorted(maps.Keys(images)) {
		if !a.HasService(service) {
			return Release{}, &TargetError{Why: fmt.Sprintf("%s has no service %q; it has %s", a.Name, service, strings.Join(a.ServiceNames(), ", "))}
		}
		if by := h.quarantine[images[service].Digest]; by != "" {
			return Release{}, &TargetError{Why: fmt.Sprintf("%s is quarantined by rollback %s: what was rolled back is not deployed again until its cause is found", images[service], by)}
		}
	}
	if r, ok := h.Of(images); ok {
		return r, nil
	}
	return Release{ID: ReleaseID(images), Images: maps.Clone(images), Migration: MigrationUnknown}, nil
}

// migrationFacts says, for every release after the target up to the one that runs, whether it had a migration, and
// whether that proves that there was none. running is nil where it is not one known set on every host; changes is what
// the source says, or nil.
func (h History) migrationFacts(target Release, running map[string]Image, exact bool, changes *Changes) MigrationFacts {
	if running == nil {
		return MigrationFacts{Why: "the hosts don't all run one known release"}
	}
	current := ReleaseID(running)
	to, from := lastIndex(h.live, target.ID), lastIndex(h.live, current)
	switch {
	case exact:
		return MigrationFacts{Why: "the target was given image by image", Releases: h.factsOf(h.after(to, from), changes)}
	case to < 0:
		return MigrationFacts{Why: "it is not known when the target ran last", Releases: h.factsOf([]string{current}, changes)}
	case from < to:
		return MigrationFacts{Why: "the target is newer than the release that runs, or that release is not known", Releases: h.factsOf([]string{target.ID, current}, changes)}
	}
	facts := MigrationFacts{None: true, Releases: h.factsOf(h.after(to, from), changes)}
	for _, r := range facts.Releases {
		if r.Migration != MigrationNone {
			facts.None, facts.Why = false, fmt.Sprintf("%s: %s", r.Release, r.Source)
			break
		}
	}
	return facts
}

func lastIndex(ids []string, id string) int {
	for i := len(ids) - 1; i >= 0; i-- {
		if ids[i] == id {
			return i
		}
	}
	return -1
}

func (h History) after(to, from int) []string {
	if from <= to {
		return nil
	}
	return h.live[to+1 : from+1]
}

func (h History) factsOf(ids []string, changes *Changes) []ReleaseFact {
	facts := []ReleaseFact{}
	var done []string
	for _, id := range ids {
		r := h.releases[id]
		if slices.Contains(done, id) {
			continue
		}
		done = append(done, id)
		if id == differed {
			facts = append(facts, ReleaseFact{Release: "in between", Migration: MigrationUnknown, Source: "the hosts ran different or unknown images"})
			continue
		}
		if r == nil {
			facts = append(facts, ReleaseFact{ID: id, Release: id, Migration: MigrationUnknown, Source: "never seen or noted"})
			continue
		}
		source := "seen running, no deployment note"
		if r.Noted {
			source = "deployment note says " + string(r.Migration)
		}
		facts = append(facts, changes.weigh(id, ReleaseFact{ID: id, Release: r.Name(), Migration: r.Migration, Source: source}))
	}
	return facts
}
