package history

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"rollbackbot/runbook"
)

// Memo is what a fold of an app's events up to a Place came to, kept so that a process which lives shortly need not read
// all of them again. It is no part of the journal and proves nothing: it can be thrown away at any time.
type Memo struct {
	Kind  string // of which fold, and how its Body is written
	Place runbook.Place
	Body  string // empty: there is none
}

// Memos keeps memos, the last one of each kind for each app.
type Memos interface {
	// Memo gives the memo of a kind; a zero one where there is none.
	Memo(ctx context.Context, app, kind string) (Memo, error)
	// KeepMemo replaces it.
	KeepMemo(ctx context.Context, app string, memo Memo) error
}

// memoKind changes whenever a history is made of other events, made otherwise, or written otherwise.
const memoKind = "history/7"

// Recent is how many releases and how many rollbacks are kept, the latest: more than anybody reads in the middle of an
// outage, and few enough that reading them takes no time.
const Recent = 100

// encode writes what is shown of a history as decodeHistory reads it: numbers in decimal with a blank after each, texts
// with their length before them. Of releases that are left out it keeps marks alone, to tell them from new ones.
func (h History) encode() string {
	var w memoWriter
	kept, older := h.parted()
	rollbacks := h.rollbacks[max(0, len(h.rollbacks)-Recent):]
	w.flag(h.short || len(kept) < len(h.releases) || len(rollbacks) < len(h.rollbacks))
	w.text(older)
	w.time(h.latest)
	w.number(int64(len(kept)))
	for _, r := range kept {
		w.release(*r)
	}
	w.flag(len(h.live) > 0)
	if last := len(h.live) - 1; last >= 0 {
		w.text(h.live[last])
		w.spell(h.spells[last])
	}
	w.text(h.observed)
	w.text(h.diverged)
	blocked := h.blockedIn(kept)
	w.number(int64(len(blocked)))
	for _, digest := range slices.Sorted(maps.Keys(blocked)) {
		w.text(string(digest))
		w.text(blocked[digest])
	}
	w.number(int64(len(rollbacks)))
	for _, rb := range rollbacks {
		w.time(rb.At)
		for _, text := range []string{rb.ID, rb.By, rb.From, rb.To, rb.Reason, string(rb.Outcome), rb.TargetID} {
			w.text(text)
		}
	}
	return w.String()
}

type memoWriter struct{ strings.Builder }

func (w *memoWriter) number(n int64) {
	w.WriteString(strconv.FormatInt(n, 10))
	w.WriteByte(' ')
}

func (w *memoWriter) text(s string) {
	w.number(int64(len(s)))
	w.WriteString(s)
}

// time is microseconds, as a journal keeps them; 0 for the zero time.
func (w *memoWriter) time(t time.Time) {
	if t.IsZero() {
		w.number(0)
		return
	}
	w.number(t.UnixMicro())
}

func (w *memoWriter) flag(on bool) {
	if on {
		w.number(1)
		return
	}
	w.number(0)
}

func (w *memoWriter) spell(s spell) {
	w.time(s.after)
	w.time(s.by)
	w.flag(s.ran)
}

func (w *memoWriter) release(r knownRelease) {
	w.text(r.ID)
	w.lore(r)
	w.text(string(r.Migration))
	w.flag(r.Noted)
	w.time(r.SeenAt)
	w.time(r.VerifiedAt)
	w.time(r.LastLiveAt)
	w.number(int64(len(r.Images)))
	for _, service := range slices.Sorted(maps.Keys(r.Images)) {
		w.text(service)
		w.image(r.Images[service])
	}
	w.time(r.UpAt)
	w.time(r.FailingSince)
	w.text(r.Failure)
	w.number(int64(r.Healthy))
	w.time(r.HealthySince)
	w.number(int64(len(r.Tags)))
	for _, tag := range r.Tags {
		w.text(tag)
	}
	w.number(int64(len(r.Hosts)))
	for _, host := range r.Hosts {
		w.text(string(host))
	}
	w.text(r.FailedBack)
	w.time(r.CheckedAt)
	w.number(int64(len(r.Gone)))
	for _, image := range r.Gone {
		w.image(image)
	}
}

// lore writes what a release's name and commit are made of.
func (w *memoWriter) lore(r knownRelease) {
	l := r.lore
	for _, text := range []string{l.note.Version, l.note.Commit, l.labels.Version, l.labels.Commit, l.source.Version, l.unsure, l.asked, r.Author, r.URL} {
		w.text(text)
	}
	w.flag(l.shared)
	w.number(int64(len(l.lacks)))
	for _, text := range l.lacks {
		w.text(text)
	}
}

func (w *memoWriter) image(i runbook.Image) {
	w.text(i.Name)
	w.text(string(i.Digest))
}

var errMemo = errors.New("what was kept of the history can't be read; it is read from the journal")

// decodeHistory reads what encode wrote; anything else is an error.
func decodeHistory(body string) (History, error) {
	r := memoReader{rest: body}
	h := History{short: r.flag(), older: r.text(), latest: r.time(), quarantine: map[runbook.Digest]string{}, labelled: map[string]string{}}
	releases := make([]knownRelease, r.count())
	h.releases = make(map[string]*knownRelease, len(releases))
	for i := range releases {
		releases[i] = r.release()
		id, lore := releases[i].ID, releases[i].lore
		h.releases[id] = &releases[i]
		if lore.labels.Commit != "" {
			h.labelled[lore.labels.Commit] = id
			if lore.shared {
				h.labelled[lore.labels.Commit] = several
			}
		}
	}
	if r.flag() {
		h.live = []string{r.text()}
		h.spells = []spell{{after: r.time(), by: r.time(), ran: r.flag()}}
	}
	h.observed = r.text()
	h.diverged = r.text()
	for range r.count() {
		digest := runbook.Digest(r.text())
		h.quarantine[digest] = r.text()
	}
	h.rollbacks = make([]runbook.Past, r.count())
	for i := range h.rollbacks {
		h.rollbacks[i] = runbook.Past{At: r.time(), ID: r.text(), By: r.text(), From: r.text(), To: r.text(), Reason: r.text(), Outcome: runbook.Outcome(r.text()), TargetID: r.text()}
	}
	if r.failed || r.rest != "" || len(h.older)%markLength != 0 {
		return History{}, errMemo
	}
	return h, nil
}

// memoReader takes a memo apart. What it can't read is zero, and failed says so.
type memoReader struct {
	rest   string
	failed bool
}

func (r *memoReader) number() int64 {
	digits, rest, found := strings.Cut(r.rest, " ")
	n, err := strconv.ParseInt(digits, 10, 64)
	if !found || err != nil || r.failed {
		r.failed, r.rest = true, ""
		return 0
	}
	r.rest = rest
	return n
}

// count is a number of things that follow: each takes two bytes at least.
func (r *memoReader) count() int {
	n := r.number()
	if n < 0 || n > int64(len(r.rest)/2) {
		r.failed, r.rest = true, ""
		return 0
	}
	return int(n)
}

func (r *memoReader) text() string {
	n := r.number()
	if n < 0 || n > int64(len(r.rest)) {
		r.failed, r.rest = true, ""
		return ""
	}
	text := r.rest[:n]
	r.rest = r.rest[n:]
	return text
}

func (r *memoReader) time() time.Time {
	n := r.number()
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

func (r *memoReader) flag() bool { return r.number() == 1 }

func (r *memoReader) release() knownRelease {
	release := knownRelease{Release: runbook.Release{ID: r.text()}}
	r.lore(&release)
	release.Migration, release.Noted = runbook.Migration(r.text()), r.flag()
	release.SeenAt, release.VerifiedAt, release.LastLiveAt = r.time(), r.time(), r.time()
	n := r.count()
	release.Images = make(map[string]runbook.Image, n)
	for range n {
		service := r.text()
		release.Images[service] = r.image()
	}
	release.UpAt, release.FailingSince, release.Failure = r.time(), r.time(), r.text()
	release.Healthy, release.HealthySince = time.Duration(r.number()), r.time()
	for range r.count() {
		release.Tags = append(release.Tags, r.text())
	}
	for range r.count() {
		release.Hosts = append(release.Hosts, runbook.Host(r.text()))
	}
	release.FailedBack = r.text()
	release.CheckedAt = r.time()
	for range r.count() {
		release.Gone = append(release.Gone, r.image())
	}
	return release
}

func (r *memoReader) lore(to *knownRelease) {
	l := &to.lore
	for _, text := range []*string{&l.note.Version, &l.note.Commit, &l.labels.Version, &l.labels.Commit, &l.source.Version, &l.unsure, &l.asked, &to.Author, &to.URL} {
		*text = r.text()
	}
	l.shared = r.flag()
	for range r.count() {
		l.lacks = append(l.lacks, r.text())
	}
	to.settle()
}

func (r *memoReader) image() runbook.Image {
	return runbook.Image{Name: r.text(), Digest: runbook.Digest(r.text())}
}
