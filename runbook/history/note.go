package history

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"rollbackbot/runbook"
)

// quarantineKinds are the kinds of events that say what is quarantined.
var quarantineKinds = []string{runbook.Quarantined{}.Kind(), runbook.Lifted{}.Kind()}

// Allowed is nil when no app has any of the images quarantined, or else a *QuarantinedError for each that is, joined. They
// are matched by digest, whatever the name: the same content under another name is the same failure.
func Allowed(ctx context.Context, j runbook.Journal, apps []string, images ...runbook.Image) error {
	blocked := map[string]map[runbook.Digest]string{}
	for _, app := range apps {
		events, err := j.Since(ctx, app, runbook.Place{}, quarantineKinds...)
		if err != nil {
			return fmt.Errorf("read the journal of %s: %w", app, err)
		}
		blocked[app] = New(events).Blocked()
	}
	var refusals []error
	for _, image := range images {
		for _, app := range apps {
			if by := blocked[app][image.Digest]; by != "" {
				refusals = append(refusals, &runbook.QuarantinedError{Image: image, App: app, Rollback: by})
				break // one reason is enough
			}
		}
	}
	return errors.Join(refusals...)
}

// NoteDeployment writes a deployment note: these images go live together. Every service of the app must be named, and
// none of the images may be quarantined, by whatever app of the journal: a *NoteError, or a *QuarantinedError for each,
// says so, and nothing is written. It needs no ownership: any process may note.
func NoteDeployment(ctx context.Context, j runbook.Journal, a runbook.App, note runbook.Deployed) (runbook.Release, error) {
	if err := note.Check(a); err != nil {
		return runbook.Release{}, err
	}
	apps, err := j.Apps(ctx)
	if err != nil {
		return runbook.Release{}, err
	}
	var images []runbook.Image
	for _, service := range a.ServiceNames() {
		images = append(images, note.Images[service])
	}
	if err := Allowed(ctx, j, apps, images...); err != nil {
		return runbook.Release{}, err
	}
	release := runbook.Release{
		ID: runbook.ReleaseID(note.Images), Images: maps.Clone(note.Images), Version: note.Version, Commit: note.Commit, Migration: note.Migration, Noted: true,
	}
	_, err = j.Append(ctx, runbook.Entry{App: a.Name, At: time.Now().UTC(), Facts: []runbook.Fact{note}})
	return release, err
}
