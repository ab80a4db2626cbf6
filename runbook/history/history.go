package history

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"rollbackbot/runbook"
)

// History is what is known about an app's releases and rollbacks: a fold over its journal. It is a value that never changes:
// then makes the next one.
type History struct {
	releases   map[string]*knownRelease  // by ID; none is changed once it is in a History
	live       []string                  // release IDs in the order in which they went live
	spells     []spell                   // when each of them did
	observed   string                    // the release that every host was last seen to run
	diverged   string                    // what the hosts were seen to run since then, where that isn't one known release
	quarantine map[runbook.Digest]string // the rollback that blocked each digest
	rollbacks  []runbook.Past            // in the order in which they were asked for
	latest     time.Time                 // of all events so far

	bulletins []runbook.Bulletin // oldest first
	changed   int64              // the place of the event that last said that something else runs
	told      map[string]bool    // the keys of drift that people were told of
	going     runbook.Plan       // of the rollback that is open
	pinned    pinned
	left      map[string]bool // the rollbacks that ended well

	labelled map[string]string // by the commit in their images' labels: the release that has it, or several

	short bool   // it began with a memo that left something out
	older string // the marks of what was left out, sorted
}

// historyKinds are the kinds of events that a History is made of. All others leave it as it is.
var historyKinds = []string{
	runbook.Deployed{}.Kind(), runbook.Observed{}.Kind(), runbook.Diverged{}.Kind(), runbook.Verified{}.Kind(), runbook.Quarantined{}.Kind(), runbook.Lifted{}.Kind(),
	runbook.Requested{}.Kind(), runbook.Replanned{}.Kind(), runbook.Ended{}.Kind(),
	runbook.Reconfigured{}.Kind(), runbook.HealthChanged{}.Kind(), runbook.Drifted{}.Kind(), runbook.Suggested{}.Kind(), runbook.ImagesChecked{}.Kind(), runbook.Described{}.Kind(),
	runbook.NoticeIntended{}.Kind(), runbook.NoticePosted{}.Kind(), runbook.NoticeClosed{}.Kind(),
}

// New folds an app's events, oldest first.
func New(events []runbook.Event) History { return History{}.then(events) }

// then is the history after more events, oldest first.
func (h History) then(events []runbook.Event) History {
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

func (h *History) apply(event runbook.Event) {
	switch fact := event.Fact.(type) {
	case runbook.Deployed:
		r := h.release(fact.Images)
		r.Noted, r.Migration, r.lore.note = true, fact.Migration, runbook.Build{Version: fact.Version, Commit: fact.Commit}
		r.settle()
		h.goLive(r, event.At)
		h.spells[len(h.spells)-1].noted(event.At)
	case runbook.Observed:
		r := h.release(fact.Images)
		if r.SeenAt.IsZero() {
			r.SeenAt = event.At
		}
		h.observed = r.ID
		h.goLive(r, event.At)
		h.spells[len(h.spells)-1].seen(fact.After, event.At)
	case runbook.Diverged:
		h.observed = ""
		h.goLiveUnknown()
	case runbook.Described:
		h.described(fact)
	case runbook.Verified:
		r := h.release(fact.Images)
		r.VerifiedAt, r.FailedBack = event.At, ""
	case runbook.Quarantined:
		for _, image := range fact.Images {
			h.quarantine[image.Digest] = event.Rollback
		}
	case runbook.Lifted:
		delete(h.quarantine, fact.Digest)
	case runbook.Requested, runbook.Replanned, runbook.Ended:
		h.past(event)
	}
}

// knownRelease is a release with what the history alone has to know of it.
type knownRelease struct {
	runbook.Release
	lore     lore
	failures int // how often Failure changed since FailingSince
}

// release is the release of these images, to be changed.
func (h *History) release(images map[string]runbook.Image) *knownRelease {
	id := runbook.ReleaseID(images)
	r := knownRelease{Release: runbook.Release{ID: id, Migration: runbook.MigrationUnknown}}
	if known := h.releases[id]; known != nil {
		r = *known
	} else {
		r.Images = canonical(images)
	}
	h.releases[id] = &r
	return &r
}

// canonical are the images under their repositories' one name: journals of older versions have others, too.
func canonical(images map[string]runbook.Image) map[string]runbook.Image {
	all := maps.Clone(images)
	for service, image := range all {
		all[service] = image.Canonical()
	}
	return all
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
func (h History) Releases() []runbook.Release {
	all := slices.Collect(maps.Values(h.releases)) // pointers: a release is large to be moved about
	slices.SortFunc(all, laterLive)
	out := make([]runbook.Release, len(all))
	for i, r := range all {
		out[i] = h.seen(r.Release)
	}
	return out
}

// seen adds to a release what the whole history knows of it.
func (h History) seen(r runbook.Release) runbook.Release {
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
func (h History) Quarantined(d runbook.Digest) string { return h.quarantine[d] }

// Blocked gives every blocked digest with the rollback that blocked it.
func (h History) Blocked() map[runbook.Digest]string { return maps.Clone(h.quarantine) }

// Of gives the release that has these images; false when nobody has seen or noted it.
func (h History) Of(images map[string]runbook.Image) (runbook.Release, bool) {
	r, ok := h.releases[runbook.ReleaseID(images)]
	if !ok {
		return runbook.Release{}, false
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

// Harmed are the images of a plan that have to be blocked: those that it replaces by others, unless another
// known-good release holds them too.
func (h History) Harmed(p runbook.Plan) []runbook.Image {
	var out []runbook.Image
	for _, host := range p.Hosts {
		from := map[string]runbook.Image{}
		for _, s := range host.Services {
			from[s.Service] = s.From
		}
		id := runbook.ReleaseID(from)
		for _, s := range host.Services {
			for _, image := range s.Replaced() {
				if image.Digest == s.To.Digest || h.heldByAnother(image, id) || slices.Contains(out, image) {
					continue
				}
				out = append(out, image)
			}
		}
	}
	return out
}

func (h History) heldByAnother(image runbook.Image, id string) bool {
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

// Choose finds the release that a request means. running gives, per host, what runs now (nil: not known).
// Every error is a *TargetError.
func (h History) Choose(a runbook.App, request runbook.Request, running []map[string]runbook.Image) (runbook.Release, error) {
	if len(request.Images) > 0 {
		return h.exact(a, request.Images)
	}
	if request.IsDefault() {
		return h.Previous(running)
	}
	return h.named(request.Release)
}

// Previous is the last known-good release that is not quarantined, does not run, and to which no rollback has just failed;
// never "the one before in time".
func (h History) Previous(running []map[string]runbook.Image) (runbook.Release, error) {
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
	return runbook.Release{}, &runbook.TargetError{Why: why, Candidates: all}
}

// fit reports whether a rollback could go to a release without being told so.
func fit(r runbook.Release, running []map[string]runbook.Image) bool {
	return r.KnownGood() && r.Quarantine == "" && len(r.Gone) == 0 && !runsEverywhere(r, running)
}

// PassedOver says which releases would have been the default target instead, had a rollback to them not failed.
func (h History) PassedOver(target runbook.Release, running []map[string]runbook.Image) (warnings []string) {
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

func runsEverywhere(r runbook.Release, running []map[string]runbook.Image) bool {
	id := runbook.ReleaseID(r.Images)
	for _, images := range running {
		if images == nil || runbook.ReleaseID(images) != id {
			return false
		}
	}
	return len(running) > 0
}

const MinDigestDigits = 12 // fewer digits name too many images by chance

func (h History) named(name string) (runbook.Release, error) {
	var found []runbook.Release
	prefix := strings.HasPrefix(name, "sha256:")
	if prefix && len(name) < len("sha256:")+MinDigestDigits {
		return runbook.Release{}, &runbook.TargetError{Why: fmt.Sprintf("%s is too short: give at least %d digits of a digest", name, MinDigestDigits), Candidates: h.Releases()}
	}
	for _, r := range h.Releases() {
		if r.ID == name || r.Version == name || prefix && holdsPrefix(r, name) {
			found = append(found, r)
		}
	}
	switch len(found) {
	case 0:
		return runbook.Release{}, &runbook.TargetError{Why: fmt.Sprintf("There is no release %q. These are known:", name), Candidates: h.Releases()}
	case 1:
		if by := found[0].Quarantine; by != "" {
			return runbook.Release{}, &runbook.TargetError{Why: fmt.Sprintf("%s is quarantined by rollback %s: what was rolled back is not deployed again until its cause is found. These are known:", found[0].Name(), by), Candidates: h.Releases()}
		}
		return found[0], nil
	}
	return runbook.Release{}, &runbook.TargetError{Why: fmt.Sprintf("%q fits more than one release. Name one by its ID:", name), Candidates: found}
}

func holdsPrefix(r runbook.Release, prefix string) bool {
	for _, image := range r.Images {
		if strings.HasPrefix(string(image.Digest), prefix) {
			return true
		}
	}
	return false
}

// exact takes a target given image by image: every service, and nothing that is quarantined.
func (h History) exact(a runbook.App, images map[string]runbook.Image) (runbook.Release, error) {
	for _, service := range a.Services {
		if images[service.Name].IsZero() {
			return runbook.Release{}, &runbook.TargetError{Why: fmt.Sprintf("no image is given for %s: name every service (%s), since they go live together", service.Name, strings.Join(a.ServiceNames(), ", "))}
		}
	}
	for _, service := range slices.Sorted(maps.Keys(images)) {
		if !a.HasService(service) {
			return runbook.Release{}, &runbook.TargetError{Why: fmt.Sprintf("%s has no service %q; it has %s", a.Name, service, strings.Join(a.ServiceNames(), ", "))}
		}
		if by := h.quarantine[images[service].Digest]; by != "" {
			return runbook.Release{}, &runbook.TargetError{Why: fmt.Sprintf("%s is quarantined by rollback %s: what was rolled back is not deployed again until its cause is found", images[service], by)}
		}
	}
	if r, ok := h.Of(images); ok {
		return r, nil
	}
	return runbook.Release{ID: runbook.ReleaseID(images), Images: maps.Clone(images), Migration: runbook.MigrationUnknown}, nil
}

// MigrationFacts says, for every release after the target up to the one that runs, whether it had a migration, and
// whether that proves that there was none. running is nil where it is not one known set on every host; changes is what
// the source says, or nil.
func (h History) MigrationFacts(target runbook.Release, running map[string]runbook.Image, exact bool, changes *runbook.Changes) runbook.MigrationFacts {
	if running == nil {
		return runbook.MigrationFacts{Why: "the hosts don't all run one known release"}
	}
	current := runbook.ReleaseID(running)
	to, from := lastIndex(h.live, target.ID), lastIndex(h.live, current)
	switch {
	case exact:
		return runbook.MigrationFacts{Why: "the target was given image by image", Releases: h.factsOf(h.after(to, from), changes)}
	case to < 0:
		return runbook.MigrationFacts{Why: "it is not known when the target ran last", Releases: h.factsOf([]string{current}, changes)}
	case from < to:
		return runbook.MigrationFacts{Why: "the target is newer than the release that runs, or that release is not known", Releases: h.factsOf([]string{target.ID, current}, changes)}
	}
	facts := runbook.MigrationFacts{None: true, Releases: h.factsOf(h.after(to, from), changes)}
	for _, r := range facts.Releases {
		if r.Migration != runbook.MigrationNone {
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

func (h History) factsOf(ids []string, changes *runbook.Changes) []runbook.ReleaseFact {
	facts := []runbook.ReleaseFact{}
	var done []string
	for _, id := range ids {
		r := h.releases[id]
		if slices.Contains(done, id) {
			continue
		}
		done = append(done, id)
		if id == differed {
			facts = append(facts, runbook.ReleaseFact{Release: "in between", Migration: runbook.MigrationUnknown, Source: "the hosts ran different or unknown images"})
			continue
		}
		if r == nil {
			facts = append(facts, runbook.ReleaseFact{ID: id, Release: id, Migration: runbook.MigrationUnknown, Source: "never seen or noted"})
			continue
		}
		source := "seen running, no deployment note"
		if r.Noted {
			source = "deployment note says " + string(r.Migration)
		}
		facts = append(facts, changes.Weigh(id, runbook.ReleaseFact{ID: id, Release: r.Name(), Migration: r.Migration, Source: source}))
	}
	return facts
}
