package runbook

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// QuarantinedError says that an image was rolled back and its cause is not yet known to be found: it isn't deployed.
type QuarantinedError struct {
	Image    Image
	App      string
	Rollback string // the one that replaced it
}

func (e *QuarantinedError) Error() string {
	return fmt.Sprintf("%s is quarantined: rollback %s of %s replaced it, and the failed release is not deployed again before its cause is found; "+
		"a lead lifts that in Slack by `/rollback lift %s because …` with the postmortem's link", e.Image, e.Rollback, e.App, e.Image.Digest.Short())
}

// quarantineKinds are the kinds of events that say what is quarantined.
var quarantineKinds = []string{Quarantined{}.Kind(), Lifted{}.Kind()}

// Allowed is nil when no app has any of the images quarantined, or else a *QuarantinedError for each that is, joined. They
// are matched by digest, whatever the name: the same content under another name is the same failure.
func Allowed(ctx context.Context, j Journal, apps []string, images ...Image) error {
	blocked := map[string]map[Digest]string{}
	for _, app := range apps {
		events, err := j.Since(ctx, app, Place{}, quarantineKinds...)
		if err != nil {
			return fmt.Errorf("read the journal of %s: %w", app, err)
		}
		blocked[app] = NewHistory(events).Blocked()
	}
	var refusals []error
	for _, image := range images {
		for _, app := range apps {
			if by := blocked[app][image.Digest]; by != "" {
				refusals = append(refusals, &QuarantinedError{Image: image, App: app, Rollback: by})
				break // one reason is enough
			}
		}
	}
	return errors.Join(refusals...)
}

// NoteError says all that is wrong with a deployment note. Nothing was written.
type NoteError struct {
	Problems []string // at least one, each a sentence without a full stop
}

func (e *NoteError) Error() string { return strings.Join(e.Problems, "\n") }

// maxNoteText bounds a note's version and commit, in characters: each has to fit into a line of a message. A commit's
// SHA-256 has 64.
const maxNoteText = 100

// Check gives a *NoteError where the note can't be one of the app's: every service is named, and no other.
func (d Deployed) Check(a App) error {
	var problems []string
	for _, service := range a.ServiceNames() {
		if d.Images[service].IsZero() {
			problems = append(problems, fmt.Sprintf("no image is given for %s: name every service (%s), since they go live together", service, strings.Join(a.ServiceNames(), ", ")))
		}
	}
	for _, service := range slices.Sorted(maps.Keys(d.Images)) {
		if !a.HasService(service) {
			problems = append(problems, fmt.Sprintf("%s has no service %q; it has %s", a.Name, Truncate(service, maxNoteText), strings.Join(a.ServiceNames(), ", ")))
		}
	}
	for _, text := range []struct{ name, text string }{{"version", d.Version}, {"commit", d.Commit}} {
		switch {
		case !utf8.ValidString(text.text) || strings.ContainsFunc(text.text, unicode.IsControl):
			problems = append(problems, fmt.Sprintf("the %s holds characters that no line of text can show", text.name))
		case utf8.RuneCountInString(text.text) > maxNoteText:
			problems = append(problems, fmt.Sprintf("the %s has more than %d characters", text.name, maxNoteText))
		}
	}
	if len(problems) > 0 {
		return &NoteError{Problems: problems}
	}
	return nil
}

// NoteDeployment writes a deployment note: these images go live together. Every service of the app must be named, and
// none of the images may be quarantined, by whatever app of the journal: a *NoteError, or a *QuarantinedError for each,
// says so, and nothing is written. It needs no ownership: any process may note.
func NoteDeployment(ctx context.Context, j Journal, a App, note Deployed) (Release, error) {
	if err := note.Check(a); err != nil {
		return Release{}, err
	}
	apps, err := j.Apps(ctx)
	if err != nil {
		return Release{}, err
	}
	var images []Image
	for _, service := range a.ServiceNames() {
		images = append(images, note.Images[service])
	}
	if err := Allowed(ctx, j, apps, images...); err != nil {
		return Release{}, err
	}
	release := Release{
		ID: ReleaseID(note.Images), Images: maps.Clone(note.Images), Version: note.Version, Commit: note.Commit, Migration: note.Migration, Noted: true,
	}
	_, err = j.Append(ctx, Entry{App: a.Name, At: time.Now().UTC(), Facts: []Fact{note}})
	return release, err
}
