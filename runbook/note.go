package runbook

import (
	"fmt"
	"maps"
	"slices"
	"strings"
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

// NoteError says all that is wrong with a deployment note. Nothing was written.
type NoteError struct {
	Problems []string // at least one, each a sentence without a full stop
}

func (e *NoteError) Error() string { return strings.Join(e.Problems, "\n") }

// MaxNoteText bounds a note's version and commit, in characters: each has to fit into a line of a message. A commit's
// SHA-256 has 64.
const MaxNoteText = 100

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
			problems = append(problems, fmt.Sprintf("%s has no service %q; it has %s", a.Name, Truncate(service, MaxNoteText), strings.Join(a.ServiceNames(), ", ")))
		}
	}
	for _, text := range []struct{ name, text string }{{"version", d.Version}, {"commit", d.Commit}} {
		switch {
		case !utf8.ValidString(text.text) || strings.ContainsFunc(text.text, unicode.IsControl):
			problems = append(problems, fmt.Sprintf("the %s holds characters that no line of text can show", text.name))
		case utf8.RuneCountInString(text.text) > MaxNoteText:
			problems = append(problems, fmt.Sprintf("the %s has more than %d characters", text.name, MaxNoteText))
		}
	}
	if len(problems) > 0 {
		return &NoteError{Problems: problems}
	}
	return nil
}
