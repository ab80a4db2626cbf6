package watch

import (
	"context"
	"time"

	"rollbackbot/runbook"
	"rollbackbot/runbook/rate"
)

// suggest journals a suggestion where one of the measured criteria holds and there is a release to go to: once for each
// release, whoever runs the bot. It is told as a Bulletin, and changes nothing on any host.
func (o Observer) suggest(ctx context.Context, a runbook.App, images map[string]runbook.Image, read *reads) error {
	release, known := read.history.Of(images)
	if _, done := read.history.Suggestion(release.ID); !o.Suggest || done || !known {
		return nil
	}
	perMinute := runbook.RateSeen{}
	if time.Since(release.UpAt) <= 2*runbook.ErrorRateWithin {
		perMinute = rate.Of(ctx, o.Rate, a, read.history, &release)
	}
	evidence := rate.Evidence(&release, perMinute, time.Now())
	if len(runbook.HeldOf(evidence)) == 0 {
		return nil
	}
	target, err := read.history.Previous([]map[string]runbook.Image{images})
	if err != nil {
		return nil // there is nothing to suggest; the next look asks again
	}
	return o.append(ctx, a, read, runbook.Suggested{Release: release.ID, Target: target.ID, Evidence: evidence})
}
