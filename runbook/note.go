package runbook

import (
	"context"
	"fmt"
	"time"
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

// Allowed is nil when no app has the image quarantined, or else a *QuarantinedError. It is matched by digest, whatever
// the name: the same content under another name is the same failure.
func Allowed(ctx context.Context, j Journal, apps []string, image Image) error {
	for _, app := range apps {
		events, err := j.Events(ctx, app, "", 0)
		if err != nil {
			return fmt.Errorf("read the journal of %s: %w", app, err)
		}
		if by := NewHistory(events).Quarantined(image.Digest); by != "" {
			return &QuarantinedError{Image: image, App: app, Rollback: by}
		}
	}
	return nil
}

// NoteDeployment writes a deployment note: these images go live together. Every service of the app must be named, and
// none of the images may be quarantined: a *TargetError or a *QuarantinedError says so, and nothing is written.
func NoteDeployment(ctx context.Context, j Journal, a App, note Deployed) (Release, error) {
	release, err := NewHistory(nil).exact(a, note.Images)
	if err != nil {
		return Release{}, err
	}
	for _, service := range a.Services {
		if err := Allowed(ctx, j, []string{a.Name}, note.Images[service.Name]); err != nil {
			return Release{}, err
		}
	}
	release.Version, release.Commit, release.Migration, release.Noted = note.Version, note.Commit, note.Migration, true
	_, err = j.Append(ctx, Entry{App: a.Name, At: time.Now().UTC(), Facts: []Fact{note}})
	return release, err
}
