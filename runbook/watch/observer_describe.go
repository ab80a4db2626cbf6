package watch

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
)

// describePatience bounds all that is asked about one release.
const describePatience = time.Minute

// describing is what is being learnt of releases beside an Observer's looks at what runs: GitHub and registries may be slow.
type describing struct {
	under sync.WaitGroup
	busy  bool
	found chan runbook.Described
	asked map[string]time.Time // by release
}

func newDescribing() *describing {
	return &describing{found: make(chan runbook.Described, 1), asked: map[string]time.Time{}}
}

// describe journals what was learnt of a release since the last look, and begins to ask about the next one where there is
// one of which not all is known. What the labels of images on hosts say is known from the looks and costs nothing.
func (o Observer) describe(ctx context.Context, a runbook.App, views []runbook.View, w watch) error {
	d := w.told
	select {
	case fact := <-d.found:
		d.busy = false
		if w.read.history.TellsMore(fact) {
			if err := o.append(ctx, a, w.read, fact); err != nil {
				return err
			}
		}
	default:
	}
	if d.busy {
		return nil
	}
	r, due := w.read.history.Undescribed(d.asked, o.Source != nil && a.Repository != "", time.Now())
	if !due {
		return nil
	}
	d.busy, d.asked[r.ID] = true, time.Now()
	seen := buildsOn(views)
	history := w.read.history
	d.under.Go(func() { d.found <- o.learn(ctx, a, history, r, seen) })
	return nil
}

// buildsOn are the labels of all images that hosts were seen to run.
func buildsOn(views []runbook.View) map[runbook.Digest]runbook.Label {
	seen := map[runbook.Digest]runbook.Label{}
	for _, view := range views {
		for _, s := range view.Services {
			maps.Copy(seen, s.Labels)
		}
	}
	return seen
}

// learn asks for all that is to be known of a release. What doesn't answer is Missing: there is no error.
func (o Observer) learn(ctx context.Context, a runbook.App, h history.History, r runbook.Release, seen map[runbook.Digest]runbook.Label) runbook.Described {
	ctx, cancel := context.WithTimeout(ctx, describePatience)
	defer cancel()
	fact := runbook.Described{Images: r.Images, Labels: map[string]runbook.Build{}}
	o.lookForLabels(ctx, a, r, seen)
	for _, service := range runbook.SortedKeys(r.Images) {
		image := r.Images[service]
		said, known := seen[image.Digest]
		if !known && o.Registry != nil {
			var err error
			if said.Revision, said.Version, err = o.Registry.Labels(ctx, image); err != nil {
				fact.Lacks("the labels of %s: %v", service, err)
				continue
			}
		}
		if b := history.BuildOf(said.Revision, said.Version); b != (runbook.Build{}) {
			fact.Labels[service] = b
		}
	}
	fact.Commit = h.CommitOf(fact)
	o.askSource(ctx, a, &fact)
	return fact
}

// lookForLabels asks the hosts for those images that none of them runs.
func (o Observer) lookForLabels(ctx context.Context, a runbook.App, r runbook.Release, seen map[runbook.Digest]runbook.Label) {
	for _, host := range a.Hosts {
		unseen := slices.DeleteFunc(a.ImagesOf(r), func(image runbook.Image) bool { _, known := seen[image.Digest]; return known })
		if len(unseen) == 0 {
			return
		}
		states, err := o.Hosts.On(a, host).Images(ctx, unseen, false)
		if err != nil {
			continue // another one may have them
		}
		for _, state := range states {
			if state.Here {
				seen[state.Image.Digest] = state.Label
			}
		}
	}
}

// askSource adds what the source's history says of the release's commit.
func (o Observer) askSource(ctx context.Context, a runbook.App, fact *runbook.Described) {
	if o.Source == nil || a.Repository == "" || !runbook.IsCommit(fact.Commit) {
		fact.Commit = ""
		return
	}
	all, err := o.Source.Deployments(ctx, a.Repository)
	if err != nil {
		fact.Lacks("what the source says of commit %s: %v", runbook.ShortCommit(fact.Commit), err)
		return
	}
	d, found := deploymentOf(all, fact.Commit)
	if !found {
		fact.Lacks("the source tells of no deployment or run of commit %s lately", runbook.ShortCommit(fact.Commit))
		return
	}
	fact.Author = history.NameOf(d.Author)
	if webPage.MatchString(d.URL) && runbook.Mask(d.URL) == d.URL {
		fact.URL = d.URL
	}
	fact.Version = sourceVersion(all, d)
}

// webPage is an address that may be shown as a link, of a length that fits into a line.
var webPage = regexp.MustCompile(`^https?://[!-;=?-{}~]{1,300}$`)

// deploymentOf is the latest deployment of a commit, which may be abbreviated, or else the latest run; false where there
// is none, or where several commits begin so.
func deploymentOf(all []runbook.SourceDeployment, commit string) (best runbook.SourceDeployment, found bool) {
	for _, d := range all {
		switch whole := strings.ToLower(d.Commit); {
		case !runbook.IsCommit(whole) || !strings.HasPrefix(whole, commit):
		case found && !strings.EqualFold(best.Commit, whole):
			return runbook.SourceDeployment{}, false
		case !found || best.Run && !d.Run:
			best, found = d, true
		}
	}
	return best, found
}

// versionPattern is a version and no branch: v1.2.3, 2026.05.
var versionPattern = regexp.MustCompile(`^v?[0-9]+(\.[0-9]+)+[0-9A-Za-z.+-]*$`)

// sourceVersion is what the source calls a deployment where that is a version: a name under which several commits were
// deployed is a branch.
func sourceVersion(all []runbook.SourceDeployment, d runbook.SourceDeployment) string {
	for _, other := range all {
		if other.Version == d.Version && !strings.EqualFold(other.Commit, d.Commit) {
			return ""
		}
	}
	if !versionPattern.MatchString(d.Version) {
		return ""
	}
	return history.NameOf(d.Version)
}
