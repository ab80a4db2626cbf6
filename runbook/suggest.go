package runbook

import (
	"context"
	"time"
)

// Suggested is written once for a release that meets one of the runbook's measured criteria, where the bot may suggest:
// people are told, and decide.
type Suggested struct {
	Release  string      `json:"release"` // the ID of the one to leave
	Target   string      `json:"target"`  // the ID of the one that a rollback would go to
	Evidence []Criterion `json:"evidence"`
}

// Kind is the fact's name in the journal.
func (Suggested) Kind() string { return "suggested" }

func init() { register[Suggested]() }

func suggestionKey(release string) string { return "suggestion-" + release }

// suggest journals a suggestion where one of the measured criteria holds and there is a release to go to: once for each
// release, whoever runs the bot. It is told as a Bulletin, and changes nothing on any host.
func (o Observer) suggest(ctx context.Context, a App, images map[string]Image, read *reads) error {
	release, known := read.history.Of(images)
	if _, done := read.history.Suggestion(release.ID); !o.Suggest || done || !known {
		return nil
	}
	rate := RateSeen{}
	if time.Since(release.UpAt) <= 2*errorRateWithin {
		rate = rateOf(ctx, o.Rate, a, read.history, &release)
	}
	evidence := Evidence(&release, rate, time.Now())
	if len(HeldOf(evidence)) == 0 {
		return nil
	}
	target, err := read.history.previous([]map[string]Image{images})
	if err != nil {
		return nil // there is nothing to suggest; the next look asks again
	}
	return o.append(ctx, a, read, Suggested{Release: release.ID, Target: target.ID, Evidence: evidence})
}
